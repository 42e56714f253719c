/**
 * The document in which recordings play: no network, no script but this, and
 * inside it rrweb's own sandboxed frame without scripts. It is told what to
 * play by messages of the page around it, and knows nothing else.
 *
 *   open {gen, batches, at, playing, rate}   a window of one tab, from a snapshot on
 *   add {gen, batch}                         more of it
 *   seek {gen, at}   play   pause   rate {rate}   scale {fit}   hello
 *
 * Answers: ready, also to hello, opened {gen}, sought {gen}, time {gen, at}, size {width, height, scale},
 * left {gen, text, elsewhere} (what was left out; was any of it another
 * server's?), fault {gen, text}. Times are
 * rrweb's, plus `shift`.
 */

import { leftOut } from './defuse.js';
import { Drawing } from './drawing.js';

const SPARE = 50;               // ms that a replayer is given to draw a snapshot, while another is seen
const MOST_SCALE = 3;
const TAIL_RATE = 4;            // faster than this the mouse leaves no trail

let now;                        // what is shown, a Drawing with its gen
let pending;                    // what was opened last: it, or what is to be shown
let sought = null;              // the message that says where to go next
let playing = false, rate = 1, fit = true;

const tell = (message) => parent.postMessage(message, location.origin);

function layout() {
  const wrapper = now && now.root.firstElementChild;
  if (!wrapper || !now.size) return;
  const { size } = now;
  const scale = fit ? Math.min(MOST_SCALE, innerWidth / size.width, innerHeight / size.height) : 1;
  // In the middle, on whole pixels, or text is blurred; 1:1 shows the top left
  // corner if it does not fit, and the pane scrolls.
  const middle = (room, side) => Math.max(0, Math.round((room - side * scale) / 2)) + 'px';
  Object.assign(wrapper.style, { width: size.width + 'px', height: size.height + 'px', transform: `scale(${scale})`,
    left: middle(innerWidth, size.width), top: middle(innerHeight, size.height) });
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

function open({ gen, batches, at }) {
  const root = document.createElement('div');
  const fault = (e) => tell({ op: 'fault', gen, text: e.message });
  const it = new Drawing(root, rate, { resized: () => now === it && layout(), broken: fault });
  it.gen = gen;
  const events = batches.flatMap((b) => it.parse(b));
  if (!events.length) return fault(new Error('nothing to draw here'));
  root.className = 'stage';
  root.dataset.next = '';
  document.body.append(root);
  pending = it;
  it.open(events, at);
  it.tail = it.replayer.mouseTail;
  trail(it);
  setTimeout(() => {
    const old = now;
    now = it;
    it.shown = true;
    if (old) old.destroy();
    delete root.dataset.next;
    layout();
    if (playing) it.replayer.play(it.at - it.base);
    tell({ op: 'opened', gen });
    left();
  }, now ? SPARE : 0);
}

/** Says what was left out, if that is more than was said. */
function left() {
  if (!now) return;
  const text = leftOut(now.left);
  if (text === now.said) return;
  now.said = text;
  tell({ op: 'left', gen: now.gen, text, elsewhere: now.left.remote > 0 });
}

const ops = {
  hello: () => tell({ op: 'ready' }),
  open(m) {
    playing = m.playing;
    rate = m.rate;
    inTurn(() => open(m), m.gen);
  },
  add(m) {
    inTurn(() => pending && pending.gen === m.gen && pending.add(m.batch), m.gen);
  },
  seek(m) {
    // Who drags asks for more than can be drawn: the last that has come is.
    if (sought && sought.gen === m.gen) return void (sought.at = m.at);
    const mine = sought = m;
    inTurn(async () => {
      await new Promise((resolve) => setTimeout(resolve));
      if (sought === mine) sought = null;
      if (!pending || pending.gen !== mine.gen) return;
      pending.go(mine.at, playing && pending.shown);
      requestAnimationFrame(() => setTimeout(() => tell({ op: 'sought', gen: mine.gen })));
    }, m.gen);
  },
  play() {
    inTurn(() => {
      if (playing) return;
      playing = true;
      if (now) now.replayer.play(now.now - now.base);
    });
  },
  pause() {
    inTurn(() => {
      if (!playing) return;
      if (now) now.at = now.now;
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
function inTurn(fn, gen) {
  chain = chain.then(fn).catch((e) => tell({ op: 'fault', gen, text: e.message }));
}

addEventListener('message', (e) => {
  if (e.source !== parent || e.origin !== location.origin) return;
  const op = ops[e.data && e.data.op];
  if (op) op(e.data);
});
addEventListener('resize', layout);

(function tick() {
  requestAnimationFrame(tick);
  left();
  if (now && playing) tell({ op: 'time', gen: now.gen, at: now.now });
})();

tell({ op: 'ready' });
