/**
 * What of a page may leave it. rrweb masks inputs and text by our functions;
 * attributes and URLs, which it does not mask, are rewritten in each event
 * before its text is made.
 *
 *   strict    all text, all inputs, attributes with text, media
 *   balanced  all inputs and editable text, attributes with text, URL queries
 *   open      passwords, payment cards and one-time codes only
 */

const TEXT = 1, URL = 2, VALUE = 3;
/** What attributes hold that is not the page's own business. */
const KINDS = new Map([['value', VALUE]]);
for (const name of ['title', 'placeholder', 'alt', 'aria-label', 'aria-description',
  'aria-valuetext', 'label', 'content', 'srcdoc', 'summary', 'abbr']) KINDS.set(name, TEXT);
for (const name of ['href', 'src', 'action', 'formaction', 'xlink:href', 'data', 'poster',
  'cite', 'ping', 'srcset', 'rr_src']) KINDS.set(name, URL);
const MEDIA = 'img,video,audio,picture,source,svg image,object,embed';
const SECRET = /^(password|hidden|file)$/;
/** Types of input whose value is the page's, not the visitor's. */
const PLAIN = /^(checkbox|radio|button|submit|reset)$/;
const PAYMENT = /(^|\s)(cc-|one-time-code|(current|new)-password)/;
const CARD = /card.?(num|no\b)|cardnumber|cvc|cvv|ccnum|iban|one.?time|otp/i;

const stars = (text) => text.replace(/\S/g, '*');

/** @param {import('../rr.d.ts').Options} opts */
export function privacy(opts) {
  const preset = opts.privacy;
  const strict = preset === 'strict';
  const open = preset === 'open';
  const keep = new Set(opts.queryKeys);
  const unmask = '.rr-unmask,[data-rr-unmask]' + (opts.unmask ? ',' + opts.unmask : '');
  const mask = '.rr-mask,[data-rr-mask]' + (opts.mask ? ',' + opts.mask : '');
  const join = (...list) => list.filter(Boolean).join(',');

  /** Is this a field whose content is never taken, whatever the preset? */
  const secret = (el) => {
    if (!el || !el.getAttribute) return false;
    const get = (name) => el.getAttribute(name) || '';
    return SECRET.test(get('type')) || el.type === 'password' ||
      el.hasAttribute('data-rr-is-password') || PAYMENT.test(get('autocomplete')) ||
      CARD.test(get('name') + ' ' + get('id'));
  };

  const marks = unmask + ',' + mask;
  /** What the nearest marked ancestor, in whatever tree, says: is this shown? */
  const shown = (el) => {
    for (; el && el.closest; el = el.getRootNode().host) {
      const near = el.closest(marks);
      if (near) return near.matches(unmask) && !near.matches(mask);
    }
  };

  const maskInput = (text, el) => {
    if (secret(el)) return stars(text);
    const s = shown(el);
    return s === undefined ? (open ? text : stars(text)) : s ? text : stars(text);
  };
  const maskText = (text, el) => (shown(el) ? text : stars(text));

  /** A URL without what may be personal: the values of its query, its fragment. */
  const url = (href) => {
    if (open || !/[?#]/.test(href) || /^(data|blob|javascript):/i.test(href)) return href;
    const [, path, query, frag] = /^([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(href) || [0, href];
    const kept = (query || '').slice(1).split('&').filter((kv) => keep.has(kv.split('=')[0]));
    return path + (kept.length ? '?' + kept.join('&') : '') +
      (frag && /^#[\w/!-]*$/.test(frag) ? frag : '');
  };
  const srcset = (text) => text.split(/,\s+/).map((part) => {
    const [href, ...rest] = part.trim().split(/\s+/);
    return [url(href), ...rest].join(' ');
  }).join(', ');

  /** Rewrites the attributes of one element, in place. A page may have 100,000: look at little. */
  const attributes = (attrs, tag, id, mirror) => {
    let el, s, asked = false;
    const see = () => {
      // What is gone already is not shown.
      if (!asked) s = (el = mirror.getNode(id)) ? shown(el) : false;
      asked = true;
      return s;
    };
    for (const name in attrs) {
      const kind = KINDS.get(name) || name.startsWith('data-') && !name.startsWith('data-rr') && 4;
      const value = attrs[name];
      if (!kind || !value || typeof value !== 'string') continue;
      if (kind === URL) {
        attrs[name] = name === 'srcset' ? srcset(value) : url(value);
        if (strict && /^data:/.test(value) && tag !== 'link' && see() !== true) attrs[name] = 'data:,';
      } else if (kind === VALUE) {
        see();
        const hide = SECRET.test(attrs.type) || secret(el) ? true
          : s !== undefined ? !s
            : strict || !open && !/^(option|li|button)$/.test(tag) && !PLAIN.test(attrs.type);
        if (hide) attrs[name] = stars(value);
      } else {
        if (name === 'content' && tag === 'meta' && /viewport|charset|color/.test(attrs.name || '')) continue;
        if (see() === undefined ? !open && (strict || kind === TEXT) : !s)
          attrs[name] = stars(value);
      }
    }
  };

  /** Rewrites those of a node and of all in it. */
  const tree = (node, mirror) => {
    if (open) return;
    if (node.attributes) attributes(node.attributes, node.tagName, node.id, mirror);
    if (node.childNodes) for (const child of node.childNodes) tree(child, mirror);
  };

  return {
    url,
    /** The options that rrweb takes. */
    rrweb: {
      blockSelector: join('[data-rr-block]', opts.block, strict && MEDIA),
      ignoreSelector: join('[data-rr-ignore]', opts.ignore),
      maskTextSelector: strict ? '*' : join('[data-rr-mask]', opts.mask,
        !open && '[contenteditable]:not([contenteditable="false"])'),
      maskAllInputs: true,
      maskInputFn: maskInput,
      maskTextFn: maskText,
    },
    tree,
    /** Rewrites an event but a snapshot, in place, before its text is made. */
    event(e, mirror) {
      const d = e.data;
      if (e.type === 4) d.href = url(d.href);
      else if (e.type === 3 && d.source === 0 && !open) {
        for (const add of d.adds) tree(add.node, mirror);
        for (const a of d.attributes) {
          const el = mirror.getNode(a.id);
          attributes(a.attributes, el && el.nodeName ? el.nodeName.toLowerCase() : '', a.id, mirror);
        }
      }
    },
  };
}
