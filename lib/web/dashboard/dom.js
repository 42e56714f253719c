/** Elements, icons, and how things are said. Text is only ever textContent. */

/**
 * h('button.quiet', {title, onclick}, 'text', child, ...)
 * Names with a dash, and role, are attributes; the rest are properties.
 */
export function h(spec, props, ...children) {
  const [tag, ...classes] = spec.split('.');
  const el = document.createElement(tag || 'div');
  if (classes.length) el.className = classes.join(' ');
  for (const [name, value] of Object.entries(props || {})) {
    if (value == null || value === false && name.includes('-')) continue;
    if (name.includes('-') || name === 'role' || name === 'for') el.setAttribute(name, value);
    else el[name] = value;
  }
  el.append(...children.flat(Infinity).filter((c) => c != null && c !== false));
  return el;
}

const PATHS = {
  open: 'M3 18V6h6l2 2.500h9V18z',
  play: 'M7 4.5v15l12.5-7.5z', pause: 'M6 4.5h4v15H6zM14 4.5h4v15h-4z',
  back: 'M15 5l-7 7 7 7', full: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
  panel: 'M3 5h18v14H3zM15 5v14', sun: 'M12 4V2M12 22v-2M4 12H2M22 12h-2M6 6 4.6 4.6M19.4 19.4 18 18M18 6l1.4-1.4M4.6 19.4 6 18M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0z',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.500 10.500z', search: 'M10.500 17a6.500 6.500 0 1 1 0-13 6.500 6.500 0 0 1 0 13zM15.300 15.300 20 20',
  skip: 'M4 5l8 7-8 7zM13 5l7 7-7 7z', link: 'M10 14a4 4 0 0 0 5.700 0l3.500-3.500a4 4 0 0 0-5.700-5.700L12 6.300M14 10a4 4 0 0 0-5.700 0l-3.500 3.500a4 4 0 0 0 5.700 5.700l1.500-1.500',
  out: 'M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9', share: 'M12 15V4M8 8l4-4 4 4M5 13v7h14v-7',
  save: 'M12 4v11M7 11l5 5 5-5M4 20h16',
  trash: 'M4 7h16M9 7V4h6v3M6.500 7l1 13h9l1-13', stop: 'M6 6h12v12H6z', close: 'M5 5l14 14M19 5 5 19',
  page: 'M6 3h8l4 4v14H6zM14 3v4h4', click: 'M9 9l10 4-4.500 1.500L13 19zM5 5l1.500 1.500M4 10h2M10 4v2', type: 'M4 7V5h16v2M12 5v14M9 19h6',
  error: 'M12 8v5M12 16.500v.5M12 3l9.500 17h-19z', event: 'M12 3l3 6 6 .8-4.500 4.300 1.200 6.400L12 17.300 6.300 20.500l1.200-6.400L3 9.800 9 9z',
  size: 'M4 14v6h6M20 10V4h-6M4 20l7-7M20 4l-7 7', gap: 'M4 12h4M16 12h4M11 7l2 10', rage: 'M13 2 5 14h6l-1 8 9-13h-6z', dead: 'M5.600 5.600l12.800 12.800M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z', pin: 'M6 21V4h12l-3 4 3 4H6', down: 'M6 9l6 6 6-6', list: 'M4 6h16M4 12h16M4 18h10', code: 'M8 7l-5 5 5 5M16 7l5 5-5 5', copy: 'M9 9h11v11H9zM5 15H4V4h11v1', wide: 'M3 5h18v14H3zM9 12h6', help: 'M9 9a3 3 0 1 1 4.200 2.700c-.8.4-1.200 1-1.200 1.800v.5M12 17.500v.5M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z',
  terminal: 'M4 6l6 6-6 6M12 18h8', cloud: 'M7 18a4.500 4.500 0 0 1-.5-9 6 6 0 0 1 11.500 1.500A3.800 3.800 0 0 1 17.500 18z', fit: 'M4 8V4h4M20 8V4h-4M4 16v4h4M20 16v4h-4M8 8h8v8H8z',
  scroll: 'M12 4v16M7 15l5 5 5-5M7 9l5-5 5 5', net: 'M4 18h4V8H4zM10 18h4V4h-4zM16 18h4v-6h-4z', more: 'M12 5v14M5 12h14',
};
const SOLID = new Set(['play', 'pause', 'skip', 'stop', 'rage']);

export function icon(name, size = 18) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  const set = (el, attrs) => Object.entries(attrs).forEach(([k, v]) => el.setAttribute(k, v));
  set(svg, { viewBox: '0 0 24 24', width: size, height: size, 'aria-hidden': 'true', class: 'icon' });
  const path = document.createElementNS(ns, 'path');
  set(path, { d: PATHS[name], fill: SOLID.has(name) ? 'currentColor' : 'none', stroke: SOLID.has(name) ? 'none' : 'currentColor',
    'stroke-width': 1.8, 'stroke-linecap': 'round', 'stroke-linejoin': 'round' });
  svg.append(path);
  return svg;
}

/** 3:07, 1:02:07; with tenths if asked for. */
export function clock(ms, tenths) {
  const s = Math.max(0, ms) / 1000;
  const two = (n) => String(Math.floor(n)).padStart(2, '0');
  const hours = Math.floor(s / 3600);
  return (hours ? `${hours}:${two(s / 60 % 60)}` : Math.floor(s / 60)) + ':' + two(s % 60) +
    (tenths ? '.' + Math.floor(s * 10 % 10) : '');
}

/** 42 s, 3 min, 2 h 5 min. */
export function span(ms) {
  const s = Math.round(Math.max(0, ms) / 1000);
  if (s < 60) return `${s} s`;
  const min = Math.round(s / 60);
  return min < 60 ? `${min} min` : `${Math.floor(min / 60)} h${min % 60 ? ` ${min % 60} min` : ''}`;
}

export function ago(ms) {
  const d = Date.now() - ms;
  if (d < 45e3) return 'just now';
  if (d < 24 * 3600e3) return span(d) + ' ago';
  return new Date(ms).toLocaleDateString(undefined, { day: 'numeric', month: 'short',
    year: new Date(ms).getFullYear() === new Date().getFullYear() ? undefined : 'numeric' });
}

/** @returns {Promise<void>} once it is in the clipboard; else `from` is marked, to be copied by hand */
export const copy = (text, from, app, word) => navigator.clipboard.writeText(text).then(() => app.toast(word), () => {
  getSelection().selectAllChildren(from);
  app.toast('Press Ctrl C to copy it');
});

export const when = (ms) => new Date(ms).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

export function bytes(n) {
  for (const unit of ['B', 'KB', 'MB', 'GB']) {
    if (n < 1000 || unit === 'GB') return `${n < 10 && unit !== 'B' ? n.toFixed(1) : Math.round(n)} ${unit}`;
    n /= 1000;
  }
}

// Characters that show nothing, or turn the text around them: but for joiners
// within scripts that need them, and emoji.
const UNSEEN = /[\p{Cc}\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]|(?<![^\0-\x7f])[\u200c\u200d]/gu;

const named = (c) => `<U+${c.codePointAt().toString(16).toUpperCase().padStart(4, '0')}>`;

/** Text from elsewhere as a line: what cannot be seen is written out, as <U+202E>. */
export const visible = (text) => String(text).replace(UNSEEN, (c) => c === '\n' || c === '\t' ? ' ' : named(c));
/** The same of a text with lines. */
export const visibleLines = (text) => String(text).replace(/\r\n/g, '\n').replace(UNSEEN, (c) => c === '\n' || c === '\t' ? c : named(c));

/** A URL as a person reads it: host, and path. */
export function place(href) {
  try {
    const u = new URL(href);
    return { host: u.host, path: visible(u.pathname + u.search + u.hash) || '/' };
  } catch {
    return { host: '', path: visible(href || '') };
  }
}
