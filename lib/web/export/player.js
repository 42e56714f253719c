/**
 * The player of a recording that is read as a whole: in a file that `rr export
 * --html` wrote, and of files that are opened in the dashboard. It asks nobody
 * for anything. The recording is drawn in rrweb's own sandboxed frame, without
 * scripts.
 *
 * document.body.dataset.state says how far it is (reading, ready, bad), and
 * window.recording {first, last, gaps, seek(ms), nextActive(ms), film()} is for
 * who drives it; film() leaves nothing but what was recorded on the screen.
 */

import { clock, h, icon, place as address, span, visible, when } from '../dashboard/dom.js';
import { leftOut } from '../dashboard/defuse.js';
import { Drawing } from '../dashboard/drawing.js';
import { Recording, others } from './recording.js';

const SPARE = 50;               // ms that a replayer is given to draw a snapshot
const SPEEDS = [0.5, 1, 2, 4, 8, 16];
const IDLE = 4000;              // without anybody doing anything: may be skipped
const SKIP_RATE = 60;
const AHEAD = 15e3;             // ms of events that the replayer holds in advance
const MUCH = 16;                // batches
const TURN = 25;                // ms, after which others may have theirs

const $ = (selector) => document.querySelector(selector);
let rec, now, opening = null, at = 0, playing = false, speed = 1, rate = 1, skip = true, chosen = 'auto';

// ---- drawing -----------------------------------------------------------

function layout() {
  const stage = $('.stage'), wrapper = now && now.root.firstElementChild;
  if (!wrapper || !now.size) return;
  const { width, height } = now.size;
  const scale = Math.min(3, stage.clientWidth / width, stage.clientHeight / height);
  // On whole pixels, or text is blurred.
  const middle = (room, side) => Math.round((room - side * scale) / 2) + 'px';
  Object.assign(wrapper.style, { width: width + 'px', height: height + 'px', transform: `scale(${scale})`,
    left: middle(stage.clientWidth, width), top: middle(stage.clientHeight, height) });
}

/** Draws what was at `at`. @returns {Promise<void>} once it is on the screen */
function show() {
  const tab = chosen === 'auto' ? rec.tabAt(at) : chosen;
  const segment = rec.segment(tab, at);
  note(segment ? '' : 'There is no snapshot to start from in this tab.');
  if (!segment) return Promise.resolve();
  // Much at once is quicker drawn anew.
  if (now && now.segment === segment && due(now) < now.given + MUCH) {
    // What was to come in its place is not wanted any more.
    if (opening) opening.destroy();
    opening = null;
    move();
    return Promise.resolve();
  }
  if (opening && opening.segment === segment) return opening.done;
  return open(segment);
}

/** How many batches a drawing is to have, to play on from `at`: its snapshot's at least. */
function due(it) {
  const { batches } = it.segment, to = at + AHEAD * Math.max(1, rate);
  let n = Math.max(1, it.given);
  while (n < batches.length && !(batches[n].first > to)) n++;
  return n;
}

/** Those of them that it has not got. */
function more(it) {
  const from = it.given;
  it.given = due(it);
  return it.segment.batches.slice(from, it.given);
}

function hand() {
  for (const b of more(now)) now.add(b).catch(bad);
}

function move() {
  hand();
  now.go(at, playing);
  paint();
}

function open(segment) {
  const root = h('.layer.next');
  const it = new Drawing(root, rate, { resized: () => now === it && layout(), broken: () => note('This part cannot be drawn.') });
  it.segment = segment;
  it.given = 0;
  if (opening) opening.destroy();
  opening = it;
  return it.done = draw(it, root);
}

async function draw(it, root) {
  const events = [];
  let since = performance.now();
  for (const b of more(it)) {
    for (const e of it.parse(b)) events.push(e);
    if (performance.now() - since < TURN) continue;
    await others();
    if (opening !== it) return;
    since = performance.now();
  }
  if (!events.length) {
    opening = null;
    return note('This part cannot be drawn.');
  }
  $('.stage').prepend(root);
  it.open(events, at);
  await new Promise((resolve) => setTimeout(resolve, SPARE));
  if (opening !== it) return;
  opening = null;
  if (now) now.destroy();
  now = it;
  root.classList.remove('next');
  layout();
  move();
}

// ---- time --------------------------------------------------------------

(function tick() {
  requestAnimationFrame(tick);
  if (!rec || !playing || !now || opening) return;
  at = Math.max(at, now.now);
  if (at >= rec.last) {
    at = rec.last;
    play(false);
  } else {
    const tab = chosen === 'auto' ? rec.tabAt(at) : chosen;
    const segment = rec.segment(tab, at);
    if (segment && segment !== now.segment) show().catch(bad);
    else hand();
    setRate();
  }
  paint();
})();

function setRate() {
  const left = rec.nextActive(at) - at;
  const idle = playing && skip && left > (rate === speed ? IDLE : IDLE / 2);
  const r = idle ? Math.max(speed, Math.min(SKIP_RATE, left / 700)) : speed;
  const badge = $('.badge');
  badge.hidden = !idle;
  if (idle) badge.textContent = `Skipping ${span(left)} in which nobody did anything`;
  if (r === rate || idle && Math.abs(r - rate) < rate / 10) return;
  rate = r;
  if (now) now.replayer.setConfig({ speed: rate });
}

function play(on) {
  if (on && at >= rec.last - 50) at = rec.first;
  if (!on) $('.badge').hidden = true;
  playing = on;
  show().catch(bad);
  paint();
}

function seek(t) {
  at = Math.min(Math.max(t, rec.first), rec.last);
  const drawn = show();
  setRate();
  paint();
  return drawn;
}

// ---- the page ----------------------------------------------------------

const note = (text) => {
  $('.note').textContent = text;
  $('.note').hidden = !text;
};

function bad(e) {
  document.body.dataset.state = 'bad';
  // What is not our own word is of who unpacked it.
  note(`This file cannot be played: ${e.message}.${e.constructor === Error ? '' : ' It may not be whole.'}`);
}

const tool = (name, label, onclick, more) => h('button.tool', { title: label, 'aria-label': label, onclick, ...more }, icon(name));
const playButton = tool('play', 'Play (space)', () => play(!playing));
const slider = h('input.slider', { type: 'range', min: 0, max: 1, step: 1, value: 0, 'aria-label': 'Time', oninput: () => seek(rec.first + +slider.value).catch(bad) });
const time = h('span.time', {}, '0:00');
const speedPick = h('select', { title: 'Speed', 'aria-label': 'Speed', onchange: () => { speed = +speedPick.value; setRate(); } },
  SPEEDS.map((s) => h('option', { value: s, selected: s === 1 }, `${s}×`)));
const skipButton = h('button.tool.wide', { title: 'Skip when nobody does anything (s)', 'aria-pressed': 'true', onclick: () => setSkip(!skip) }, icon('skip'), 'Skip idle');
const strip = h('.tabs', { role: 'group', 'aria-label': 'Tabs', hidden: true });
const track = h('.track', { 'aria-hidden': 'true' });
const leftText = h('p.left', { hidden: true });
const gapList = h('ul.gaps', { hidden: true });
document.body.append(
  h('header', {}, h('h1', { dir: 'auto' }, 'Recording'), h('p', {})),
  h('.stage', {}, h('.badge', { hidden: true }), h('.note', { role: 'status' }, 'Reading the recording')),
  h('footer', {}, h('.bar', {}, track, slider), h('.controls', { role: 'toolbar', 'aria-label': 'Player' }, playButton, time, strip, skipButton, speedPick), leftText, gapList));

function film() {
  document.body.dataset.film = '';
  layout();
}

function setSkip(on) {
  skip = on;
  skipButton.setAttribute('aria-pressed', String(on));
  setRate();
}

function paint() {
  slider.value = at - rec.first;
  slider.setAttribute('aria-valuetext', clock(at - rec.first));
  const left = now ? leftOut(now.left) : '';
  leftText.hidden = !left;
  if (left) leftText.textContent = `Left out: ${left}`;
  time.textContent = `${clock(at - rec.first)} / ${clock(rec.last - rec.first)}`;
  const word = playing ? 'Pause (space)' : 'Play (space)';
  if (playButton.title !== word) {
    playButton.title = word;
    playButton.setAttribute('aria-label', word);
    playButton.replaceChildren(icon(playing ? 'pause' : 'play'));
  }
  for (const b of strip.children) {
    b.setAttribute('aria-pressed', String(b.value === chosen));
    b.classList.toggle('showing', !!now && b.value === now.segment.tab);
  }
}

function describe(info) {
  const meta = { ...info, ...rec.meta };
  const text = (x) => typeof x === 'string' ? x : '';
  const { host, path } = address(text(meta.url));
  const title = visible(text(meta.title)) || host + path || 'Recording';
  document.title = $('h1').textContent = title;
  $('header p').textContent = [host + path, visible(text(meta.user)), when(rec.first), `${rec.events} events`, info.id].filter(Boolean).join(' · ');
  slider.max = Math.max(1, rec.last - rec.first);
  const share = (t) => `${100 * (t - rec.first) / Math.max(1, rec.last - rec.first)}%`;
  const bar = (kind, from, to, row, title) => {
    const el = h('i.' + kind, { title });
    Object.assign(el.style, { left: share(from), width: to ? `calc(${share(rec.first + to - from)})` : '', top: `${row * 6}px` });
    track.append(el);
  };
  const tabs = [...rec.tabs.values()].filter((t) => isFinite(t.first)).sort((a, b) => a.first - b.first);
  tabs.forEach((t, n) => bar('tab', t.first, t.last, Math.min(n, 3), ''));
  for (const m of rec.marks) bar(m.kind, m.at, 0, 0, m.text);
  const gaps = rec.marks.filter((m) => m.kind === 'gap');
  gapList.hidden = !gaps.length;
  gapList.append(...gaps.slice(0, 100).map((m) => h('li', {}, h('button', { onclick: () => seek(m.at) }, `${clock(m.at - rec.first)} ${m.text}`))));
  strip.hidden = tabs.length < 2;
  strip.append(...['auto', ...tabs.map((t) => t.name)].map((name, n) => h('button.tool', {
    value: name, title: n ? `Only tab ${n}` : 'Follow the visitor from tab to tab', onclick: () => {
      chosen = name;
      const t = rec.tabs.get(name);
      seek(t && (at < t.first || at > t.last) ? t.first : at).catch(bad);
    } }, n ? `${n}` : 'Follow')));
}

addEventListener('resize', layout);
addEventListener('keydown', (e) => {
  if (!rec || e.ctrlKey || e.metaKey || e.altKey || e.target.matches('select')) return;
  if (e.key === ' ' && e.target.closest('button')) return;
  const onSlider = e.target === slider;
  if (e.key === ' ') play(!playing);
  else if (e.key === 's') setSkip(!skip);
  else if (e.key === 'ArrowLeft' || e.key === 'ArrowRight') seek(at + (e.key === 'ArrowLeft' ? -1 : 1) * (e.shiftKey ? 30e3 : 5e3)).catch(bad);
  else if (/^[0-9]$/.test(e.key) && !onSlider) seek(rec.first + (rec.last - rec.first) * e.key / 10).catch(bad);
  else return;
  e.preventDefault();
});

document.body.dataset.state = 'reading';

/** @param {(say: (text: string) => void) => {info: object, lines: AsyncIterable<string>}} source what is known of it before, and its lines; `say` tells how far it is */
export async function start(source) {
  try {
    const { info, lines } = source(note);
    const read = await new Recording().read(lines);
    if (!isFinite(read.first)) throw new Error('there is no event in it');
    rec = read;
    at = rec.first;
    describe(info);
    note('');
    await show();
    paint();
    window.recording = { first: rec.first, last: rec.last, gaps: rec.gaps || 0, seek, nextActive: (t) => rec.nextActive(t), film };
    document.body.dataset.state = 'ready';
  } catch (e) {
    bad(e);
  }
}
