/**
 * What is known of one session: its batches, as far as they are loaded, and
 * what happens in them. Batches come in pieces and from both ends; bodies that
 * are far from where somebody looks are let go, and read again when needed.
 * Times are rrweb's, corrected by the offset that is stored with each tab, which
 * a step back of the visitor's clock does not turn.
 */

import { lines, num, outline } from './api.js';
import { FIRST_PIECE } from './paths.js';
import { bounds, credible, FAR, placed, settle } from './times.js';

const MOST_PIECE = 64;          // records; each piece is twice the one before
const KEEP_CHARS = 48 << 20;    // of bodies in memory
const AHEAD_CHARS = 8 << 20;    // read ahead of where it plays
const REFILL = 64;              // records read anew at once
const BATCHES = 20000;          // known at once, with their bodies or without
const PARTS = 500;              // read apart from each other
const MARKS = 20000;
const ACTIVE = 20000;           // seconds, or what stands for some, of activity
const NEAR = 60e3;              // ms from where somebody looks: all is listed
const GAPS = 2000;
const TABS = 256;
const ENDS = 8;                 // places of a tab at which reading may go on
const LABEL = 60;               // characters of what an element is called
const LABELS = 50000;           // nodes of a page that are known
const NEAR_NODES = 12;          // how far around a node its name is looked for

// What of it is worth its place, however far from where somebody looks.
const MATTERS = new Set(['page', 'error', 'rage', 'dead', 'event', 'gap', 'note']);

const SILENT = /^(style|script|title|noscript)$/;
const CONTROL = /^(a|button|input|select|textarea|label|summary|option)$/;
const ROLE = /^(button|link|checkbox|radio|switch|tab|menuitem\w*|option|treeitem|combobox|textbox|searchbox|slider|spinbutton)$/;
const WHOLE = /^(html|body|main)$/;     // what is in it is the page
const USER = new Set([1, 2, 3, 5, 6, 12]);
const CLICK = { 2: 'Click', 3: 'Right click', 4: 'Double click' };

export class Recording extends EventTarget {
  constructor(id, info) {
    super();
    this.id = id;
    this.info = info;
    this.meta = { ...info.meta };
    this.batches = [];          // by seq: {seq, seqs, tab, n, full, first, last, time, chars, lines}
    this.ranges = [];           // [from, to) of records read, sorted, apart
    this.tail = info.records || 0;
    this.tabs = new Map();      // tab: {name, first, last, byNumber, labels}
    this.marks = [];            // {at, tab, kind, ...}, by time
    this.active = [];           // [second, tab, ms], by time: somebody was there
    this.spans = [];            // [from, to], times that have been read
    this.grain = 1;             // how many seconds each of them stands for
    this.gaps = [];
    this.outlined = false;      // what happens is known of all of it, read or not
    this.outlining = null;      // it is being asked for: {over, share}
    this.thinned = false;       // marks were let go,
    this.tooMany = false;       // tabs or gaps left out
    // Where the start is not told, it is about that long before the end.
    if (!credible(info)) info = { ...info, first: undefined, last: undefined };
    this.first = info.first ?? (Number.isFinite(info.last) && info.duration >= 0 ? info.last - info.duration : Infinity);
    this.about = info.first == null;
    this.last = info.last ?? -Infinity;
    [this.floor, this.ceiling] = info.span ?? [-Infinity, Infinity];     // a link to a part shows no more
    this.chars = 0;
    this.events = 0;
    this.dirty = false;
    this.held = null;           // batches not looked into yet, once hold() was called
  }

  /** Until go(), what happens in it is not looked into, nor is anybody told: the first picture is to be drawn. */
  hold() {
    this.held = [];
  }

  go() {
    if (!this.held) return;
    this.lookInto();
    this.held = null;
    this.changed();
  }

  lookInto() {
    for (const b of this.held.splice(0)) if (b.lines) this.understand(b, this.tabs.get(b.tab));
  }

  changed() {
    if (this.dirty || this.held) return;
    this.dirty = true;
    setTimeout(() => {
      this.dirty = false;
      this.marks.sort((a, b) => a.at - b.at);
      do {
        for (const a of this.active) a[0] -= a[0] % this.grain;
        this.active = this.active.sort((a, b) => a[0] - b[0] || a[2] - b[2])
          .filter((a, i, all) => !i || a[0] !== all[i - 1][0] || a[1] !== all[i - 1][1]);
      } while (this.active.length > ACTIVE && (this.grain *= 2));
      [...this.tabs.values()].sort((a, b) => a.first - b.first).forEach((t, i) => { t.index = i; });
      this.spans = this.outlined ? [[this.first, this.last]] : this.ranges.map((r) => this.span(r)).filter(([from, to]) => to >= from);
      this.dispatchEvent(new Event('change'));
    }, 50);
  }

  // ---- reading ---------------------------------------------------------

  covered(seq) {
    return this.ranges.find(([a, b]) => a <= seq && seq < b);
  }

  cover(from, to) {
    if (!(to > from)) return;
    const out = [];
    for (const r of this.ranges)
      if (r[1] < from || r[0] > to) out.push(r);
      else [from, to] = [Math.min(from, r[0]), Math.max(to, r[1])];
    out.push([from, to]);
    this.ranges = out.sort((a, b) => a[0] - b[0]);
  }

  /**
   * Reads one piece; one of more than `chars` is cut short. `came` hears of
   * each thing in it.
   * @returns the seq to go on from
   */
  async piece(from, count, signal, { chars = Infinity, came } = {}) {
    let start = typeof from === 'number' ? from : from === 'start' ? 0 : undefined, last;
    const end = await lines(this.id, from, count, signal, (d, events) => {
      const seq = num(d, 'seq');
      start ??= seq;
      this.take(d, events);
      if (seq === undefined) return true;
      last = num(d, 'next') ?? seq + (num(d, 'seqs') || 1);
      this.cover(start, last);
      came?.();
      return (chars -= events.reduce((n, e) => n + e.length, 0)) > 0;
    });
    start ??= end.seq;
    const next = end.seq ?? last ?? start;
    if (end.tail) this.tail = Math.max(this.tail, next);
    this.cover(start, next);
    this.changed();
    return { start, next: Math.max(next, typeof from === 'number' ? from : 0), tail: end.tail || next >= this.tail };
  }

  /** Reads on from `from` while `more(next)` wants it; `stepped` hears of pieces, `came` of what is in them. */
  async read(from, more, signal, stepped, came) {
    let count = FIRST_PIECE;
    for (;;) {
      const range = typeof from === 'number' && this.covered(from);
      if (range) {
        from = range[1];
        if (from >= this.tail) return from;
      }
      const { next, tail } = await this.piece(from, count, signal, { chars: AHEAD_CHARS, came });
      if (stepped) stepped();
      if (tail || next === from || !more(next)) return next;
      from = next;
      count = Math.min(MOST_PIECE, count * 2);
    }
  }

  /** Reads the bodies of batches that were let go, neighbours at once. */
  async refill(wanted, signal) {
    const gone = wanted.filter((b) => !b.lines);
    while (gone.length) {
      const from = gone[0].seq;
      let to = from;
      while (gone.length && gone[0].seq <= to + 1 && to - from < REFILL) to = Math.max(to, gone[0].seq + gone.shift().seqs);
      await lines(this.id, from, to - from, signal, (d, events) => {
        const n = num(d, 'batch'), b = d.name === 'batch' && this.tabs.get(d.tab)?.byNumber.get(n);
        if (b && !b.lines) this.fill(b, events);
        // One that is not known any more is for whoever asked.
        for (const x of wanted) if (x !== b && x.n === n && x.tab === d.tab) x.lines = events;
      });
    }
  }

  /**
   * Learns what happens in all of it, without its pages: what was read is
   * understood anew in its place. Until it ends, or `outlining.over` is aborted.
   */
  async outline() {
    if (this.outlining) return;
    const over = new AbortController();
    this.outlining = { over, share: 0 };
    this.changed();
    const left = new Set(this.batches);
    this.marks = this.marks.filter((m) => !m.batch);
    for (const t of this.tabs.values()) Object.assign(t, { labels: new Map(), ends: new Map(), heads: new Map(), upTo: undefined });
    try {
      await outline(this.id, over.signal, (d, events) => {
        left.delete(this.takeOutline(d, events));
        this.outlining.share = Math.min(1, num(d, 'seq') / this.tail) || this.outlining.share;
        this.changed();
      });
      this.outlined = true;
    } finally {
      this.outlining = null;
      for (const b of left) {
        if (b.lines) this.understand(b, this.tabs.get(b.tab));
        else this.thinned = b.bare = true;
      }
      this.changed();
    }
  }

  takeOutline(d, events) {
    const b = d.name === 'batch' && this.tabs.get(d.tab)?.byNumber.get(num(d, 'batch'));
    if (!b) {
      const made = this.take(d, events);
      if (made) this.let(made);
      return made;
    }
    // What was read whole tells more.
    const whole = b.lines;
    b.lines ||= events;
    this.understand(b, this.tabs.get(b.tab));
    b.lines = whole;
    b.bare ||= !whole;
    return b;
  }

  /** Lets go of what an outline has of a batch; once it is read it is understood anew. */
  let(b) {
    this.chars -= b.chars;
    b.lines = null;
    b.bare = b.unread = true;
  }

  fill(b, events) {
    b.lines = events;
    b.unread = false;
    b.chars = events.reduce((sum, e) => sum + e.length, 0);
    this.chars += b.chars;
    if (b.bare) this.restore(b);
  }

  /** The marks of a batch were let go: here they are again. */
  restore(b) {
    b.bare = false;
    this.marks = this.marks.filter((m) => m.batch !== b);
    this.understand(b, this.tabs.get(b.tab));
    this.changed();
  }

  /** Lets go of what is far from `at`, once there is too much. */
  trim(at) {
    this.forget(at);
    this.thin(at);
    if (this.thinned) for (const b of this.batches) if (b.bare && b.lines && Math.abs(b.first - at) < NEAR) this.restore(b);
    if (this.chars <= KEEP_CHARS) return;
    const far = this.batches.filter((b) => b.lines && b.first !== undefined)
      .sort((a, b) => Math.abs(b.first - at) - Math.abs(a.first - at));
    for (const b of far) {
      if (this.chars <= KEEP_CHARS * 0.75) break;
      this.chars -= b.chars;
      b.lines = null;
    }
  }

  /**
   * Reads what it takes to show a time, in this tab or in whichever had
   * something then: from the last snapshot before it on. The server finds it.
   * @param {{past?: number, came?(): void}} [how] how long after the first event that is, for early.js
   */
  async reach(at, tab, signal, { past, came } = {}) {
    const near = this.batches.filter((b) => b.first <= at && (tab === undefined || b.tab === tab)).pop();
    return this.piece({ at: past !== undefined ? `+${past}` : Math.round(at - (near ? near.shift : 0)), tab }, FIRST_PIECE, signal, { came });
  }

  /** Of too many batches and parts, those far from `at` are as if never read. */
  forget(at) {
    if (this.batches.length <= BATCHES && this.ranges.length <= PARTS) return;
    const here = this.batches.findLastIndex((b) => b.first <= at);
    const from = Math.max(0, Math.min(here - BATCHES / 4, this.batches.length - BATCHES / 2));
    let [low, high] = [this.batches[from]?.seq ?? 0, this.batches[from + BATCHES / 2]?.seq ?? Infinity];
    const part = this.ranges.findIndex((r) => r[1] > (this.batches[here]?.seq ?? 0));
    if (this.ranges.length > PARTS) {
      low = Math.max(low, this.ranges[part - PARTS / 4]?.[0] ?? 0);
      high = Math.min(high, this.ranges[part + PARTS / 4]?.[0] ?? Infinity);
    }
    const gone = new Set(this.batches.filter((b) => b.seq < low || b.seq >= high));
    for (const b of gone) {
      if (b.lines) this.chars -= b.chars;
      b.lines = null;           // a hit of a search may still have it
      this.tabs.get(b.tab).byNumber.delete(b.n);
      this.events -= b.count;
    }
    this.batches = this.batches.filter((b) => !gone.has(b));
    this.marks = this.marks.filter((m) => !gone.has(m.batch));
    this.outlined &&= !gone.size;
    this.ranges = this.ranges.map(([a, b]) => [Math.max(a, low), Math.min(b, high)]).filter(([a, b]) => a < b);
  }

  /** Of too many marks, those far from `at` go, what matters last. */
  thin(at) {
    if (this.marks.length <= MARKS) return;
    const far = (m) => Math.abs(m.at - at) * (MATTERS.has(m.kind) ? 1e-9 : 1);
    const gone = new Set([...this.marks].sort((a, b) => far(b) - far(a)).slice(0, this.marks.length - MARKS * 0.75));
    for (const m of gone) if (m.batch) m.batch.bare = true;
    this.marks = this.marks.filter((m) => !gone.has(m));
    this.thinned = true;
  }

  /** What somebody should know who sees the marks; or nothing. */
  get notice() {
    const out = [];
    if (this.outlining) out.push(`Reading what happens in all of it: ${Math.floor(100 * this.outlining.share)} %.`);
    else if (!this.known) out.push(`Read so far: ${Math.round(100 * this.ranges.reduce((n, [a, b]) => n + b - a, 0) / (this.tail || 1))} % of the session. The rest is listed as you go there.`);
    if (this.thinned) out.push('There is too much to list it all: far from here only pages, errors and the like are.');
    if (this.grain > 1) out.push(`When somebody was there is shown by ${this.grain} seconds.`);
    if (this.tooMany) out.push(`More than ${TABS} tabs or ${GAPS} gaps: the others are left out.`);
    return out.join(' ');
  }

  /** The times of what is in a range of records. */
  span([a, b]) {
    let from = a === 0 ? this.first : Infinity, to = b >= this.tail ? this.last : -Infinity;
    for (const x of this.batches)
      if (x.first !== undefined && x.seq >= a && x.seq < b) [from, to] = [Math.min(from, x.first), Math.max(to, x.last)];
    return [from, to];
  }

  /** Is what happens in all of it known? */
  get known() {
    return this.outlined || this.complete;
  }

  get complete() {
    return this.ranges.length === 1 && this.ranges[0][0] === 0 && this.ranges[0][1] >= this.tail;
  }

  /** May all of it be read at once, by what has been? */
  get isShort() {
    const known = this.ranges.reduce((n, [a, b]) => n + b - a, 0);
    return (this.info.bytes ?? this.chars / (known || 1) * this.tail) <= AHEAD_CHARS;
  }

  /** May more be read ahead of `at`? */
  wants(at) {
    let chars = 0;
    for (const b of this.batches) if (b.lines && b.first > at) chars += b.chars;
    return chars < AHEAD_CHARS;
  }

  // ---- taking ----------------------------------------------------------

  tab(name) {
    let t = this.tabs.get(name);
    if (!t && this.tabs.size === TABS) this.tooMany = true;
    else if (!t) this.tabs.set(name, t = { name, index: this.tabs.size, first: Infinity, last: -Infinity, byNumber: new Map(), labels: new Map(), ends: new Map(), heads: new Map(), title: '' });
    return t;
  }

  /** One thing of the recording. @returns the batch, if it is a new one */
  take(d, events, next) {
    if (next) this.tail = Math.max(this.tail, next);
    if (d.name === 'meta') Object.assign(this.meta, d.json);
    else if (d.name === 'stop') {
      this.stopped = d.json || {};
      this.dispatchEvent(new Event('stopped'));
    } else if (d.name === 'gap') this.takeGap(d);
    else if (d.name === 'batch') return this.takeBatch(d, events);
    this.changed();
    return null;
  }

  takeGap(d) {
    if (this.held) this.lookInto();
    const t = this.tab(d.tab);
    const [from, to] = (d.batch || '').split('-');
    const key = `${d.tab}/${d.batch}/${d.cause}`;
    if (!t || this.gaps.some((g) => g.key === key)) return;
    const before = t.byNumber.get(from - 1);
    if (this.gaps.length === GAPS) {
      this.tooMany = true;
      return;
    }
    const gap = { key, tab: d.tab, kind: 'gap', cause: d.cause || 'lost', from: +from, to: +(to || from), events: num(d, 'events'), at: Math.max(before?.last ?? t.last, this.first) };
    this.gaps.push(gap);
    if (isFinite(gap.at)) this.marks.push(gap);
  }

  takeBatch(d, events) {
    const t = this.tab(d.tab);
    if (!t) return null;
    const n = num(d, 'batch');
    const known = t.byNumber.get(n);
    if (known) {
      if (!known.lines) this.fill(known, events);
      return null;
    }
    const b = { seq: num(d, 'seq'), seqs: num(d, 'seqs') || 1, tab: d.tab, n, snap: num(d, 'snap'), time: num(d, 'time'),
      full: (d.flags || '').split(',').includes('full'), first: num(d, 'first'), last: num(d, 'last'), offset: num(d, 'offset') || 0, shift: 0, count: events.length };
    this.fill(b, events);
    if (b.first === undefined || b.last - b.first > FAR) this.measure(b);
    const before = t.byNumber.get(n - 1);
    if (b.first !== undefined) {
      if (before && before.last !== undefined) b.shift = settle(b, { ...before, shift: before.shift - before.offset });
      else if (isFinite(this.last) && b.first > this.last + FAR) b.shift = this.last - b.first;
      else if (isFinite(this.first) && b.last < this.first - FAR) b.shift = this.first - b.first;
    }
    t.byNumber.set(n, b);
    let i = this.batches.length;
    while (i && this.batches[i - 1].seq > b.seq) i--;
    this.batches.splice(i, 0, b);
    this.events += events.length;
    if (b.first !== undefined) {
      b.first += b.shift;
      b.last += b.shift;
      b.shift += b.offset;
      t.first = Math.min(t.first, b.first);
      t.last = Math.max(t.last, b.last);
      this.first = Math.max(this.floor, Math.min(this.first, b.first));
      this.last = Math.min(this.ceiling, Math.max(this.last, b.last));
    }
    if (this.about && this.covered(0) && isFinite(this.first) && b.seq === this.batches[0].seq) {
      // Now the start is known.
      this.about = false;
      this.first = Math.min(...this.batches.map((x) => x.first ?? Infinity));
    }
    // Whose tab it is at a time is known by what happens there.
    if (this.held && this.tabs.size > 1) this.lookInto();
    if (this.held && this.tabs.size === 1) this.held.push(b);
    else this.understand(b, t);
    this.changed();
    return b;
  }

  /** What the directive could not tell, since the events were packed, or not be believed. */
  measure(b) {
    b.full = b.full || b.lines.some((line, i) => /^\{[^{]*"type":\s*4\b/.test(line) && /^\{[^{]*"type":\s*2\b/.test(b.lines[i + 1] || ''));
    const { first, last } = bounds(b.lines);
    Object.assign(b, { first: first && first + b.offset, last: last && last + b.offset });
  }

  /**
   * Digests a batch where it stands: what its events mean depends on those
   * before, which it goes on from if they were the last to be read there.
   */
  understand(b, t) {
    const keep = ['labels', 'href', 'depth', 'height', 'document', 'pages'];
    let alone = b.n > 1;
    if (t.upTo !== b.n - 1) {
      t.ends.delete(t.upTo);
      t.ends.set(t.upTo, Object.fromEntries(keep.map((k) => [k, t[k]])));
      if (t.ends.size > ENDS) t.ends.delete(t.ends.keys().next().value);
      const before = t.ends.get(b.n - 1);
      t.ends.delete(b.n - 1);
      alone &&= !before;
      for (const k of keep) t[k] = before?.[k];
      t.labels ||= new Map();
    } else alone = false;
    const from = this.marks.length;
    this.digest(b, t);
    t.upTo = b.n;
    // A page that was there before begins anew only as far as is known.
    if (alone) t.heads.set(b.n, this.marks.slice(from).find((m) => m.kind === 'page' && !m.spa));
    const head = t.heads.get(b.n + 1);
    if (head && head.text === t.href) this.marks = this.marks.filter((m) => m !== head);
    t.heads.delete(b.n + 1);
  }

  /** What happens in a batch: marks for the timeline and the inspector. */
  digest(b, t) {
    let typing;
    const look = (line, index) => {
      let e;
      try {
        e = JSON.parse(line);
      } catch {
        return;
      }
      if (!e || typeof e.timestamp !== 'number' || typeof e.type !== 'number') return;
      const at = Math.max(placed(e.timestamp, b), this.floor);
      const mark = (kind, more) => {
        const m = { at, tab: t.name, kind, batch: b, index, ...more };
        this.marks.push(m);
        return m;
      };
      const d = e.data || {};
      switch (e.type) {
        case 2:
          t.labels.clear();
          if (d.node) this.label(t, d.node);
          t.document = d.node?.id;
          break;
        case 3:
          if (d.source === 0) this.mutate(t, d);
          if (USER.has(d.source)) {
            const second = Math.floor(at / 1000);
            const last = this.active[this.active.length - 1];
            if (!last || last[0] !== second || last[1] !== t.name) this.active.push([second, t.name, at]);
          }
          if (d.source === 2 && CLICK[d.type]) mark('click', { text: CLICK[d.type], on: this.called(t, d.id), x: d.x, y: d.y });
          else if (d.source === 5) {
            const called = this.called(t, d.id), on = called || d.id;
            if (typing && typing.on === on && at - typing.until < 3000) typing.until = at;
            else {
              typing = { on, until: at };
              mark('input', { text: d.isChecked || /^(on|off)$/.test(d.text) ? 'Changed' : /^select\b/.test(called) ? 'Chose' : 'Typed', on: called });
            }
          } else if (d.source === 4) {
            t.height = d.height;
            mark('size', { text: `Window ${d.width} × ${d.height}` });
          } else if (d.source === 3 && d.id === t.document) this.deeper(t, d, at, mark);
          break;
        case 4:
          if (d.href !== t.href || !t.pages) mark('page', { text: String(d.href ?? ''), width: d.width, height: d.height });
          if (d.href !== t.href) t.depth = undefined;
          t.href = d.href;
          t.height = d.height;
          t.pages = (t.pages || 0) + 1;
          break;
        case 5:
          this.custom(d, mark, t);
          break;
        case 6:
          this.plugin(d, mark, at);
      }
    };
    b.lines.forEach((line, index) => {
      try {
        look(line, index);
      } catch {
        // It is none of rrweb's: there is nothing to say of it.
      }
    });
  }

  /** How far down a page was scrolled: one mark a page, at its deepest. */
  deeper(t, d, at, mark) {
    if (!(Number.isFinite(d.y) && d.y > (t.depth?.y ?? 0))) return;
    if (!t.depth) t.depth = mark('scroll', {});
    if (t.depth) Object.assign(t.depth, { at, y: d.y, screens: t.height > 0 ? 1 + d.y / t.height : undefined });
  }

  custom(d, mark, t) {
    const p = d.payload || {};
    const kinds = { 'rr.error': 'error', 'rr.page': 'page', 'rr.rage': 'rage', 'rr.dead': 'dead', 'rr.flood': 'note' };
    const kind = kinds[d.tag] || 'event';
    if (kind === 'error') mark(kind, { text: String(p.message || 'Error'), stack: p.stack, where: p.url && `${p.url}:${p.line || 0}:${p.column || 0}` });
    else if (kind === 'page') {
      t.depth = undefined;
      mark(kind, { text: String(p.href || ''), spa: true });
    }
    else if (kind === 'rage') mark(kind, { text: 'Rage click', x: p.x, y: p.y });
    else if (kind === 'dead') mark(kind, { text: 'Click without effect', x: p.x, y: p.y });
    else mark(kind, { text: String(d.tag), detail: d.payload === undefined ? '' : JSON.stringify(d.payload) });
  }

  plugin(d, mark, at) {
    const p = d.payload || {};
    if (/^rrweb\/console@/.test(d.plugin))
      mark('console', { level: String(p.level || 'log'), text: (p.payload || []).map((x) => {
        try {
          const v = JSON.parse(x);
          return typeof v === 'string' ? v : x;
        } catch {
          return String(x);
        }
      }).join(' ') });
    else if (/^rrweb\/network@/.test(d.plugin))
      for (const r of p.requests || [])
        this.request(r || {}, mark, at);
  }

  /** A request stands where it began; it is told when it has ended. */
  request(r, mark, at) {
    const took = Math.min(FAR, Math.max(0, Number(r.endTime) - Number(r.startTime))) || 0;
    mark('net', { at: at - took, text: String(r.name || r.url || ''), method: String(r.method || 'GET'), type: String(r.initiatorType || ''),
      status: Number(r.status) || 0, took, failed: !(r.status > 0 && r.status < 400) });
  }

  /** What a change of the page makes of what its elements are called. */
  mutate(t, d) {
    for (const gone of d.removes || []) t.labels.delete(gone.id);
    for (const add of d.adds || []) this.relabel(t, add.parentId, this.label(t, add.node, add.parentId), true);
    for (const change of d.texts || []) this.relabel(t, t.labels.get(change.id), said(change.value));
  }

  /**
   * Remembers of a node, by rrweb's id, what it is called: an element's tag, what
   * it or what is in it says, and what it is in; a text's element alone.
   * @returns what is said in it, as far as one is called by it
   */
  label(t, node, up) {
    if (!node) return '';
    if (t.labels.size >= LABELS) t.labels.delete(t.labels.keys().next().value);
    if (node.type === 3) {
      t.labels.set(node.id, up);
      return said(node.textContent);
    }
    const tag = node.type === 2 ? String(node.tagName) : '';
    const own = { tag, up, says: '', control: false, text: false, weak: true };
    t.labels.set(node.id, own);
    let inside = '';
    for (const child of node.childNodes || []) {
      const more = this.label(t, child, node.id);
      if (more && inside.length <= LABEL) inside = inside ? `${inside} ${more}` : more;
    }
    if (!tag || SILENT.test(tag)) return '';
    const a = node.attributes || {};
    own.control = CONTROL.test(tag) || ROLE.test(a.role);
    const names = own.control ? [a['aria-label'], a.placeholder, tag === 'select' ? '' : inside, a.title, a.alt, a.name, a.id, a.type]
      : [a['aria-label'], a.alt, WHOLE.test(tag) ? '' : inside, a.title, a.name, a.id];
    own.says = names.map(said).find(Boolean) || '';
    own.text = own.says !== '' && own.says === said(inside);
    own.weak = !own.text && ![a['aria-label'], a.alt, own.control && a.placeholder].some(said);
    return tag === 'select' ? '' : inside || said(a['aria-label'] || a.alt);
  }

  /** The element that has a text, or to which something is added, says that; so does what it is in. */
  relabel(t, id, text, more) {
    const old = t.labels.get(id)?.says;
    for (let el = t.labels.get(id), n = 0; text && el?.tag && !SILENT.test(el.tag) && !WHOLE.test(el.tag) && n < NEAR_NODES; el = t.labels.get(el.up), n++) {
      if (!el.weak && !el.text || more && el.text && el.says.length > LABEL) return;
      const now = !el.text ? text : more ? `${el.says} ${text}` : n ? el.says.replace(old, () => text) : text;
      Object.assign(el, { says: now, text: true, weak: false });
    }
  }

  /** What a node is called, as `button “Buy”`: by the control that it is in, or itself, or what is around it. */
  called(t, id) {
    const is = (el) => `${el.tag}${el.says ? ` “${cut(el.says)}”` : ''}`;
    const at = (id) => {
      const el = t.labels.get(id);
      return typeof el === 'number' ? t.labels.get(el) : el;
    };
    const first = at(id);
    if (!first?.tag) return undefined;
    for (let el = first, n = 0; el?.tag && n < NEAR_NODES; el = at(el.up), n++) if (el.control) return is(el);
    if (first.says || WHOLE.test(first.tag)) return is(first);
    for (let el = at(first.up), n = 0; el?.tag && !WHOLE.test(el.tag) && n < NEAR_NODES; el = at(el.up), n++) if (el.says) return `${first.tag} in ${is(el)}`;
    return is(first);
  }

  // ---- asking ----------------------------------------------------------

  /** A moment as the records have it: without what only a viewer makes of their times. */
  own(at) {
    let near;
    for (const b of this.batches) if (b.first <= at && (!near || b.first > near.first)) near = b;
    return at - (near ? near.shift - near.offset : 0);
  }

  /** The tab in which somebody was, at a time. */
  tabAt(at) {
    let low = 0, high = this.active.length;
    while (low < high) {
      const mid = low + high >> 1;
      if (this.active[mid][2] <= at) low = mid + 1;
      else high = mid;
    }
    if (low) return this.active[low - 1][1];
    let best;
    for (const t of this.tabs.values()) if (t.first <= at && (!best || t.first > best.first)) best = t;
    return best ? best.name : this.batches.length ? this.batches[0].tab : undefined;
  }

  /** When somebody does something next, as far as that is loaded. */
  nextActive(at) {
    const second = Math.floor(at / 1000);
    let low = 0, high = this.active.length;
    while (low < high) {
      const mid = low + high >> 1;
      if (this.active[mid][0] <= second) low = mid + 1;
      else high = mid;
    }
    return low < this.active.length ? this.active[low][0] * 1000 : undefined;
  }

  /**
   * The batches of a tab to play from a time on: from its last snapshot before
   * it to where they are no longer all loaded. Nothing, if there is none.
   */
  window(tab, at) {
    const t = this.tabs.get(tab);
    if (!t) return null;
    let start, before;
    for (const b of this.batches) {
      if (b.tab !== tab || b.first === undefined) continue;
      if (b.first <= at) before = b;
      if (b.full && (!start || b.first <= at)) start = b;
    }
    // What is between the snapshot and the time must be there, too.
    if (!start || !this.covered(start.seq) || before && this.covered(start.seq) !== this.covered(before.seq)) return null;
    return { start, batches: this.run(start), early: start.first > at };
  }

  /** The batches of a tab from one on, as far as there is no hole. */
  run(start) {
    const range = this.covered(start.seq);
    return this.batches.filter((b) => b.tab === start.tab && b.seq >= start.seq && (!range || b.seq < range[1]));
  }

  /** Is there a batch of the tab that is from one time on to another? */
  within(tab, from, to) {
    return this.batches.some((b) => b.tab === tab && b.lines && b.first <= from && to <= b.last);
  }

  /** Is what happens at a time, in whatever tab, loaded? */
  loaded(at) {
    let before, after;
    for (const b of this.batches) {
      if (b.first === undefined) continue;
      if (b.first <= at) before = b;
      else if (!after || b.seq < after.seq) after = after || b;
    }
    if (!before) return this.covered(0) !== undefined || this.batches[0]?.n === 1;
    const range = this.covered(before.seq);
    return !!range && (after ? after.seq < range[1] || after.seq <= before.seq : range[1] >= this.tail);
  }
}

/** A name as it is told; nothing of what is masked, or of no text at all. */
function said(text) {
  const line = typeof text === 'string' ? text.slice(0, 4 * LABEL).replace(/\s+/g, ' ').trim() : '';
  return /^[*•\s]*$/.test(line) ? '' : line;
}

const cut = (text) => text.length > LABEL ? `${text.slice(0, LABEL - 1).trimEnd()}…` : text;
