// Exported pages, opened from file:// with nothing listening and the network
// watched: they play, and ask nobody for anything.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import net from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { accessible, assert, test, until } from './harness.mjs';

const data = new URL('../data/', import.meta.url).pathname;
const T = 1767225600000;
const run = (rig, name, args, options) => execFileSync(name, args, { env: rig.env, maxBuffer: 1 << 28, ...options });

/** A page that would connect to `out` in all ways that need no script. */
function hostile(out) {
  let id = 1;
  const el = (tagName, attributes = {}, ...childNodes) => ({ type: 2, tagName, attributes, childNodes, id: ++id });
  const text = (textContent) => ({ type: 3, textContent, id: ++id });
  const bad = 'parent.pwned=1;top.pwned=1;window.pwned=1';
  const frame = el('iframe', { src: `${out}/frame` });
  const node = { type: 0, id: 1, childNodes: [el('html', {}, el('head', {},
    ...['preconnect', 'dns-prefetch', 'Prefetch', 'stylesheet', 'icon', 'preload', 'prerender', 'manifest', 'modulepreload'].map((rel) => el('link', { rel, href: `${out}/${rel}`, as: 'image' })),
    el('script', {}, text(bad)), el('script', { src: `${out}/s` }), el('base', { href: out }),
    el('meta', { 'http-equiv': 'refresh', content: `0;url=${out}/refresh` }),
    el('style', { _cssText: `body{background:url(${out}/bg)} @import "${out}/css"; @font-face{font-family:x;src:url(${out}/f)} p{font-family:x}` })),
  el('body', { onload: bad }, el('p', {}, text('</script><b>hostile')), el('img', { src: `${out}/i`, onerror: bad }), el('img', { srcset: `${out}/2 2x` }),
    frame, el('iframe', { srcdoc: `<script>${bad}</script><img src="${out}/srcdoc">` }), el('object', { data: `${out}/o` }),
    el('embed', { src: `${out}/e` }), el('video', { src: `${out}/v`, poster: `${out}/p`, autoplay: '' })))] };
  return [
    { type: 4, data: { href: '</script><script>pwned=1</script>', width: 800, height: 600 }, timestamp: T },
    { type: 2, data: { node, initialOffset: { top: 0, left: 0 } }, timestamp: T + 10 },
    { type: 3, data: { source: 0, texts: [], removes: [], attributes: [
      { id: 4, attributes: { rel: 'preconnect', href: `${out}/later` } }, { id: frame.id, attributes: { src: `${out}/frame later` } }],
      adds: [{ parentId: 3, nextId: null, node: el('link', { rel: 'preconnect', href: `${out}/added` }) }] }, timestamp: T + 500 },
    { type: 3, data: { source: 2, type: 2, id: 5, x: 1, y: 1 }, timestamp: T + 2000 },
  ].map((e) => JSON.stringify(e)).join('\n') + '\n';
}

/** Two tabs, one of which lost a batch. */
function twoTabs() {
  const lines = [];
  const batch = (tab, n, ...events) => lines.push(`:batch tab=${tab} batch=${n}`, ...events.map((e) => JSON.stringify(e)), ':end');
  const page = (word, at) => [{ type: 4, data: { href: `https://shop.example/${word}`, width: 640, height: 480 }, timestamp: at },
    { type: 2, data: { node: { type: 0, id: 1, childNodes: [{ type: 2, tagName: 'html', attributes: {}, id: 2, childNodes: [{ type: 2, tagName: 'body', attributes: {}, id: 3,
      childNodes: [{ type: 2, tagName: 'h1', attributes: {}, id: 4, childNodes: [{ type: 3, textContent: word, id: 5 }] }] }] }] }, initialOffset: { top: 0, left: 0 } }, timestamp: at + 1 }];
  const say = (word, at) => ({ type: 3, data: { source: 0, texts: [{ id: 5, value: word }], attributes: [], removes: [], adds: [] }, timestamp: at });
  const click = (at) => ({ type: 3, data: { source: 2, type: 2, id: 4, x: 9, y: 9 }, timestamp: at });
  batch('a', 1, ...page('one', T), click(T + 1000));
  batch('b', 1, ...page('two', T + 5000), click(T + 5500));
  batch('b', 2, say('two again', T + 7000), click(T + 7000));
  batch('a', 3, click(T + 20000), say('one again', T + 20100), click(T + 20200));
  return lines.join('\n') + '\n';
}

await test(async (rig) => {
  const put = (name, text) => {
    const file = join(rig.dir, name);
    writeFileSync(file, text);
    return file;
  };
  const keep = (file) => run(rig, 'rr', ['import', file], { encoding: 'utf8' }).trim();
  const page = (id, name, status = 0) => {
    const file = join(rig.dir, name);
    try {
      run(rig, 'rr', ['export', '--html', id, file], { stdio: 'pipe' });
      assert.equal(status, 0);
    } catch (e) {
      assert.equal(e.status, status, String(e.stderr || e));
    }
    return file;
  };
  // Whoever connects anywhere is seen: here, and by the browser's own word.
  const knocks = [], asked = [];
  const server = net.createServer((s) => {
    const n = knocks.push('a connection') - 1;
    s.on('data', (text) => { knocks[n] = String(text).split('\n')[0]; s.destroy(); }).on('error', () => {});
  }).listen(0, '127.0.0.1');
  await new Promise((r) => server.once('listening', r));
  const out = `http://127.0.0.1:${server.address().port}`;
  const viewer = await rig.watcher();
  const open = async (file) => {
    const p = await viewer.newPage();
    // What the policy stopped was asked for within the browser only.
    p.on('response', (r) => /^(file|data|blob|about):/.test(r.url()) || asked.push(r.url()));
    p.on('requestfailed', (r) => r.failure().errorText === 'csp' || asked.push(`${r.url()} ${r.failure().errorText}`));
    p.on('websocket', (w) => asked.push(w.url()));
    p.on('dialog', () => asked.push('a dialog'));
    await p.goto(pathToFileURL(file).href);
    await p.waitForFunction(() => document.body.dataset.state !== 'reading');
    assert.equal(await p.evaluate(() => document.body.dataset.state), 'ready', await p.evaluate(() => document.querySelector('.note').textContent));
    return p;
  };
  const drawn = (p) => p.evaluate(() => document.querySelector('.layer:not(.next) iframe').contentDocument.body.innerText.trim());
  const time = (p) => p.evaluate(() => +document.querySelector('.slider').value);

  // A real recording of four pages: each is there, and it plays to its end.
  const four = readFileSync(join(data, 'real-hogflix-four-pages.ndjson'));
  const id = keep(join(data, 'real-hogflix-four-pages.ndjson'));
  const file = page(id, 'four.html');
  const back = keep(file);
  assert.ok(run(rig, 'rr', ['cat', back]).equals(four), 'imported from the page');
  let p = await open(file);
  const events = four.toString().trim().split('\n').map((l) => JSON.parse(l));
  const first = events[0].timestamp, last = events.at(-1).timestamp;
  assert.deepEqual(await p.evaluate(() => [recording.first, recording.last, recording.gaps]), [first, last, 0]);
  for (const [i, e] of events.entries())
    if (e.type === 4) {
      const snapshot = events.slice(i).find((x) => x.type === 2);
      const words = JSON.stringify(snapshot).match(/"textContent":"[^"\\]*Hogflix[^"\\]*"/i);
      await p.evaluate((t) => recording.seek(t), snapshot.timestamp);
      const html = await p.evaluate(() => document.querySelector('.layer:not(.next) iframe').contentDocument.documentElement.outerHTML);
      assert.ok(words && html.includes('ogflix'), `a page at ${snapshot.timestamp - first}`);
    }
  await p.keyboard.press('0');
  await p.selectOption('select', '16');
  await p.keyboard.press(' ');
  await until('it to move', async () => await time(p) > 0);
  await until('its end', async () => await time(p) === Math.max(1, last - first) && await p.getAttribute('.controls .tool', 'aria-label') === 'Play (space)', 60000);

  // The dashboard gives the same page.
  const dash = await viewer.newPage();
  await dash.goto(`${rig.view}/?id=${id}`);
  const [saved] = await Promise.all([dash.waitForEvent('download'), dash.click('[aria-label="Save as a page"]')]);
  assert.equal(saved.suggestedFilename(), `${id}.html`);
  assert.equal(readFileSync(await saved.path(), 'utf8'), readFileSync(file, 'utf8'));
  await dash.close();

  // Tabs, a gap, what is idle.
  const tabs = page(keep(put('tabs.lines', twoTabs())), 'tabs.html', 3);
  p = await open(tabs);
  assert.equal(await drawn(p), 'one');
  await p.keyboard.press('ArrowRight');
  await until('the other tab', async () => await drawn(p) === 'two');
  await p.focus('.slider');
  await p.keyboard.press('End');
  await until('the end', async () => await drawn(p) === 'one again');
  await p.click('[title="Only tab 2"]');
  await until('the second tab', async () => await drawn(p).then((t) => t.startsWith('two')));
  await p.click('.gaps button');
  assert.equal(await p.textContent('.gaps button'), '0:01 Missing here: batch 2 (lost)');
  assert.equal(await p.locator('.track .gap').count(), 1);
  await p.click('text=Follow');
  await p.evaluate(() => recording.seek(recording.first + 7100));
  assert.equal(await drawn(p), 'two again');
  await p.click('.controls > .tool');
  await p.waitForSelector('.badge:not([hidden])');
  assert.match(await p.textContent('.badge'), /^Skipping \d+ s in which nobody did anything$/);
  await until('what comes behind it', async () => await drawn(p) === 'one again');

  // A hostile one.
  const evil = page(keep(put('evil.ndjson', hostile(out))), 'evil.html');
  p = await open(evil);
  assert.match(await drawn(p), /hostile/);
  await p.keyboard.press(' ');
  await until('its end', async () => await time(p) === 2000);
  assert.equal(await p.evaluate(() => window.pwned), undefined);

  // Packed events, and a page that is cut off.
  const packed = readFileSync(join(data, 'gen-packed-strings.ndjson'));
  const pack = page(keep(join(data, 'gen-packed-strings.ndjson')), 'packed.html');
  p = await open(pack);
  assert.ok((await drawn(p)).length > 0);
  const text = readFileSync(file, 'utf8').trimEnd();
  const cut = await viewer.newPage();
  await cut.goto(pathToFileURL(put('cut.html', text.slice(0, -2000) + '</script>\n')).href);
  await until('a word about it', async () => /cannot be played.*not be whole/.test(await cut.textContent('.note')));

  // The same files, and lines, plain or in gzip, opened in the dashboard: the
  // same player, and nothing but the dashboard's own files is asked for.
  const local = await viewer.newPage();
  const sent = [];
  local.on('request', (r) => r.method() === 'GET' && r.url().startsWith(rig.view) || /^(blob|data|about):/.test(r.url()) || sent.push(`${r.method()} ${r.url()}`));
  local.on('requestfailed', (r) => r.failure().errorText === 'csp' && sent.splice(sent.indexOf(`GET ${r.url()}`), 1));
  local.on('dialog', () => asked.push('a dialog'));
  await local.goto(rig.view);
  await local.waitForSelector('.files');
  await local.click('.top .open');
  await local.waitForSelector('.zone');
  await accessible(local, 'open a file');
  if (process.env.SHOTS) await local.screenshot({ path: join(process.env.SHOTS, 'open.png') });
  const inside = () => local.frames().find((f) => f.url() === `${rig.view}/local.html`);
  const plays = async (given, state = 'ready') => {
    await local.goto(`${rig.view}/?file`);
    await local.setInputFiles('.zone input', given);
    await local.waitForSelector('iframe.local');
    await until(`${given}: ${state}`, async () => await inside()?.evaluate(() => document.body.dataset.state) === state);
    return inside();
  };
  let f = await plays(file);
  assert.deepEqual(await f.evaluate(() => [recording.first, recording.last, recording.gaps]), [first, last, 0]);
  await local.keyboard.press('5');
  await until('the middle', async () => Math.abs(await time(f) - (last - first) / 2) < 2);
  await accessible(local, 'a file');
  if (process.env.SHOTS) await local.screenshot({ path: join(process.env.SHOTS, 'opened.png') });
  const at = last - 1000, html = (x) => x.evaluate((t) => recording.seek(t).then(() => document.querySelector('.layer:not(.next) iframe').contentDocument.documentElement.outerHTML), at);
  const want = await html(f);
  for (const given of [join(data, 'real-hogflix-four-pages.ndjson'), put('four.gz', gzipSync(four)), put('four.json', `[${events.map((e) => JSON.stringify(e)).join(',\n')}]`)])
    assert.equal(await html(await plays(given)), want, given);
  f = await plays(evil);
  assert.match(await drawn(f), /hostile/);
  await local.keyboard.press(' ');
  await until('its end', async () => await time(f) === 2000);
  for (const x of local.frames()) if (x.url() && !x.url().startsWith('chrome-error:')) assert.equal(await x.evaluate(() => window.pwned), undefined, x.url());
  for (const [name, text, why] of [['cut.gz', gzipSync(four).subarray(0, 3000), /not be whole/], ['a.html', '<!doctype html>\n<script>parent.pwned = 1</script>\n', /not be whole|no event/],
    ['a.txt', 'some text\n', /neither lines of events nor a page/], ['empty', '', /neither/], ['none', '{"a":1}\n', /no event in it/]]) {
    f = await plays(put(name, text), 'bad');
    assert.match(await f.textContent('.note'), why, name);
  }
  // Dropped on the list.
  await local.goto(rig.view);
  await local.waitForSelector('.files');
  await local.evaluate((text) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], 'dropped.ndjson'));
    for (const type of ['dragover', 'drop']) document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  }, four.toString());
  await until('that it plays', async () => await inside()?.evaluate(() => document.body.dataset.state) === 'ready');
  assert.equal(await html(inside()), want);
  await local.keyboard.press('Escape');
  await local.waitForSelector('.sessions a');
  assert.deepEqual(sent, [], 'sent by the dashboard');
  await local.close();

  await new Promise((r) => setTimeout(r, 500));
  assert.deepEqual(asked, [], 'requests');
  assert.deepEqual(knocks, [], 'connections');
  server.close();
});
