/**
 * What of the page becomes events: rrweb, and what it does not see (errors,
 * console, network, navigation without a page load, angry and futile clicks).
 */

import { record } from '@rrweb/record';

const IDLE = 5 * 60e3;          // without a user's event: mutations wait
const CHECKOUT_GAP = 60e3;      // snapshots are at least this far apart,
const RING_GAP = 30e3;          // or this while only the last minute is kept,
const CHECKOUT_CHARS = 256e3;   // and this much of events, or twice a snapshot
const FLOOD_CHARS = 2e6;        // a second of more than this is a flood;
const FLOOD_SECONDS = 3;        // after so many mutations wait
const FLOOD_REST = 5e3;         // for this long
const CLOCK_STEP = 1000;        // a clock that moves more than this was set

const ERRORS = 100;             // a page, each
const CONSOLE = 1000;
const REQUESTS = 1000;
const TEXT = 2000;              // characters of a message

// Moves, clicks, scrolls, sizes, inputs, touches, media, drags: somebody is there.
const USER = new Set([1, 2, 3, 4, 5, 6, 7, 12]);

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
  if (opts.onError) on.add('errors');
  const { mirror } = record;
  let stopRrweb, undo = [];
  let started = false;          // there was a snapshot: rrweb's calls work
  let snapChars = 0, sinceChars = 0, snapAt = 0, snapDue = false;
  let userAt = Date.now(), idle = false;
  let second = 0, secondChars = 0, floods = 0, resting = false;
  let drift = null, shift = 0;  // of the visitor's clock

  const hold = () => {
    try {
      record.freezePage();
    } catch {}
  };

  /** rrweb's times are Date.now(); one that is set mid-page must not show. */
  const steady = (e) => {
    const d = e.timestamp - performance.timeOrigin - performance.now();
    if (drift === null) drift = d;
    if (Math.abs(d - drift) > CLOCK_STEP) {
      shift += drift - d;
      drift = d;
    }
    if (shift) e.timestamp = Math.round(e.timestamp + shift);
  };

  const emit = (e) => {
    const type = e.type;
    const source = type === 3 ? e.data.source : -1;
    const user = USER.has(source);
    if (user) {
      userAt = Date.now();
      if (idle) {
        idle = false;
        soon();
      }
      if (sender.touch()) snapshot();
    } else if (type === 3 && !idle && Date.now() - userAt > IDLE) {
      idle = true;
      hold();
    }
    steady(e);
    shield.event(e, mirror);
    const text = JSON.stringify(e);
    if (opts.onEvent) opts.onEvent(text);
    if (type === 2) {
      started = true;
      snapAt = Date.now();
      snapChars = text.length;
      sinceChars = 0;
    } else if (type === 3) {
      sinceChars += text.length;
      meter(text.length);
    }
    sender.add(text, type, type === 5 && e.data.tag === 'rr.error');
    if (Date.now() - snapAt > (sender.ring ? RING_GAP : CHECKOUT_GAP) &&
      (sender.ring || sinceChars > Math.max(2 * snapChars, CHECKOUT_CHARS))) soon();
  };

  /** A page that changes without end keeps its visitor's processor. */
  const meter = (chars) => {
    const now = Math.floor(Date.now() / 1e3);
    if (now !== second) {
      floods = secondChars > FLOOD_CHARS ? floods + 1 : 0;
      second = now;
      secondChars = 0;
    }
    secondChars += chars;
    if (floods < FLOOD_SECONDS || resting) return;
    resting = true;
    floods = 0;
    note('rr.flood', { rest: FLOOD_REST });
    hold();
    setTimeout(() => {
      resting = false;
      snapshot();
    }, FLOOD_REST);
  };

  const snapshot = () => {
    snapDue = false;
    if (started && stopRrweb) record.takeFullSnapshot(true);
  };
  const soon = () => {
    if (snapDue) return;
    snapDue = true;
    const go = () => snapDue && snapshot();
    self.requestIdleCallback ? requestIdleCallback(go, { timeout: 2000 }) : setTimeout(go, 50);
  };
  const note = (tag, payload) => {
    if (started && stopRrweb) record.addCustomEvent(tag, payload);
  };

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

  const errors = () => {
    let left = ERRORS;
    const tell = (kind, err, extra) => {
      if (left-- <= 0) return;
      note('rr.error', { kind, message: cutText(err && err.message || err),
        stack: err && err.stack ? cutText(err.stack) : undefined, ...extra });
    };
    listen(self, 'error', (e) => {
      if (e.message !== undefined)
        tell('error', e.error || e.message, { url: shield.url(e.filename || ''), line: e.lineno, column: e.colno });
      else if (e.target && e.target.tagName)
        tell('resource', e.target.tagName.toLowerCase(), { url: shield.url(e.target.src || e.target.href || '') });
    });
    listen(self, 'unhandledrejection', (e) => tell('rejection', e.reason));
  };

  /** rrweb/console@1's own form, without its size. */
  const consolePlugin = () => ({
    name: 'rrweb/console@1',
    options: {},
    observer(cb) {
      let left = CONSOLE, inside = false;
      for (const level of ['log', 'info', 'warn', 'error', 'debug', 'assert'])
        wrap(console, level, (was) => function (...args) {
          was.apply(this, args);
          if (inside || left <= 0 || level === 'assert' && args[0]) return;
          inside = true;
          try {
            left--;
            cb({ level, trace: [], payload: args.map((a) =>
              cutText(a instanceof Error ? JSON.stringify(a.stack || a.message) : print(a))) });
          } catch {}
          inside = false;
        });
      return () => {};
    },
  });
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
  const networkPlugin = () => ({
    name: 'rrweb/network@1',
    options: {},
    observer(cb) {
      let left = REQUESTS;
      const tell = (method, href, begin, status, initiatorType) => {
        let u;
        try {
          u = new URL(href, location.href);
        } catch {
          return;
        }
        if (u.origin === opts.collector || left-- <= 0) return;
        cb({ requests: [{ method, name: shield.url(u.href), status, initiatorType,
          startTime: Math.round(begin), endTime: Math.round(performance.now()),
          timestamp: Math.round(performance.timeOrigin + begin) }] });
      };
      wrap(self, 'fetch', (was) => function (input, init) {
        const begin = performance.now();
        const method = init && init.method || input && input.method || 'GET';
        const href = input && input.url || String(input);
        const got = was.apply(this, arguments);
        got.then((r) => tell(method, href, begin, r.status, 'fetch'), () => tell(method, href, begin, 0, 'fetch'));
        return got;
      });
      wrap(XMLHttpRequest.prototype, 'open', (was) => function (method, href) {
        let begin = 0;
        this.addEventListener('loadstart', () => { begin = performance.now(); });
        this.addEventListener('loadend', () => tell(method, String(href), begin, this.status, 'xmlhttprequest'));
        return was.apply(this, arguments);
      });
      return () => {};
    },
  });

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
      const now = Date.now();
      const { clientX: x, clientY: y } = e;
      recent = recent.filter((c) => now - c.at < 1000 && Math.hypot(c.x - x, c.y - y) < 30);
      recent.push({ at: now, x, y });
      const el = e.target && e.target.closest && e.target.closest('a,button,[role=button],input[type=submit],input[type=button],summary');
      const id = mirror.getId(el || e.target);
      if (recent.length === 3) note('rr.rage', { x, y, id });
      alive();
      if (el) watch = setTimeout(() => note('rr.dead', { x, y, id }), 2500);
    });
  };

  return {
    snapshot,
    note,
    get running() {
      return !!stopRrweb;
    },
    start() {
      if (stopRrweb) return;
      const plugins = [];
      if (on.has('console')) plugins.push(consolePlugin());
      if (on.has('network')) plugins.push(networkPlugin());
      stopRrweb = record({
        emit,
        recordAfter: 'DOMContentLoaded',
        ...shield.rrweb,
        sampling: { mousemove: 50, scroll: 150, media: 800, ...(on.has('canvas') ? { canvas: 2 } : {}) },
        recordCanvas: on.has('canvas'),
        dataURLOptions: { type: 'image/webp', quality: 0.6 },
        slimDOMOptions: { script: true, comment: true, headFavicon: true, headMetaSocial: true,
          headMetaRobots: true, headMetaHttpEquiv: true, headMetaVerification: true, headMetaAuthorship: true },
        plugins,
        errorHandler: () => true,
      }) || (() => {});
      if (on.has('errors')) errors();
      navigation();
      clicks();
    },
    stop() {
      if (!stopRrweb) return;
      stopRrweb();
      stopRrweb = null;
      started = false;
      for (const fn of undo.splice(0)) fn();
    },
  };
}
