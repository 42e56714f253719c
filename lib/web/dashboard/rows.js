/**
 * A long list of which only the rows in sight are in the document. All rows
 * are as tall as --row says, but those that were unfolded. The list is one
 * stop of the Tab key; the up and down arrows go from row to row in it.
 */

import { h, icon } from './dom.js';

const SPARE = 6;                // rows kept ready above and below

/**
 * @typedef {{length: number, at(i: number): any}} Items  an array, or what reads like one
 * @param {object} how
 * @param {(item: any) => any} how.key       the same for the same item, whenever it is asked
 * @param {(item: any) => any} how.stamp     changes when the row has to be drawn anew
 * @param {(item: any) => {look: string, inside: any[]}} how.row  classes, and children
 * @param {(item: any) => (() => Node | Promise<Node>) | null} how.more  makes what is unfolded, if there is any
 * @param {(item: any, index: number) => void} how.go     it was chosen
 */
export function virtual(how) {
  const pad = h('.pad', { role: 'list' });
  const root = h('.rows', {}, pad);
  const shown = new Map();      // key: {el, item, stamp, index}
  const open = new Map();       // key: {index, extra}, extra in px
  let items = [], tall = 30, now = -1, here = 0, queued = false;

  const unfolded = () => [...open.values()].filter((o) => o.index >= 0).sort((a, b) => a.index - b.index);
  const top = (i) => unfolded().reduce((y, o) => o.index < i ? y + o.extra : y, i * tall);
  function indexAt(y) {
    for (const o of unfolded()) {
      const bottom = (o.index + 1) * tall;
      if (y < bottom) break;
      if (y < bottom + o.extra) return o.index;
      y -= o.extra;
    }
    return Math.max(0, Math.min(items.length - 1, Math.floor(y / tall)));
  }

  function make(item, index) {
    const { look, inside } = how.row(item);
    const key = how.key(item), more = how.more(item);
    const go = h('button.go', { tabIndex: -1, onclick() {
      here = shown.get(key)?.index ?? index;
      how.go(item, here);
    } }, inside);
    const el = h(`div.row${look ? '.' + look.split(' ').join('.') : ''}`, { role: 'listitem' }, go);
    if (more) {
      const fold = h('button.fold', { tabIndex: -1, title: 'More', 'aria-label': `More of ${go.textContent.slice(0, 80)}`, 'aria-expanded': String(open.has(key)), onclick: () => toggle(key) }, icon('down', 14));
      el.append(fold);
      if (open.has(key)) unfold(el, key, more);
    }
    return el;
  }

  function unfold(el, key, more) {
    const box = h('.unfolded');
    el.append(box);
    Promise.resolve(more()).then((node) => {
      box.append(node);
      measure(el, key);
    }, (e) => box.append(h('p', {}, e.message)));
  }

  function measure(el, key) {
    const o = open.get(key);
    const extra = el.lastChild.offsetHeight;
    if (!o || !el.isConnected || Math.abs(extra - o.extra) < 1) return;
    o.extra = extra;
    draw();
  }

  function toggle(key) {
    const was = shown.get(key);
    if (!was) return;
    if (open.has(key)) open.delete(key);
    else open.set(key, { index: was.index, extra: 0 });
    was.stamp = NaN;
    const focus = was.el.contains(document.activeElement);
    draw();
    if (focus) shown.get(key)?.el.querySelector('.fold')?.focus();
  }

  function draw() {
    queued = false;
    pad.style.height = top(items.length) + 'px';
    if (!items.length) {
      for (const s of shown.values()) s.el.remove();
      shown.clear();
      return;
    }
    here = Math.min(here, items.length - 1);
    const y = root.scrollTop - pad.offsetTop, first = Math.max(0, indexAt(y) - SPARE);
    const last = Math.min(items.length - 1, indexAt(y + root.clientHeight) + SPARE);
    const wanted = new Map();
    const want = (i) => {
      const item = items.at(i);
      wanted.set(how.key(item), [item, i]);
    };
    const focused = pad.contains(document.activeElement);
    if (focused && here < first) want(here);
    for (let i = first; i <= last; i++) want(i);
    if (focused && here > last) want(here);
    for (const [key, s] of shown)
      if (!wanted.has(key)) {
        s.el.remove();
        shown.delete(key);
      }
    let place = pad.firstElementChild;
    for (const [key, [item, index]] of wanted) {
      let s = shown.get(key);
      const stamp = how.stamp(item);
      if (!s || s.stamp !== stamp) {
        const el = make(item, index);
        if (s) {
          const held = s.el.contains(document.activeElement);
          if (place === s.el) place = el;
          s.el.replaceWith(el);
          if (held) el.firstChild.focus({ preventScroll: true });
        }
        shown.set(key, s = { el, item, stamp });
      }
      s.index = index;
      s.el.style.top = top(index) + 'px';
      s.el.setAttribute('aria-posinset', index + 1);
      s.el.setAttribute('aria-setsize', items.length);
      s.el.classList.toggle('now', index === now);
      s.el.firstChild.tabIndex = index === here ? 0 : -1;
      const fold = s.el.querySelector(':scope > .fold');
      if (fold) fold.tabIndex = index === here ? 0 : -1;
      if (index === now) s.el.firstChild.setAttribute('aria-current', 'true');
      else s.el.firstChild.removeAttribute('aria-current');
      if (s.el === place) place = place.nextElementSibling;
      else pad.insertBefore(s.el, place);
    }
    // One stop of the Tab key must be in the document.
    if (![...shown.values()].some((s) => s.index === here)) shown.values().next().value.el.firstChild.tabIndex = 0;
  }
  const soon = () => {
    if (queued) return;
    queued = true;
    requestAnimationFrame(draw);
  };
  root.addEventListener('scroll', soon, { passive: true });
  const resized = new ResizeObserver(() => {
    tall = parseFloat(getComputedStyle(root).getPropertyValue('--row')) || 30;
    for (const [key, o] of open) {
      const s = shown.get(key);
      if (s) o.extra = s.el.querySelector('.unfolded')?.offsetHeight ?? o.extra;
    }
    soon();
  });
  resized.observe(root);

  function reveal(i, middle) {
    const y = top(i) + pad.offsetTop;
    if (y < root.scrollTop || y + tall > root.scrollTop + root.clientHeight - 8)
      root.scrollTop = middle ? y - root.clientHeight / 2 : y < root.scrollTop ? y : y + tall - root.clientHeight + 8;
  }

  pad.addEventListener('keydown', (e) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (!step || !items.length) return;
    e.preventDefault();
    e.stopPropagation();
    here = Math.max(0, Math.min(items.length - 1, here + step));
    reveal(here);
    draw();
    for (const s of shown.values()) if (s.index === here) s.el.firstChild.focus({ preventScroll: true });
  });
  pad.addEventListener('focusin', (e) => {
    for (const s of shown.values()) if (s.el.contains(e.target)) here = s.index;
  });

  return {
    root,
    get items() {
      return items;
    },
    /** Shows other items, or the same after they have changed. */
    set(list) {
      items = list;
      tall = parseFloat(getComputedStyle(root).getPropertyValue('--row')) || tall;
      if (open.size) {
        for (const o of open.values()) o.index = -1;
        for (let i = 0; i < items.length; i++) {
          const o = open.get(how.key(items.at(i)));
          if (o) o.index = i;
        }
      }
      draw();
    },
    /** Marks the row of the time; brings it into sight, unless somebody reads elsewhere in the list. */
    follow(i, force) {
      if (i === now && !force) return;
      now = i;
      if (i >= 0 && (force || !root.matches(':hover') && !pad.contains(document.activeElement))) {
        if (!pad.contains(document.activeElement)) here = i;
        reveal(i, true);
      }
      draw();
    },
    end: () => resized.disconnect(),
  };
}
