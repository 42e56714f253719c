// What other servers have is fetched when the viewer says so, for one session
// until it is left, and then without a script of theirs or ours.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { assert, test, until } from './harness.mjs';

const T = 1767225600000;
const PIXEL = Buffer.from('R0lGODlhAQABAIAAAP8AAP8AACwAAAAAAQABAAACAkQBADs=', 'base64');

await test(async (rig) => {
  const asked = [];
  const server = http.createServer((req, res) => {
    asked.push(req);
    if (req.url.endsWith('.css')) res.writeHead(200, { 'content-type': 'text/css' }).end('#word{color:rgb(1,2,3)}');
    else if (req.url.endsWith('.gif')) res.writeHead(200, { 'content-type': 'image/gif' }).end(PIXEL);
    else res.writeHead(200, { 'content-type': 'text/html' }).end('<script>top.pwned=1</script>');
  }).listen(0, '127.0.0.1');
  await new Promise((r) => server.once('listening', r));
  const other = `http://127.0.0.1:${server.address().port}`;

  const el = (id, tagName, attributes, ...childNodes) => ({ type: 2, id, tagName, attributes, childNodes });
  const page = el(2, 'html', {}, el(3, 'head', {}, el(4, 'link', { rel: 'stylesheet', href: `${other}/a.css` }), el(5, 'script', { src: `${other}/a.js` }),
    el(6, 'link', { rel: 'preload', as: 'image', href: `${other}/pre.gif` })),
  el(7, 'body', {}, el(8, 'p', { id: 'word' }, { type: 3, id: 9, textContent: 'here' }), el(10, 'img', { src: `${other}/a.gif`, onload: 'top.pwned=1' }),
    el(11, 'iframe', { src: `${other}/frame` }), el(12, 'object', { data: `${other}/object` })));
  const file = join(rig.dir, 'remote.ndjson');
  writeFileSync(file, [{ type: 4, data: { href: `${other}/`, width: 800, height: 600 }, timestamp: T },
    { type: 2, data: { node: { type: 0, id: 1, childNodes: [page] }, initialOffset: { top: 0, left: 0 } }, timestamp: T + 1 },
    { type: 3, data: { source: 0, texts: [{ id: 9, value: 'there' }], attributes: [], removes: [], adds: [] }, timestamp: T + 2000 }]
    .map((e) => JSON.stringify(e)).join('\n') + '\n');
  const id = execFileSync('rr', ['import', file], { env: rig.env, encoding: 'utf8' }).trim();

  const viewer = await rig.browser.newContext({ viewport: { width: 1200, height: 800 } });
  const p = await viewer.newPage();
  p.on('dialog', (d) => rig.complaints.push(`dialog ${d.message()}`));
  /** The picture's width, the word's colour, the word. */
  const image = () => p.evaluate(() => {
    const inner = document.querySelector('iframe.player').contentDocument.querySelector('.stage:not([data-next]) iframe');
    const i = inner?.contentDocument.querySelector('img'), w = inner?.contentDocument.querySelector('#word');
    return i ? `${i.naturalWidth} ${inner.contentWindow.getComputedStyle(w).color} ${w.textContent}` : '';
  });
  const open = async () => {
    await p.goto(`${rig.view}/?id=${id}#t=500`);
    await p.waitForSelector('.stage[data-opened]');
    await p.keyboard.press(' ');
  };
  const text = 'Load pictures and styles';

  await open();
  await until('what is left out', async () => (await p.textContent('.left-out')).includes('other servers'));
  await p.click(`text=${text}`);
  await p.keyboard.press('Escape');
  assert.match(await image(), /^0 rgb\(0, 0, 0\)/);
  assert.deepEqual(asked.map((r) => r.url), [], 'nobody is asked unless the viewer says so');

  await p.click(`text=${text}`);
  await p.click('dialog >> text=/^Load$/');
  await until('the picture and the style', async () => /^1 rgb\(1, 2, 3\)/.test(await image()));
  assert.deepEqual(asked.map((r) => r.url).sort(), ['/a.css', '/a.gif'], 'no script, no frame, nothing in advance');
  assert.ok(asked.every((r) => r.headers.referer === undefined && r.headers.cookie === undefined));
  assert.match(await p.textContent('.left-out'), /Other servers are asked/);
  // It goes on where it was, and goes on playing.
  await p.keyboard.press('End');
  await until('the end', async () => (await image()).endsWith('there'));
  assert.equal(await p.evaluate(() => window.pwned), undefined);
  if (process.env.SHOTS) await p.screenshot({ path: join(process.env.SHOTS, 'remote.png') });

  await p.click('text=Ask them no more');
  await until('nothing of theirs', async () => /^0 rgb\(0, 0, 0\)/.test(await image()));

  // The next session, and this one once more, ask again.
  asked.length = 0;
  await p.goto(`${rig.view}/`);
  await open();
  await until('what is left out', async () => (await p.textContent('.left-out')).includes(text));
  assert.match(await image(), /^0 rgb/);
  assert.deepEqual(asked.map((r) => r.url), []);
  await viewer.close();
  server.close();
});
