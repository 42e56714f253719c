// Bundles the recorder and the dashboard: node build.mjs OUTDIR
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { lean, ours } from './rrweb.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2];
if (!out) {
  console.error('usage: node build.mjs OUTDIR');
  process.exit(64);
}
mkdirSync(out, { recursive: true });
const HASHED = /\.[0-9a-f]{8}\.(js|css)(\.gz)?$/;
for (const file of readdirSync(out)) if (HASHED.test(file)) rmSync(join(out, file));
const sha256 = (text, form) => createHash('sha256').update(text).digest(form);

const version = (name) => JSON.parse(readFileSync(join(here, name, 'package.json'), 'utf8')).version;
const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  charset: 'utf8',
  target: ['es2020'],
  legalComments: 'none',
  logLevel: 'warning',
  define: {
    __VERSION__: JSON.stringify(version('.')),
    __RRWEB__: JSON.stringify(version('node_modules/@rrweb/record')),
  },
};

const recorder = { ...common, entryPoints: ['recorder/index.js'], sourcemap: true, plugins: [ours] };
await Promise.all([
  build({ ...recorder, outfile: join(out, 'rr.js'), format: 'iife' }),
  build({ ...recorder, outfile: join(out, 'rr.mjs'), format: 'esm' }),
  // For RePlaya's snippet; and for its own script, which asks for rrweb.
  build({ ...recorder, entryPoints: ['recorder/replaya.js'], outfile: join(out, 'recorder.js'), format: 'iife', sourcemap: false }),
  build({ ...recorder, stdin: { contents: 'export { record } from "@rrweb/record";', resolveDir: here },
    entryPoints: undefined, outfile: join(out, 'rrweb.min.js'), format: 'iife', globalName: 'rrweb', sourcemap: false,
    plugins: [lean] }),
]);
for (const file of ['export/local.html.csp', 'csp.txt', 'rr.d.ts', 'export/film.mjs'])
  copyFileSync(join(here, file), join(out, file.split('/').pop()));
copyFileSync(join(here, 'rr.d.ts'), join(out, 'rr.d.mts'));     // what TypeScript looks for beside rr.mjs
const packed = ['rr.js', 'rr.mjs', 'recorder.js', 'rrweb.min.js'];

// What the pages are made of has its hash in its name: a browser asks for it
// once, and an upgrade is never half of one and half of the other.
const text = Object.fromEntries(['dashboard/index.html', 'dashboard/player.html', 'export/local.html']
  .map((page) => [page.split('/').pop(), readFileSync(join(here, page), 'utf8')]));
const made = await Promise.all([
  build({ ...common, entryPoints: ['dashboard/app.js', 'dashboard/player.js', 'dashboard/app.css', 'dashboard/player.css'], outdir: out, format: 'esm', target: ['es2022'], write: false }),
  build({ ...common, entryPoints: { local: 'export/local.js' }, outdir: out, format: 'esm', target: ['es2022'], write: false }),
  build({ ...common, entryPoints: { local: 'export/player.css' }, outdir: out, target: ['es2022'], write: false }),
]);
for (const { path, contents } of made.flatMap(({ outputFiles }) => outputFiles)) {
  const name = path.split('/').pop();
  const hashed = name.replace('.', `.${sha256(contents, 'hex').slice(0, 8)}.`);
  writeFileSync(join(out, hashed), contents);
  packed.push(hashed);
  for (const page in text) text[page] = text[page].replace(`"${name}"`, `"${hashed}"`);
}

// What asks first is in the page, whose policy knows it.
const early = await build({ ...common, entryPoints: ['dashboard/early.js'], format: 'iife', target: ['es2022'], write: false });
const first = early.outputFiles[0].text;
const script = (code) => {
  // What would end or confuse the element that it is in.
  if (/<!--|<\/?script/i.test(code)) throw new Error('a script cannot stand in HTML');
  return `<script>${code}</script>`;
};
const mark = '<script src="early.js"></script>';
if (!text['index.html'].includes(mark)) throw new Error(`index.html has no ${mark}`);
text['index.html'] = text['index.html'].replace(mark, () => script(first));
const csp = readFileSync(join(here, 'csp.txt'), 'utf8');
writeFileSync(join(out, 'index.html.csp'), csp.replace("script-src 'self'", `$& 'sha256-${sha256(first, 'base64')}'`));

// The player for whoever lets one session load its pictures, styles and fonts
// from where they are: as sse-bridge sends it, and as the page itself says it.
const REMOTE = ['img', 'media', 'font', 'style'].map((kind) => new RegExp(`(${kind}-src [^;"]*)`));
const remotely = (said) => REMOTE.reduce((t, kind) => t.replace(kind, '$1 https: http:'), said);
for (const page in text) writeFileSync(join(out, page), text[page]);
writeFileSync(join(out, 'player-remote.html'), remotely(text['player.html']));
writeFileSync(join(out, 'player-remote.html.csp'), remotely(csp));

// Both servers send FILE.gz in the place of FILE.
for (const file of packed)
  writeFileSync(join(out, file + '.gz'), gzipSync(readFileSync(join(out, file)), { level: 9 }));

// The head of an exported recording: a page whose one script is in it, and
// whose policy allows that script and nothing from anywhere. The recording is
// put behind it, by rr-export.
const page = await build({ ...common, entryPoints: ['export/page.js', 'export/player.css'], outdir: out, format: 'iife', target: ['es2022'], write: false });
const [code, style] = ['.js', '.css'].map((ext) => page.outputFiles.find((f) => f.path.endsWith(ext)).text);
if (/<\//.test(style)) throw new Error('export: the style cannot stand in HTML');
const policy = `default-src 'none'; script-src 'sha256-${sha256(code, 'base64')}'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; media-src data: blob:; base-uri 'none'; form-action 'none'`;
writeFileSync(join(out, 'export.html'), `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta http-equiv="x-dns-prefetch-control" content="off">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Recording</title>
<style>${style}</style>
</head>
<body>
<noscript>This file plays a recording, which takes JavaScript.</noscript>
${script(code)}
`);

// Whose work is in the bundles, with their licences. rrweb's packages come
// without the file; its notice is that of its repository.
const rrweb = 'MIT License\n\nCopyright (c) 2018 Contributors (https://github.com/rrweb-io/rrweb/graphs/contributors)'
  + ' and SmartX Inc.\n\n' + readFileSync(join(here, '../../LICENSE'), 'utf8').replace(/^[\s\S]*?(?=Permission is hereby)/, '');
const lock = JSON.parse(readFileSync(join(here, 'package-lock.json'), 'utf8')).packages;
const notices = [];
for (const path of Object.keys(lock).sort()) {
  if (!path || /node_modules\/(@?esbuild\b|@types\/)/.test(path)) continue;
  const name = path.replace(/^.*node_modules\//, '');
  const file = readdirSync(join(here, path)).find((f) => /^licen[cs]e/i.test(f));
  if (!file && !/rrweb|rrdom/.test(name)) throw new Error(`${name} comes without a licence`);
  notices.push(`${name} ${lock[path].version}\n\n${file ? readFileSync(join(here, path, file), 'utf8').trim() : rrweb.trim()}\n`);
}
writeFileSync(join(out, 'licenses.txt'), notices.join(`\n${'-'.repeat(72)}\n\n`));
