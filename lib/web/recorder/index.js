/**
 * rr.js: records the page it is on and sends it to a collector.
 *
 *   <script src="https://rec.example/rr.js" data-key="KEY"></script>
 *
 * The collector is where the script came from, unless data-collector says
 * otherwise. Every option is a data- attribute (data-query-keys) or a member
 * of what rr.init() is given (queryKeys); they and the functions below are
 * described in rr.d.ts. Without autostart nothing happens before rr.start().
 *
 * Calls made before the script is there count, if the page says first
 *
 *   window.rr = window.rr || { q: [] };
 *   rr.q.push(['identify', '42', { plan: 'pro' }]);
 */

import { capture } from './capture.js';
import { options } from './options.js';
import { privacy, watchTypes } from './privacy.js';
import { Sender } from './sender.js';
import { store } from './store.js';

const VERSION = __VERSION__;
/** A module may also be loaded where pages are made: there it does nothing. */
const inPage = typeof document === 'object';
const script = inPage && document.currentScript;

let opts, keep, sender, camera, shield;
let state = 'off', why = 'not started', consented = false, paused = false;
let who = {};                   // user and traits, as identify() said last

/** Why this page must not be recorded, if so. */
function refusal() {
  if (!opts.collector) return 'no collector: set data-collector';
  if (opts.gpc && navigator.globalPrivacyControl) return 'Global Privacy Control';
  if (opts.consent === 'wait' && !consented) return 'waiting for consent';
  // Nobody may ever see it.
  if (document.prerendering) return 'not shown yet';
  try {
    // A recorder in the page around this one sees into this frame already.
    if (!opts.frames && self !== top && top.rr && top.rr.status) return 'the page around this frame is recorded';
  } catch {}
  return elsewhere();
}

/** Why a page of this address is not recorded, if so. */
function elsewhere() {
  const not = [], only = [];
  for (const p of opts.pages) (p[0] === '!' ? not : only).push(p.replace('!', ''));
  const one = (list) => list.some((p) => new RegExp(
    '^' + p.split('*').map((part) => part.replace(/\W/g, '\\$&')).join('.*') + '$').test(location.pathname));
  return one(not) || only.length && !one(only) ? 'not a page to record' : '';
}

/** The page changed its address, perhaps to one that is not recorded. */
function moved() {
  const reason = elsewhere();
  if (state === 'recording') {
    if (!reason === camera.running || paused) return;
    why = reason;
    reason ? camera.stop() : camera.start();
  } else if (!reason && why === 'not a page to record' && opts.autostart) start();
}

/** Sampling is by session: all its pages, or none. */
function sampled(draw = opts.sample) {
  const at = keep.name + ':sample';
  let hit = Math.random() < draw;
  try {
    const [said, when] = (localStorage.getItem(at) || '').split(' ');
    if (draw && said && Date.now() - when < 30 * 60e3) hit = said === '1';
    localStorage.setItem(at, (hit ? '1 ' : '0 ') + Date.now());
  } catch {}
  return hit;
}

/** What is recorded from now on, if anything is, is masked by this preset. */
function shoot() {
  const going = camera && camera.running;
  if (going) camera.stop(true);
  shield = privacy(opts);
  camera = capture(opts, shield, sender);
  if (going) camera.start();
}

function init(given) {
  if (sender || !inPage) return;        // once: what runs is not changed under way
  opts = options(script, given);
  keep = store(opts.key);
  if (opts.pages.length) {
    for (const name of ['pushState', 'replaceState']) {
      const was = history[name];
      history[name] = function () {
        const got = was.apply(this, arguments);
        moved();
        return got;
      };
    }
    addEventListener('popstate', moved, true);
  }
  document.addEventListener('prerenderingchange', () => why === 'not shown yet' && start(), { once: true });
  if (opts.autostart) start();
}

function start() {
  if (!opts) init({ autostart: false });
  if (!opts || state === 'recording') return;
  why = refusal();
  if (!why && !sampled()) why = 'not in the sample';
  if (why) return;
  if (sender && !sender.over) sender.rotate();
  else {
    shield = privacy(opts);
    sender = new Sender(opts, keep, {
      snapshot: (anew) => camera && camera.snapshot(anew),
      finish: () => camera && camera.finish(),
      leave: () => camera && camera.leave(),
      back: () => camera && camera.back(),
      dead: (reason) => {
        camera.stop();
        state = reason ? 'refused' : 'off';
        why = reason || 'not in the sample';
        if (!reason) sampled(0);
      },
      stricter: () => camera && shoot(),
      describe: () => ({
        url: shield.url(location.href),
        title: opts.privacy === 'strict' ? '' : document.title.slice(0, 300),
        referrer: shield.url(document.referrer),
        privacy: opts.privacy,
        source: opts.source,
        user: opts.user || undefined,
        ...who,
        sdk: 'rr ' + VERSION,
        rrweb: __RRWEB__,
        tab: sender.tab,
        time: Date.now(),
        width: innerWidth,
        height: innerHeight,
        language: navigator.language,
      }),
    });
    if (who.user) sender.tell(who);
    shoot();
    const settle = () => setTimeout(() => sender.ready());
    document.readyState === 'complete' ? settle() : addEventListener('load', settle, { once: true });
  }
  state = 'recording';
  paused = false;
  camera.start();
}

function stopNow(reason) {
  if (!sender || state !== 'recording') return;
  camera.stop();
  sender.stop({ reason });
  state = 'off';
  why = 'stopped';
}

const rr = {
  version: VERSION,
  init,
  start,
  /** Ends the session: nothing is added to it any more. */
  stop() {
    stopNow('stopped by the page');
    return rr.flush();
  },
  pause() {
    if (state !== 'recording' || paused) return;
    paused = true;
    camera.stop();
  },
  resume() {
    if (state !== 'recording' || !paused) return;
    paused = false;
    if (!(why = elsewhere())) camera.start();
  },
  flush: () => sender ? sender.drained() : Promise.resolve(),
  identify(id, traits) {
    who = { user: String(id), ...(traits ? { traits } : {}) };
    if (sender) sender.tell(who);
  },
  event(name, data) {
    if (camera) camera.note(String(name), data);
  },
  consent(yes) {
    consented = !!yes;
    if (yes && opts && opts.autostart) start();
    else if (!yes) stopNow('consent withdrawn');
  },
  sessionId: () => sender && sender.session.id || null,
  sessionUrl: () => sender && sender.session.id && opts.dashboard
    ? `${opts.dashboard.replace(/\/+$/, '')}/?id=${sender.session.id}` : null,
  status() {
    const s = sender;
    return {
      state: state === 'recording' && !camera.running ? 'paused' : state,
      why: why || (paused ? 'paused' : s && s.holds()),
      session: rr.sessionId(),
      tab: s ? s.tab : null,
      buffered: s ? s.pending.length + s.queue.reduce((n, b) => n + (b.count || 0), 0) : 0,
      ...(s ? s.stats : { stored: 0, batches: 0, dropped: 0, gaps: 0, watched: false, error: '' }),
    };
  },
};

const early = globalThis.rr;
if (inPage && !(early && early.version)) {
  self.rr = rr;
  watchTypes();
  addEventListener('pagehide', () => sender && sender.leave());
  addEventListener('pageshow', (e) => e.persisted && sender && sender.back());
  document.addEventListener('visibilitychange', () =>
    document.visibilityState === 'hidden' && sender && !sender.parked && sender.flush());
  document.addEventListener('freeze', () => sender && !sender.parked && sender.flush());
  addEventListener('online', () => sender && sender.wake());
  addEventListener('storage', (e) => {
    if (!sender || state !== 'recording' || e.key !== keep.name) return;
    const kept = sender.remembered();
    if (kept && sender.session.id && kept.id !== sender.session.id) {
      sender.rotate(kept);
      camera.snapshot(true);
    }
  });
  const calls = early && early.q || [];
  if (script && !calls.some(([name]) => name === 'init') &&
      (script.dataset.key !== undefined || script.dataset.collector)) init();
  for (const [name, ...args] of calls) if (rr[name]) rr[name](...args);
}

export default globalThis.rr || rr;
