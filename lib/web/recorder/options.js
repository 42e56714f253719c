/**
 * Options of the recorder: what they are called, what they default to, and
 * where they come from (data- attributes of the script, then rr.init()).
 */

/** @typedef {import('../rr.d.ts').Options} Options */

/** @type {Options} */
const DEFAULTS = {
  key: '',
  collector: '',
  dashboard: '',
  source: '',
  user: '',
  autostart: true,
  privacy: 'balanced',
  block: '',
  mask: '',
  ignore: '',
  unmask: '',
  queryKeys: [],
  consent: 'given',
  gpc: true,
  sample: 1,
  minDuration: 0,
  onError: false,
  pages: [],
  capture: [],
  frames: false,
  maxBuffer: 8 << 20,
  onEvent: null,
};

/** Presets of privacy, strictest first. */
export const PRESETS = ['strict', 'balanced', 'open'];

/** A value of the type that the option's default has. */
function coerce(name, value) {
  const like = DEFAULTS[name];
  if (typeof value !== 'string') return value;
  if (typeof like === 'boolean') return value !== 'false' && value !== '0';
  if (typeof like === 'number') return isFinite(+value) ? +value : like;
  if (Array.isArray(like)) return value.split(/[\s,]+/).filter(Boolean);
  return value;
}

/**
 * @param {HTMLOrSVGElement & {src?: string} | null} script the recorder's own
 * @param {Partial<Options>} [given] what rr.init() was called with
 * @returns {Options}
 */
export function options(script, given) {
  const out = { ...DEFAULTS };
  for (const from of [script ? script.dataset : {}, given || {}])
    for (const name in from)
      if (name in DEFAULTS && from[name] != null) out[name] = coerce(name, from[name]);
  if (!out.collector && script && script.src) out.collector = script.src;
  out.collector = out.collector ? new URL(out.collector, location.href).origin : '';
  out.source = out.source || location.hostname;
  return out;
}
