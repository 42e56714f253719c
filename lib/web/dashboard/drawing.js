/**
 * A piece of a recording, drawn by rrweb's Replayer: what follows a snapshot,
 * of one tab. For the dashboard's player, and for the one in exported pages.
 */

import { Replayer } from '@rrweb/replay';
import { Canvases } from './canvas.js';
import { Defuse, harden } from './defuse.js';
import { sheets } from './hover.js';
import { placed } from './times.js';

// A place that was scrolled to is shown at once, whatever the page is used to.
const RULES = ['*{scroll-behavior:auto!important}'];
const MOST_SEEN = 999;
const LONE = 500;               // ms after which a page's snapshot no longer comes
const SMOOTH = 4;               // faster than this what is scrolled is there at once
const MOST_TAIL = 100;          // places of the mouse in its trail, which is drawn anew for each

export class Drawing {
  defuse = new Defuse();
  last = -Infinity;             // the last event's time
  seen = new Set();             // what the policy refused
  meta = null;                  // the event that says a page begins, until its snapshot comes
  snapshots = [];               // [when the page began, when it was drawn]
  scrolled = new Map();         // what is to be, once all else is drawn: an element and the event's data
  offsets = new WeakMap();      // how far a snapshot's page was scrolled
  canvases = new Canvases(this.defuse.left);

  /**
   * @param {{resized(): void, broken(e: Error): void}} on  there is another `size`; a page could
   *   not be drawn
   */
  constructor(root, speed, on) {
    Object.assign(this, { root, speed, on });
  }

  refused({ blockedURI: uri }) {
    if (this.seen.has(uri) || this.seen.size === MOST_SEEN) return;
    this.seen.add(uri);
    this.left.remote++;
  }

  /** What was left out so far: {remote, frames, links, nodes, events, canvases}. */
  get left() {
    return this.defuse.left;
  }

  /** The events of a batch, {lines, shift, first, last}, at the times they are taken for. */
  parse(batch) {
    const out = [];
    for (const line of batch.lines) {
      const e = this.defuse.event(line);
      if (!e) continue;
      // The order is that of the recording; a clock that went back stands still.
      e.timestamp = this.last = Math.max(this.last, placed(e.timestamp, batch));
      if (e.type === 4 || e.type === 3 && this.meta && e.timestamp > this.meta.timestamp + LONE) this.lone();
      if (e.type === 4) this.meta = e;
      else if (e.type === 2) {
        this.snapshots.push([(this.meta || e).timestamp, e.timestamp]);
        this.meta = null;
      }
      out.push(e);
    }
    return out;
  }

  /**
   * A page that no snapshot follows is none: rrweb would begin with it, and
   * draw nothing. What it says of the size holds.
   */
  lone() {
    if (this.meta) Object.assign(this.meta, { type: 3, data: { source: 4, width: this.meta.data.width, height: this.meta.data.height } });
    this.meta = null;
  }

  /** Draws what was at a time, not yet playing. */
  open(events, at) {
    const replayer = this.replayer = new Replayer(events, {
      root: this.root,
      liveMode: true,           // it does not end by itself: more may come
      // It would copy the page for what comes before a time, which takes longer
      // than to draw that.
      useVirtualDom: false,
      speed: this.speed,
      mouseTail: { duration: 400, lineCap: 'round', lineWidth: 2, strokeStyle: '#e8590c' },
      triggerFocus: false,
      showWarning: false,
      loadTimeout: 0,
      insertStyleRules: RULES,
      plugins: [this.canvases.plugin],
      logger: { log() {}, warn() {} },
    });
    replayer.cache = sheets();
    this.base = events[0].timestamp;
    // To scroll, the browser has to lay the page out: so of a frame's events, or
    // all on the way to a time, the last counts, when the page is as it was then.
    const scroll = replayer.applyScroll.bind(replayer);
    replayer.applyScroll = (d, sync) => {
      const node = replayer.getMirror().getNode(d.id);
      if (node) this.scrolled.set(node, d);
      else scroll(d, sync);
    };
    const settle = (sync) => {
      for (const [node, d] of this.scrolled) if (replayer.getMirror().getNode(d.id) === node) scroll(d, sync);
      this.scrolled.clear();
    };
    harden(replayer, this.left, this.on.broken, () => {
      settle(replayer.config.speed > SMOOTH);
      this.canvases.settle();
    }, this.canvases);
    replayer.on('flush', () => {
      settle(true);
      this.canvases.settle(true);
    });
    replayer.on('fullsnapshot-rebuilded', (e) => {
      const page = replayer.iframe.contentDocument;
      const { left, top } = this.offsets.get(e) ?? e.data.initialOffset;
      this.offsets.set(e, { left, top });
      e.data.initialOffset = { left: 0, top: 0 };
      if (left || top) this.scrolled.set(page, { id: replayer.getMirror().getId(page), x: left, y: top });
      // A recorded video whose source is not fetched does not play: as it should be.
      const inside = replayer.iframe.contentWindow;
      inside.addEventListener('unhandledrejection', (e) => e.preventDefault());
      inside.addEventListener('securitypolicyviolation', (e) => this.refused(e));
      // Where the mouse was at another time is not where it is.
      if (this.seeking) replayer.mouse.style.left = replayer.mouse.style.top = '';
    });
    // Where the mouse is on what is no longer there.
    const move = replayer.moveAndHover.bind(replayer);
    replayer.moveAndHover = (x, y, id, ...more) => {
      if (replayer.getMirror().getNode(id)) return move(x, y, id, ...more);
      Object.assign(replayer.mouse.style, { left: `${x}px`, top: `${y}px` });
      replayer.hoverElements(replayer.iframe.contentDocument);
    };
    const trail = replayer.drawMouseTail.bind(replayer);
    replayer.drawMouseTail = (p) => replayer.tailPositions.length < MOST_TAIL && trail(p);
    replayer.on('resize', (size) => {
      this.size = size;
      this.on.resized();
    });
    this.go(at, false);
    // rrweb is about to set the size that the page had at first.
    const { size } = this;
    setTimeout(() => size && replayer.emitter.emit('resize', size));
  }

  /**
   * Where to go for a time: what happens at it has happened, and a page that
   * begins has been drawn. rrweb would show the page before until its snapshot,
   * and before the first, whatever it showed last.
   */
  place(at) {
    at = Math.max(at, this.snapshots.length ? this.snapshots[0][1] : this.base);
    for (const [meta, full] of this.snapshots) if (meta <= at && at < full) at = full;
    return at + 1;
  }

  /** Draws what was at a time, and plays on from there if that is wanted. */
  go(at, playing) {
    const { replayer } = this;
    this.at = this.place(at);
    this.seeking = true;
    if (playing) replayer.play(this.at - this.base);
    else replayer.pause(this.at - this.base);
    this.seeking = false;
    // All before is drawn. rrweb goes by the last event, and for one that moves
    // the mouse by when that began, so it would draw some of it again.
    replayer.service.send({ type: 'CAST_EVENT', payload: { event: { type: -1, timestamp: this.at - 0.0005 } } });
  }

  /** Takes more of it. */
  async add(batch) {
    const { replayer } = this;
    const events = this.parse(batch);
    for (const e of events) replayer.addEvent(e);
    if (!events.length || events[0].timestamp >= replayer.service.state.context.baselineTime) return;
    // What is of before the time was drawn, but not yet on the screen.
    await null;
    replayer.emitter.emit('flush');
  }

  /** The time it is at while it plays. */
  get now() {
    return this.base + this.replayer.getCurrentTime();
  }

  destroy() {
    this.replayer?.destroy();
    this.canvases.clear();
    this.root.remove();
  }
}
