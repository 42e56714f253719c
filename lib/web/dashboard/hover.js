/**
 * Style sheets as a replay needs them. An element that the visitor's mouse was
 * on gets a class of that name, so each selector with :hover is joined by one
 * for the class; and what asks for the device's size is to look at the page's.
 * rrweb does the same by a parser that takes longer than all else of a page.
 */

const TOKEN = /\/\*[^]*?\*\/|"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*'|url\(\s*[^"'\s)](?:\\[^]|[^)\\])*\)|\\[^]|[{};()]/gi;
const COMMENT = /\/\*[^]*?\*\//g;
const DEVICE = /(max|min)-device-(width|height)/g;

/** The parts of a list of selectors. */
function parts(list) {
  const out = [];
  let depth = 0, from = 0;
  for (const m of list.matchAll(/"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*'|\\[^]|[(),]/g)) {
    if (m[0] === '(') depth++;
    else if (m[0] === ')') depth--;
    else if (m[0] === ',' && depth <= 0) {
      out.push(list.slice(from, m.index).trim());
      from = m.index + 1;
    }
  }
  return [...out, list.slice(from).trim()];
}

function selector(text) {
  const end = text.trimEnd();
  const said = end.includes('/*') ? end.replace(COMMENT, '') : end;
  const more = parts(said.trimStart()).filter((s) => s.includes(':hover'));
  return more.length ? said + more.map((s) => `,\n${s.replaceAll(':hover', '.\\:hover')}`).join('') + text.slice(end.length) : text;
}

/** @returns {string} the sheet's text, adapted; as it is where it is broken */
export function adapt(css) {
  if (!css.includes(':hover') && !/-device-(?:width|height)/.test(css)) return css;
  let out = '', done = 0, from = 0, depth = 0, inside = 0;
  const put = (to, text) => {
    out += css.slice(done, from) + text;
    done = to;
  };
  TOKEN.lastIndex = 0;
  for (let m; (m = TOKEN.exec(css));) {
    const c = m[0];
    if (c === '(') inside++;
    else if (c === ')') inside = Math.max(0, inside - 1);
    else if (inside || c.length > 1) {
      // A comment before a rule is none of its selector.
      if (c[1] === '*' && !css.slice(from, m.index).trim()) from = TOKEN.lastIndex;
    } else {
      const text = css.slice(from, m.index);
      if (/^\s*@/.test(text)) {
        if (text.includes('-device-')) put(m.index, text.replace(DEVICE, '$1-$2'));
      } else if (c === '{' && text.includes(':hover')) put(m.index, selector(text));
      depth += c === '{' ? 1 : c === '}' ? -1 : 0;
      if (depth < 0) return css;
      from = TOKEN.lastIndex;
    }
  }
  return depth || inside ? css : out + css.slice(done);
}

/** What the Replayer takes for the style sheets that it has adapted. */
export function sheets() {
  const known = new Map();
  return { stylesWithHoverClass: {
    get(css) {
      let text = known.get(css);
      if (text === undefined) known.set(css, text = adapt(css));
      return text;
    },
    set() {},
  } };
}
