/**
 * A recording, read as a whole from its lines: those of events, and directives
 * (rr-lines(5)). Events stay text until they are to be drawn.
 */

import { directive, unpack } from '../dashboard/lines.js';
import { bounds, placed, settle } from '../dashboard/times.js';

const SMALL = 16384;            // characters of an event that is looked into
const USER = new Set([1, 2, 3, 5, 6, 12]);
const MARKS = 5000;
const TABS = 200;
const ACTIVE = 1e6;             // seconds in which somebody did something
const PIECE = 256 << 10;        // characters of a batch, of events that stand in none
const TURN = 25;                // ms, after which others may have theirs

/** Lets the browser draw, and hear who clicks. */
export const others = () => new Promise((resolve) => setTimeout(resolve));

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

  /** @param {AsyncIterable<string>} lines */
  async read(lines) {
    let batch, bare = 0, page = false, since = performance.now();
    const end = async () => {
      if (batch) await this.take(batch);
      batch = null;
    };
    for await (const line of lines) {
      if (line[0] === '{' || line[0] === '"') {
        // Where none are marked, a page begins one: what is drawn from it is found then.
        const type = batch && bare === 0 ? 0 : kind(line);
        if (batch && bare && (type === 4 || type === 2 && !page || bare > PIECE)) await end();
        if (!batch) [batch, bare] = [{ tab: '0', lines: [] }, 1];
        if (bare) bare += line.length;
        page = type === 4;
        batch.lines.push(line);
      } else if (line[0] === ':') {
        const d = directive(line);
        if (d.name === 'batch') {
          await end();
          [batch, bare] = [{ tab: d.tab, time: Number(d.time), offset: Number(d.offset) || 0, lines: [], full: / flags=\S*full/.test(line) }, 0];
        } else if (d.name === 'end') await end();
        else if (d.name === 'gap') this.gap(d);
        else if (d.name === 'meta') Object.assign(this.meta, d.json);
      }
      if (performance.now() - since > TURN) {
        await others();
        since = performance.now();
      }
    }
    await end();
    this.marks.sort((a, b) => a.at - b.at);
    this.active.sort((a, b) => a[0] - b[0]);
    return this;
  }

  tab(name) {
    let t = this.tabs.get(name);
    if (!t && this.tabs.size === TABS) throw new Error(`it has more than ${TABS} tabs`);
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
    const span = bounds(b.lines), told = span.first !== undefined;
    const offset = b.offset || 0, from = span.first + offset, to = span.last + offset;
    if (told && isFinite(t.last)) t.shift = settle({ first: from, time: b.time }, t);
    const part = { lines: b.lines, shift: t.shift + offset, first: told ? from + t.shift : undefined, last: told ? to + t.shift : undefined };
    for (const text of b.lines) {
      const small = text.length < SMALL, e = small ? event(text) : null;
      if (small && !e) continue;
      if (e) this.look(e, placed(e.timestamp, part), t);
      if (e ? e.type === 2 : kind(text) === 2) b.full = true;
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
      if (this.active.length < ACTIVE && (!was || was[0] !== second || was[1] !== t.name)) this.active.push([second, t.name]);
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

/** The type of an event, by its text; of a packed one it cannot be told. */
function kind(text) {
  if (text[0] !== '{') return 0;
  if (text.length < SMALL) return event(text)?.type;
  const m = /^\{[^{]*"type":\s*(\d)\b/.exec(text.slice(0, 200)) || /"type":\s*(\d),"timestamp":\s*[\d.]+\}?\s*$/.exec(text.slice(-200));
  return m ? +m[1] : 0;
}
