/**
 * One session, watched: live or past, it is the same. Batches are read into a
 * Recording; the player is handed a window of one tab, from a snapshot on, and
 * more of it as it plays; where it is in time, the rest follows.
 */

import * as api from './api.js';
import { ago, clock, h, icon, place, span, visible, when } from './dom.js';
import { born, ending } from './ends.js';
import { inspector } from './inspector.js';
import { may, me } from './login.js';
import { wanted } from './paths.js';
import { Recording } from './recording.js';
import { shareDialog } from './share.js';
import { deletion } from './delete.js';
import { IDLE, timeline } from './timeline.js';

const SPEEDS = [0.5, 1, 2, 4, 8, 16];
const WINDOW_CHARS = 12 << 20;  // above this the player is given a new window
const SNAPSHOT_LATE = 1000;     // ms for which a page that began waits for its snapshot
const HAND_AHEAD = 15e3;        // ms of events that the player holds in advance
const SKIP_RATE = 60;           // at most so many times the real speed,
const SKIP_JUMP = 60e3;         // and what is longer is not played at all
const SKIP_SAID = 2500;         // ms for which it is said what was skipped
const QUIET = { net: 1, console: 1, size: 1 };
const PINS = 20;                // markers
const LIVE_SLACK = 10;          // ms, on top of how late events come
const LIVE_MEMORY = 2000;       // ms for which lateness is remembered,
const LIVE_BATCHES = 3;         // or so many batches
const LIVE_MOST = 6000;         // ms behind the newest event, at most
const LIVE_JUMP = 2500;         // ms off: go there instead of hurrying
const RETRY = 3000;
const IDLE_RECORDS = 1000;      // to read on for what comes after a time, at most
const AWAY = 15e3;              // ms hidden: what was missed is not played
const MOST_REST = 400;          // ms between two drawings for somebody who drags
const LOST = 3000;              // ms after which one that was not told of has been
const PICTURE = 2000;           // ms for which all else waits for the first picture

/**
 * @param {string} id
 * @param {{back(): void, toast(text: string): void, ask(title: string, text: string, word: string): Promise<boolean>}} app
 */
export function watch(id, app) {
  const over = new AbortController();
  const { signal } = over;
  let rec, bar, side;
  let at = 0, playing = true, speed = 1, rate = 1, skip = true, fit = true;
  let live = false, stopFollowing = null, ages = [], liveAt = 0, hiddenAt = 0;
  let chosen = 'auto', shown = null, gen = 0, ready = false, opened = false;
  let sought, elsewhere = new AbortController(), buffering = false, reading = false, failed = null;
  let hash = 0, deleted = false, remote = false;
  let asked = 0, rested = 0, waits = 0;         // the player was asked to draw; may be asked while somebody drags; will be

  // ---- what is on the screen -------------------------------------------

  const player = () => remote ? 'player-remote.html' : 'player.html';
  const begun = window.early?.player;
  if (begun) delete window.early.player;
  const frame = begun || h('iframe.player', { src: player() });
  Object.assign(frame, { className: 'player', title: 'Replay', tabIndex: -1 });
  const veil = h('.veil', { role: 'status' }, h('.spinner'), h('p', {}, 'Reading the recording'));
  const badge = h('.badge', { hidden: true });
  const stage = h('.stage', {}, !begun && frame, veil, badge);
  const button = (name, label, onclick, more) => h('button.tool', { title: label, 'aria-label': label, onclick, ...more }, icon(name));
  const playButton = button('pause', 'Pause (space)', () => toggle());
  const liveButton = h('button.live-button', { hidden: true, title: 'Go to what happens now (l)', onclick: () => goLive() }, h('i'), h('span', {}, 'Live'));
  const timeText = h('span.time', {}, '0:00');
  const speedPick = h('select.speed', { 'aria-label': 'Speed', title: 'Speed (< and >)', onchange: () => setSpeed(+speedPick.value) },
    SPEEDS.map((s) => h('option', { value: s, selected: s === 1 }, `${s}×`)));
  const skipButton = h('button.tool.toggle', { title: 'Skip when nobody does anything (s)', 'aria-pressed': 'true', onclick: () => setSkip(!skip) }, icon('skip'), h('span', {}, 'Skip idle'));
  const tabStrip = h('.tab-strip', { role: 'group', 'aria-label': 'Tabs', hidden: true });
  const sideButton = button('panel', 'Inspector (i)', () => setSide(view.classList.contains('no-side')));
  const title = h('h1', { dir: 'auto' }, ' ');
  const sub = h('p.sub', {}, ' ');
  const leftOut = h('p.left-out', { hidden: true });
  const state = h('span.state', {}, '');
  const header = h('header.head', {},
    !api.share && button('back', 'All sessions (escape)', () => app.back()),
    h('.titles', {}, title, sub), state,
    h('.acts', {},
      me.login && may('admin') && button('share', 'Share', () => shareDialog(id, app, rec && isFinite(rec.first) && { begin: begin(), end: end(), at, own: (t) => rec.own(t) })),
      may('view') && h('a.tool', { title: 'Save as a page that plays without a network', 'aria-label': 'Save as a page', href: `/api/sessions/${id}/export?format=html`, download: `${id}.html` }, icon('save')),
      button('link', 'Copy a link to this moment (c)', copyLink), sideButton));
  const slot = h('.slot');
  const controls = h('.controls', { role: 'toolbar', 'aria-label': 'Player' },
    playButton, liveButton, timeText, h('.spacer'), tabStrip, h('.spacer'), skipButton, speedPick,
    button('pin', 'Set a marker here (m)', () => rec && mark(), { className: 'tool pin' }),
    button('fit', 'Real size (z)', () => setFit(!fit)), button('full', 'Full screen (f)', full));
  const view = h('main.watch', { onclick: (e) => e.detail && e.target.closest('button')?.blur() }, header, h('.main', {}, stage, slot, controls, leftOut), h('.side'));
  if (matchMedia('(max-width: 900px)').matches) view.classList.add('no-side');

  /** Over the player: nothing (null), that it is read, or why there is nothing to see and what to do. */
  function veiled(text, kind, head, action) {
    veil.hidden = text === null;
    view.classList.toggle('no-play', !!kind && !(rec && rec.batches.length));
    view.classList.remove('unknown-session');
    if (text === null) return;
    veil.className = 'veil' + (kind ? ' ' + kind : '');
    view.classList.toggle('unknown-session', !!kind && !rec);
    veil.replaceChildren(kind ? icon({ away: 'cloud', bare: 'play', gone: 'trash' }[kind] || 'error', 34) : h('.spinner'),
      ...(head ? [h('h2', {}, head)] : []), h('p', {}, text), ...(action ? [h('button.quiet', { onclick: action[1] }, action[0])] : []));
  }
  const toList = () => api.share ? undefined : ['All sessions', () => app.back()];

  const tabNow = () => chosen === 'auto' ? rec.tabAt(at) : chosen;
  const begin = () => rec && isFinite(rec.first) ? rec.first : 0;
  const end = () => Math.max(isFinite(rec.last) ? rec.last : 0, live ? at : 0);

  function paint() {
    if (!rec) return;
    const past = at - begin();
    bar.set(at, live ? at : 0);
    side.set(at);
    timeText.replaceChildren(h('b', {}, clock(past)), live ? '' : ` / ${clock(end() - begin())}`);
    const word = playing ? 'Pause (space)' : 'Play (space)';
    if (playButton.title !== word) {
      playButton.title = word;
      playButton.setAttribute('aria-label', word);
      playButton.replaceChildren(icon(playing ? 'pause' : 'play'));
    }
    liveButton.hidden = rec.info.state !== 'live';
    const late = live ? 0 : end() - at;
    const says = live ? 'Live' : late < 1500 ? 'Go live' : `${span(late)} behind`;
    if (liveButton.lastChild.textContent !== says) liveButton.lastChild.textContent = says;
    liveButton.setAttribute('aria-label', live ? 'Live' : `Go live${late < 1500 ? '' : `, ${span(late)} behind`}`);
    liveButton.classList.toggle('on', live);
    liveButton.setAttribute('aria-pressed', String(live));
  }

  function describe() {
    const i = rec.info, m = rec.meta;
    const url = (shown && [...rec.marks].reverse().find((x) => x.kind === 'page' && x.tab === shown.tab && x.at <= at + 50)?.text) || m.url || i.url;
    const p = place(url);
    title.textContent = visible(m.title || i.title || '') || p.path || rec.id;
    sub.replaceChildren(h('span', { dir: 'ltr' }, p.host + p.path), m.user || i.user ? h('b', { dir: 'auto' }, visible(m.user || i.user)) : '', h('span.soft', {}, ` ${ago(i.created)}`));
    const end = deleted ? { kind: 'gone', word: 'Deleted', why: 'It is not there any more.' } : ending(i);
    state.textContent = failed?.away ? 'S2 is away' : end.word;
    state.title = failed?.away ? failed.message : end.why;
    state.className = `state ${i.state} ${failed?.away ? 'away' : end.kind}`;
    document.title = `${title.textContent} · rrpipe`;
    tabStrip.hidden = rec.tabs.size < 2;
    const want = ['auto', ...[...rec.tabs.values()].sort((a, b) => a.index - b.index).map((t) => t.name)];
    if (tabStrip.dataset.tabs !== String(want)) {
      tabStrip.dataset.tabs = want;
      tabStrip.replaceChildren(...want.map((name, n) => h('button.tool', { title: n ? `Only tab ${n}` : 'Follow the visitor from tab to tab', onclick: () => chooseTab(name) }, n ? `${n}` : 'Follow')));
    }
    [...tabStrip.children].forEach((b, n) => {
      b.setAttribute('aria-pressed', String(want[n] === chosen));
      b.classList.toggle('showing', !!shown && want[n] === shown.tab);
    });
  }

  // ---- the player ------------------------------------------------------

  const bare = ({ lines, shift, first, last }) => ({ lines, shift, first, last });
  const post = (message) => frame.contentWindow && frame.contentWindow.postMessage(message, location.origin);

  addEventListener('message', (e) => {
    if (e.source !== frame.contentWindow || e.origin !== location.origin) return;
    const m = e.data;
    if (m.op === 'ready') {
      if (ready) return;
      ready = true;
      post({ op: 'scale', fit });
      if (rec) show();
    } else if (m.op === 'opened' && m.gen === gen) {
      opened = true;
      if (rec.held) requestAnimationFrame(() => setTimeout(() => rec.go()));
      if (gen === 1) requestIdleCallback(around, { timeout: 1000 });
      veiled(null);
      stage.dataset.opened = gen;
      requestAnimationFrame(() => setTimeout(drew));
      hand();
      post({ op: 'rate', rate });
      paint();
    } else if (m.op === 'sought' && m.gen === gen) {
      drew();
    } else if (m.op === 'left' && m.gen === gen) {
      sayLeft(m);
    } else if (m.op === 'time' && m.gen === gen && opened && playing && !buffering) tick(m.at);
    else if (m.op === 'fault' && m.gen === gen) veiled(`rrweb’s player says: ${m.text}. Go on to a later moment, or look at the events in the inspector.`, 'bad', 'This part cannot be drawn');
  }, { signal });

  /** What the replay lacks, and what can be done about it. */
  function sayLeft({ text, elsewhere: some }) {
    leftOut.hidden = !text && !remote;
    const said = [remote && 'Other servers are asked for what the page shows', text && `Left out: ${text}`].filter(Boolean).join('. ');
    leftOut.replaceChildren(h('span', { title: said }, said),
      remote || some ? h('button.text', { onclick: () => setRemote(!remote) }, remote ? 'Ask them no more' : 'Load pictures and styles') : '');
  }

  /** Draws with or without what other servers have, until this session is left. */
  async function setRemote(on) {
    if (on && !await app.ask('Load what other servers have?', 'Pictures, styles, fonts and media of this one session are fetched from where the page had them. Those servers then see that somebody watches, and from which address.', 'Load')) return;
    remote = on;
    ready = opened = false;
    shown = null;
    frame.contentWindow.location.replace(player());
  }

  /** Shows what was at `at`: with the window the player has, or a new one. */
  async function show() {
    if (!ready || !rec) return;
    const tab = tabNow();
    const w = tab !== undefined && rec.window(tab, at);
    if (!w) {
      if (!reading && !buffering && !rec.complete && sought !== at) return fetchAt(at);
      if (!reading) nothing();
      return;
    }
    if (w.early && at < w.start.first) at = w.start.first;
    const same = shown && shown.tab === tab && (shown.start === w.start || w.start.seq > shown.start.seq && shown.has(w.start) && shown.chars < WINDOW_CHARS);
    asked = performance.now();
    if (same) {
      hand();
      return post({ op: 'seek', gen, at });
    }
    const my = ++gen;
    opened = false;
    // The rest of it comes once this is to be seen; a page's snapshot may be in the next batch.
    const then = w.batches.findIndex((b) => b !== w.start && b.first > at + SNAPSHOT_LATE);
    const part = then < 0 ? w.batches : w.batches.slice(0, then + 1);
    if (part.some((b) => !b.lines)) await rec.refill(part, signal);
    if (my !== gen) return;
    const sent = new Set(part);
    shown = { tab, start: w.start, sent, has: (b) => sent.has(b), chars: part.reduce((n, b) => n + b.chars, 0), lastSeq: part[part.length - 1].seq };
    post({ op: 'open', gen, batches: part.map(bare), at, playing: playing && !buffering, rate });
    describe();
  }

  /** Hands the player what comes next in its tab. */
  function hand() {
    if (!shown || !opened || shown.busy) return;
    const next = rec.run(shown.start).filter((b) => b.seq > shown.lastSeq && (live || b.first === undefined || b.first <= at + HAND_AHEAD * Math.max(1, speed)));
    if (!next.length) return;
    const to = shown;
    if (next.some((b) => !b.lines)) {
      to.busy = true;
      rec.refill(next, signal).then(() => {
        to.busy = false;
        if (to === shown) hand();
      }, fault);
      return;
    }
    for (const b of next) {
      shown.sent.add(b);
      shown.chars += b.chars;
      shown.lastSeq = b.seq;
      post({ op: 'add', gen, batch: bare(b) });
    }
  }

  /** The player says where it is. */
  function tick(t) {
    if (jumped) {
      if (t < jumped.to - 100 && performance.now() < jumped.until) return;
      jumped = null;
    }
    at = t;
    if (live) {
      const target = Date.now() - lateness();
      const off = target - at;
      liveAt = target;
      if (Math.abs(off) > LIVE_JUMP) {
        at = target;
        show();
      } else setRate(Math.min(2, Math.max(0.5, 1 + off / 1500)));
    } else if (at >= end()) {
      if (rec.info.state === 'live' && stopFollowing) return goLive();
      at = end();
      setPlaying(false);
    } else setRate(idleRate());
    paint();
    if (performance.now() - hash > 250) {
      hash = performance.now();
      slow();
    }
  }

  /** What need not be looked at in every frame. */
  function slow() {
    const tab = tabNow();
    const next = shown && rec.batches.find((b) => b.tab === shown.tab && b.full && b.seq > shown.start.seq && b.first <= at && b.first > at - 2000);
    if (!shown || tab !== undefined && tab !== shown.tab && rec.window(tab, at) || next && shown.chars > WINDOW_CHARS) {
      shown = null;
      show();
    } else hand();
    if (!live && !rec.loaded(at + 1)) fetchAt(at);
    ahead();
    rec.trim(at);
    describe();
  }

  let jumped = null;            // {to, until}: what the player says from before it is late
  let skipped = null;           // {from, to, until} of idle time
  function idleRate() {
    if (skipped && !(at >= skipped.from - 100 && at < skipped.to) && performance.now() > skipped.until) {
      skipped = null;
      badge.hidden = true;
    }
    if (!skip || rec.held) return speed;
    const next = rec.nextActive(at) ?? (rec.loaded(end() - 1) ? end() : undefined);
    if (next === undefined || next - at < IDLE / 2 || next - at < IDLE && rate === speed) return speed;
    if (!skipped || next !== skipped.to) skipped = { from: at, to: next };
    skipped.until = performance.now() + SKIP_SAID;
    badge.hidden = false;
    badge.replaceChildren(icon('skip', 14), ` ${rec.gaps.some((g) => g.at >= skipped.from - 1000 && g.at < next) ? 'Nothing is known of' : 'Nobody does anything for'} ${span(next - skipped.from)}: skipped`);
    // Something that happens by itself is not jumped over.
    const stop = Math.min(next, rec.marks.find((m) => m.at > at + 1000 && QUIET[m.kind] === undefined)?.at ?? next);
    if (stop - at > SKIP_JUMP && rec.loaded(stop)) {
      at = stop - 1000;
      jumped = { to: at, until: performance.now() + 1500 };
      show();
      return speed;
    }
    return Math.max(speed, Math.min(SKIP_RATE, (next - at) / 700));
  }

  function setRate(r) {
    if (Math.abs(r - rate) < 0.02 && r !== speed || r === rate) return;
    rate = r;
    post({ op: 'rate', rate });
  }

  // ---- reading ---------------------------------------------------------

  async function ahead() {
    if (reading || !rec) return;
    const here = rec.batches.filter((b) => b.first !== undefined && b.first <= at).pop();
    const range = rec.covered(here ? here.seq : 0);
    const from = range ? range[1] : here ? here.seq : 0;
    if (from >= rec.tail || !rec.wants(at)) return;
    reading = true;
    elsewhere = new AbortController();
    await rec.read(from, () => rec.wants(at), AbortSignal.any([signal, elsewhere.signal]), step).catch(fault);
    reading = false;
  }

  /** Once something is to be seen: what follows, and all of what is short. */
  async function around() {
    await ahead();
    if (reading || live || !rec.isShort) return;
    reading = true;
    await rec.read(0, () => true, signal).catch(fault);
    reading = false;
  }

  function step() {
    failed = null;
    if (!shown || !opened) show();
    else hand();
    describe();
    paint();
  }

  /** Loads the part of the recording around a time, and goes on there; `past` is its time from the first event on. */
  async function fetchAt(t, past) {
    if (buffering) return;
    buffering = true;
    elsewhere.abort();
    sought = t;
    const was = opened;
    let drawn = false;
    post({ op: 'pause' });
    const timer = setTimeout(() => veiled('Reading this part'), was ? 300 : 0);
    try {
      const { next, tail } = await rec.reach(t, chosen === 'auto' ? undefined : chosen, signal, { past, came() {
        // What is needed for the picture came first.
        const tab = tabNow();
        if (!drawn && (drawn = (rec.within(tab, at, at + SNAPSHOT_LATE) || rec.loaded(at + SNAPSHOT_LATE)) && !!rec.window(tab, at))) {
          shown = null;
          show();
        }
      } });
      if (rec.batches[0]?.first > at) at = rec.batches[0].first;
      // Somebody who drags is elsewhere by now.
      const here = at;
      if (!tail && !rec.loaded(at)) await rec.read(next, (to) => at === here && !rec.loaded(at) && to < next + IDLE_RECORDS, signal);
      // Somebody was in another tab then.
      if (at === here && !rec.window(tabNow(), at)) await rec.reach(t, tabNow(), signal);
    } catch (e) {
      fault(e);
    }
    clearTimeout(timer);
    rec.trim(at);
    buffering = false;
    if (!drawn) {
      veiled(null);
      shown = null;
    }
    await show();
    if (playing) post({ op: 'play' });
  }

  function fault(e) {
    if (e.name === 'AbortError') return;
    rec?.go();
    failed = e;
    if (rec) describe();
    if (e.status === 401 && !api.share) return;       // who watches is asked to log in
    if (e.status === 401 || e.status === 403) return api.share
      ? veiled('Ask whoever sent it to you for a new one.', 'bad', 'This link has expired, or was withdrawn')
      : veiled(e.message, 'bad', 'You may not see this', toList());
    if (e.status === 404 || e.status === 410) return gone404();
    if (!e.away) return veiled(e.message, 'bad', 'This cannot be read', ['Try again', () => start()]);
    const wait = e.retry || RETRY;
    veiled(`${e.status === 503 ? 'The dashboard runs, but the storage behind it does not answer.' : e.message} This page tries again every ${span(wait)}, and goes on where it was.`,
      'away', e.status === 503 ? 'S2 is away' : 'No connection', ['Try now', () => start()]);
    setTimeout(() => !signal.aborted && failed === e && start(), wait);
  }

  function gone404() {
    if (rec) {
      veiled('Somebody deleted it while you watched. Nothing of it can be read any more.', 'gone', 'This session was deleted', toList());
      deleted = true;
      describe();
      return;
    }
    const began = born(id);
    if (began) veiled(`By its name it began on ${when(began)}, and was deleted since, by somebody or for its age. Unless a letter of the address is wrong.`, 'gone', 'This session is there no more', toList());
    else veiled('There never was one by this name: look whether the address is whole.', 'gone', 'There is no such session', toList());
  }

  /** There is no picture, and no more to read. */
  function nothing() {
    rec.go();
    const goesOn = rec.info.state === 'live';
    if (rec.batches.length) veiled(goesOn ? 'The page’s first snapshot has not come yet. It is shown as soon as it does.' : 'Without a snapshot of the page there is no picture. Its events are in the inspector.', 'bare', 'No snapshot');
    else veiled(goesOn ? 'The session is open, and what comes is shown at once.' : 'The session was opened, but its page sent no events.', 'bare', 'Nothing has been recorded yet', goesOn ? undefined : toList());
  }

  async function start() {
    try {
      if (!rec) veiled('Reading the recording');
      // The player's own document may have failed to come, too.
      if (failed && !ready) frame.src = player();
      const info = await api.session(id, signal);
      if (rec) {
        rec.info = info;
        veiled(null);
        shown = null;
        if (info.state === 'live') followFrom(rec.tail);
        return rec.loaded(at) ? show() : fetchAt(at);
      }
      rec = new Recording(id, info);
      rec.hold();
      setTimeout(() => rec.go(), PICTURE);
      rec.addEventListener('stopped', ended);
      rec.pins = [];
      bar = timeline(rec, { seek, dropped, skips: () => skip });
      side = inspector(rec, { seek: (t) => seek(t), stop: stopIt, remove: removeIt, fault });
      slot.replaceChildren(bar.root);
      view.querySelector('.side').replaceChildren(side.root);
      rec.addEventListener('change', () => {
        if (!live) hand();
        describe();
        paint();
      });
      const past = wanted();
      pinned();
      // Nobody knows when it began, as with packed events: a time is one since then.
      if (wanted && !isFinite(rec.first)) await rec.piece('start', 16, signal);
      at = isFinite(rec.first) ? rec.first : 0;
      if (past !== null) {
        at += past;
        playing = false;
        await fetchAt(at, api.share ? undefined : past);
      } else if (info.state === 'live') {
        reading = true;
        await rec.piece('snapshot', 0, signal);
        reading = false;
        live = true;
        at = end();
        show();
      }
      if (info.state === 'live') followFrom(rec.tail);
      if (live) backfill();
      else if (past === null) {
        reading = true;
        await rec.read(0, () => !rec.window(tabNow(), at), signal, () => {
          if (isFinite(rec.first) && at < rec.first) at = rec.first;
        }, () => {
          if (isFinite(rec.first) && at < rec.first) at = rec.first;
          if (!shown && rec.window(tabNow(), at)) show();
        });
        reading = false;
      }
      step();
    } catch (e) {
      reading = false;
      fault(e);
    }
  }

  /** While somebody watches live, what came before is read too, gently. */
  async function backfill() {
    await rec.read(0, () => rec.wants(rec.first), signal).catch(() => {});
  }

  // ---- live ------------------------------------------------------------

  function followFrom(seq) {
    if (stopFollowing) stopFollowing();
    stopFollowing = api.follow(id, seq, (d, events, next) => {
      const b = rec.take(d, events, next);
      if (d.name === 'batch' && next) rec.cover(Math.min(+d.seq, rec.ranges.at(-1)?.[1] ?? 0), next);
      else if (next) rec.cover(next - 1, next);
      if (!b || b.first === undefined) return;
      const now = Date.now();
      ages.push({ now, first: now - b.first, last: now - b.last });
      if (!live) return;
      if (!shown) show();
      else hand();
    }, (word) => {
      if (word === 'resync') rejoin();
      else if (word === 'end' || word === 'closed') ended();
      liveButton.classList.toggle('lost', word === 'lost');
    });
  }

  /** What was missed is left out: it goes on at the last snapshot. */
  async function rejoin() {
    try {
      await rec.piece('snapshot', 0, signal);
    } catch (e) {
      return fault(e);
    }
    if (document.hidden || rec.info.state !== 'live') return;
    followFrom(rec.tail);
    if (live) {
      at = liveAt = end();
      shown = null;
      show();
    }
    rec.trim(at);
  }

  /** How far behind the newest event to play, so that all are there in time. */
  function lateness() {
    const now = Date.now();
    while (ages.length > LIVE_BATCHES && ages[0].now < now - LIVE_MEMORY) ages.shift();
    if (!ages.length) return now - liveAt;
    const least = Math.min(...ages.map((a) => a.last));
    return Math.min(Math.max(...ages.map((a) => a.first)), least + LIVE_MOST) + LIVE_SLACK;
  }

  async function ended() {
    if (stopFollowing) stopFollowing();
    stopFollowing = null;
    const was = live;
    live = false;
    if (deleted) return;
    rec.info = await api.session(id, signal).catch((e) => {
      if (e.status === 404 || e.status === 410) fault(e);
      return { ...rec.info, state: 'stopped', stop: rec.stopped };
    });
    setRate(speed);
    if (was) app.toast(`${ending(rec.info).word}. ${ending(rec.info).why}`);
    describe();
    paint();
    side.draw();
  }

  function goLive() {
    if (rec.info.state !== 'live') return;
    live = true;
    if (!stopFollowing) followFrom(rec.tail);
    at = ages.length ? Date.now() - lateness() : end();
    setPlaying(true);
    shown = null;
    const tip = rec.covered(rec.tail - 1);
    if (tip && rec.window(rec.tabAt(at), at)) show();
    else fetchAt(at);
    paint();
  }

  document.addEventListener('visibilitychange', () => {
    if (!rec || rec.info.state !== 'live') return;
    if (document.hidden) {
      if (stopFollowing) stopFollowing();
      stopFollowing = null;
      hiddenAt = Date.now();
    } else {
      ages = [];
      if (Date.now() - hiddenAt > AWAY) rejoin();
      else followFrom(rec.tail);
    }
  }, { signal });

  // ---- what a person does ----------------------------------------------

  function seek(t, drags) {
    if (!rec) return;
    leaveLive();
    jumped = null;
    at = Math.min(Math.max(t, begin()), end());
    if (drags) drag();
    else go();
    if (!playing && !drags) note();
    paint();
  }

  /** Shows what is at `at`, read or not. */
  function go() {
    clearTimeout(waits);
    waits = 0;
    if (rec.loaded(at)) show();
    else fetchAt(at);
  }

  /**
   * Who drags passes more places than can be drawn, in the same thread in which
   * the pointer is heard: one at a time is, the newest, and as long as that
   * took nothing is.
   */
  function drag() {
    clearTimeout(waits);
    const now = performance.now();
    const wait = asked && now - asked < LOST ? asked + LOST - now : rested - now;
    waits = setTimeout(go, wait);
  }

  /** What was asked for last has been drawn. */
  function drew() {
    if (!asked) return;
    const now = performance.now();
    rested = now + Math.min(MOST_REST, now - asked);
    asked = 0;
    if (waits) drag();
  }

  function dropped() {
    if (waits) go();
    if (!playing) note();
  }

  function leaveLive() {
    if (!live) return;
    live = false;
    setRate(speed);
  }

  function setPlaying(on) {
    playing = on;
    if (buffering) return paint();
    post({ op: on ? 'play' : 'pause' });
    if (!on) {
      badge.hidden = true;
      note();
    }
    paint();
  }

  function toggle() {
    if (!rec) return;
    if (playing) {
      leaveLive();
      setPlaying(false);
      // The player stops where it is, which is a frame further.
      post({ op: 'seek', gen, at });
    } else {
      if (at >= end() - 50 && rec.info.state !== 'live') seek(begin());
      setPlaying(true);
    }
  }

  function setSpeed(s) {
    speed = s;
    speedPick.value = s;
    leaveLive();
    setRate(s);
  }
  function setSkip(on) {
    skip = on;
    skipButton.setAttribute('aria-pressed', String(on));
    if (!on && !live) setRate(speed);
    badge.hidden = true;
    skipped = null;
  }
  function setFit(on) {
    fit = on;
    post({ op: 'scale', fit });
  }
  function setSide(on) {
    view.classList.toggle('no-side', !on);
    sideButton.setAttribute('aria-pressed', String(on));
  }
  function chooseTab(name) {
    chosen = name;
    const t = rec.tabs.get(name);
    if (t && (at < t.first || at > t.last) && !live) return seek(t.first);
    show();
    describe();
  }
  function full() {
    document.fullscreenElement ? document.exitFullscreen() : view.querySelector('.main').requestFullscreen();
  }
  /** The address says which moment this is, and where the markers are. */
  function note() {
    const pins = rec.pins.map((m) => Math.round(m.at - begin()));
    history.replaceState(null, '', `${location.pathname}${location.search}#t=${Math.round(at - begin())}${pins.length ? `&m=${pins}` : ''}`);
  }
  /** Reads the markers from the address, once it is known when the session begins. */
  function pinned() {
    const said = /[#&]m=([\d,]+)/.exec(location.hash);
    if (!isFinite(rec.first)) return;
    rec.pins = (said ? said[1].split(',').filter(Boolean).slice(0, PINS) : []).map((ms) => pin(begin() + +ms));
    number();
  }
  const pin = (t) => ({ kind: 'pin', key: t, at: t, tab: rec.tabAt(t), text: '' });
  function number() {
    rec.pins.sort((a, b) => a.at - b.at);
    rec.pins.forEach((m, i) => { m.text = `Marker ${i + 1}`; });
  }
  /** A marker at this moment, or none any more if there was one. */
  function mark() {
    const near = rec.pins.find((m) => Math.abs(m.at - at) < 250);
    if (near) rec.pins = rec.pins.filter((m) => m !== near);
    else if (rec.pins.length >= PINS) return app.toast(`There are ${PINS} markers already: m at one takes it away.`);
    else rec.pins.push(pin(Math.round(at - begin()) + begin()));
    number();
    note();
    app.toast(near ? 'Marker taken away' : 'Marker set: it is in the link, too (c)');
    bar.redraw();
    side.draw();
  }
  async function copyLink() {
    note();
    await navigator.clipboard.writeText(location.href).then(() => app.toast('Link copied'), () => app.toast('The link is in the address bar'));
  }
  async function stopIt() {
    if (!await app.ask('Stop this session?', 'Nothing can be added to it any more. A visitor who is still there goes on in a new session.', 'Stop')) return;
    await api.stop(id).then(() => ended(), (e) => app.toast(e.message));
  }
  function removeIt() {
    deletion(rec, app, () => {
      deleted = true;
      if (stopFollowing) stopFollowing();
      stopFollowing = null;
    });
  }

  /** By event: to the next thing that happens, or the one before. */
  function hop(step) {
    const marks = [...rec.marks.filter((m) => m.kind !== 'net' && m.kind !== 'size'), ...rec.pins].sort((a, b) => a.at - b.at);
    const next = step > 0 ? marks.find((m) => m.at > at + 20) : marks.reverse().find((m) => m.at < at - 20);
    if (next) {
      setPlaying(false);
      seek(next.at);
    }
  }

  const keys = {
    ' ': toggle, k: toggle,
    ArrowLeft: (e) => seek(at - (e.shiftKey ? 30e3 : 5e3)), ArrowRight: (e) => seek(at + (e.shiftKey ? 30e3 : 5e3)),
    ',': () => hop(-1), '.': () => hop(1),
    '<': () => setSpeed(SPEEDS[Math.max(0, SPEEDS.indexOf(speed) - 1)]), '>': () => setSpeed(SPEEDS[Math.min(SPEEDS.length - 1, SPEEDS.indexOf(speed) + 1)]),
    Home: () => seek(begin()), End: () => rec.info.state === 'live' ? goLive() : seek(end()),
    f: full, m: mark, z: () => setFit(!fit), s: () => setSkip(!skip), i: () => setSide(view.classList.contains('no-side')), l: () => goLive(),
    c: copyLink, '/': () => { setSide(true); side.find(); }, Escape: () => document.fullscreenElement || app.back(),
  };
  addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || !rec || document.querySelector('dialog[open]')) return;
    const typing = e.target.matches('input, textarea, select');
    if (typing) {
      if (e.key === 'Escape') e.target.blur();
      return;
    }
    if (e.key === ' ' && e.target.closest('button, summary')) return;
    if (/^[1-9]$/.test(e.key)) return seek(begin() + (end() - begin()) * (+e.key / 10));
    const act = keys[e.key];
    if (!act) return;
    e.preventDefault();
    act(e);
  }, { signal });
  addEventListener('hashchange', () => {
    const t = wanted();
    if (t !== null && rec) seek(begin() + t);
  }, { signal });

  start();
  // One that has begun to load goes on when it is moved, once this page is
  // there; and it may have been ready before.
  if (begun) queueMicrotask(() => {
    stage.moveBefore(begun, veil);
    post({ op: 'hello' });
  });

  return {
    root: view,
    end() {
      over.abort();
      if (stopFollowing) stopFollowing();
      if (bar) bar.end();
      if (side) side.end();
    },
  };
}
