/**
 * Looks for a text in the events as they are stored. What is in memory is
 * looked at by itself, a little at a time; the rest only when asked for, and
 * without keeping it.
 */

import { lines, num } from './api.js';
import { placed, stamp } from './times.js';

const MOST = 5000;              // hits that are kept
const SLICE = 8;                // ms of looking at a time
const PIECE = 256;              // records that are read at a time
const SEEN = 200000;            // batches that are looked at

export class Search {
  /** @param {() => void} changed is called when there are more hits, or more was looked at */
  constructor(rec, query, changed) {
    Object.assign(this, { rec, query, changed });
    this.hits = [];             // {batch, index, at}, by time if there are tabs, or by their place
    this.count = 0;
    this.seen = new Set();      // the first records of batches
    this.reading = null;
    this.whole = false;
    this.timer = 0;
    this.soon();
  }

  look(batch, events) {
    if (this.seen.has(batch.seq) || this.seen.size === SEEN) return;
    this.seen.add(batch.seq);
    events.forEach((line, index) => {
      if (!line.toLowerCase().includes(this.query)) return;
      this.count++;
      if (this.hits.length < MOST) this.hits.push({ batch, index, at: placed(stamp(line), batch) });
    });
  }

  soon() {
    if (!this.timer && !this.over) this.timer = setTimeout(() => this.some());
  }

  some() {
    this.timer = 0;
    const until = performance.now() + SLICE;
    for (const b of this.rec.batches) {
      if (!b.lines || this.seen.has(b.seq) || this.seen.size === SEEN) continue;
      this.look(b, b.lines);
      if (performance.now() > until) {
        this.soon();
        break;
      }
    }
    this.hits.sort((a, b) => this.rec.tabs.size > 1 && a.at - b.at || a.batch.seq - b.batch.seq || a.index - b.index);
    this.changed();
  }

  /** The share of the session's records that were looked at, 0 to 1. */
  get share() {
    if (this.whole) return 1;
    const read = this.rec.ranges.reduce((n, [from, to]) => n + to - from, 0);
    let missed = 0;
    for (const b of this.rec.batches) if (!b.unread && !this.seen.has(b.seq)) missed += b.seqs;
    return this.rec.tail ? Math.max(0, Math.min(1, (read - missed) / this.rec.tail)) : 1;
  }

  /** Reads on, until all was looked at or `stop` is called. */
  async rest(at) {
    if (this.reading) return;
    const mine = this.reading = new AbortController();
    const { signal } = mine;
    const { rec } = this;
    try {
      // What was never read becomes known to all views.
      await rec.read(0, () => true, signal, () => {
        for (const b of rec.batches) if (b.lines) this.look(b, b.lines);
        rec.trim(at());
        this.changed();
      });
      // What was let go is looked at as it passes.
      for (let from = 0, b; (b = rec.batches.find((x) => x.seq >= from && !this.seen.has(x.seq)));) {
        const end = await lines(rec.id, b.seq, PIECE, signal, (d, events) => {
          const was = d.name === 'batch' && rec.tabs.get(d.tab)?.byNumber.get(num(d, 'batch'));
          if (was) this.look(was, events);
        });
        from = Math.max(b.seq + 1, end.seq ?? 0);
        this.changed();
      }
      // Whatever of it is let go from here on.
      this.whole = true;
    } finally {
      if (this.reading === mine) this.reading = null;
      this.some();
    }
  }

  stop() {
    this.reading?.abort();
    this.reading = null;
  }

  end() {
    this.over = true;
    clearTimeout(this.timer);
    this.stop();
  }
}
