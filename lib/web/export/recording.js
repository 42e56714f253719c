/**
 * The recording that is in this file: the gzip of event lines and directives
 * (rr-lines(5)), as base64 in script elements that are no scripts. Events stay
 * text until they are to be drawn.
 */

import { directive, unpack } from '../dashboard/lines.js';
import { bounds, placed, settle } from '../dashboard/times.js';

const SMALL = 16384;            // characters of an event that is looked into
const USER = new Set([1, 2, 3, 5, 6, 12]);
const MARKS = 5000;

/** The lines, one by one; what was read leaves the document. */
export async function* lines(elements) {
  let i = 0;
  const source = new ReadableStream({
    pull(to) {
      if (i === elements.length) return to.close();
      const el = elements[i++];
      to.enqueue(Uint8Array.from(atob(el.textContent), (c) => c.charCodeAt(0)));
      el.remove();
    },
  });
  const reader = source.pipeThrough(new DecompressionStream('gzip')).pipeThrough(new TextDecoderStream()).getReader();
  let parts = [];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    let from = 0, to;
    while ((to = value.indexOf('\n', from)) >= 0) {
      parts.push(value.slice(from, to));
      yield parts.join('');
      parts = [];
      from = to + 1;
    }
    parts.push(value.slice(from));
  }
  const rest = parts.join('');
  if (rest) yield rest;
}

export function event(text) {
  try {
    const e = JSON.parse(text);
    if (!e || typeof e !== 'object' || typeof e.type !== 'number' || typeof e.timestamp !== 'number') return null;
    return e;
  } catch {
    return null;
  }
}

/**
 * @property {Map<string, object>} tabs  {name, first, last, segments}: a segment is what follows
 *   a snapshot, {first, batches}, a batch {lines, shift, first, last}
 * @property {object[]} marks   {at, kind, text}, kind one of page, click, error, gap
 * @property {number[][]} active  [second, tab]: somebody did something
 */
export class Recording {
  tabs = new Map();
  marks = [];
  active = [];
  meta = {};
  first = Infinity;
  last = -Infinity;
  events = 0;

  async read(elements) {
    let batch;
    for await (const line of lines(elements)) {
      if (line[0] === '{' || line[0] === '"') {
        if (!batch) batch = { tab: '0', lines: [] };
        batch.lines.push(line);
        continue;
      }
      const d = directive(line);
      if (line.startsWith(':batch ')) batch = { tab: d.tab, time: Number(d.time), lines: [], full: / flags=\S*full/.test(line) };
      else if (line.startsWith(':end')) {
        if (batch) await this.take(batch);
        batch = null;
      } else if (line.startsWith(':gap ')) this.gap(d);
      else if (line.startsWith(':meta ')) Object.assign(this.meta, d.json);
    }
    if (batch) await this.take(batch);
    this.marks.sort((a, b) => a.at - b.at);
    this.active.sort((a, b) => a[0] - b[0]);
    return this;
  }

  tab(name) {
    let t = this.tabs.get(name);
    if (!t) this.tabs.set(name, t = { name, first: Infinity, last: -Infinity, shift: 0, time: undefined, segments: [] });
    return t;
  }

  mark(at, kind, text) {
    if (this.marks.length < MARKS) this.marks.push({ at, kind, text: String(text).slice(0, 200) });
  }

  gap(d) {
    const t = this.tab(d.tab);
    const [from, to] = String(d.batch).split('-');
    const what = d.within ? `${d.events} events` : to ? `batches ${from} to ${to}` : `batch ${from}`;
    this.gaps = (this.gaps || 0) + 1;
    this.mark(isFinite(t.last) ? t.last : this.first, 'gap', `Missing here: ${what} (${d.cause})`);
  }

  async take(b) {
    const t = this.tab(b.tab);
    for (const [i, line] of b.lines.entries()) b.lines[i] = await unpack(line);
    this.events += b.lines.length;
    const { first: from, last: to } = bounds(b.lines);
    const told = from !== undefined;
    if (told && isFinite(t.last)) t.shift = settle({ first: from, time: b.time }, t);
    const part = { lines: b.lines, shift: t.shift, first: told ? from + t.shift : undefined, last: told ? to + t.shift : undefined };
    for (const text of b.lines) {
      const small = text.length < SMALL, e = small ? event(text) : null;
      if (small && !e) continue;
      if (e) this.look(e, placed(e.timestamp, part), t);
      if (e ? e.type === 2 : /^\{[^{]*"type":\s*2\b/.test(text) || /"type":\s*2,"timestamp":\s*[\d.]+\}?\s*$/.test(text)) b.full = true;
    }
    const now = t.segments[t.segments.length - 1];
    if (b.full && told) t.segments.push({ tab: t.name, first: part.first, batches: [part] });
    else if (now) now.batches.push(part);
    if (!told) return;
    t.time = b.time;
    t.first = Math.min(t.first, part.first);
    t.last = Math.max(t.last, part.last);
    this.first = Math.min(this.first, part.first);
    this.last = Math.max(this.last, part.last);
  }

  look(e, at, t) {
    const d = e.data || {};
    if (e.type === 4 && d.href) {
      if (d.href !== t.href) this.mark(at, 'page', d.href);
      t.href = d.href;
    } else if (e.type === 5 && d.tag === 'rr.error') this.mark(at, 'error', d.payload && d.payload.message || 'Error');
    else if (e.type === 3 && USER.has(d.source)) {
      const second = Math.floor(at / 1000), was = this.active[this.active.length - 1];
      if (!was || was[0] !== second || was[1] !== t.name) this.active.push([second, t.name]);
      if (d.source === 2 && d.type === 2) this.mark(at, 'click', 'Click');
    }
  }

  /** The tab in which somebody was. */
  tabAt(at) {
    const i = this.after(at);
    if (i) return this.active[i - 1][1];
    let best;
    for (const t of this.tabs.values()) if (t.first <= at && (!best || t.first > best.first)) best = t;
    best = best || [...this.tabs.values()].find((t) => t.segments.length);
    return best && best.name;
  }

  /** When somebody does something next; the end, if nobody does. */
  nextActive(at) {
    const i = this.after(at);
    return i < this.active.length ? this.active[i][0] * 1000 : this.last;
  }

  after(at) {
    let low = 0, high = this.active.length;
    while (low < high) {
      const mid = low + high >> 1;
      if (this.active[mid][0] * 1000 <= at) low = mid + 1;
      else high = mid;
    }
    return low;
  }

  /** What to draw from for a time: the tab's last snapshot before it, else its first. */
  segment(tab, at) {
    const t = this.tabs.get(tab);
    if (!t) return null;
    let found = t.segments[0];
    for (const s of t.segments) if (s.first <= at) found = s;
    return found || null;
  }
}
