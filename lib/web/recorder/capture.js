/**
 * What of the page becomes events: rrweb, and what it does not see (errors,
 * console, network, navigation without a page load, angry and futile clicks).
 */

import { record } from '@rrweb/record';
import { now } from './clock.js';

const IDLE = 5 * 60e3;          // without a user's event: rrweb is stopped
const CHECKOUT_GAP = 60e3;      // snapshots are at least this far apart,
const RING_GAP = 30e3;          // or this while only the last minute is kept,
const CHECKOUT_CHARS = 256e3;   // and this much of events, or twice a snapshot
const SNAPSHOT_SHARE = 10;      // of the time, a snapshot may take 1 in this
const FLOOD_CHARS = 2e6;        // a second of more than this, or of more
const FLOOD_CHANGES = 4000;     // mutations, is a flood;
const FLOOD_SECONDS = 3;        // after so many rrweb is stopped
const FLOOD_REST = 5e3;         // for this long, twice as long each time
const REST_MOST = 60e3;         // that the flood goes on, up to this
const SLICE = 8;                // milliseconds of a task that makes a snapshot's text
const PIECE = 250;              // of so many nodes at a time
const CLOCK_STEP = 1000;        // a clock that moves more than this was set

const ERRORS = 100;             // a page, each
const CONSOLE = 1000;
const REQUESTS = 1000;
const TEXT = 2000;              // characters of a message

// Moves, clicks, scrolls, sizes, inputs, touches, media, drags: somebody is there.
const USER = new Set([1, 2, 3, 4, 5, 6, 7, 12]);
const WAKES = ['pointermove', 'pointerdown', 'keydown', 'wheel', 'touchstart'];

const cutText = (v) => {
  const s = String(v);
  return s.length > TEXT ? s.slice(0, TEXT) + '…' : s;
};

/**
 * @param {import('../rr.d.ts').Options} opts
 * @param {ReturnType<import('./privacy.js').privacy>} shield
 * @param {import('./sender.js').Sender} sender
 */
export function capture(opts, shield, sender) {
  const on = new Set(opts.capture);
  if (opts.privacy === 'strict') on.delete('canvas');
  if (opts.onError) on.add('errors');
  const { mirror } = record;
  let stopRrweb, undo = [];
  let live = false;             // it was started, and not stopped
  let left = false;             // live, but the page is not shown: it may come back
  let asleep = null;            // live, but rrweb is off: calls it back in
  let snapChars = 0, sinceChars = 0, snapBegun = 0, snapAt = -1e9, snapMs = 0, snapTimer = 0, snapDue = false;
  let userAt = now();
  let second = 0, secondChars = 0, secondChanges = 0, floods = 0, rest = FLOOD_REST;
  let line = null;              // events that wait for a snapshot's text,
  let making = null;            // and what makes it, for so many milliseconds
  let drift = null, shift = sender.ahead;     // of the visitor's clock

  /** rrweb's times are Date.now(); one that is set mid-page must not show. */
  const steady = (e) => {
    const d = e.timestamp - now();
    if (drift === null) sender.lead = (drift = d) + shift;
    if (Math.abs(d - drift) > CLOCK_STEP) {
      shift += drift - d;
      drift = d;
    }
    if (shift) e.timestamp = Math.round(e.timestamp + shift);
  };

  const emit = (e) => {
    const { type, data } = e;
    const source = type === 3 ? data.source : -1;
    const at = now();
    if (USER.has(source)) {
      userAt = at;
      if (sender.touch()) snapshot(true);
    } else if (type === 3 && !asleep && at - userAt > IDLE) sleep();
    steady(e);
    if (type === 2) return make(e);
    shield.event(e, mirror);
    const text = JSON.stringify(e);
    if (type === 4) {
      finish();
      snapBegun = at;
      line = [];
      setTimeout(() => making || drain());      // there may come none
    }
    put(text, type, type === 5 && data.tag === 'rr.error');
    if (type === 3) {
      sinceChars += text.length;
      meter(text.length, source ? 0 : data.adds.length + data.removes.length + data.texts.length + data.attributes.length);
    }
    if (at - snapAt > (sender.ring ? RING_GAP : CHECKOUT_GAP) &&
      (sender.ring || sinceChars > Math.max(2 * snapChars, CHECKOUT_CHARS))) soon();
  };

  /** Gives a text to the sender; one that comes behind a snapshot waits for it. */
  const put = (...event) => {
    if (line) return line.push(event);
    if (opts.onEvent) opts.onEvent(event[0]);
    sender.add(...event);
  };
  const drain = () => {
    const all = line || [];
    line = making = null;
    for (const event of all) put(...event);
  };

  /** Makes the text of a snapshot, of a large one in slices: no task of ours is long. */
  const make = (e) => {
    const { node, ...rest } = e.data;
    const job = pieces(node), parts = [], event = ['', 2];
    let spent = now() - snapBegun;
    if (!line) line = [];
    line.push(event);
    making = (ms) => {
      const begun = now();
      let piece;
      do {
        piece = job.next();
        if (piece.value) parts.push(piece.value);
      } while (!piece.done && now() - begun < ms);
      snapAt = now();
      snapMs = spent += snapAt - begun;
      if (!piece.done) return self.requestIdleCallback ? requestIdleCallback(going, { timeout: 100 }) : setTimeout(going);
      event[0] = `{"type":2,"data":{"node":${parts.join('')},${JSON.stringify(rest).slice(1)},"timestamp":${e.timestamp}}`;
      snapChars = event[0].length;
      sinceChars = 0;
      drain();
    };
    const mine = making, going = () => making === mine && mine(SLICE);
    making(SLICE);
  };
  const finish = () => making && making(Infinity);
  /** The text of a node in pieces, masked. */
  const pieces = function* (node) {
    if (nodes(node) < PIECE) {
      shield.tree(node, mirror);
      yield JSON.stringify(node);
      return;
    }
    const { childNodes, ...rest } = node;
    shield.tree(rest, mirror);
    yield JSON.stringify(rest).slice(0, -1) + ',"childNodes":[';
    for (let i = 0; i < childNodes.length; i++) {
      if (i) yield ',';
      yield* pieces(childNodes[i]);
    }
    yield ']}';
  };
  /** How many there are, as far as PIECE. */
  const nodes = (node) => {
    let n = 1;
    for (const child of node.childNodes || []) if ((n += nodes(child)) >= PIECE) break;
    return n;
  };

  /** A page that changes without end keeps its visitor's processor. */
  const meter = (chars, changes) => {
    const s = Math.floor(now() / 1e3);
    if (s !== second) {
      const flood = secondChars > FLOOD_CHARS || secondChanges > FLOOD_CHANGES;
      floods = flood ? floods + 1 : 0;
      if (!flood) rest = FLOOD_REST;
      second = s;
      secondChars = secondChanges = 0;
    }
    secondChars += chars;
    secondChanges += changes;
    if (floods < FLOOD_SECONDS || asleep) return;
    floods = 0;
    const ms = Math.max(rest, Math.round(snapMs * SNAPSHOT_SHARE));
    rest = Math.min(rest * 2, REST_MOST);
    note('rr.flood', { rest: ms });
    sleep(ms);
  };

  /** Stops rrweb for so long, or until somebody does something; then begins anew. */
  const sleep = (ms) => {
    let timer;
    const wake = asleep = () => {
      clearTimeout(timer);
      for (const type of WAKES) self.removeEventListener(type, wake, true);
      if (asleep !== wake) return;
      asleep = null;
      if (!live || left) return;
      if (!ms) {
        userAt = now();
        if (sender.touch()) reset();
      }
      if (!stopRrweb) run();
    };
    setTimeout(() => asleep === wake && halt());        // not under its feet
    if (ms) timer = setTimeout(wake, ms);
    else for (const type of WAKES) self.addEventListener(type, wake, true);
  };

  /** Times are the clock's again: a session begins. */
  const reset = () => {
    drift = null;
    shift = sender.ahead = 0;
  };
  /** Takes one now, or once its share of the time allows; `anew`: of a new session. */
  const snapshot = (anew) => {
    snapDue = false;
    if (anew) reset();
    else if (line) return;      // one is being made
    clearTimeout(snapTimer);
    const wait = snapAt + snapMs * SNAPSHOT_SHARE - now();
    if (wait > 0) snapTimer = setTimeout(snapshot, wait);
    else if (stopRrweb && snapBegun) record.takeFullSnapshot(true);
  };
  const soon = () => {
    if (snapDue) return;
    snapDue = true;
    const go = () => snapDue && snapshot();
    self.requestIdleCallback ? requestIdleCallback(go, { timeout: 2000 }) : setTimeout(go, 50);
  };
  /** An event of our own, beside rrweb's. */
  const tell = (type, data) => {
    if (live && !left) emit({ type, data, timestamp: Date.now() });
  };
  const note = (tag, payload) => tell(5, { tag, payload });

  const listen = (target, type, fn) => {
    target.addEventListener(type, fn, true);
    undo.push(() => target.removeEventListener(type, fn, true));
  };
  /** Puts our function in the place of one of the page's. */
  const wrap = (target, name, make) => {
    const was = target && target[name];
    if (typeof was !== 'function') return;
    const ours = make(was);
    target[name] = ours;
    undo.push(() => {
      if (target[name] === ours) target[name] = was;
    });
  };

  const trace = ({ message, stack }) => shield.trace(cutText(message || ''), cutText(stack || message));

  const errors = () => {
    let left = ERRORS;
    const report = (kind, err, extra) => {
      if (left-- <= 0) return;
      note('rr.error', { kind, message: shield.say(cutText(err && err.message || err)),
        stack: err && err.stack ? trace(err) : undefined, ...extra });
    };
    listen(self, 'error', (e) => {
      if (e.message !== undefined)
        report('error', e.error || e.message, { url: shield.url(e.filename || ''), line: e.lineno, column: e.colno });
      else if (e.target && e.target.tagName)
        report('resource', '', { message: e.target.tagName.toLowerCase(), url: shield.url(e.target.src || e.target.href || '') });
    });
    listen(self, 'unhandledrejection', (e) => report('rejection', e.reason));
  };

  /** rrweb/console@1's own form, without its size. */
  const logs = () => {
    let left = CONSOLE, inside = false;
    for (const level of ['log', 'info', 'warn', 'error', 'debug', 'assert'])
      wrap(console, level, (was) => function (...args) {
        was.apply(this, args);
        if (inside || left <= 0 || level === 'assert' && args[0]) return;
        inside = true;
        try {
          left--;
          tell(6, { plugin: 'rrweb/console@1', payload: { level, trace: [], payload: args.map((a, i) =>
            cutText(a instanceof Error ? JSON.stringify(trace(a))
              : shield.argument(print(a), i === (level === 'assert' ? 1 : 0)))) } });
        } catch {}
        inside = false;
      });
  };
  const print = (v) => {
    if (v instanceof Node) return JSON.stringify(v.nodeName.toLowerCase());
    const seen = new Set();
    return JSON.stringify(v, (_, x) => {
      if (typeof x === 'bigint' || typeof x === 'function') return String(x).slice(0, 100);
      if (typeof x !== 'object' || !x) return x;
      if (seen.has(x)) return '[…]';
      seen.add(x);
      return x;
    }) ?? String(v);
  };

  /** rrweb/network@1's form: what, when, how it ended; never bodies or headers. */
  const requests = () => {
    let left = REQUESTS;
    const report = (method, href, begin, status, initiatorType) => {
      let u;
      try {
        u = new URL(href, location.href);
      } catch {
        return;
      }
      if (u.origin === opts.collector || left-- <= 0) return;
      tell(6, { plugin: 'rrweb/network@1', payload: { requests: [{ method, name: shield.url(u.href), status, initiatorType,
        startTime: Math.round(begin), endTime: Math.round(performance.now()),
        timestamp: Math.round(performance.timeOrigin + begin) }] } });
    };
    wrap(self, 'fetch', (was) => function (input, init) {
      const begin = performance.now();
      const method = init && init.method || input && input.method || 'GET';
      const href = input && input.url || String(input);
      const got = was.apply(this, arguments);
      got.then((r) => report(method, href, begin, r.status, 'fetch'), () => report(method, href, begin, 0, 'fetch'));
      return got;
    });
    wrap(XMLHttpRequest.prototype, 'open', (was) => function (method, href) {
      let begin = 0;
      this.addEventListener('loadstart', () => { begin = performance.now(); });
      this.addEventListener('loadend', () => report(method, String(href), begin, this.status, 'xmlhttprequest'));
      return was.apply(this, arguments);
    });
  };

  const navigation = () => {
    let last = location.href;
    const look = () => {
      if (location.href === last) return;
      last = location.href;
      note('rr.page', { href: shield.url(last), title: opts.privacy === 'strict' ? '' : cutText(document.title) });
    };
    for (const name of ['pushState', 'replaceState'])
      wrap(history, name, (was) => function () {
        const got = was.apply(this, arguments);
        look();
        return got;
      });
    listen(self, 'popstate', look);
    listen(self, 'hashchange', look);
  };

  /** Three clicks at one place within a second; a click that nothing follows. */
  const clicks = () => {
    let recent = [], watch;
    const alive = () => {
      clearTimeout(watch);
      watch = 0;
    };
    const seen = new MutationObserver(alive);
    seen.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    undo.push(() => seen.disconnect());
    for (const type of ['scroll', 'input', 'submit', 'change', 'pagehide', 'popstate', 'hashchange', 'focusin', 'selectionchange'])
      listen(self, type, alive);
    listen(document, 'click', (e) => {
      const at = now();
      const { clientX: x, clientY: y } = e;
      recent = recent.filter((c) => at - c.at < 1000 && Math.hypot(c.x - x, c.y - y) < 30);
      recent.push({ at, x, y });
      const el = e.target && e.target.closest && e.target.closest('a,button,[role=button],input[type=submit],input[type=button],summary');
      const id = mirror.getId(el || e.target);
      if (recent.length === 3) note('rr.rage', { x, y, id });
      alive();
      if (el) watch = setTimeout(() => note('rr.dead', { x, y, id }), 2500);
    });
  };

  const run = () => {
    stopRrweb = record({
      emit,
      recordAfter: 'DOMContentLoaded',
      ...shield.rrweb,
      sampling: { mousemove: 50, scroll: 150, media: 800, ...(on.has('canvas') ? { canvas: 2 } : {}) },
      recordCanvas: on.has('canvas'),
      dataURLOptions: { type: 'image/webp', quality: 0.6 },
      slimDOMOptions: { script: true, comment: true, headFavicon: true, headMetaSocial: true,
        headMetaRobots: true, headMetaHttpEquiv: true, headMetaVerification: true, headMetaAuthorship: true },
      errorHandler: () => true,
    }) || (() => {});
  };
  const halt = () => {
    clearTimeout(snapTimer);
    snapDue = false;
    if (stopRrweb) stopRrweb();
    stopRrweb = null;
    snapBegun = 0;
  };

  return {
    snapshot,
    finish,
    note,
    get running() {
      return live;
    },
    start() {
      if (live) return;
      live = true;
      left = false;
      userAt = now();
      if (on.has('console')) logs();
      if (on.has('network')) requests();
      run();
      if (on.has('errors')) errors();
      navigation();
      clicks();
    },
    /** The page goes; what it does from now on nobody sees, and it belongs to no batch. */
    leave() {
      left = true;
      halt();
    },
    /** The page is back as it was: what comes builds on a snapshot of it, in whatever track. */
    back() {
      if (!left) return;
      left = false;
      if (asleep) asleep();
      else if (live) run();
    },
    /** @param {boolean} [forget] what is not with the sender yet */
    stop(forget) {
      if (!live) return;
      live = false;
      if (forget) line = making = null;
      finish();
      drain();
      if (asleep) asleep();
      halt();
      for (const fn of undo.splice(0)) fn();
    },
  };
}
