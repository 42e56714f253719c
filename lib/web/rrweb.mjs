// Plugins of esbuild: what is changed in rrweb's record as it is bundled. Each
// change must find its place, or the build fails.
import { readFileSync } from 'node:fs';
import { transformSync } from 'esbuild';

// Of rrweb's record, methods and functions that our options never call: frames
// of other origins that record themselves, canvases by their drawing commands,
// fonts, hooks. Their bodies are left out, and with them what only they used.
const UNUSED = ['handleMessage', 'transformCrossOriginEvent', 'replaceIds', 'replaceStyleIds', 'replaceIdOnNode',
  'patchRootIdOnNode', 'initCanvasMutationObserver', 'startPendingCanvasMutationFlusher', 'startRAFTimestamping',
  'flushPendingCanvasMutations', 'flushPendingCanvasMutationFor', 'initFontObserver', 'mergeHooks'];
const LEAN = [
  ...UNUSED.map((name) => [new RegExp(`^(  )${name}(\\(.*\\)) {\\n[^]*?^  }\\n|^(function )${name}(\\(.*\\)) {\\n[^]*?^}\\n`, 'm'),
    (_, method, args, func, its) => `${method || func}${name}${args || its} {}\n`]),
  [/^let _mirror = {\n[^]*?^}\n(?=function throttle)/m, ''],
  [/^var lookup = .*\n[^]*?^}\n/m, ''],
  [/"crossOriginIframeMirror", new CrossOriginIframeMirror\(genId\)/, '"crossOriginIframeMirror"'],
  [/^    this\.crossOriginIframeStyleMirror = new [^]*?^    \);\n/m, ''],
  // Fields are set, not defined; nobody goes without Array.from.
  [/^    __publicField\(this, "\w+"\);\n/gm, ''],
  [/^(    )__publicField\(this, "(\w+)", /gm, '$1this.$2 = ('],
  [/^try {\n  if \(Array\.from[^]*?^}\n/m, ''],
  // What is counted in an enum is a number; of images no pictures are taken.
  ...['EventType', 'IncrementalSource', 'CanvasContext', 'MediaInteractions', 'NodeType'].map((name) => [
    new RegExp(`^var ${name} = [^]*?^}\\)\\(${name} \\|\\| {}\\);\\n[^]*`, 'm'), (text) => {
      const values = Object.fromEntries([...text.slice(0, text.indexOf('\n}')).matchAll(/\["(\w+)"\] = (\d+)/g)].map((m) => m.slice(1)));
      return text.replace(/^[^]*?^}\)\(.*\n/m, '').replace(new RegExp(`\\b${name}(?:\\.(\\w+)|\\["(\\w+)"\\])`, 'g'), (_, a, b) => values[a || b]);
    }]),
  [/^  if \(tagName === "img" && inlineImages\) {\n[^]*?^  }\n/m, ''],
  // Its worker comes as text.
  [/^const jsContent = '(.*)';$/m, (_, text) => `const jsContent = ${JSON.stringify(
    transformSync(text.replace(/\\n/g, '\n').replace(/\n\/\/# source.*/, ''), { minify: true, target: 'es2020' }).code)};`],
  // Of a recording that was stopped it keeps what it observed: we stop often.
  [/^  mirror\.reset\(\);$/m, '$&\n  mutationBuffers.length = 0;'],
];
// What is blocked and what is masked is asked of our privacy.js, which sees
// beyond shadow roots and frames; a blocked frame is not looked into.
const body = (name, code) => [new RegExp(`^(function ${name}\\(.*\\) {\\n)[^]*?^}\\n`, 'm'), `$1${code}\n}\n`];
const OURS = [
  body('isBlocked', '  return Boolean(node) && blockSelector(node, checkAncestors);'),
  body('_isBlockedElement', '  return blockSelector(element);'),
  body('needMaskingText', '  return maskTextSelector(node, checkAncestors);'),
  [/if \(iframeDoc && onIframeLoad\) {/, 'if (iframeDoc && onIframeLoad && !isBlocked(n, blockClass, blockSelector, true)) {'],
  [/maskTextFn\(textContent2, index\.parentElement\(n\)\)/, 'maskTextFn(textContent2, n)'],
  [/maskTextFn\(value, closestElementOfNode\(m\.target\)\)/, 'maskTextFn(value, m.target)'],
];
const rewrite = (edits) => ({
  name: 'rewrite',
  setup: ({ onLoad }) => onLoad({ filter: /@rrweb.record.dist.record\.js$/ }, ({ path }) => ({
    contents: edits.reduce((text, [was, is]) => {
      if (text.search(was) < 0) throw new Error(`rrweb has changed: no ${was}`);
      return text.replace(was, is);
    }, readFileSync(path, 'utf8')),
  })),
});

/** For those who call rrweb's record as it is, */
export const lean = rewrite(LEAN);
/** and for our recorder. */
export const ours = rewrite([...LEAN, ...OURS]);
