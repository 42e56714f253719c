/**
 * The document in which recordings play: no network, no script but this, and
 * inside it rrweb's own sandboxed frame without scripts. It is told what to
 * play by messages of the page around it, and knows nothing else.
 *
 *   open {gen, lines, shift, at, playing, rate}   a window of one tab, from a snapshot on
 *   add {gen, lines, shift}                       more of it
 *   seek {gen, at}   play   pause   rate {rate}   scale {fit}
 *
 * Answers: ready, opened {gen}, time {gen, at}, size {width, height, scale},
 * fault {gen, text}. Times are rrweb's, plus `shift`.
 */

import { Replayer } from '@rrweb/replay';

const SPARE = 50;               // ms that a replayer is given to draw a snapshot
const MOST_SCALE = 3;
// A place that was scrolled to is shown at once, whatever the page is used to.
const RULES = ['*{scroll-behavior:auto!important}'];
const TAIL_RATE = 4;            // faster than this the mouse leaves no trail

let now;                        // {gen, replayer, stage, base, last}
let playing = false, rate = 1, fit = true;

const tell = (message) => parent.postMessage(message, location.origin);

function parse(lines, shift, state) {
  const out = [];
  for (const line of lines) {
    let e;
    try {
      e = JSON.parse(line);
    } catch {
      continue;
    }
    if (!e || typeof e !== 'object' || typeof e.type !== 'number' || typeof e.timestamp !== 'number') continue;
    if (e.type === 4 && !(e.data && e.data.width > 0)) continue;
    if (e.type < 6 && e.type > 1 && !e.data) continue;
    // The order is that of the recording; a clock that went back stands still.
    e.timestamp = state.last = Math.max(state.last, e.timestamp + shift);
    if (e.type === 4) state.meta = e.timestamp;
    else if (e.type === 2) state.snapshots.push([state.meta ?? e.timestamp, e.timestamp]);
    out.push(e);
  }
  return out;
}

/**
 * Where to go for a time: what happens at it has happened, and a page that
 * begins has been drawn. rrweb would show the page before until its snapshot.
 */
function place(state, at) {
  at = Math.max(at, state.base);
  for (const [meta, full] of state.snapshots) if (meta <= at && at < full) at = full;
  return at + 1;
}

/** Draws what was at a time, and plays on from there if that is wanted. */
function go(state, at) {
  const { replayer } = state;
  state.at = place(state, at);
  state.seeking = true;
  // rrweb would scroll to where its last search for a time ended.
  replayer.virtualDom.scrollData = null;
  if (playing && state.shown) replayer.play(state.at - state.base);
  else replayer.pause(state.at - state.base);
  state.seeking = false;
  applied(state);
}

/**
 * All before the time is drawn. rrweb goes by the last event, and for one that
 * moves the mouse by when that began, so it would draw some of it again.
 */
function applied({ replayer, at }) {
  replayer.service.send({ type: 'CAST_EVENT', payload: { event: { type: -1, timestamp: at - 0.0005 } } });
}

function layout() {
  const wrapper = now && now.stage.firstElementChild;
  if (!wrapper || !now.size) return;
  const { size } = now;
  const scale = fit ? Math.min(MOST_SCALE, innerWidth / size.width, innerHeight / size.height) : 1;
  wrapper.style.width = size.width + 'px';
  wrapper.style.height = size.height + 'px';
  wrapper.style.transform = `scale(${scale}) translate(-50%, -50%)`;
  if (!fit) {
    // 1:1 shows the top left corner if it does not fit, and the pane scrolls.
    wrapper.style.left = size.width > innerWidth ? size.width / 2 + 'px' : '50%';
    wrapper.style.top = size.height > innerHeight ? size.height / 2 + 'px' : '50%';
  } else {
    wrapper.style.left = wrapper.style.top = '50%';
  }
  document.body.style.overflow = document.documentElement.style.overflow = fit ? 'hidden' : 'auto';
  tell({ op: 'size', ...size, scale });
}

/** The trail is drawn anew with each move, too often for a fast replay. */
function trail({ replayer, tail, size }) {
  const on = rate <= TAIL_RATE;
  if (!tail || on === !!replayer.mouseTail) return;
  tail.getContext('2d').clearRect(0, 0, tail.width, tail.height);
  replayer.mouseTail = on ? tail : null;
  if (on && size) [tail.width, tail.height] = [size.width, size.height];
}

function open({ gen, lines, shift, at }) {
  const state = { gen, last: -Infinity, snapshots: [] };
  const events = parse(lines, shift, state);
  if (!events.length) return tell({ op: 'fault', gen, text: 'nothing to draw here' });
  const stage = document.createElement('div');
  stage.className = 'stage';
  stage.dataset.next = '';
  document.body.append(stage);
  const replayer = new Replayer(events, {
    root: stage,
    liveMode: true,             // it does not end by itself: more may come
    speed: rate,
    mouseTail: { duration: 400, lineCap: 'round', lineWidth: 2, strokeStyle: '#e8590c' },
    triggerFocus: false,
    showWarning: false,
    loadTimeout: 0,
    insertStyleRules: RULES,
    logger: { log() {}, warn() {} },
  });
  // A recorded video whose source is not fetched does not play: as it should be.
  replayer.on('fullsnapshot-rebuilded', () => {
    replayer.iframe.contentWindow.addEventListener('unhandledrejection', (e) => e.preventDefault());
    // Where the mouse was at another time is not where it is.
    if (state.seeking) replayer.mouse.style.left = replayer.mouse.style.top = '';
  });
  // Where the mouse is on what is no longer there.
  const move = replayer.moveAndHover.bind(replayer);
  replayer.moveAndHover = (x, y, id, ...more) => {
    if (replayer.getMirror().getNode(id)) return move(x, y, id, ...more);
    Object.assign(replayer.mouse.style, { left: `${x}px`, top: `${y}px` });
    replayer.hoverElements(replayer.iframe.contentDocument);
  };
  Object.assign(state, { replayer, stage, base: events[0].timestamp, tail: replayer.mouseTail });
  trail(state);
  replayer.on('resize', (d) => {
    state.size = d;
    if (now === state) layout();
  });
  const show = () => {
    if (state.shown) return;
    state.shown = true;
    const old = now;
    now = state;
    if (old) {
      old.replayer.destroy();
      old.stage.remove();
    }
    delete stage.dataset.next;
    layout();
    if (playing) replayer.play(state.at - state.base);
    tell({ op: 'opened', gen });
  };
  pending = state;
  go(state, at);
  // rrweb is about to set the size that the page had at first.
  const { size } = state;
  setTimeout(() => size && replayer.emitter.emit('resize', size));
  setTimeout(show, SPARE);
}
let pending;

const ops = {
  open(m) {
    playing = m.playing;
    rate = m.rate;
    chain = chain.then(() => open(m)).catch((e) => tell({ op: 'fault', gen: m.gen, text: String(e) }));
  },
  add(m) {
    chain = chain.then(() => {
      const state = pending && pending.gen === m.gen ? pending : null;
      if (!state) return;
      const events = parse(m.lines, m.shift, state);
      for (const e of events) state.replayer.addEvent(e);
      // What is of before the time was drawn, but not yet on the screen.
      if (events.length && events[0].timestamp < state.replayer.service.state.context.baselineTime)
        return Promise.resolve().then(() => state.replayer.emitter.emit('flush'));
    });
  },
  seek(m) {
    chain = chain.then(() => {
      const state = pending;
      if (!state || state.gen !== m.gen) return;
      go(state, m.at);
    });
  },
  play() {
    chain = chain.then(() => {
      if (playing) return;
      playing = true;
      if (now) now.replayer.play(at() - now.base);
    });
  },
  pause() {
    chain = chain.then(() => {
      if (!playing) return;
      if (now) now.at = at();
      playing = false;
      if (now) now.replayer.pause();
    });
  },
  rate(m) {
    rate = m.rate;
    if (!now) return;
    now.replayer.setConfig({ speed: rate });
    trail(now);
  },
  scale(m) {
    fit = m.fit;
    layout();
  },
};
let chain = Promise.resolve();

const at = () => playing ? now.base + now.replayer.getCurrentTime() : now.at;

addEventListener('message', (e) => {
  if (e.source !== parent || e.origin !== location.origin) return;
  const op = ops[e.data && e.data.op];
  if (op) op(e.data);
});
addEventListener('resize', layout);

(function tick() {
  requestAnimationFrame(tick);
  if (now && playing) tell({ op: 'time', gen: now.gen, at: at() });
})();

tell({ op: 'ready' });
