// A page of one's own: the examples of rr-recorder(7), and the browsers, frames
// and pages that it speaks of under "Where it runs".
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { assert, build, root, test, until } from './harness.mjs';

const esbuild = createRequire(join(root, 'lib/web/build.mjs'))('esbuild');
const manual = readFileSync(join(root, 'lib/rr-recorder.7'), 'utf8').split('.Sh EXAMPLES')[1];
const examples = [...manual.matchAll(/^\.Bd .*\n([^]*?)^\.Ed/gm)].map((m) => m[1]);

await test(async (rig) => {
  // Where pages are made, the module is loaded and does nothing.
  const said = execFileSync('node', ['--input-type=module', '-e', `import rr from ${JSON.stringify(join(build, 'web/rr.mjs'))};
    rr.init({ key: 'dev', collector: 'https://rec.example' }); rr.start(); rr.identify('42'); rr.event('x'); await rr.stop();
    console.log(rr.status().state, rr.sessionId());`], { encoding: 'utf8' });
  assert.equal(said, 'off null\n');

  const here = (text) => text.replaceAll('https://rec.example', rig.collect).replaceAll('KEY', 'dev');
  const [tag, module, consent, errors] = examples.map(here);
  assert.equal(examples.length, 4);
  writeFileSync(join(rig.dir, 'app.mjs'), module.replace('./rr.mjs', join(build, 'web/rr.mjs')));
  const [bundle] = esbuild.buildSync({ entryPoints: [join(rig.dir, 'app.mjs')], bundle: true, write: false, format: 'iife' }).outputFiles;

  const page = (head, body = '') => `<!doctype html><title>Mine</title>${head}<h1>Mine</h1><input id="i">${body}`;
  const script = `<script src="${rig.collect}/rr.js" data-key="dev"></script>`;
  const pages = {
    '/tag': page(tag),
    '/bundle': page('<script src="/app.js" defer></script>'),
    '/consent': page(consent),
    '/shop/errors': page(errors),
    '/shop/account': page(errors),
    '/plain': page(script),
    '/sandbox': page('', `<iframe sandbox="allow-scripts" srcdoc='${page(script)}'></iframe>`),
  };
  const server = http.createServer((req, res) => {
    const { pathname } = new URL(req.url, 'http://x');
    const [text, type] = pathname === '/app.js' ? [bundle.text, 'text/javascript']
      : pathname === '/sw.js' ? ['addEventListener("fetch", (e) => e.respondWith(fetch(e.request)));', 'text/javascript'] : [pages[pathname], 'text/html'];
    res.writeHead(text ? 200 : 404, { 'content-type': type }).end(text);
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  const site = `http://127.0.0.1:${server.address().port}`;
  writeFileSync(join(rig.dir, 'keys'), `dev ${site} null\n`);
  await rig.killCollector();
  await rig.startCollector('-k', join(rig.dir, 'keys'));
  const visit = async (path, before) => {
    const context = await rig.browser.newContext();
    if (before) await context.addInitScript(before);
    const p = await context.newPage();
    const sent = [];
    context.on('request', (r) => r.method() === 'POST' && r.url().startsWith(rig.collect) && sent.push(r.url()));
    await p.goto(site + path);
    return { context, p, sent };
  };
  const status = (p) => p.evaluate(() => window.rr && rr.status && rr.status());
  /** What is stored of a page, or frame, that something is typed into. */
  const recorded = async (p) => {
    await p.fill('#i', 'typed');
    const id = await until('a session', () => p.evaluate(() => window.rr && rr.sessionId && rr.sessionId()));
    await p.evaluate(() => rr.flush());
    const { tabs, directives } = rig.stored(id);
    const [lines] = Object.values(tabs);
    assert.ok(lines.some((l) => l.startsWith('{"type":2')) && lines.some((l) => l.includes('"*****"')), 'a snapshot, and what is typed');
    return { id, directives: directives.join('\n') };
  };

  for (const path of ['tag', 'bundle']) {
    const { context, p } = await visit('/' + path);
    const { directives } = await recorded(p);
    assert.match(directives, /^:(meta|open) .*"user":"42"/m, path);
    assert.match(directives, /"plan":"pro"/, path);
    await context.close();
  }

  let { context, p, sent } = await visit('/consent');
  assert.equal((await status(p)).why, 'waiting for consent');
  await p.fill('#i', 'before');
  assert.deepEqual(sent, []);
  await p.click('button');
  await recorded(p);
  await context.close();

  ({ context, p, sent } = await visit('/shop/account'));
  await until('the script', () => status(p));
  assert.equal((await status(p)).why, 'not a page to record');
  await p.goto(site + '/shop/errors?q=pen&secret=1');
  assert.equal((await status(p)).why, 'no error yet');
  await p.evaluate(() => setTimeout(() => { throw new Error('the reason'); }));
  await recorded(p);
  assert.match(rig.complaints.splice(0).join(), /^Error: the reason$|^$/);
  await context.close();

  // Prepared in advance: not before it is shown. Without CompressionStream: plain.
  ({ context, p, sent } = await visit('/plain', () => {
    Object.defineProperty(document, 'prerendering', { configurable: true, get: () => !window.shown });
    delete window.CompressionStream;
  }));
  assert.equal((await status(p)).why, 'not shown yet');
  assert.deepEqual(sent, []);
  await p.evaluate(() => {
    window.shown = true;
    document.dispatchEvent(new Event('prerenderingchange'));
    document.querySelector('h1').title = 'long '.repeat(1000);
  });
  await recorded(p);
  assert.ok(sent.some((url) => url.includes('/lines?')) && !sent.some((url) => url.includes('gz=1')), sent.join());

  // A page that does not rest: what was recorded so far is stored soon enough.
  await p.evaluate(() => {
    window.busy = setInterval(() => { document.querySelector('h1').textContent = Math.random(); }, 10);
    return Promise.race([rr.flush(), new Promise((_, no) => setTimeout(no, 15000, new Error('flush() hangs')))]).finally(() => clearInterval(busy));
  });

  // Behind a service worker that passes on all requests.
  await p.evaluate(() => navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready));
  await p.goto(site + '/plain?again');
  await p.evaluate(() => { window.shown = true; document.dispatchEvent(new Event('prerenderingchange')); });
  await until('the worker', () => p.evaluate(() => !!navigator.serviceWorker.controller));
  await recorded(p);
  await context.close();

  // A frame without an origin has no storage, and a session of its own.
  ({ context, p } = await visit('/sandbox'));
  const frame = await until('the frame', () => p.frames()[1]);
  await recorded(frame);
  assert.equal((await frame.evaluate(() => rr.status())).error, '');
  await context.close();
  server.close();
});
