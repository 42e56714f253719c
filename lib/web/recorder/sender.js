/**
 * Gets event texts to the collector: each once, in order, or a gap that says
 * what is missing.
 *
 * Events gather in `pending` until they are cut into a batch. A batch gets its
 * number when it is first sent (or when the page is left), and from then on
 * number and text belong together for good: a repeat is the same bytes. The
 * queue has one request in flight, and its head is never overtaken. What comes
 * back is a verdict, and each is obeyed: see `settle`.
 *
 * A session is an object {id, token, next, snap, offset}: `next` is this tab's
 * next batch number in it, `snap` the record of its newest stored snapshot, and
 * `offset` how far the collector found the tab's clock to be off. Its id
 * is null until the collector has opened it. Batches point at their session,
 * so that one that is over can still be given what it is owed.
 *
 * A session may have to earn its opening: by an error (`ring`: until then only
 * its last minute is kept) or by lasting; see `holds`.
 */

import { now } from './clock.js';
import { PRESETS } from './options.js';
import { gzip, post, postLast } from './wire.js';

const IDLE = 30 * 60e3;         // without a user's event: the session is over
const AGE = 24 * 3600e3;        // however busy
const CUT_CHARS = 512 << 10;    // a batch is cut when it has this much
const CUT_EVENTS = 2000;        // or this many
const BODY_CHARS = 15 << 20;    // a single event above this cannot be stored
const KEEPALIVE = 60e3;         // bytes that may outlive the page, of 64 KB
const WAIT_FIRST = 1000;        // back-off: base,
const WAIT_MOST = 30e3;         // and ceiling
const WATCHED = 250;            // the longest wait while somebody watches
const FLUSH = 5000;             // and while nobody does, until told otherwise
const BEAT = 15e3;
const RING = 60e3;              // what is kept of a page while no error came

const hex8 = () => {
  let n;
  do [n] = crypto.getRandomValues(new Uint32Array(1)); while (!n);
  return n.toString(16).padStart(8, '0');
};
const fresh = () => ({ id: null, token: '', next: 1, snap: null, offset: 0 });

export class Sender {
  /**
   * @param {import('../rr.d.ts').Options} opts
   * @param {ReturnType<import('./store.js').store>} store
   * @param {{snapshot(anew?: boolean): void, finish(): void, leave(): void, back(): void, dead(why: string): void, stricter(): void, describe(): object}} host
   *   snapshot: take one now; finish: add what is being made; leave: add nothing until back, which begins with a snapshot;
   *   dead: recording is over on this page ('': it is not in the sample); stricter: the preset changed
   */
  constructor(opts, store, host) {
    Object.assign(this, { opts, store, host });
    this.base = opts.collector + '/v1/sessions';
    this.queue = [];
    this.pending = [];
    this.pendingChars = this.queueChars = this.fullChars = 0;
    this.meta = null;           // a Meta event that waits for its FullSnapshot,
    this.late = [];             // and what came in between
    this.lead = undefined;      // of the times of events before now(), once there are any
    this.lost = 0;              // events dropped since the last gap was told
    this.tries = 0;
    this.era = 0;               // answers to requests of an earlier one are void
    this.flushMs = FLUSH;
    this.beatMs = BEAT;
    this.stats = { stored: 0, batches: 0, dropped: 0, gaps: 0, watched: false, error: '' };
    this.loaded = this.busy = this.parked = this.over = this.due = false;
    this.waiters = [];
    this.flying = 0;            // keepalive bytes in flight
    this.begin();
    this.adopt(store.takeBaton());
  }

  begin() {
    this.since = now();
    this.ring = this.opts.onError;
    this.spilt = false;         // the ring ran over, and waits for a snapshot
  }

  /** Why nothing is sent of a session that is not open, if so. */
  holds() {
    if (this.session.id) return '';
    if (this.ring) return 'no error yet';
    return now() - this.since < this.opts.minDuration ? 'not long enough yet' : '';
  }

  /** Takes up where the tab's last page was left, or starts a new tab. */
  adopt(baton) {
    const kept = this.remembered();
    const sessions = baton ? baton.sessions : [];
    const unopened = sessions.find((s) => !s.id);
    this.tab = baton ? baton.tab : hex8();
    // What the clock was set back between two pages is not taken back.
    this.ahead = baton ? Math.max(0, baton.at - now()) : 0;
    this.timed = null;          // the session in which this page's clock is known
    this.session = kept && sessions.find((s) => s.id === kept.id) || unopened || fresh();
    if (unopened) {
      this.since = baton.since;
      this.ring = this.ring && baton.ring;
    }
    if (kept) this.enter(kept);
    this.queue = (baton ? baton.queue : []).filter((b) =>
      sessions[b.s] !== unopened || baton.privacy === this.opts.privacy).map((b) => {
      const s = sessions[b.s];
      // Batches of a session that was never opened go into the one there is.
      return s === unopened && s !== this.session ? { ...b, s: this.session, n: 0 } : { ...b, s };
    });
    this.queueChars = this.queue.reduce((sum, b) => sum + (b.text ? b.text.length : 0), 0);
    // While there is time: the next baton need not hold what is safe.
    for (const b of this.queue) {
      b.stowed = b.stowed && b.safe;
      this.stow(b);
    }
  }

  /** The current session is this one. */
  enter({ id, token, made, preset, offset }) {
    const { opts } = this;
    const stricter = PRESETS.includes(preset) && PRESETS.indexOf(preset) < PRESETS.indexOf(opts.privacy);
    if (stricter) {
      // What was recorded before this was known is not for anybody.
      opts.privacy = preset;
      this.meta = null;
      this.late = [];
      this.spill();
    }
    Object.assign(this.session, { id, token, made, preset });
    // The browser's tabs have one clock, so it is off by what another's was.
    if (offset && !this.session.offset) this.session.offset = offset;
    this.ring = false;
    if (stricter) this.host.stricter();
  }

  /** The session that this browser is in, if it is not over. */
  remembered() {
    const s = this.store.session();
    return s && s.id && s.collector === this.opts.collector &&
      now() - s.seen < IDLE && now() - s.made < AGE ? s : null;
  }

  remember(change) {
    const s = this.session;
    if (s.id) this.store.saveSession({ ...this.store.session(), id: s.id, token: s.token,
      made: s.made, preset: s.preset, offset: s.offset, seen: this.seen || now(), collector: this.opts.collector, ...change });
  }

  // ---- events ----------------------------------------------------------

  /**
   * @param {string} text the event's JSON
   * @param {number} type rrweb's
   * @param {boolean} [urgent] do not wait for the flush interval
   */
  add(text, type, urgent) {
    if (this.over) return;
    if (urgent && this.ring) {
      this.ring = false;
      if (this.spilt) this.host.snapshot();
    }
    if (this.meta !== null && type !== 4) {
      // A snapshot is a batch's first two events, side by side.
      if (type !== 2) return void this.late.push(text);
      const both = [this.meta, text, ...this.late];
      this.meta = null;
      this.late = [];
      this.cut();
      if (this.ring) this.trim();
      if (both[1].length > BODY_CHARS) return this.die('the page is too large to record');
      if (this.take(both, true)) this.flushSoon(true);
      return;
    }
    if (type === 4) {
      this.release();
      this.meta = text;
      setTimeout(() => this.release());
      return;
    }
    if (this.take([text], false)) this.flushSoon(urgent);
  }

  /** A Meta event whose snapshot did not come is an event like others. */
  release() {
    this.host.finish();
    if (this.meta === null) return;
    const all = [this.meta, ...this.late];
    this.meta = null;
    this.late = [];
    if (this.take(all, false)) this.flushSoon();
  }

  take(texts, full) {
    const chars = texts.reduce((sum, t) => sum + t.length + 1, 0);
    let held = this.pendingChars + this.queueChars;
    if (full) this.spilt = false;
    if (this.ring && held && held + chars > this.opts.maxBuffer) {
      this.spill();
      this.spilt = !full;
      held = 0;
    }
    if (this.spilt) return false;
    // A snapshot may pass the limit, and what comes behind has room beside it.
    const most = this.opts.maxBuffer + this.fullChars;
    if (this.lost || chars > BODY_CHARS || held && held + (full ? 0 : chars) > most) {
      this.lost += texts.length;
      this.stats.dropped += texts.length;
      this.heal();
      return false;
    }
    this.pending.push(...texts);
    this.pendingChars += chars;
    if (full) {
      this.full = now();
      this.fullChars = chars;
    }
    if (this.pendingChars > CUT_CHARS || this.pending.length >= CUT_EVENTS) this.cut();
    return true;
  }

  cut() {
    if (!this.pending.length) return;
    const text = this.pending.join('\n') + '\n';
    this.enqueue({ kind: 'lines', text, count: this.pending.length, full: this.full });
    this.pending = [];
    this.pendingChars = 0;
    this.full = this.due = false;
  }

  /** Forgets what the session that is not open has, up to the batch `end`. */
  spill(end) {
    for (const b of [...this.queue]) {
      if (b === end) return;
      if (!b.s.id && b.kind !== 'meta') this.done(b);
    }
    this.pending = [];
    this.pendingChars = 0;
    this.full = false;
  }

  /** Of the ring, what is older than the last snapshot that is old enough. */
  trim() {
    const old = this.queue.filter((b) => b.full && b.full < now() - RING && !b.s.id).pop();
    if (old) this.spill(old);
  }

  enqueue(b) {
    this.queue.push({ n: 0, s: this.session, text: '', ...b });
    this.queueChars += b.text ? b.text.length : 0;
  }

  /** Once there is room again: say what was dropped, and begin anew. */
  heal() {
    if (!this.lost || this.healing || this.pendingChars + this.queueChars > this.opts.maxBuffer / 2) return;
    this.healing = true;
    this.tellGap();
    setTimeout(() => {
      this.healing = false;
      this.host.snapshot();
    });
  }

  tellGap() {
    if (!this.lost) return;
    this.cut();
    this.enqueue({ kind: 'gap', cause: 'overflow', events: this.lost });
    this.stats.gaps++;
    this.lost = 0;
  }

  // ---- sending ---------------------------------------------------------

  flushSoon(urgent) {
    const ms = urgent ? 0 : this.stats.watched ? Math.min(WATCHED, this.flushMs) : this.flushMs;
    const at = now() + ms;
    if (this.flushTimer && this.flushAt <= at) return;  // a maximum wait: not re-armed
    clearTimeout(this.flushTimer);
    this.flushAt = at;
    this.flushTimer = setTimeout(() => this.flush(), ms);
  }

  flush() {
    clearTimeout(this.flushTimer);
    this.flushTimer = 0;
    this.due = this.pending.length > 0;
    this.pump();
  }

  /** Called once, when the page has loaded: no request before. */
  ready() {
    this.loaded = true;
    setTimeout(() => this.flush(), Math.min(this.opts.minDuration - now() + this.since, 2 ** 31 - 1));
    this.leftovers();
    this.rearmBeat();
    this.flush();
  }

  async pump() {
    if (this.busy || this.parked || this.over || this.timer || !this.loaded) return;
    const era = this.era;
    this.busy = true;
    while (era === this.era && !this.over && !this.timer) {
      // Cut as late as may be: what gathers while a request is out is one batch.
      if (this.queue.every((b) => !b.s.id) && this.holds()) {
        const kept = this.remembered();
        if (!kept) break;
        this.enter(kept);
      }
      if (!this.queue.length && this.due) this.cut();
      const b = this.queue[0];
      if (!b) break;
      const v = b.s.id ? await this.send(b, era) : await this.open(b.s);
      if (era !== this.era) return;
      if (v) this.settle(b, v);
    }
    if (era === this.era) this.busy = false;
    this.settled();
  }

  url(b) {
    const { s, kind } = b;
    const q = new URLSearchParams({ token: s.token });
    if (kind === 'lines' || kind === 'gap') {
      b.n = b.n || s.next++;
      q.set('tab', this.tab);
      q.set('batch', b.to > b.n ? `${b.n}-${b.to}` : b.n);
    }
    if (kind === 'lines' && s.snap !== null) q.set('snap', s.snap);
    if (kind === 'lines' && s.offset) q.set('offset', s.offset);
    if (kind === 'gap') {
      q.set('cause', b.cause);
      q.set('events', b.events);
    }
    return `${this.base}/${s.id}/${kind}?${q}`;
  }

  async send(b, era) {
    if (b.text === null) {
      b.text = await this.store.get(b.s.id, this.tab, b.n) ?? null;
      if (b.text === null) return { verdict: 'bad', error: 'no longer in storage' };
      this.queueChars += b.text.length;
    }
    const url = this.url(b) + this.clock(b);
    if (b.body === undefined && b.kind === 'lines') b.body = await gzip(b.text);
    if (era !== this.era) return null;
    const body = b.body || (this.encoder = this.encoder || new TextEncoder()).encode(b.text);
    const keep = body.length + this.flying <= KEEPALIVE && !b.fat;
    // A large batch that is not acknowledged soon is kept where a later page finds it.
    const keepTimer = setTimeout(() => this.stow(b), 1000);
    b.out = keep;
    if (keep) this.flying += body.length;
    const v = await post(b.body ? url + '&gz=1' : url, body, keep);
    if (keep) this.flying -= body.length;
    clearTimeout(keepTimer);
    // Nor is there time to keep it when the page is killed.
    if (v.verdict === 'away') this.stow(b);
    b.out = undefined;
    // The page's own keepalive requests may have used up the 64 KB.
    if (keep && v.error && !b.fat && navigator.onLine) {
      b.fat = true;
      return null;
    }
    return v;
  }

  /** What the clock says that its events have their times by; only in what is sent now. */
  clock(b) {
    return b.kind !== 'lines' || this.timed === b.s ? '' : `&at=${Math.round(now() + (this.lead ?? this.ahead))}`;
  }

  stow(b) {
    if (!b.n || b.stowed || !b.s.id || b.text === null) return;
    b.stowed = true;
    this.store.put(b.s.id, this.tab, b.n, this.url(b), b.text).then((done) => { b.safe = !!done; });
  }

  /** Sends what tabs that are closed by now, or were killed, left in storage. */
  async leftovers() {
    if (this.sweeping) return;
    this.sweeping = true;
    for (const [key, { url, text }] of await this.store.others(this.tab) || []) {
      const body = await gzip(text);
      const { verdict } = await post(body ? url + '&gz=1' : url, body || text);
      // One that must wait for others does not keep those of other tabs.
      if (verdict === 'slow') break;
      if (verdict !== 'away') this.store.drop(...key);
    }
    this.sweeping = false;
  }

  /** Opens a session, one tab at a time: the others then find it. */
  async open(s) {
    const go = async () => {
      const kept = s === this.session && this.remembered();
      if (kept) {
        this.enter(kept);
        return null;
      }
      const v = await post(`${this.base}?key=${encodeURIComponent(this.opts.key)}`,
        JSON.stringify(this.host.describe()));
      if (v.verdict === 'open') {
        const got = { id: v.id, token: v.token, made: now(), preset: v.preset };
        s === this.session ? this.enter(got) : Object.assign(s, got);
        if (s === this.session) this.remember();
        this.heed(v);
        return null;
      }
      if (v.verdict === 'unsampled') {
        this.die('');
        return null;
      }
      if (v.verdict === 'bad') v.verdict = 'denied';
      return v;
    };
    const locks = navigator.locks;
    return locks ? locks.request(this.store.name, go).catch(go) : go();
  }

  /** What every good answer may carry. */
  heed(v, s) {
    if (v.flush > 0) this.flushMs = v.flush;
    if (v.beat > 0) this.beatMs = v.beat;
    if (v.watched !== undefined) {
      if (v.watched && !this.stats.watched && this.pending.length) {
        this.stats.watched = true;
        this.flushSoon();
      }
      this.stats.watched = v.watched;
    }
    if (v.token && s) {
      s.token = v.token;
      if (s === this.session) this.remember();
    }
    this.stats.error = '';
    this.rearmBeat();
    // Unless one is on its way already.
    if (v.snapshot && !this.full && !this.queue.some((b) => b.full)) setTimeout(() => this.host.snapshot());
  }

  /** Obeys a verdict on the head of the queue. */
  settle(b, v) {
    const s = b.s;
    switch (v.verdict) {
      case 'stored':
      case 'stopped':
        if (b.kind === 'lines') {
          if (b.full && v.seq !== undefined) s.snap = v.seq;
          if (this.timed !== s && v.verdict === 'stored') {
            this.timed = s;
            s.offset = v.offset || 0;
            if (s === this.session) this.remember();
          }
          this.stats.stored += b.count;
          this.stats.batches++;
        }
        this.tries = 0;
        this.done(b);
        this.heed(v, s);
        this.heal();
        return;
      case 'closed':
      case 'gone':
        if (b.kind === 'stop') return this.done(b);
        return this.moveOn(s);
      case 'big':
        return this.split(b);
      case 'bad':
        this.stats.error = v.error || 'refused';
        return this.giveUp(b);
      case 'denied':
        return this.die(v.error || 'the collector refuses this page');
      default: {
        this.stats.error = v.error || v.verdict;
        // Batches before this one were lost with the page that had them.
        if (v.want && b.n && v.want < b.n && b === this.queue[0]) {
          this.queue.unshift({ kind: 'gap', s, n: v.want, to: b.n - 1, cause: 'lost', events: 0, text: '' });
          this.stats.gaps++;
          return;
        }
        const most = Math.min(WAIT_MOST, WAIT_FIRST * 2 ** this.tries++);
        this.wait((v.retry || 0) + Math.random() * (v.retry ? Math.min(most, v.retry / 4) : most));
      }
    }
  }

  wait(ms) {
    // Without a network only `online` is worth waking up for; but some never tell.
    this.timer = setTimeout(() => this.wake(), navigator.onLine === false ? Math.max(ms, 60e3) : ms);
  }

  wake() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.pump();
  }

  done(b) {
    const at = this.queue.indexOf(b);
    if (at < 0) return;
    this.queue.splice(at, 1);
    if (b.full) this.fullChars = 0;
    if (b.text) this.queueChars -= b.text.length;
    if (b.stowed) this.store.drop(b.s.id, this.tab, b.n);
  }

  /** A batch that will never be stored becomes a gap with its number. */
  giveUp(b) {
    if (b.stowed) this.store.drop(b.s.id, this.tab, b.n);
    if (b.kind !== 'lines') return this.done(b);
    b.stowed = false;
    this.queueChars -= b.text ? b.text.length : 0;
    this.stats.dropped += b.count;
    this.stats.gaps++;
    Object.assign(b, { kind: 'gap', cause: 'lost', events: b.count, text: '', body: undefined });
    // Without it what follows hangs in the air; a snapshot that was refused would be again.
    if (!b.full) this.host.snapshot();
  }

  split(b) {
    const lines = b.text ? b.text.split('\n').slice(0, -1) : [];
    const least = b.full ? 2 : 1;
    if (lines.length <= least || b.s.next !== b.n + 1 || b.kind !== 'lines') return this.giveUp(b);
    const at = Math.max(least, lines.length >> 1);
    const part = (list, n, full) => ({ kind: 'lines', s: b.s, n, full, count: list.length,
      text: list.join('\n') + '\n' });
    if (b.stowed) this.store.drop(b.s.id, this.tab, b.n);
    const rest = part(lines.slice(at), 0, false);
    this.queue.splice(this.queue.indexOf(b), 1, part(lines.slice(0, at), b.n, b.full), rest);
    for (const w of this.waiters) if (w.last === b) w.last = rest;
  }

  /**
   * The session `s` is over. What it did not take goes into the next, in front
   * of a new snapshot; but not into one that has numbered batches behind it.
   */
  moveOn(s) {
    const current = s === this.session;
    const movable = current || !this.queue.some((b) => b.s === this.session && b.n);
    if (current) {
      const kept = this.store.session();
      if (kept && kept.id === s.id) this.store.saveSession(null);
      this.session = fresh();
    }
    for (const b of [...this.queue]) {
      if (b.s !== s) continue;
      if (!movable || b.kind !== 'lines' || b.text === null) {
        this.stats.dropped += b.count || 0;
        this.done(b);
        continue;
      }
      if (b.stowed) this.store.drop(s.id, this.tab, b.n);
      Object.assign(b, { s: this.session, n: 0, stowed: false });
    }
    if (current) this.host.snapshot(true);
    if (this.tries++) this.wait(Math.random() * Math.min(WAIT_MOST, WAIT_FIRST * 2 ** this.tries));
  }

  /** From now on events belong to a new session, or to one that another tab opened. */
  rotate(kept) {
    this.release();
    this.cut();
    this.session = fresh();
    this.begin();
    if (kept) this.enter(kept);
    else this.store.saveSession(null);
  }

  /** A user's event: is the session still the same? Before it is added. */
  touch() {
    const at = now();
    const s = this.session;
    const seen = Math.max(this.seen || 0, at - (this.seenAt || 0) > 5e3 ? (this.store.session() || {}).seen || 0 : 0);
    const stale = s.id && (seen && at - seen > IDLE || s.made && at - s.made > AGE);
    if (stale) this.rotate();
    this.seen = at;
    if (stale || at - (this.seenAt || 0) > 5e3) {
      this.seenAt = at;
      this.remember();
    }
    return stale;
  }

  /** Metadata of the session. */
  tell(object) {
    this.enqueue({ kind: 'meta', text: JSON.stringify(object) });
    this.pump();
  }

  /** The session ends here, behind all that was added to it. */
  stop(summary) {
    this.release();
    if (this.holds()) {
      this.spill();
      this.queue = this.queue.filter((b) => b.s.id);
      return this.rotate();
    }
    this.cut();
    this.tellGap();
    this.enqueue({ kind: 'stop', text: JSON.stringify(summary) });
    this.rotate();
    clearTimeout(this.beatTimer);
    this.pump();
  }

  die(why) {
    this.over = true;
    clearTimeout(this.timer);
    clearTimeout(this.flushTimer);
    clearTimeout(this.beatTimer);
    this.queue = this.pending = [];
    this.queueChars = this.pendingChars = 0;
    this.stats.error = why;
    const kept = this.store.session();
    if (kept && kept.id === this.session.id) this.store.saveSession(null);
    this.settled();
    this.host.dead(why);
  }

  // ---- idle ------------------------------------------------------------

  rearmBeat() {
    clearTimeout(this.beatTimer);
    if (!this.over) this.beatTimer = setTimeout(() => this.beat(), this.beatMs);
  }

  async beat() {
    const s = this.session;
    const seen = (this.store.session() || {}).seen || this.seen || 0;
    if (s.id && !this.busy && !this.timer && !this.queue.length && !this.parked && now() - seen < IDLE) {
      const era = this.era;
      const v = await post(`${this.base}/${s.id}/beat?${new URLSearchParams({ token: s.token, tab: this.tab })}`, null);
      if (era !== this.era || this.over) return;
      if (v.verdict === 'stored') this.heed(v, s);
      else if ((v.verdict === 'closed' || v.verdict === 'gone') && s === this.session) this.moveOn(s);
      else if (v.verdict === 'denied') return this.die(v.error || 'the collector refuses this page');
    }
    this.leftovers();
    this.rearmBeat();
    this.pump();
  }

  // ---- leaving and coming back -----------------------------------------

  /** Resolves when all that was added so far is stored, or has been refused. */
  drained() {
    this.release();
    if (!this.holds()) this.cut();
    this.flush();
    return new Promise((resolve) => {
      this.waiters.push({ resolve, last: this.queue[this.queue.length - 1] });
      this.settled();
    });
  }

  settled() {
    const all = this.over || this.holds();
    for (const w of this.waiters.splice(0))
      if (all || !this.queue.includes(w.last)) w.resolve();
      else this.waiters.push(w);
  }

  /**
   * The page goes. What is not acknowledged is sent in order, as far as the
   * budget goes, without waiting for answers; and all of it is kept for the
   * tab's next page, which sends it first: twice is as good as once.
   */
  leave() {
    if (this.parked || this.over) return;
    this.release();
    this.cut();
    this.tellGap();
    this.parked = true;
    this.era++;
    this.busy = false;
    clearTimeout(this.timer);
    clearTimeout(this.flushTimer);
    clearTimeout(this.beatTimer);
    this.timer = this.flushTimer = 0;

    const sessions = [...new Set([this.session, ...this.queue.map((b) => b.s)])];
    for (const b of this.queue) if (b.s.id && (b.kind === 'lines' || b.kind === 'gap')) b.n = b.n || b.s.next++;
    this.store.putBaton({
      tab: this.tab,
      at: now() + this.ahead,
      since: this.since,
      privacy: this.opts.privacy,
      ring: this.ring,
      sessions,
      queue: this.queue.map(({ kind, s, n, to, text, count, full, cause, events, safe }) =>
        ({ kind, s: sessions.indexOf(s), n, to, text, count, full, cause, events, safe, stowed: !!(n && s.id) })),
    });

    let room = KEEPALIVE - this.flying;
    for (const b of this.queue) {
      if (!b.s.id || b.text === null) break;
      if (b.out) continue;      // in flight already, and outlives the page
      const body = b.body || new TextEncoder().encode(b.text);
      if ((room -= body.length) < 0) break;
      const url = this.url(b) + this.clock(b);
      postLast(b.body ? url + '&gz=1' : url, body);
    }
    // For another tab, if this one does not come back.
    for (const b of this.queue) this.stow(b);
    this.host.leave();
  }

  /** Back from the back/forward cache: the baton says what became of the rest. */
  back() {
    if (!this.parked || this.over) return;
    const baton = this.store.takeBaton();
    this.parked = false;
    this.era++;
    this.flying = 0;
    if (baton && baton.tab === this.tab) {
      const mine = this.queue;
      const id = this.session.id;
      this.adopt(baton);
      for (const b of this.queue) {
        const old = mine.find((m) => b.n && m.n === b.n && m.s.id === b.s.id);
        if (old && b.text === null) b.text = old.text;
      }
      for (const w of this.waiters) w.last = this.queue[this.queue.length - 1];
      if (this.session.id !== id) this.seen = 0;
    } else {
      // The page in between still has it, and numbers of ours: be another tab.
      // What was not acknowledged is with that page, and in storage.
      this.tab = hex8();
      this.queue = [];
      this.queueChars = this.fullChars = 0;
      this.session = fresh();
      const kept = this.remembered();
      if (kept) this.enter(kept);
    }
    this.rearmBeat();
    this.host.back();
    this.flush();
  }
}
