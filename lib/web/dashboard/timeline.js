/** The strip below the player: tabs as rows, what happens in them as marks. */

import { clock, h } from './dom.js';

const ROW = 14, ROW_GAP = 3, TOP = 14, BOTTOM = 6, SIDE = 12, MOST_ROWS = 5;
const STYLE = { error: '--bad', rage: '--warn', dead: '--warn', event: '--accent', gap: '--bad' };

/**
 * @param {import('./recording.js').Recording} rec
 * @param {{seek(at: number): void}} on
 */
export function timeline(rec, on) {
  const canvas = h('canvas', { 'aria-hidden': 'true' });
  const tip = h('.tip', { hidden: true });
  const root = h('.timeline', { role: 'slider', tabIndex: 0, 'aria-label': 'Time', 'aria-valuemin': 0 }, canvas, tip);
  let at = rec.first, edge = 0, drag = false, dirty = true;

  const begin = () => isFinite(rec.first) ? rec.first : 0;
  const finish = () => Math.max(isFinite(rec.last) ? rec.last : 0, edge, begin() + 1000);
  const width = () => root.clientWidth - 2 * SIDE;
  const x = (t) => SIDE + (t - begin()) / (finish() - begin()) * width();
  const time = (px) => begin() + Math.min(1, Math.max(0, (px - SIDE) / width())) * (finish() - begin());
  const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  function draw() {
    dirty = false;
    const rows = Math.max(1, Math.min(MOST_ROWS, rec.tabs.size));
    const tall = TOP + rows * ROW + (rows - 1) * ROW_GAP + BOTTOM;
    const wide = root.clientWidth;
    if (!wide) return;
    const dpr = devicePixelRatio || 1;
    if (canvas.width !== Math.round(wide * dpr) || canvas.height !== Math.round(tall * dpr)) {
      canvas.width = Math.round(wide * dpr);
      canvas.height = Math.round(tall * dpr);
      root.style.height = canvas.style.height = tall + 'px';
    }
    const c = canvas.getContext('2d');
    c.setTransform(dpr, 0, 0, dpr, 0, 0);
    c.clearRect(0, 0, wide, tall);
    const track = color('--track'), busy = color('--track-busy'), ink = color('--ink-2');
    const tabs = [...rec.tabs.values()].sort((a, b) => a.index - b.index);
    const rowOf = (name) => Math.min(rows - 1, rec.tabs.get(name)?.index ?? 0);
    const top = (row) => TOP + row * (ROW + ROW_GAP);
    const box = (a, b, row, style, inset = 0) => {
      c.fillStyle = style;
      c.beginPath();
      c.roundRect(a, top(row) + inset, Math.max(2, b - a), ROW - 2 * inset, 3);
      c.fill();
    };

    if (!tabs.length) box(SIDE, wide - SIDE, 0, track);
    tabs.forEach((t) => isFinite(t.first) && box(x(t.first), x(Math.max(t.last, t === rec.tabs.get(rec.tabAt(finish())) ? edge : 0)), rowOf(t.name), track));
    // Where somebody was: a second each, joined when they touch.
    let run;
    const flush = () => run && box(x(run.from), x(run.to), run.row, busy, 2);
    for (const [second, tab] of rec.active) {
      const from = second * 1000, row = rowOf(tab);
      if (run && run.row === row && from - run.to <= (finish() - begin()) / width() * 2) run.to = from + 1000;
      else {
        flush();
        run = { from: Math.max(from, begin()), to: Math.min(from + 1000, finish()), row };
      }
    }
    flush();
    // What has been played.
    c.save();
    c.globalCompositeOperation = 'source-atop';
    c.fillStyle = color('--accent');
    c.globalAlpha = 0.45;
    c.fillRect(0, TOP, x(at), tall);
    c.restore();

    for (const g of rec.gaps) {
      if (!isFinite(g.at)) continue;
      const px = x(g.at), y = top(rowOf(g.tab));
      c.fillStyle = color('--bad');
      c.fillRect(px - 3, y, 6, ROW);
      c.fillStyle = color('--panel');
      c.fillRect(px - 1, y, 2, ROW);
    }
    for (const m of rec.marks) {
      const px = x(m.at), row = rowOf(m.tab), y = top(row);
      if (m.kind === 'page') {
        c.fillStyle = ink;
        c.fillRect(px - 0.5, y - 3, 1, ROW + 3);
      } else if (m.kind === 'click') {
        c.fillStyle = ink;
        c.beginPath();
        c.arc(px, y + ROW / 2, 1.6, 0, 7);
        c.fill();
      } else if (STYLE[m.kind] || m.kind === 'console' && /error|assert/.test(m.level)) {
        c.fillStyle = color(STYLE[m.kind] || '--bad');
        c.beginPath();
        c.moveTo(px, y - 1);
        c.lineTo(px - 4, y - 8);
        c.lineTo(px + 4, y - 8);
        c.fill();
      }
    }
    c.fillStyle = color('--ink');
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

  function hover(e) {
    const px = e.clientX - root.getBoundingClientRect().left;
    const t = time(px);
    let near, best = 6;
    for (const m of [...rec.marks, ...rec.gaps]) {
      const d = Math.abs(x(m.at) - px);
      if (d < best && m.kind !== 'net' && m.kind !== 'size') [near, best] = [m, d];
    }
    tip.replaceChildren(h('b', {}, clock(t - begin())), near ? ' ' + describe(near) : '');
    tip.hidden = false;
    const half = tip.offsetWidth / 2;
    tip.style.left = Math.min(root.clientWidth - half - 4, Math.max(half + 4, px)) + 'px';
    if (drag) on.seek(t);
  }
  root.addEventListener('pointerdown', (e) => {
    if (e.button) return;
    drag = true;
    root.setPointerCapture(e.pointerId);
    on.seek(time(e.clientX - root.getBoundingClientRect().left));
  });
  root.addEventListener('pointermove', hover);
  root.addEventListener('pointerup', () => { drag = false; });
  root.addEventListener('pointercancel', () => { drag = false; });
  root.addEventListener('pointerleave', () => { tip.hidden = true; });
  rec.addEventListener('change', redraw);
  const resized = new ResizeObserver(redraw);
  resized.observe(root);
  requestAnimationFrame(draw);

  return {
    root,
    begin,
    finish,
    redraw,
    set(t, liveEdge) {
      at = t;
      edge = liveEdge || 0;
      redraw();
    },
    end: () => resized.disconnect(),
  };
}

/** A mark in words. */
export function describe(m) {
  switch (m.kind) {
    case 'gap': return `Missing: ${m.events ? `${m.events} events` : m.to > m.from ? `batches ${m.from} to ${m.to}` : `batch ${m.from}`} (${m.cause})`;
    case 'page': return m.text;
    case 'click':
    case 'input': return m.on ? `${m.text} ${m.on}` : m.text;
    case 'console': return `${m.level}: ${m.text}`;
    case 'scroll': return `Scrolled down ${Math.round(m.y).toLocaleString()} px${m.screens ? `, ${m.screens.toFixed(1)} screens` : ''}`;
    case 'net': return `${m.method} ${m.text} ${m.status || 'failed'}`;
    default: return m.text;
  }
}
