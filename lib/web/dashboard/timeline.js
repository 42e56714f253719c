/** The strip below the player: tabs as rows, what happens in them as marks. */

import { clock, h, place, span, visible } from './dom.js';

const ROW = 14, ROW_GAP = 3, TOP = 14, BOTTOM = 9, SIDE = 12, MOST_ROWS = 5;
export const IDLE = 4000;       // ms without anybody doing anything: may be skipped
const NEAR = 6;                 // px: what a pointer is at
const MOST_SAID = 3;            // things that are told of a place
const CAUSES = { lost: 'lost on the way', overflow: 'the recorder’s memory was full', privacy: 'left out for privacy',
  filter: 'left out by a filter', newer: 'written by a later version' };
/** Of each kind its colour and shape; those below win where they meet. */
const LOOKS = { click: ['--ink', 'dot'], event: ['--accent', 'diamond'], dead: ['--warn', 'hollow'], rage: ['--warn', 'up'], error: ['--bad', 'up'], pin: ['--accent', 'flag'] };
const ORDER = Object.values(LOOKS);
const lookOf = (m) => m.kind === 'console' ? /error|assert/.test(m.level) ? LOOKS.error : undefined : LOOKS[m.kind];

/** What the shapes mean, for the help. */
export const LEGEND = [['page', 'another page'], ['click', 'click'], ['error', 'error'], ['rage', 'rage click'], ['dead', 'click without effect'],
  ['event', 'custom event'], ['pin', 'your marker'], ['idle', 'nobody does anything'], ['gap', 'something is missing']];

function shape(c, name, x, y) {
  c.beginPath();
  if (name === 'dot') c.arc(x, y + ROW / 2, 1.8, 0, 7);
  else if (name === 'diamond') {
    c.moveTo(x, y - 10);
    c.lineTo(x + 4, y - 5.5);
    c.lineTo(x, y - 1);
    c.lineTo(x - 4, y - 5.5);
  } else if (name === 'flag') {
    c.rect(x - 0.75, y - 11, 1.5, ROW + 11);
    c.moveTo(x, y - 11);
    c.lineTo(x + 8, y - 8);
    c.lineTo(x, y - 5);
  } else {
    c.moveTo(x, y - 1);
    c.lineTo(x - 4.5, y - 9);
    c.lineTo(x + 4.5, y - 9);
  }
  c.closePath();
  if (name === 'hollow') c.stroke();
  else c.fill();
}

/** Stripes, from a to b. */
function stripes(c, a, b, y) {
  c.save();
  c.beginPath();
  c.rect(a, y, b - a, ROW);
  c.clip();
  c.beginPath();
  for (let x = a - ROW; x < b; x += 5) {
    c.moveTo(x, y + ROW);
    c.lineTo(x + ROW, y);
  }
  c.stroke();
  c.restore();
}

/** One entry of the legend, drawn as on the timeline. */
export function sample(kind) {
  const canvas = h('canvas', { 'aria-hidden': 'true', width: 52, height: 48 });
  canvas.className = 'sample';
  requestAnimationFrame(() => {
    const c = canvas.getContext('2d');
    const color = (name) => getComputedStyle(canvas).getPropertyValue(name).trim();
    c.scale(2, 2);
    c.fillStyle = color('--track');
    c.fillRect(0, 10, 26, ROW);
    if (kind === 'page') {
      c.fillStyle = color('--ink-2');
      c.fillRect(12.5, 5, 1, ROW + 5);
    } else if (kind === 'idle') {
      c.strokeStyle = color('--track-busy');
      stripes(c, 0, 26, 10);
    } else if (kind === 'gap') {
      c.fillStyle = color('--bad');
      c.fillRect(9, 10, 8, ROW);
    } else {
      c.fillStyle = c.strokeStyle = color(LOOKS[kind][0]);
      shape(c, LOOKS[kind][1], 13, 10);
    }
  });
  return canvas;
}

/**
 * @param {import('./recording.js').Recording} rec
 * @param {{seek(at: number, drags?: boolean): void, dropped(): void, skips(): boolean}} on
 *   `drags`: it goes on to another place at once, until it is dropped
 */
export function timeline(rec, on) {
  const canvas = h('canvas', { 'aria-hidden': 'true' });
  const below = document.createElement('canvas'), above = document.createElement('canvas');
  const tip = h('.tip', { hidden: true });
  const root = h('.timeline', { role: 'slider', tabIndex: 0, 'aria-label': 'Time', 'aria-valuemin': 0 }, canvas, tip);
  let at = rec.first, edge = 0, drag = false, dirty = true, stale = true, drawnTo = 0, pointer = null, idle = [];

  const begin = () => isFinite(rec.first) ? rec.first : 0;
  const finish = () => Math.max(isFinite(rec.last) ? rec.last : 0, edge, begin() + 1000);
  const width = () => root.clientWidth - 2 * SIDE;
  const x = (t) => SIDE + (t - begin()) / (finish() - begin()) * width();
  const time = (px) => begin() + Math.min(1, Math.max(0, (px - SIDE) / width())) * (finish() - begin());
  const rows = () => Math.max(1, Math.min(MOST_ROWS, rec.tabs.size));
  const rowOf = (name) => Math.min(rows() - 1, rec.tabs.get(name)?.index ?? 0);
  const top = (row) => TOP + row * (ROW + ROW_GAP);
  /** Until when a gap lasts: to what comes next in its tab. */
  const gapEnd = (g) => rec.tabs.get(g.tab)?.byNumber.get(g.to + 1)?.first ?? g.at;

  /** What only changes with the recording: the tracks, and what stands on them. */
  function prepare(wide, tall, dpr) {
    stale = false;
    drawnTo = finish();
    idle = idleSpans();
    const styles = getComputedStyle(root), colors = {};
    const color = (name) => colors[name] ??= styles.getPropertyValue(name).trim();
    for (const layer of [below, above]) {
      layer.width = Math.round(wide * dpr);
      layer.height = Math.round(tall * dpr);
      layer.getContext('2d').setTransform(dpr, 0, 0, dpr, 0, 0);
    }
    let c = below.getContext('2d');
    const box = (a, b, row, style, inset = 0) => {
      c.fillStyle = style;
      c.beginPath();
      c.roundRect(a, top(row) + inset, Math.max(2, b - a), ROW - 2 * inset, 3);
      c.fill();
    };
    const tabs = [...rec.tabs.values()].sort((a, b) => a.index - b.index);
    if (!rec.known) {
      // What was not read yet.
      c.globalAlpha = 0.5;
      box(SIDE, wide - SIDE, rowOf(rec.tabAt(finish())), color('--track'));
      c.globalAlpha = 1;
    }
    if (!tabs.length) box(SIDE, wide - SIDE, 0, color('--track'));
    tabs.forEach((t) => isFinite(t.first) && box(x(t.first), x(Math.max(t.last, t === rec.tabs.get(rec.tabAt(finish())) ? edge : 0)), rowOf(t.name), color('--track')));
    // Where somebody was: a second each, or some, joined when they touch.
    const grain = rec.grain * 1000;
    let run;
    const flush = () => run && box(x(run.from), x(run.to), run.row, color('--track-busy'), 2);
    for (const [second, tab] of rec.active) {
      // Within the tab's own track, if it has one.
      const row = rowOf(tab), own = row < MOST_ROWS - 1 && rec.tabs.get(tab);
      const from = Math.max(second * 1000, begin(), own ? own.first : 0), to = Math.min(second * 1000 + grain, finish(), own ? own.last : Infinity);
      if (run && run.row === row && from - run.to <= (finish() - begin()) / width() * 2) run.to = Math.max(run.to, to);
      else {
        flush();
        run = { from, to, row };
      }
    }
    flush();
    // Where nobody was, for long.
    c.strokeStyle = color('--track-busy');
    for (const [from, to] of idle)
      if (x(to) - x(from) > 6) stripes(c, x(from) + 1, x(to) - 1, top(rowOf(rec.tabAt(from))));

    c = above.getContext('2d');
    for (const g of rec.gaps) {
      if (!isFinite(g.at)) continue;
      const a = x(g.at), b = Math.max(a + 6, x(gapEnd(g))), y = top(rowOf(g.tab));
      c.fillStyle = color('--panel');
      c.fillRect(a - 4, y, b - a + 4, ROW);
      c.fillStyle = color('--bad');
      c.fillRect(a - 3, y, b - a + 2, ROW);
    }
    // One of a kind at each place: thousands look the same as one.
    const last = {};
    const drawn = [];
    for (const m of [...rec.marks, ...rec.pins ?? []]) {
      const px = Math.round(x(m.at)), row = rowOf(m.tab), key = `${m.kind}${row}`;
      if (last[key] === px) continue;
      if (m.kind === 'page') {
        c.fillStyle = color('--ink-2');
        c.fillRect(px - 0.5, top(row) - 5, 1, ROW + 5);
      } else if (lookOf(m)) drawn.push([m, px, top(row)]);
      else continue;
      last[key] = px;
    }
    drawn.sort((a, b) => ORDER.indexOf(lookOf(a[0])) - ORDER.indexOf(lookOf(b[0])));
    for (const [m, px, y] of drawn) {
      const [name, form] = lookOf(m);
      c.fillStyle = c.strokeStyle = color(name);
      shape(c, form, px, y);
    }
    // What is loaded.
    c.fillStyle = color('--track-busy');
    if (!rec.known)
      for (const [a, b] of rec.spans) c.fillRect(x(a), tall - 4, Math.max(2, x(b) - x(a)), 2);
  }

  /** When nobody did anything for long, as far as that is known. */
  function idleSpans() {
    const out = [];
    let last = begin();
    const add = (from, to) => {
      // What is missing there, nobody knows.
      const gap = rec.gaps.find((g) => g.at < to && gapEnd(g) > from);
      if (gap) {
        if (gap.at > from) add(from, gap.at);
        if (gapEnd(gap) < to) add(gapEnd(gap), to);
      } else if (to - from >= IDLE && rec.spans.some(([a, b]) => a <= from && to <= b)) out.push([from, to]);
    };
    for (const [second] of rec.active) {
      add(last, second * 1000);
      last = Math.max(last, (second + rec.grain) * 1000);
    }
    add(last, isFinite(rec.last) ? rec.last : 0);
    return out;
  }

  function draw() {
    dirty = false;
    const tall = TOP + rows() * ROW + (rows() - 1) * ROW_GAP + BOTTOM;
    root.style.height = canvas.style.height = tall + 'px';
    // The recording's picture comes first, at the size that it keeps.
    if (rec.held) return;
    const wide = root.clientWidth;
    if (!wide) return;
    const dpr = devicePixelRatio || 1;
    if (canvas.width !== Math.round(wide * dpr) || canvas.height !== Math.round(tall * dpr)) {
      canvas.width = Math.round(wide * dpr);
      canvas.height = Math.round(tall * dpr);
      stale = true;
    }
    // What grows is drawn anew once that can be seen.
    if (stale || Math.abs(finish() - drawnTo) / (finish() - begin()) * width() > 0.5) prepare(wide, tall, dpr);
    const styles = getComputedStyle(root);
    const c = canvas.getContext('2d');
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, canvas.width, canvas.height);
    c.drawImage(below, 0, 0);
    c.setTransform(dpr, 0, 0, dpr, 0, 0);
    // What has been played.
    c.save();
    c.globalCompositeOperation = 'source-atop';
    c.fillStyle = styles.getPropertyValue('--accent');
    c.globalAlpha = 0.45;
    c.fillRect(0, TOP, x(at), tall);
    c.restore();
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.drawImage(above, 0, 0);
    c.setTransform(dpr, 0, 0, dpr, 0, 0);
    c.fillStyle = styles.getPropertyValue('--ink');
    c.fillRect(x(at) - 1, 2, 2, tall - 4);
    c.beginPath();
    c.arc(x(at), 5, 4, 0, 7);
    c.fill();
    root.setAttribute('aria-valuemax', Math.round((finish() - begin()) / 1000));
    root.setAttribute('aria-valuenow', Math.round((at - begin()) / 1000));
    root.setAttribute('aria-valuetext', `${clock(at - begin())} of ${clock(finish() - begin())}`);
  }
  const redraw = () => {
    if (dirty) return;
    dirty = true;
    requestAnimationFrame(draw);
  };
  const changed = () => {
    stale = true;
    redraw();
    if (pointer) preview(pointer);
  };

  /** The marks that a place on the strip is at. */
  function near(px) {
    const from = time(px - NEAR), to = time(px + NEAR), t = time(px);
    let low = 0, high = rec.marks.length;
    while (low < high) {
      const mid = low + high >> 1;
      if (rec.marks[mid].at < from) low = mid + 1;
      else high = mid;
    }
    const out = (rec.pins ?? []).filter((m) => m.at >= from && m.at <= to);
    for (; low < rec.marks.length && rec.marks[low].at <= to; low++) if (lookOf(rec.marks[low])) out.push(rec.marks[low]);
    // What matters most first, then what is nearest.
    return out.sort((a, b) => ORDER.indexOf(lookOf(b)) - ORDER.indexOf(lookOf(a)) || Math.abs(a.at - t) - Math.abs(b.at - t));
  }

  function preview(px) {
    const t = time(px);
    const said = [];
    for (const text of near(px).map(describe)) {
      const same = said.find((x) => x.text === text);
      if (same) same.times++;
      else said.push({ text, times: 1, toString() { return this.times > 1 ? `${text} (${this.times}×)` : text; } });
    }
    for (const g of rec.gaps) if (t >= g.at - (time(NEAR) - time(0)) && t <= Math.max(gapEnd(g), time(x(g.at) + NEAR))) said.unshift(describe(g));
    const still = idle.find(([from, to]) => from <= t && t < to);
    if (still) said.push(`Nobody does anything for ${span(still[1] - still[0])}${on.skips() ? ': skipped' : ''}`);
    const tab = rec.tabAt(t);
    const page = rec.marks.findLast((m) => m.kind === 'page' && m.at <= t + 1 && (tab === undefined || m.tab === tab));
    tip.replaceChildren(h('p', {}, h('b', {}, clock(t - begin())), page ? h('span', {}, ' ' + place(page.text).path) : ''),
      ...said.slice(0, MOST_SAID).map((x) => h('p', { dir: 'auto' }, visible(String(x)))), said.length > MOST_SAID ? h('p', {}, `and ${said.length - MOST_SAID} more`) : '');
    tip.hidden = false;
    const half = tip.offsetWidth / 2;
    tip.style.left = Math.min(root.clientWidth - half - 4, Math.max(half + 4, px)) + 'px';
  }
  const place_ = (e) => e.clientX - root.getBoundingClientRect().left;
  root.addEventListener('pointerdown', (e) => {
    if (e.button) return;
    drag = true;
    root.setPointerCapture(e.pointerId);
    on.seek(time(place_(e)));
  });
  root.addEventListener('pointermove', (e) => {
    pointer = place_(e);
    preview(pointer);
    if (drag) on.seek(time(pointer), true);
  });
  const dropped = () => {
    if (drag) on.dropped();
    drag = false;
  };
  root.addEventListener('pointerup', dropped);
  root.addEventListener('pointercancel', dropped);
  root.addEventListener('pointerleave', () => {
    pointer = null;
    tip.hidden = true;
  });
  // As sliders do; left and right, Home and End are the player's keys anyway.
  root.addEventListener('keydown', (e) => {
    const step = { ArrowUp: 5e3, ArrowDown: -5e3, PageUp: 30e3, PageDown: -30e3 }[e.key];
    if (!step || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    on.seek(at + step);
  });
  rec.addEventListener('change', changed);
  const resized = new ResizeObserver(changed);
  resized.observe(root);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', changed);
  addEventListener('resize', changed);
  requestAnimationFrame(draw);

  return {
    root,
    begin,
    finish,
    redraw: changed,
    set(t, liveEdge) {
      at = t;
      edge = liveEdge || 0;
      redraw();
    },
    end() {
      resized.disconnect();
      dark.removeEventListener('change', changed);
      removeEventListener('resize', changed);
    },
  };
}

/** A mark in words. */
export function describe(m) {
  switch (m.kind) {
    case 'gap': return `Missing: ${m.events ? `${m.events} events` : m.to > m.from ? `batches ${m.from} to ${m.to}` : `batch ${m.from}`} (${CAUSES[m.cause] ?? m.cause})`;
    case 'page': return m.text;
    case 'click':
    case 'input': return m.on ? `${m.text} ${m.on}` : m.text;
    case 'console': return `${m.level}: ${m.text}`;
    case 'scroll': return `Scrolled down ${Math.round(m.y).toLocaleString()} px${m.screens >= 1.1 ? `, ${m.screens.toFixed(1)} screens` : ''}`;
    case 'net': return `${m.method} ${m.text} ${m.status || 'failed'}`;
    default: return m.text;
  }
}
