/**
 * A recording is hostile input. The frame that it is drawn in runs no script,
 * and the page's policy fetches nothing from elsewhere; here goes what these
 * two let through, and what rrweb would not survive.
 */

const FRAMES = /^(iframe|frame|object|embed|portal|fencedframe)$/;
const SOURCES = /^(src|srcdoc|data)$/;
// Chromium connects for these, whatever the policy says of the load.
const FETCHES = /(^|\s)(preconnect|dns-prefetch|prefetch|prerender|preload|modulepreload)(\s|$)/i;
// A refresh, a policy, name look-ups on; and what a click, or a picture, would tell.
const TELLTALES = /^(http-equiv|ping|attributionsrc)$/;
const NAME = /^[a-z][\w.-]*$/i;
const CUSTOM = /^[a-z][a-z0-9._]*-[a-z0-9._-]*$/;
const RESERVED = /^(annotation-xml|color-profile|font-face(-src|-uri|-format|-name)?|missing-glyph)$/;
const SHADOWED = /^(article|aside|blockquote|body|div|footer|h[1-6]|header|main|nav|p|section|span)$/;
const DEEPEST = 512;            // as deep as a browser nests what it parses
const LARGEST = 16384;          // px, a window's side
const LATEST = 8.64e15;         // the last time that a Date has

const finite = (x) => typeof x === 'number' && isFinite(x);
const object = (x) => x && typeof x === 'object' ? x : null;
const side = (x) => finite(x) && x > 0 ? Math.min(x, LARGEST) : 0;

/** What is left out of a recording, in words; '' if that is nothing. */
export function leftOut({ remote, frames, nodes, events, canvases }) {
  const part = (n, one, many) => n && `${n} ${n === 1 ? one : many}`;
  return [part(remote, 'thing of another server', 'things of other servers'), part(frames, 'frame of another page', 'frames of other pages'),
    part(nodes, 'element nested too deep', 'elements nested too deep'),
    part(canvases, 'canvas not drawn in full', 'canvases not drawn in full'), part(events, 'event that is none', 'events that are none')]
    .filter(Boolean).join(', ');
}

export class Defuse {
  // How often; `remote` is what the policy did not let load.
  left = { remote: 0, frames: 0, links: 0, nodes: 0, events: 0, canvases: 0 };
  frames = new Set();

  /**
   * @param {string} line  an event's text
   * @returns {object | null} the event, without what may not be; null for none
   */
  event(line) {
    let e;
    try {
      e = JSON.parse(line);
    } catch {}
    if (this.good(object(e))) return e;
    this.left.events++;
    return null;
  }

  good(e) {
    if (!e || !finite(e.type) || !(Math.abs(e.timestamp) <= LATEST) || typeof e.timestamp !== 'number') return false;
    if (e.type < 2 || e.type > 4) return e.type < 2 || !!object(e.data);
    const d = object(e.data);
    if (!d) return false;
    if (e.type === 4) return this.resized(d);
    if (e.type === 2) {
      if (!object(d.node) || d.node.type !== 0) return false;
      const { top, left } = object(d.initialOffset) || {};
      d.initialOffset = { top: finite(top) ? top : 0, left: finite(left) ? left : 0 };
      this.tree(d.node);
      return true;
    }
    if (d.source === 0) this.mutation(d);
    else if (d.source === 1 || d.source === 6 || d.source === 12) {
      d.positions = Array.isArray(d.positions) ? d.positions.filter((p) => object(p) && finite(p.x) && finite(p.y) && finite(p.timeOffset)) : [];
      return d.positions.length > 0;
    } else if (d.source === 4) return this.resized(d);
    return true;
  }

  resized(d) {
    [d.width, d.height] = [side(d.width), side(d.height)];
    return d.width > 0 && d.height > 0;
  }

  mutation(d) {
    for (const list of ['texts', 'attributes', 'removes', 'adds'])
      d[list] = Array.isArray(d[list]) ? d[list].filter(object) : [];
    d.adds = d.adds.filter((add) => object(add.node));
    for (const add of d.adds) this.tree(add.node);
    for (const m of d.attributes) {
      m.attributes = object(m.attributes) || {};
      this.attributes(m.attributes, this.frames.has(m.id));
    }
  }

  tree(root) {
    const todo = [[root, 0]];
    while (todo.length) {
      const [node, depth] = todo.pop();
      this.node(node);
      this.nested(node);
      if (!node.childNodes.length) continue;
      if (depth < DEEPEST) for (const child of node.childNodes) todo.push([child, depth + 1]);
      else {
        this.left.nodes += node.childNodes.length;
        node.childNodes = [];
      }
    }
  }

  /** What the DOM does not take in there makes rrweb give up the whole page. */
  nested(n) {
    let type, root;
    const all = n.childNodes;
    n.childNodes = n.type !== 0 ? all.filter((c) => c.type > 1)
      : all.filter((c) => c.type === 5 || (c.type === 1 ? !type && !root && (type = c) : c.type === 2 && !root && (root = c)));
    this.left.nodes += all.length - n.childNodes.length;
  }

  node(n) {
    // An HTML document has none.
    if (n.type === 4) n.type = 3;
    n.childNodes = Array.isArray(n.childNodes) ? n.childNodes.filter(object) : [];
    if (n.type === 1) {
      if (!NAME.test(n.name)) n.name = 'html';
      [n.publicId, n.systemId] = [n.publicId, n.systemId].map((x) => typeof x === 'string' ? x : '');
    }
    if (n.type !== 2) return;
    if (typeof n.tagName !== 'string' || !NAME.test(n.tagName) && (n.isSVG || !/^[a-z][^\s/>\0]*$/i.test(n.tagName)) || n.tagName in {}) {
      n.tagName = 'div';
      this.left.nodes++;
    }
    const tag = n.tagName.toLowerCase();
    if (tag === 'script') n.tagName = 'script';
    n.attributes = object(n.attributes) || {};
    const frame = FRAMES.test(tag);
    if (frame) this.frames.add(n.id);
    if (tag === 'link' && Object.entries(n.attributes).some(([k, v]) => k.toLowerCase() === 'rel' && FETCHES.test(v))) {
      this.left.links++;
      n.attributes = {};
    }
    this.attributes(n.attributes, frame, /^(audio|video)$/.test(tag));
    if (n.isCustom && (!CUSTOM.test(n.tagName) || RESERVED.test(n.tagName))) delete n.isCustom;
    if (n.isShadowHost && !(SHADOWED.test(tag) || CUSTOM.test(tag)) || n.isSVG && n.isShadowHost) {
      delete n.isShadowHost;
      for (const child of n.childNodes) delete child.isShadow;
    }
  }

  attributes(all, frame, media) {
    for (const [key, value] of Object.entries(all)) {
      const name = key.toLowerCase();
      if (frame && SOURCES.test(name)) this.left.frames += value && value !== 'about:blank' ? 1 : 0;
      else if (name === 'rel' && FETCHES.test(value)) this.left.links++;
      else if (!TELLTALES.test(name) && (value === null || typeof value !== 'object' || name === 'style') && (!/^rr_media/.test(key) || media && played(key, value))) continue;
      delete all[key];
    }
  }
}

/** Would an audio or video take it? */
function played(name, value) {
  if (name === 'rr_mediaVolume') return value >= 0 && value <= 1;
  if (name === 'rr_mediaPlaybackRate') return value >= 0.0625 && value <= 16;
  return typeof value !== 'number' || isFinite(value);
}

/** Is a node nested too deep, or something in it? */
function deep(node) {
  let depth = 0;
  for (let n = node; n && depth <= DEEPEST; n = n.parentNode || n.host) depth++;
  for (let n = node, below = depth; n;) {
    if (below > DEEPEST) return true;
    const inner = n.firstChild;
    if (inner) {
      below++;
      n = inner;
      continue;
    }
    while (n && n !== node && !n.nextSibling) {
      below--;
      n = n.parentNode;
    }
    if (!n || n === node) return false;
    n = n.nextSibling;
  }
  return false;
}

/**
 * What goes wrong with one event does not end the others, and what is too much
 * at once is drawn over several frames.
 * @param {(e: Error) => void} broken  is told of a page that could not be drawn
 * @param {() => void} settle  is called when the events of a frame were drawn
 * @param {Canvases} canvases
 */
export function harden(replayer, left, broken, settle, canvases) {
  // Nobody gets into it by the keyboard, as nobody does by the mouse.
  replayer.iframe.inert = true;
  const told = new Set();       // events and nodes, each counted once
  const count = (what, which) => {
    if (told.has(which)) return;
    told.add(which);
    left[what]++;
  };
  // These it also calls by itself, once a time is reached.
  for (const name of ['applyStyleSheetMutation', 'applyAdoptedStyleSheet', 'applyScroll', 'applyInput', 'moveAndHover']) {
    const inner = replayer[name].bind(replayer);
    replayer[name] = (...args) => {
      try {
        inner(...args);
      } catch {
        count('events', args[0]);
      }
    };
  }
  const media = replayer.mediaManager;
  const play = media.mediaMutation.bind(media);
  media.mediaMutation = (m) => media.isSupportedMediaElement(m.target) && play(m);
  const apply = replayer.applyIncremental.bind(replayer);
  replayer.applyIncremental = (e, sync) => {
    try {
      apply(e, sync);
      canvases.event(e.data);
    } catch {
      count('events', e);
    }
    if (e.data.source !== 0) return;
    const mirror = replayer.getMirror();
    for (const { node: { id } } of e.data.adds) {
      const node = mirror.getNode(id);
      if (!node || !node.parentNode || !deep(node)) continue;
      node.parentNode.removeChild(node);
      mirror.removeNodeFromMap(node);
      count('nodes', id);
    }
  };
  const rebuild = replayer.rebuildFullSnapshot.bind(replayer);
  replayer.rebuildFullSnapshot = (e, sync) => {
    canvases.clear();
    try {
      rebuild(e, sync);
    } catch (error) {
      broken(error);
    }
  };
  const { timer } = replayer;
  timer.rafCheck = () => {
    const start = performance.now();
    if (!timer.behind) timer.timeOffset += (start - timer.lastTimestamp) * timer.speed;
    timer.lastTimestamp = start;
    const due = () => timer.actions.length && timer.timeOffset >= timer.actions[0].delay;
    for (let n = 0; due(); n++) {
      if (n % 4 === 3 && performance.now() - start > FRAME) break;
      timer.actions.shift().doAction();
    }
    settle();
    timer.behind = !!due();
    timer.raf = timer.actions.length ? requestAnimationFrame(timer.rafCheck) : true;
  };
}
const FRAME = 12;               // ms of each frame for events
