/**
 * What of a page may leave it. rrweb asks us which text, which inputs and
 * which elements; attributes, URLs and styles, which it does not mask, are
 * rewritten in each event before its text is made. rr-recorder(7) has a table
 * of what each preset masks.
 */

const TEXT = 1, URL = 2, VALUE = 3, DATA = 4, CODE = 5, STYLE = 6;
/** What attributes hold that is not the page's own business; the rest goes by its name. */
const KINDS = new Map([['value', VALUE], ['_cssText', STYLE], ['style', STYLE]]);
const kind = (k, names) => names.split(' ').forEach((name) => KINDS.set(name, k));
kind(0, 'class id slot part role dir lang');
kind(TEXT, 'title placeholder alt label content srcdoc summary abbr download');
kind(URL, 'href src action formaction xlink:href data poster cite ping srcset imagesrcset background rr_src');
const LABEL = /^(aria-(label$|desc|value|place|role|brai)|ng-reflect)/;
const FRAMEWORK = /^((data-(?!rr)|ng-|x-|v-|hx-|wire:|phx-)|datetime|[:@#*_([])/;
const WORD = /^([a-z][\w-]{0,23}|[\d.,%:-]{0,5})$/i;

const MEDIA = 'img,video,audio,picture,source,svg image,object,embed';
/** Where visitors write though it is no input; the last are code editors, which draw what is typed. */
const EDITABLE = '[contenteditable]:not([contenteditable="false"]),[role=textbox],[role=searchbox],.CodeMirror,.monaco-editor,.ace_editor';
const SECRET = /^(password|hidden|file)$/i;
/** Types of input, and elements, whose value is the page's, not the visitor's. */
const PLAIN = /^(checkbox|radio|button|submit|reset|option|li|data|meter|progress|param)$/i;
const PAYMENT = /(^|\s)(cc-|one-time-code|(current|new)-password)/i;
const NAMED = /card.?(num|no\b)|cvc|cvv|ccnum|iban|one.?time|otp|passw|pwd|\bssn\b|secret|token/i;
/** Fields that were seen to be secret stay it, whatever becomes of their type, */
const secrets = new WeakSet();
/** also while nothing is recorded. */
export const watchTypes = () => new MutationObserver((list) => {
  for (const { target, oldValue } of list) if (SECRET.test(oldValue)) secrets.add(target);
}).observe(document, { subtree: true, attributeFilter: ['type'], attributeOldValue: true });

const stars = (text) => text.replace(/\S/g, '*');
const SVG_OR_ASSET = /\.(m?js|css|map|json|png|jpe?g|gif|svg|webp|avif|ico|woff2?)$/i;
const MAIL = /[^/]+(@|%40)[^/]*\.[a-z]{2,}(?=\/|$)/gi;
/** A fragment that is a place or a route of the page. */
const PLACE = /^#!?\/?([\w-]{1,24}(\/|$))*$/;

/** Comments, URLs and strings of a style sheet. */
const TOKENS = /\/\*[^]*?(?:\*\/|$)|((?:url|image-set)\(\s*|@import\s+)?("(?:\\[^]|[^"\\])*"?|'(?:\\[^]|[^'\\])*'?)|url\(([^"')]*)\)/gi;
/** What stands before a string that is no text: in a selector, a font, a grid. */
const NO_TEXT = /(=\s*|(^|[;{\s])(font(-family)?|grid[-\w]*|src)\s*:[^;{}]*|@(charset|namespace)\b[^;{}]*|(format|local)\(\s*)$/i;

/** The nearest of a node and what is around it, in whatever tree or frame, that matches. */
const near = (node, selector) => {
  while (node) {
    const el = node.closest ? node : node.parentElement;
    const hit = el && el.closest(selector);
    if (hit) return hit;
    const root = node.getRootNode();
    node = root.host || root.defaultView && root.defaultView.frameElement;
  }
  return null;
};

/** Is this a field whose content is never taken, whatever the preset? */
const secret = (el) => {
  if (!el || !el.getAttribute) return false;
  const get = (name) => el.getAttribute(name) || '';
  if (!secrets.has(el) && (SECRET.test(el.type || get('type')) || el.hasAttribute('data-rr-is-password') ||
    PAYMENT.test(get('autocomplete')) || /^(input|textarea)$/i.test(el.nodeName) && NAMED.test(get('name') + ' ' + get('id'))))
    secrets.add(el);
  return secrets.has(el);
};

/** @param {import('../rr.d.ts').Options} opts */
export function privacy(opts) {
  const preset = opts.privacy;
  const strict = preset === 'strict';
  const open = preset === 'open';
  const keep = new Set(opts.queryKeys);
  const unmask = '.rr-unmask,[data-rr-unmask]' + (opts.unmask ? ',' + opts.unmask : '');
  const mask = '.rr-mask,[data-rr-mask]' + (opts.mask ? ',' + opts.mask : '');
  const block = '.rr-block,[data-rr-block]' + (opts.block ? ',' + opts.block : '') + (strict ? ',' + MEDIA : '');
  const marks = unmask + ',' + mask;
  const masked = open ? mask : mask + ',' + EDITABLE;

  /** What the nearest marked element around says: is this shown? */
  const shown = (node) => {
    const hit = near(node, marks);
    return hit ? !hit.matches(mask) : undefined;
  };
  /** `plain`: it is the page's, not the visitor's. */
  const hides = (el, plain) => {
    if (!el || secret(el)) return true;
    const s = shown(el);
    return s === undefined ? strict || !open && !plain : !s;
  };
  const maskInput = (text, el, plain) => (!text || !hides(el, plain) ? text
    : secret(el) ? '********' : stars(text));

  /** A URL without what may be personal: the values of its query, its fragment, names in it. */
  const url = (href) => {
    if (open || !href) return href;
    const [, scheme] = /^\s*([a-z][\w+.-]*:)/i.exec(href) || [];
    if (/^data:/i.test(scheme)) return /^\s*data:(image|font|audio|video|text\/css|application\/[\w.-]*font)/i.test(href) ? href : 'data:,';
    if (scheme && !/^(https?|wss?|file|blob|about):/i.test(scheme)) return scheme;
    const [, path, query, frag] = /^([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(href);
    const kept = (query || '').slice(1).split('&').filter((kv) => keep.has(kv.split('=')[0]));
    return path.replace(/\/\/[^/]*@/, '//').replace(MAIL, (part) => (SVG_OR_ASSET.test(part) ? part : stars(part))) +
      (kept.length ? '?' + kept.join('&') : '') +
      (frag && PLACE.test(frag) && !(strict && path) ? frag : '');
  };
  const srcset = (text) => text.split(/,\s+/).map((part) => {
    const [href, ...rest] = part.trim().split(/\s+/);
    return [url(href), ...rest].join(' ');
  }).join(', ');
  const image = (href) => (strict && /^\s*data:(?!font|application)/i.test(href) ? 'data:,' : url(href));

  /** A style sheet, or part of one: URLs as others; strict: its texts, but symbols. */
  const css = (text) => (open || !text ? text : text.replace(TOKENS, (all, before, string, bare, at) => {
    if (bare !== undefined) return `url(${image(bare)})`;
    if (!string) return all === '/* rr_split */' ? all : '';
    if (before) return before + string[0] + image(string.slice(1, -1)) + string[0];
    return !strict || NO_TEXT.test(text.slice(Math.max(0, at - 200), at)) ? all
      : string.replace(/\\[ef][\da-f]{3}(?![\da-f])|[\p{L}\p{N}]/giu, (c) => (c[0] === '\\' ? c : '*'));
  }));
  const declaration = (name, value) => typeof value === 'string' ? css(name + ':' + value).slice(name.length + 1) : value;

  /** Rewrites the attributes of one element, in place. A page may have 100,000: look at little. */
  const attributes = (attrs, tag, id, mirror) => {
    let el, s, asked = false;
    const see = () => {
      // What is gone already is not shown.
      if (!asked) s = (el = mirror.getNode(id)) ? shown(el) : false;
      asked = true;
      return s;
    };
    if (SECRET.test(attrs.type)) secret(mirror.getNode(id));
    for (const name in attrs) {
      const value = attrs[name];
      if (!value) continue;
      if (typeof value !== 'string') {
        if (name === 'style')
          for (const p in value) value[p] = Array.isArray(value[p]) ? [declaration(p, value[p][0]), value[p][1]] : declaration(p, value[p]);
        continue;
      }
      let k = KINDS.get(name);
      if (k === undefined)
        k = /^on/.test(name) ? CODE : LABEL.test(name) ? TEXT : FRAMEWORK.test(name) || tag.includes('-') && !/^rr_/.test(name) ? DATA : 0;
      if (!k) continue;
      if (k === STYLE) attrs[name] = css(value);
      else if (k === CODE) attrs[name] = open ? value : '';
      else if (k === URL)
        attrs[name] = /srcset$/.test(name) ? srcset(value) : tag !== 'link' && see() !== true ? image(value) : url(value);
      else if (k === VALUE) attrs[name] = maskInput(value, (see(), el), PLAIN.test(tag === 'input' ? attrs.type || el && el.type : tag) || tag === 'button');
      else {
        if (name === 'content' && tag === 'meta' && /viewport|charset|color/.test(attrs.name || '')) continue;
        if (see() === undefined ? !open && (strict || k === TEXT || !WORD.test(value)) : !s) attrs[name] = stars(value);
      }
    }
  };

  /** Rewrites those of a node and of all in it. `around`: the name of the element it is in. */
  const tree = (node, mirror, around) => {
    const { tagName } = node;
    if (node.attributes) attributes(node.attributes, tagName, node.id, mirror);
    if (node.textContent) node.textContent = inside(node.textContent, around, node.id, mirror);
    if (node.childNodes) for (const child of node.childNodes) tree(child, mirror, tagName);
  };
  /** Text that rrweb takes for the page's, but is a style or was a visitor's. */
  const inside = (text, around, id, mirror) => {
    if (/^style$/i.test(around)) return css(text);
    if (!/^textarea$/i.test(around)) return text;
    const node = mirror.getNode(id);
    return maskInput(text, node && node.parentNode);
  };
  const nameOf = (node) => node && node.nodeName.toLowerCase() || '';

  /** What scripts say: without addresses, queries, quoted text and long numbers. */
  const scrub = (text) => text.replace(/[^\s"'<>(),]*(?::\/\/|\?[^\s"'<>()=]*=)[^\s"'<>()]*/g, (token) => {
    const [, href, place] = /^(.*?)((?::\d+){0,2})$/s.exec(token);
    return url(href) + place;
  }).replace(/"(?:\\.|[^"\\\n])*"?/g, stars).replace(/[\w.+-]+@[\w-]+(\.[\w-]+)+|\d(?:[ -]?\d){8,}/g, stars);
  const say = (text) => (open ? text : strict ? stars(text) : scrub(text));

  return {
    url,
    say,
    /** An error's stack: its message as it may be said, and where it came from. */
    trace(message, stack) {
      if (open) return stack;
      const at = stack.indexOf(message);
      const said = at < 0 ? stack : stack.slice(0, at) + say(message) + stack.slice(at + message.length);
      return said.split('\n').filter((line) => !strict || /^(\s+at .*:\d+:\d+\)?|[^\s@]*@\S*:\d+:\d+|\w+: [*\s]*)$/.test(line)).map(scrub).join('\n');
    },
    /** A console argument's JSON; all but the first, and what objects hold, is data. */
    argument(json, first) {
      if (open || /^(true|false|null|undefined)$/.test(json)) return json;
      if (strict || !/^["\d[{-]/.test(json)) return JSON.stringify(stars(json));
      if (/^["\d-]/.test(json)) return JSON.stringify((first ? scrub : stars)(String(JSON.parse(json))));
      return json.replace(/("(?:\\.|[^"\\])*")(\s*:)?|-?\d[\d.e+-]*/gi, (all, string, key) =>
        key && /^"[\w$-]{0,32}"$/.test(string) ? all : `"${stars(string ? string.slice(1, -1) : all)}"${key || ''}`);
    },
    /** The options that rrweb takes: of its functions build.mjs makes ones that ask these. */
    rrweb: {
      blockSelector: (node, up) => !!(up ? near(node, block) : node.matches && node.matches(block)),
      ignoreSelector: '[data-rr-ignore]' + (opts.ignore ? ',' + opts.ignore : ''),
      maskTextSelector: (node, up) => strict || !open && (node.ownerDocument || node).designMode === 'on' ||
        !!(up ? near(node, masked) : node.matches && node.matches(masked)),
      maskAllInputs: true,
      maskInputFn: maskInput,
      maskTextFn: (text, node) => (shown(node) ? text : stars(text)),
    },
    tree,
    /** Rewrites an event but a snapshot, in place, before its text is made. */
    event(e, mirror) {
      const d = e.data;
      if (e.type === 4) d.href = url(d.href);
      if (e.type !== 3) return;
      const el = mirror.getNode(d.id);
      switch (d.source) {
        case 0:
          for (const add of d.adds) tree(add.node, mirror, nameOf(mirror.getNode(add.parentId)));
          for (const a of d.attributes) attributes(a.attributes, nameOf(mirror.getNode(a.id)), a.id, mirror);
          for (const t of d.texts) t.value = t.value && inside(t.value, nameOf((mirror.getNode(t.id) || {}).parentNode), t.id, mirror);
          break;
        case 5:
          d.text = maskInput(d.text, el, PLAIN.test(el && el.type));
          break;
        case 8:
        case 15:
          for (const rule of [...d.adds || [], ...(d.styles || []).flatMap((sheet) => sheet.rules)]) rule.rule = css(rule.rule);
          for (const name of ['replace', 'replaceSync']) if (d[name]) d[name] = css(d[name]);
          break;
        case 13:
          if (d.set) d.set.value = declaration(d.set.property, d.set.value);
      }
    },
  };
}
