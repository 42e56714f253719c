// Recordings made to harm whoever watches them: nothing of them runs, nothing
// leaves the browser (not even the look-up of a name), nothing goes elsewhere,
// and what comes behind is drawn. In the dashboard, and in an exported page.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { ARGS, assert, replay, test, until } from './harness.mjs';

const T = 1767225600000;
const BAD = 'top.pwned=1;parent.pwned=1;parent.parent.pwned=1;window.pwned=1;alert(1);fetch(elsewhere)';
const DEPTH = 100000, FLOOD = 20000, LENGTH = 5e6, COMMANDS = 1e5;

const TAGS = ('a abbr address area article aside audio b base bdi blockquote body br button canvas caption center code col data datalist dd details dialog '
  + 'div dl dt em embed fieldset figure font footer form frame frameset h1 head header hr iframe img input ins kbd label legend li link main map mark '
  + 'marquee menu meta meter nav noscript object ol optgroup option output p param picture portal pre progress q ruby s samp script search section select '
  + 'slot source span style sub summary sup table tbody td template textarea tfoot th thead time title tr track u ul var video wbr x-custom '
  + 'fencedframe applet bgsound image isindex keygen layer plaintext xmp SCRIPT LINK IFRAME Meta').split(' ');
const SVG = ('svg a animate animateMotion animateTransform circle cursor defs feImage filter font-face-uri foreignObject g image linearGradient mask '
  + 'mpath pattern script set style symbol text textPath tref use view handler listener').split(' ');
const URLS = ('src href srcset data poster background action formaction cite longdesc usemap manifest archive codebase classid code profile icon lowsrc '
  + 'dynsrc ping attributionsrc imagesrcset xlink:href from to values by content srcdoc rel lang integrity nonce csp formtarget').split(' ');
const HANDLERS = ('abort animationend animationstart auxclick beforeinput beforematch begin blur canplay change click close command contextmenu copy dblclick '
  + 'drag drop end error focus focusin hashchange input invalid keydown load loadeddata loadedmetadata loadstart message mousedown mousemove mouseover '
  + 'offline pagehide pageshow paste play pointerdown pointerover popstate progress ratechange readystatechange repeat reset resize scroll scrollend '
  + 'securitypolicyviolation select slotchange start submit suspend timeupdate toggle touchstart transitionend unhandledrejection unload wheel').split(' ');
const RELS = ('stylesheet preconnect dns-prefetch prefetch prerender preload modulepreload icon manifest import alternate canonical next pingback '
  + 'search apple-touch-icon shortcut expect compression-dictionary').split(' ');

/** Nodes whose ids are told apart, and the events that hold them. */
function maker() {
  let id = 0, t = T;
  const el = (tagName, attributes = {}, ...childNodes) => ({ type: 2, tagName, attributes, childNodes, id: ++id });
  const text = (textContent) => ({ type: 3, textContent, id: ++id });
  const page = (head, body) => {
    const html = el('html', {}, el('head', {}, ...head), el('body', {}, ...body));
    t += 200;
    return [{ type: 4, data: { href: 'javascript:top.pwned=1', width: 800, height: 600 }, timestamp: t },
      { type: 2, data: { node: { type: 0, id: ++id, childNodes: [{ type: 1, name: 'html', publicId: '', systemId: '', id: ++id }, html] }, initialOffset: { top: 0, left: 0 } }, timestamp: t + 1 }];
  };
  const event = (data, type = 3) => ({ type, data, timestamp: t += 5 });
  const mutate = (what) => event({ source: 0, texts: [], attributes: [], removes: [], adds: [], ...what });
  return { el, text, page, event, mutate, next: () => ++id };
}

const PAINT = [{ property: 'fillStyle', args: ['red'], setter: true }, { property: 'fillRect', args: [0, 0, 40, 30] }];

/** What a canvas could be told: nothing of it is to be drawn, called, set or asked for. */
function hostileCanvas(id, out) {
  const image = (src) => ({ rr_type: 'HTMLImageElement', src }), bitmap = (base64, type) => ({ rr_type: 'ImageBitmap', args: [{ rr_type: 'Blob', data: [{ rr_type: 'ArrayBuffer', base64 }], type }] });
  const escape = `AA==")}*{background:url("${out('escape')}`;
  const draw = [image(out('draw')), out('draw'), image(`data:image/png;base64,${escape}`), bitmap(escape, 'image/png'), bitmap('AAAA', `image/png;base64,");url(${out('type')}`),
    bitmap('AAAA', 'image/svg+xml'), image('javascript:top.pwned=1'), { rr_type: 'Function', args: [BAD] }, { rr_type: 'HTMLImageElement', index: 0 }, null, {}];
  const commands = [...['constructor', '__proto__', 'canvas', '__defineGetter__', 'toString', 'hasOwnProperty', 'valueOf'].flatMap((property) =>
    [{ property, args: [BAD] }, { property, args: [{ pwned: 1 }], setter: true }]),
  ...draw.map((source) => ({ property: 'drawImage', args: [source, 0, 0] })), null, 5, 'x', [], {}, { property: {}, args: {} },
  ...['filter', 'fillStyle', 'font', 'shadowColor'].map((property) => ({ property, args: [`url(${out(property)})`], setter: true })), { property: 'font', args: ['9px spy'], setter: true },
  { property: 'fillText', args: ['x'.repeat(17000), 0, 0] }, { property: 'fill', args: [{ rr_type: 'Function', args: [BAD] }] }, { property: 'scale', args: [{ valueOf: BAD }, 1] },
  { property: 'putImageData', args: [{ rr_type: 'ImageData', args: [{ rr_type: 'Uint8ClampedArray', args: [[1]] }, 1e9, 1e9] }, 0, 0] }, { property: 'setLineDash', args: [{ length: 1e9 }] },
  { property: 'shadowBlur', args: [1e300], setter: true }];
  const event = (more) => ({ source: 9, id, type: 0, ...more });
  return [...draw.map((source) => event({ commands: [{ property: 'clearRect', args: [0, 0, 40, 30] }, { property: 'drawImage', args: [source, 0, 0] }] })),
    event({ commands }), ...[null, 7, {}, 'x'].map((commands) => event({ commands, property: 'constructor', args: BAD })),
    ...[1, 2, '0', null].map((type) => event({ type, commands: PAINT }))];
}

/** Everything that a page could try: `out(name)` gives another address each time. */
function corpus(out) {
  const { el, text, page, event, mutate, next } = maker();
  const schemes = (tag) => [out(tag), out(tag).slice(5), `javascript:${BAD}`, `JaVaScRiPt:${BAD}`, ` java\tscript:${BAD}`, `data:text/html,<script>${BAD}</script>`,
    `data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" onload="${BAD}"/>`, `vbscript:${BAD}`, 'file:///etc/passwd', `view-source:${out(tag)}`, `blob:${out(tag)}`,
    `filesystem:${out(tag)}`, out(tag).replace('http', 'ws'), out(tag).replace('http', 'ftp'), `feed:${out(tag)}`];
  let turn = 0;
  const handlers = () => Object.fromEntries(['load', 'error', ...HANDLERS.filter((_, n) => (n + turn) % 6 === 0)].map((name) => [turn++ % 2 ? `on${name}` : `ON${name.toUpperCase()}`, BAD]));
  const all = (tag, url) => ({ ...Object.fromEntries(URLS.map((name) => [name, url])), ...handlers(), style: `background:url("${url}");list-style:url(${url})`,
    autofocus: '', autoplay: '', open: '', target: '_top', method: 'post', type: 'image', tabindex: '0', contenteditable: '', srcdoc: `<script>${BAD}</script><img src="${url}">`,
    'http-equiv': 'refresh', _cssText: `@import "${url}";`, rr_dataURL: url, rr_src: url, rr_mediaState: 'played', rr_mediaVolume: 7, rr_mediaCurrentTime: -1, begin: '0s', attributeName: 'href' });
  const pages = [];
  const body = [], vectors = [];
  for (const [i, tag] of [...TAGS, ...SVG].entries()) {
    const svg = i >= TAGS.length;
    // Every scheme in every attribute of every element, some of them at a time.
    const list = schemes(tag).filter((_, n) => (n + i) % 5 === 0 || n === 0);
    for (const url of list) {
      const node = el(tag, all(tag, url), text(tag));
      if (svg) node.isSVG = true;
      vectors.push(node);
    }
  }
  body.push(el('svg', { onload: BAD }, ...vectors.filter((n) => n.isSVG)));
  body.at(-1).isSVG = true;
  pages.push(...page([], [...body, ...vectors.filter((n) => !n.isSVG), el('p', { id: 'end' }, text('all'))]));

  // Styles: what is loaded, and what tells of what was typed.
  const url = (n) => `url("${out(`css${n}`)}")`;
  const css = [`@import ${url(1)};`, `@import "${out('css2')}" screen;`, `@font-face{font-family:spy;src:${url(3)};unicode-range:U+61}`, `p,input{font-family:spy}`,
    ...['background', 'list-style-image', 'border-image-source', 'cursor', 'content', 'mask-image', '-webkit-mask-image', 'filter', 'clip-path', 'shape-outside',
      'mask-border-source', '-webkit-box-reflect', 'offset-path', 'marker-start', 'fill', 'stroke', 'src', 'behavior', '-moz-binding']
      .map((name, n) => `.c${n},p::before{${name}:${name === '-webkit-box-reflect' ? 'below 0 ' : ''}${url(10 + n)}${name === 'cursor' ? ',auto' : ''}}`),
    `p::after{content:image-set(${url(40)} 1x)}`, `p{background:-webkit-cross-fade(${url(41)},${url(42)},50%)}`,
    ...'abcdefghijklmnopqrstuvwxyz'.split('').map((c) => `input[value^="${c}"]{background:${url(c)}}`),
    `input:focus{background:${url(43)}}`, `html:has(input[value]){background:${url(44)}}`, `@namespace ${url(45)};`, `@document ${url(46)}{p{color:red}}`,
    `p{--x:${url(47)};background:var(--x)}`, `:root{background:paint(x)}`, `@media all{@supports (a:b) or (color:red){p{background:${url(48)}}}}`, `p{width:expression(${BAD})}`];
  const style = el('style', {}, Object.assign(text(css.join('\n')), { isStyle: true }));
  const inline = el('style', { _cssText: css.join('') });
  const input = el('input', { value: 'abc', autofocus: '', onfocus: BAD });
  const p = el('p', {}, text('aaa'));
  pages.push(...page([style, inline, el('link', { rel: 'stylesheet', href: out('sheet'), _cssText: css.join('') })], [p, input, ...css.map((_, n) => el('i', { class: `c${n}` }, text('a')))]),
    event({ source: 8, id: style.id, adds: css.map((rule) => ({ rule })) }), event({ source: 8, id: style.id, replaceSync: css.join(''), replace: css.join('') }),
    event({ source: 15, id: 1, styleIds: [1], styles: [{ styleId: 1, rules: css.map((rule) => ({ rule })) }] }),
    event({ source: 13, id: style.id, index: [0], set: { property: 'background', value: url(49) } }),
    event({ source: 10, family: 'spy2', fontSource: `url(${out('font')})`, buffer: false, descriptors: {} }),
    event({ source: 5, id: input.id, text: 'zzz', isChecked: false }),
    mutate({ attributes: [{ id: p.id, attributes: { style: { background: [url(50), 'important'], 'font-family': 'spy2' } } }, { id: style.id, attributes: { _cssText: css.join('') } }] }));

  // Links, metas, a base: in all cases of letters, at once and afterwards.
  const links = RELS.flatMap((rel) => [el('link', { rel, href: out(rel), as: 'script', imagesrcset: `${out(rel)} 2x` }), el('LINK', { REL: rel.toUpperCase(), HREF: out(rel) }),
    el('link', { rel: `x ${rel}`, href: out(rel) })]);
  const blank = el('link', { href: out('late') }), frame = el('iframe', {}), meta = el('meta', {}), area = el('a', {}, text('a'));
  pages.push(...page([el('base', { href: out('base'), target: '_top' }), ...['refresh', 'Refresh', 'set-cookie', 'x-dns-prefetch-control', 'content-security-policy', 'origin-trial', 'accept-ch', 'delegate-ch']
    .flatMap((name) => [`0;url=${out('meta')}`, 'on', `default-src *; report-uri ${out('report')}`].map((content) => el('meta', { 'HTTP-EQUIV': name, 'http-equiv': name, content }))), ...links, blank, meta],
  [frame, area, el('a', { href: out('anchor'), ping: out('ping') }, text('a'))]),
  mutate({ attributes: [...RELS.map((rel) => ({ id: blank.id, attributes: { rel, href: out('later') } })), { id: frame.id, attributes: { src: out('frame'), srcdoc: `<img src=${out('srcdoc')}>` } },
    { id: meta.id, attributes: { 'http-equiv': 'refresh', content: `0;url=${out('meta2')}` } }, { id: area.id, attributes: { href: out('anchor2'), onclick: BAD } },
    { id: frame.id, attributes: { SRC: `javascript:${BAD}` } }] }),
  mutate({ adds: [...TAGS, 'script'].map((tag) => ({ parentId: area.id, nextId: null, node: el(tag, all(tag, out(`add-${tag}`))) })) }));

  // Frames in frames, each with a document of its own.
  const outer = el('iframe', { src: out('outer'), sandbox: 'allow-scripts allow-same-origin allow-top-navigation', allow: '*', onload: BAD });
  pages.push(...page([], [outer]));
  let parent = outer.id;
  for (let depth = 0; depth < 20; depth++) {
    const rootId = next();
    const inner = el('iframe', { src: out('inner'), srcdoc: `<script>${BAD}</script>`, sandbox: 'allow-scripts' });
    const html = el('html', {}, el('head', {}, el('script', { src: out('script') }, text(BAD)), el('style', { _cssText: css.join('') })), el('body', { onload: BAD }, el('img', { src: out('img'), onerror: BAD }), inner));
    const set = (n) => Object.assign(n, { rootId }) && n.childNodes && n.childNodes.forEach(set);
    set(html);
    pages.push(event({ source: 0, texts: [], attributes: [], removes: [], isAttachIframe: true, adds: [{ parentId: parent, nextId: null, node: { type: 0, childNodes: [html], id: rootId } }] }));
    parent = inner.id;
  }
  pages.push(event({ tag: `<img src=${out('custom')} onerror=${BAD}>`, payload: { a: `<script>${BAD}</script>` } }, 5),
    event({ plugin: 'rrweb/console@1', payload: { level: 'error', trace: [], payload: [`"<img src=${out('console')} onerror=${BAD}>"`] } }, 6));

  // Events that are none, and what rrweb would stumble over.
  const word = text('hostile'), host = el('p', { id: 'word' }, word);
  const odd = [null, 5, 'x', [], {}, true, { id: null }, { id: '__proto__' }, { id: host.id }, { positions: [] }, { positions: [null] }, { positions: [{ x: 'NaN', y: {}, id: host.id }] },
    { adds: [null, {}, { node: null }, { node: { type: 99 } }, { parentId: host.id, nextId: null, node: { type: 2, tagName: 'constructor', id: next() } }], removes: 7, texts: [{}], attributes: [{ id: host.id }] },
    { id: host.id, ranges: [{}] }, { id: host.id, type: 99, x: 1e308, y: -1e308 }, { id: host.id, x: {}, y: [] }, { width: 1e308, height: 1e308 }, { width: -1, height: 'x' },
    { id: host.id, property: 'constructor', args: [], commands: [{ property: '__proto__', args: ['x'] }] }, { styleIds: [{}], styles: [null], id: 1 }, { family: {}, fontSource: {} }];
  const board = el('canvas', { id: 'board', width: '40', height: '30' });
  pages.push(...page([], [host, board, el('constructor', {}), el('a b', {}), el('', {}), { type: 2, id: next() }, { type: 2, tagName: 'link', id: next() }, { type: 77, id: next() }, null,
    Object.assign(el('input', { value: { toString: 1 }, rr_width: { toString: 1 } }), { isShadowHost: true }), Object.assign(el('font-face', {}), { isCustom: true }),
    Object.assign(el('x-ok', {}), { isCustom: true }), el('video', { rr_mediaVolume: 99, rr_mediaCurrentTime: 'x', rr_mediaPlaybackRate: 1e9, rr_mediaState: 'played' }), el('div', { rr_mediaState: 'played' }),
    { type: 1, name: '<>', publicId: 3, id: next() }]));
  for (const data of [...hostileCanvas(board.id, out), { source: 0, texts: [], removes: [], adds: [], attributes: [{ id: board.id, attributes: { width: '1e9', height: 99999 } }] },
    ...hostileCanvas(board.id, out), { source: 0, texts: [], removes: [], adds: [], attributes: [{ id: board.id, attributes: { width: '40', height: '30' } }] },
    ...hostileCanvas(board.id, out), { source: 9, id: board.id, type: 0, commands: PAINT }]) pages.push(event(data));
  for (let source = -1; source < 19; source++) for (const data of odd) pages.push(event(data && typeof data === 'object' && !Array.isArray(data) ? { ...data, source } : data));
  for (const type of [-1, 0, 1, 2, 4, 5, 6, 7, 42, '3', null]) for (const data of odd) pages.push(event(data, type));
  const lines = pages.map((e) => JSON.stringify(e));
  const last = mutate({ texts: [{ id: word.id, value: 'survived' }] });
  const raw = `{"type":3,"__proto__":{"pwned":1},"data":{"source":0,"__proto__":{"pwned":1},"texts":[],"removes":[],"adds":[],"attributes":[{"id":${host.id},"attributes":{"__proto__":"x","constructor":"y","a":"b"}}]},"timestamp":`;
  for (const t of ['"x"', 'null', '{}', String(last.timestamp)]) lines.push(`${raw}${t}}`);
  return [...lines, JSON.stringify({ ...last, timestamp: last.timestamp + 5 })];
}

const doc = (inside) => [{ type: 4, data: { href: 'http://x.example/', width: 800, height: 600 }, timestamp: T },
  `{"type":2,"data":{"node":{"type":0,"id":1,"childNodes":[{"type":2,"tagName":"html","attributes":{},"id":2,"childNodes":[{"type":2,"tagName":"body","attributes":{},"id":3,"childNodes":[`
  + `{"type":2,"tagName":"p","attributes":{"id":"word"},"id":4,"childNodes":[{"type":3,"textContent":"hostile","id":5}]}${inside}]}]}]},"initialOffset":{"top":0,"left":0}},"timestamp":${T + 1}}`]
  .map((e) => typeof e === 'string' ? e : JSON.stringify(e));
const survived = (at) => JSON.stringify({ type: 3, data: { source: 0, texts: [{ id: 5, value: 'survived' }], attributes: [], removes: [], adds: [] }, timestamp: T + at });
const mutation = (what, at) => JSON.stringify({ type: 3, data: { source: 0, texts: [], attributes: [], removes: [], adds: [], ...what }, timestamp: T + at });

const nested = (depth) => doc(`,${Array.from({ length: depth }, (_, i) => `{"type":2,"tagName":"b","attributes":{},"id":${i + 10},"childNodes":[`).join('')}${']}'.repeat(depth)}`);
const branch = (id, parentId) => ({ parentId, nextId: null, node: { type: 2, tagName: 'i', attributes: {}, childNodes: [], id } });

/** As deep as is stored, and deeper: by one mutation, and by many. */
const deep = () => [...nested(240),
  mutation({ adds: Array.from({ length: 3000 }, (_, i) => branch(1e6 + i, i ? 1e6 + i - 1 : 3)).reverse() }, 100),
  ...Array.from({ length: 3000 }, (_, i) => mutation({ adds: [branch(2e6 + i, i ? 2e6 + i - 1 : 249)] }, 200 + i / 10)),
  survived(1000)];

/** As many as can be in one second, the half of them at one time. */
const flood = () => [...doc(''), ...Array.from({ length: FLOOD }, (_, i) => i % 2 ? mutation({ texts: [{ id: 5, value: `x${i}` }] }, 300)
  : JSON.stringify({ type: 3, data: { source: 1, positions: [{ x: i % 800, y: i % 600, id: 4, timeOffset: 0 }] }, timestamp: T + i / FLOOD * 1000 })).sort((a, b) => JSON.parse(a).timestamp - JSON.parse(b).timestamp), survived(1000)];

/** Times that no clock has: beside others in a batch, and alone in some. */
const clocks = () => {
  const at = (t) => mutation({}, 0).replace(/\d+}$/, `${t}}`);
  return [[...doc(''), ...['1e308', '-1e308', '1e400', '-1', '0', '1e15', '99999999999999999999', '0.1', '-0'].map(at), ...Array.from({ length: 9 }, () => mutation({}, 100))],
    [at('0')], [mutation({}, 200)], [at('100000000000000')], [at('-1')], [survived(1000)]]
    .flatMap((lines, i) => [`:batch tab=1 batch=${i + 1}`, ...lines, ':end']);
};

/** One attribute; and what one event draws. */
const enormous = () => [...doc(`,{"type":2,"tagName":"i","attributes":{"title":"${'x'.repeat(LENGTH)}","${'y'.repeat(100000)}":""},"id":9,"childNodes":[]},`
  + '{"type":2,"tagName":"canvas","attributes":{"width":4096,"height":4096},"id":10,"childNodes":[]}'),
  JSON.stringify({ type: 3, data: { source: 9, id: 10, type: 0, commands: Array(COMMANDS).fill({ property: 'fillRect', args: [0, 0, 4096, 4096] }) }, timestamp: T + 100 }), survived(1000)];

await test(async (rig) => {
  // Whoever connects is seen here; a name that is looked up, in the browser's own log.
  const knocks = [];
  const server = net.createServer((s) => {
    s.on('data', (text) => { knocks.push(String(text).split('\r\n')[0]); s.destroy(); }).on('error', () => {});
    knocks.push('a connection');
  }).listen(0, '127.0.0.1');
  await new Promise((r) => server.once('listening', r));
  const { port } = server.address();
  let vectors = 0;
  const out = (name) => `http://v${++vectors}-${name.replace(/[^a-z0-9]/gi, '').toLowerCase()}.spy.test:${port}/`;
  const log = join(rig.dir, 'net.json');
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: [...ARGS, `--log-net-log=${log}`, '--host-resolver-rules=MAP *.spy.test 127.0.0.1'] });
  const viewer = await browser.newContext({ viewport: { width: 1200, height: 800 } });
  viewer.on('weberror', (e) => rig.complaints.push(String(e.error())));
  const ours = (url) => url.startsWith(rig.view) || /^(file|data|blob|about|chrome-error):/.test(url) || url === '';
  const watch = (page) => {
    // What is stopped within the browser has a word for why; the network's errors are net::.
    page.on('response', (r) => ours(r.url()) || rig.complaints.push(`asked for ${r.url()}`));
    page.on('requestfailed', (r) => !r.failure().errorText.startsWith('net::') || ours(r.url()) || rig.complaints.push(`asked for ${r.url()} ${r.failure().errorText}`));
    page.on('websocket', (w) => rig.complaints.push(`socket ${w.url()}`));
    page.on('dialog', (d) => { rig.complaints.push(`dialog ${d.message()}`); d.dismiss(); });
    page.on('popup', (p) => rig.complaints.push(`window ${p.url()}`));
    page.on('download', (d) => rig.complaints.push(`download ${d.url()}`));
    page.on('crash', () => rig.complaints.push('the page crashed'));
    page.on('framenavigated', (f) => ours(f.url()) || rig.complaints.push(`went to ${f.url()}`));
    return page;
  };
  /** It answers, and nothing ran in any of its frames. */
  const unharmed = async (page, what) => {
    for (const frame of page.frames()) {
      if (!frame.url() || frame.url().startsWith('chrome-error:')) continue;
      assert.equal(await frame.evaluate(() => [window.pwned, {}.pwned].find((x) => x)), undefined, `${what}: ${frame.url()}`);
    }
    assert.equal(await page.locator('.inspector img, .inspector script').count(), 0);
  };
  const word = (document) => document.querySelector('#word')?.textContent;
  /** The canvas of the corpus, in a player's document. */
  const painted = () => {
    const { contentDocument: page, contentWindow: inside } = document.querySelector(':is(.stage:not([data-next]), .layer:not(.next)) .replayer-wrapper > iframe');
    const want = document.createElement('canvas'), board = page.querySelector('#board');
    [want.width, want.height] = [40, 30];
    const context = want.getContext('2d');
    context.fillStyle = 'red';
    context.fillRect(0, 0, 40, 30);
    return board && inside.getComputedStyle(board).content === `url("${want.toDataURL()}")`;
  };
  // What is nested so deep is not stored at all; a million is longer than a line may be.
  const abyss = join(rig.dir, 'abyss.ndjson');
  writeFileSync(abyss, nested(DEPTH).join('\n') + '\n');
  assert.throws(() => execFileSync('rr', ['import', abyss], { env: rig.env, stdio: 'pipe' }), /nested more than 512 deep/);
  const cases = { corpus: corpus(out), deep: deep(), flood: flood(), enormous: enormous(), clocks: clocks() };
  const told = { corpus: /frames of other pages.* canvases not drawn in full/, enormous: /1 canvas not drawn in full/, deep: /elements? nested too deep/ };
  for (const [name, lines] of Object.entries(cases)) {
    const began = Date.now();
    const file = join(rig.dir, `${name}.ndjson`);
    writeFileSync(file, lines.join('\n') + '\n');
    const id = execFileSync('rr', ['import', file], { env: rig.env, encoding: 'utf8' }).trim();

    const page = watch(await viewer.newPage());
    await page.goto(`${rig.view}/?id=${id}#t=0`);
    await page.waitForSelector('.stage[data-opened]', { timeout: 120000 });
    const player = await replay(page);
    await page.keyboard.press(' ');
    await until(`${name}, played`, () => player.see(word).then((t) => t === 'survived'), 120000);
    // And sought, from the end backwards.
    for (const key of ['9', '6', '3', '1', 'Home']) await page.keyboard.press(key);
    if (told[name]) await until(`${name}: what was left out`, async () => told[name].test(await page.textContent('.left-out')));
    await page.keyboard.press('End');
    if (name === 'clocks') assert.match(await page.textContent('.time'), /^0:01 \/ 0:01$/);
    await until(`${name}, sought`, () => player.see(word).then((t) => t === 'survived'), 60000);
    if (name === 'corpus') await until('what is drawn on its canvas', () => player.frame.evaluate(painted));
    await player.see((d) => {
      for (const a of d.querySelectorAll('a, area, button, input, summary')) a.click?.();
      for (const f of d.forms) f.submit?.();
    });
    for (const view of ['console', 'raw', 'details', 'activity']) await page.click(`#view-${view}`);
    await unharmed(page, name);
    assert.ok(page.url().startsWith(rig.view));
    await page.close();
    const dashboard = Date.now() - began;

    const saved = join(rig.dir, `${name}.html`);
    execFileSync('rr', ['export', '--html', id, saved], { env: rig.env });
    const alone = watch(await viewer.newPage());
    await alone.goto(pathToFileURL(saved).href);
    await until(`${name}, the page`, () => alone.evaluate(() => document.body.dataset.state === 'ready'), 60000);
    const drawn = () => alone.evaluate(() => document.querySelector('.layer:not(.next) iframe').contentDocument.querySelector('#word')?.textContent);
    const tells = () => told[name] && until(`${name}: what was left out, alone`, async () => told[name].test(await alone.textContent('.left')));
    if (name === 'corpus') await tells();
    await alone.keyboard.press(' ');
    await until(`${name}, played alone`, async () => await drawn() === 'survived', 120000);
    if (name !== 'corpus') await tells();
    else await until('what is drawn on its canvas, alone', () => alone.evaluate(painted));
    await unharmed(alone, `${name}, alone`);
    await alone.close();
    console.log(`# ${name}: ${lines.length} events, dashboard ${dashboard} ms, alone ${Date.now() - began - dashboard} ms`);
  }
  await browser.close();
  const seen = readFileSync(log, 'utf8');
  assert.ok(seen.includes(rig.view), 'the log has what was asked for');
  assert.deepEqual([...new Set(seen.match(/[\w-]+\.spy\.test/g))], [], 'names that were looked up');
  assert.deepEqual(knocks, []);
  server.close();
  console.log(`# ${vectors} addresses`);
});
