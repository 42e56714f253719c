/**
 * Recorded canvases. A frame that runs no script shows none, but an element is
 * shown as the picture that its style has for `content`, with that picture's
 * size where the page gives no other. An animation sets it, for good: of the
 * page's nodes, attributes and styles none changes.
 *
 * A picture is what was recorded as one: in a snapshot, or as a frame. What
 * was recorded as commands is drawn on a canvas that is in no page. A
 * recording is hostile input: what is called or set is on the lists here, with
 * numbers, texts and pictures that are in the recording alone.
 */

const LARGEST = 4096;           // px, a canvas's side
const MOST = 2 ** 24;           // px of all canvases: 64 MB
const LEAST = 4096;             // px that each is taken for
const COMMANDS = 50000;         // of an event
const SAVES = 512;
const PICTURES = 32;            // that are kept, for commands
const TEXT = 16384;             // characters of an argument
const TURN = 12;                // ms of a frame for commands
const AT_ONCE = 40;             // ms on the way to a time
const SHARE = 3;                // as long as a picture was made, so many times that none is
const SHOWN = 500;              // ms after which what is not yet done is seen
const FLUSH = 64e6;             // px: the browser has to draw what would else become too much

const PICTURE = /^data:image\/(png|jpeg|webp|gif|bmp|avif);base64,[\w+/]+={0,2}$/;

// Arguments by letters: a number, a text, a truth value, a list of numbers, a
// picture, pixels.
const none = /^$/, n2 = /^nn$/, n4 = /^n{4}$/, rule = /^s?$/, text = /^snnn?$/, s = /^s$/, n = /^[ns]$/;
const CALLS = new Map(Object.entries({
  save: none, restore: none, reset: none, beginPath: none, closePath: none, resetTransform: none, stroke: none, fill: rule, clip: rule,
  scale: n2, translate: n2, rotate: /^n$/, transform: /^n{6}$/, setTransform: /^(n{6})?$/, moveTo: n2, lineTo: n2, quadraticCurveTo: n4,
  bezierCurveTo: /^n{6}$/, arcTo: /^n{5}$/, arc: /^n{5}[bn]?$/, ellipse: /^n{7}[bn]?$/, rect: n4, roundRect: /^n{4}[nl]?$/,
  clearRect: n4, fillRect: n4, strokeRect: n4, fillText: text, strokeText: text, setLineDash: /^l$/,
  drawImage: /^i(nn){1,2}(n{4})?$/, putImageData: /^dnn(n{4})?$/,
}));
const SETS = new Map(Object.entries({
  fillStyle: s, strokeStyle: s, shadowColor: s, font: s, textAlign: s, textBaseline: s, direction: s, letterSpacing: s, wordSpacing: s, fontKerning: s,
  fontStretch: s, fontVariantCaps: s, textRendering: s, lineCap: s, lineJoin: s, globalCompositeOperation: s, imageSmoothingQuality: s,
  lineWidth: n, miterLimit: n, lineDashOffset: n, globalAlpha: n, shadowOffsetX: n, shadowOffsetY: n, shadowBlur: /^n$/, imageSmoothingEnabled: /^[bn]$/,
}));
// These draw nothing by themselves.
const ASKS = /^(measureText|is\w+|get\w+|create\w+|drawFocusIfNeeded|scrollPathIntoView)$/;
const PATHS = /(To|ect|^arc|^ellipse)$/;
const PAINTS = /^(fill|stroke|clip|clearRect|draw|put)/;
const BLUR = 64;                // px

const object = (x) => x && typeof x === 'object' ? x : null;
const list = (x) => Array.isArray(x) ? x : [];
const numbers = (x) => Array.isArray(x) && x.length <= 64 && x.every((v) => typeof v === 'number');

/** The address of a picture that is in the recording; '' for any other. */
function picture(it) {
  let url = it;
  if (object(it)) {
    const blob = it.rr_type === 'ImageBitmap' ? object(list(it.args)[0]) : null;
    url = it.rr_type === 'HTMLImageElement' ? it.src : blob && blob.rr_type === 'Blob' && list(blob.data).length === 1
      && `data:${blob.type};base64,${object(blob.data[0])?.base64}`;
  }
  return typeof url === 'string' && PICTURE.test(url) ? url : '';
}

function pixels({ args: [data, width, height] }) {
  const values = list(object(data) && list(data.args)[0]);
  return width > 0 && width <= LARGEST && height > 0 && height <= LARGEST && values.length === 4 * width * height
    ? new ImageData(new Uint8ClampedArray(values), width, height) : null;
}

/**
 * A command, with what it is given.
 * @returns {{name: string, set: boolean, args: any[], url: string} | null | undefined} null if it
 *   draws nothing, undefined if it is not drawn; `url`: the picture that is its first argument
 */
function checked(command) {
  const { property: name, setter, args: given } = object(command) || {};
  if (typeof name !== 'string' || !Array.isArray(given) || given.length > 16) return;
  const set = !!setter, rules = (set ? SETS : CALLS).get(name);
  if (!rules) return !set && ASKS.test(name) ? null : undefined;
  const args = set ? given.slice(0, 1) : given.slice();
  // What was not given at the end is null there.
  while (args.length && args.at(-1) === null) args.pop();
  let url = '', kinds = '';
  for (const [i, x] of args.entries()) {
    if (typeof x === 'number') kinds += 'n';
    else if (typeof x === 'boolean') kinds += 'b';
    else if (name === 'drawImage' && !i && (url = picture(x))) kinds += 'i';
    else if (name === 'putImageData' && !i && object(x)?.rr_type === 'ImageData' && (args[0] = pixels({ args: list(x.args) }))) kinds += 'd';
    else if (typeof x === 'string' && x.length <= TEXT) kinds += 's';
    else kinds += numbers(x) ? 'l' : 'x';
  }
  // A number that is none is null, and has no effect.
  if (!rules.test(kinds)) return given.includes(null) ? null : undefined;
  if (name === 'shadowBlur') args[0] = Math.min(args[0], BLUR);
  return { name, set, args, url };
}

/** The picture of a canvas on which nothing is: it has its size. */
const blank = ({ width, height }) => `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='${Math.max(1, width)}' height='${Math.max(1, height)}'/%3E`;

/** A canvas of the page. */
class Surface {
  recorded = null;              // the picture that was recorded last, until commands come
  context = null;               // what the commands are drawn on
  queue = [];                   // lists of commands
  next = 0;                     // of the first list
  segments = 0;                 // of the path
  saves = 0;
  due = 0;                      // when it may be made a picture again
  done = 0;                     // when all commands were drawn
  awaited = null;               // the picture for the next of them: {url, image}

  constructor(node, id) {
    Object.assign(this, { node, id });
  }

  show(url) {
    if (url === this.shown) return;
    const style = { content: `url("${this.shown = url}")` };
    if (this.animation) return this.animation.effect.setKeyframes(style);
    this.animation = this.node.animate(style, { duration: 1, fill: 'both' });
    this.animation.finish();
  }

  /** About how many pixels the browser touches for a command. */
  cost({ name, args, set }) {
    if (set) return 1000;
    if (name === 'beginPath') this.segments = 0;
    else if (PATHS.test(name)) this.segments++;
    if (!PAINTS.test(name)) return 1000;
    const { canvas, shadowBlur } = this.context;
    const area = canvas.width * canvas.height * (shadowBlur || this.dashed ? 8 : 1);
    return area + (/Text$/.test(name) ? args[0].length * 5000 : /Rect|^d|^p/.test(name) ? 0 : this.segments * 1000);
  }

  draw({ name, set, args }) {
    const { context } = this;
    try {
      if (set) context[name] = args[0];
      else context[name](...args);
    } catch {}
    if (name === 'reset') this.saves = 0;
    else if (name === 'restore') this.saves = Math.max(0, this.saves - 1);
    else if (name === 'save') this.saves++;
    else if (name === 'setLineDash') this.dashed = args[0].length;
  }
}

/** The canvases of a Drawing. */
export class Canvases {
  surfaces = new WeakMap();     // by the page's node
  drawn = new Set();            // those that have a context
  changed = new Set();          // those whose picture is another
  pictures = new Map();         // for commands: an Image by its address
  lost = new Set();             // ids of those of which something was not drawn
  timer = 0;

  /** @param {{canvases: number}} left  counts canvases of which something was not drawn */
  constructor(left) {
    this.left = left;
  }

  /** For rrweb, which says what it has built. */
  plugin = {
    onBuild: (node, { id, replayer }) => {
      this.mirror = replayer.getMirror();
      if (node.nodeName !== 'CANVAS') return;
      const it = this.of(node, id);
      it.recorded = this.mirror.getMeta(node)?.attributes.rr_dataURL;
      this.put(it);
    },
  };

  of(node, id) {
    if (!this.surfaces.has(node)) this.surfaces.set(node, new Surface(node, id));
    return this.surfaces.get(node);
  }

  /** A page is built anew, or nothing is drawn any more. */
  clear() {
    for (const it of this.drawn) this.drop(it);
    this.surfaces = new WeakMap();
    this.changed.clear();
    this.pictures.clear();
    cancelAnimationFrame(this.timer);
    this.timer = 0;
  }

  lose({ id }) {
    if (this.lost.has(id)) return;
    this.lost.add(id);
    this.left.canvases++;
  }

  /** Takes an event's data, once rrweb has applied it. Drawn is it by settle(). */
  event(d) {
    if (d.source === 0)
      for (const { id, attributes } of d.attributes) if ('width' in attributes || 'height' in attributes) this.emptied(id);
    if (d.source !== 9 || !this.mirror) return;
    const node = this.mirror.getNode(d.id);
    if (node?.nodeName !== 'CANVAS') return;
    const it = this.of(node, d.id);
    if (d.type !== 0) return this.lose(it);
    const commands = Array.isArray(d.commands) ? d.commands : [d];
    const frame = !it.context && this.frame(commands, node);
    if (frame) it.recorded = frame;
    else if (!this.begin(it)) return this.lose(it);
    else it.queue.push(commands);
    this.changed.add(it);
  }

  /** A new size leaves nothing on it. */
  emptied(id) {
    const node = this.mirror?.getNode(id);
    const it = node && this.surfaces.get(node);
    if (!it) return;
    this.drop(it);
    it.recorded = null;
    this.changed.add(it);
  }

  drop(it) {
    if (it.context) it.context.canvas.width = it.context.canvas.height = 0;
    this.drawn.delete(it);
    Object.assign(it, { context: null, queue: [], next: 0, saves: 0, segments: 0, dashed: 0, awaited: null });
  }

  /** All of a canvas as one picture, as it is recorded some times a second. */
  frame(commands, { width, height }) {
    const [wipe, put] = commands.map(object);
    if (commands.length !== 2 || wipe?.property !== 'clearRect' || put?.property !== 'drawImage') return null;
    const [x, y, w, h] = list(wipe.args), [image, ...at] = list(put.args);
    return !x && !y && w === width && h === height && at.length === 2 && !at[0] && !at[1] ? image : null;
  }

  /** Shows the picture that was recorded of it last. */
  put(it) {
    const url = it.recorded ? picture(it.recorded) : '';
    if (it.recorded && !url) this.lose(it);
    it.show(url || blank(it.node));
  }

  /** @returns {boolean} can commands be drawn on it? */
  begin(it) {
    if (it.context) return true;
    const { width, height } = it.node;
    const room = (it) => Math.max(LEAST, it.node.width * it.node.height);
    for (const old of this.drawn) if (this.mirror.getNode(old.id) !== old.node) this.drop(old);
    if (width > LARGEST || height > LARGEST || [it, ...this.drawn].reduce((n, it) => n + room(it), 0) > MOST) return false;
    // Of the page's document, whose fonts it has.
    const canvas = it.node.ownerDocument.createElement('canvas');
    Object.assign(canvas, { width, height });
    it.context = canvas.getContext('2d', { willReadFrequently: true });
    if (!it.context) return false;
    this.drawn.add(it);
    it.done = performance.now();
    if (it.recorded) it.queue.push([{ property: 'drawImage', args: [it.recorded, 0, 0] }]);
    return true;
  }

  /** Puts in the page what the events of a frame have changed; `sync`: on the way to a time. */
  settle(sync) {
    if (!this.changed.size) return;
    const end = performance.now() + (sync ? AT_ONCE : TURN);
    for (const it of this.changed) {
      const whole = !it.context || this.work(it, end);
      const now = performance.now();
      if (whole) it.done = now;
      else if (now < it.done + SHOWN) continue;
      if (it.context && now < it.due && !sync) continue;
      if (it.context) {
        it.show(it.context.canvas.toDataURL());
        it.due = performance.now() + SHARE * (performance.now() - now);
        it.done = now;
      } else this.put(it);
      if (whole) this.changed.delete(it);
    }
    this.later();
  }

  later() {
    if (this.changed.size && !this.timer) this.timer = requestAnimationFrame(() => {
      this.timer = 0;
      this.settle();
    });
  }

  /** Draws the commands that are due. @returns {boolean} were these all? */
  work(it, end) {
    let spent = 0;
    for (; it.queue.length; it.queue.shift(), it.next = 0) {
      const commands = it.queue[0];
      if (commands.length > COMMANDS) this.lose(it);
      for (const most = Math.min(commands.length, COMMANDS); it.next < most; it.next++) {
        const c = checked(commands[it.next]);
        if (c === undefined || c?.name === 'save' && it.saves >= SAVES) this.lose(it);
        else if (c) {
          if (c.url && !(c.args[0] = this.picture(it, c.url))) return false;
          if (c.url && c.args[0] === 'bad') this.lose(it);
          else it.draw(c);
          spent += it.cost(c);
        }
        if (spent < FLUSH && it.next % 1024 !== 1023) continue;
        if (spent >= FLUSH) it.context.getImageData(0, 0, 1, 1);
        spent = 0;
        if (performance.now() < end) continue;
        it.next++;
        return false;
      }
    }
    return true;
  }

  /** @returns {Image | 'bad' | undefined} undefined: it is not there yet */
  picture(it, url) {
    const kept = this.pictures.get(url);
    if (kept || it.awaited?.url === url) return kept || it.awaited.image;
    const mine = it.awaited = { url }, image = new Image();
    image.src = url;
    image.decode().then(() => {
      if (image.naturalWidth > LARGEST || image.naturalHeight > LARGEST) throw new Error('too large');
      mine.image = image;
      if (this.pictures.size >= PICTURES) this.pictures.delete(this.pictures.keys().next().value);
      this.pictures.set(url, image);
    }).catch(() => { mine.image = 'bad'; });
  }
}
