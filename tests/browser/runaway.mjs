// Pages that are too much: one that changes thousands of times a second, one
// whose snapshot is larger than the buffer, one that nobody uses any more.
// rrweb is off while that is so; what comes after begins with a snapshot.
import http from 'node:http';
import { assert, test, until } from './harness.mjs';

const FLOOD = `<!doctype html><title>Flood</title><button id="b">0</button><table>${'<tr><td>0</td></tr>'.repeat(500)}</table><script>
  b.onclick = () => { b.textContent = +b.textContent + 1; };
  const cells = [...document.querySelectorAll('td')];
  let n = 0, begin = performance.now(), timer = setInterval(() => {
    const due = (performance.now() - begin) * 10;
    for (; n < due; n++) cells[n % cells.length].firstChild.data = n;
  }, 10);
  window.calm = () => clearInterval(timer);
  </script>`;
const LARGE = `<!doctype html><title>Large</title><input id="q"><div hidden>${
  Array.from({ length: 9000 }, (_, n) => `<p><b>${n}</b>${'long '.repeat(200)}</p>`).join('')}</div>`;
const TICKS = '<!doctype html><title>Ticks</title><p id="p">0</p><script>setInterval(() => { p.textContent = +p.textContent + 1; }, 1000);</script>';

await test(async (rig) => {
  const pages = { '/flood': FLOOD, '/large': LARGE, '/ticks': TICKS };
  const server = http.createServer((req, res) => {
    const page = pages[new URL(req.url, 'http://x').pathname];
    res.writeHead(page ? 200 : 404, { 'content-type': 'text/html' });
    res.end(page ? page.replace('<title>', `<script src="${rig.collect}/rr.js"></script><title>`) : 'no');
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  rig.demo = `http://127.0.0.1:${server.address().port}`;
  const visit = async (path) => {
    const visitor = await rig.visitor({ key: 'dev', collector: rig.collect });
    const p = await visitor.newPage();
    return { visitor, p, open: async () => {
      await p.goto(rig.demo + path);
      return until('a session', () => p.evaluate(() => rr.sessionId()), 60000);
    } };
  };
  /** The emitted events, in short: M meta, F snapshot, m mutation, ! flood. */
  const shape = (p) => p.evaluate(() => window.__emitted()[3].map((t) => {
    const text = t.replace(/^\d+ \d+ \d+ /, '');
    if (text.includes('"rr.flood"')) return '!';
    return text.startsWith('{"type":4') ? 'M' : text.startsWith('{"type":2') ? 'F'
      : text.startsWith('{"type":3,"data":{"source":0') ? 'm' : 'o';
  }).join(''));

  let { visitor, p, open } = await visit('/flood');
  let id = await open();
  await until('the flood to be seen', async () => (await shape(p)).includes('!'), 60000);
  const seen = (await shape(p)).split('!')[0];
  assert.match(seen, /^o*MF[mo]*m[mo]*$/, 'until then all is recorded');
  await p.click('#b');
  assert.equal(await p.textContent('#b'), '1', 'the page works');
  await p.evaluate(() => calm());
  await until('a snapshot after the rest', async () => /!.*MF/.test(await shape(p)), 90000);
  await p.click('#b');
  await until('the click', async () => /!.*MF.*m/.test(await shape(p)));
  const between = (await shape(p)).split('!')[1].split('MF')[0];
  assert.doesNotMatch(between.slice(20), /m/, 'nothing is recorded while it rests');
  await rig.compare(visitor, id);
  assert.equal(await p.evaluate(() => rr.status().dropped), 0);
  await visitor.close();

  // 9 MB: more than what may be held, but for snapshots.
  ({ visitor, p, open } = await visit('/large'));
  id = await open();
  await p.fill('#q', 'still works');
  await rig.compare(visitor, id);
  assert.match(await shape(p), /^o*MF[^MF]*$/, 'one snapshot');
  assert.deepEqual(await p.evaluate(() => [rr.status().dropped, rr.status().gaps]), [0, 0]);
  assert.ok(Object.values(rig.stored(id).tabs)[0].some((l) => l.length > 9e6));
  await visitor.close();

  // Five minutes without anybody: no mutations, but beats; then a snapshot.
  ({ visitor, p, open } = await visit('/ticks'));
  await p.clock.install();
  let beats = 0;
  visitor.on('request', (r) => { beats += /\/beat\?/.test(r.url()); });
  id = await open();
  const ticks = async () => (await shape(p)).split('m').length - 1;
  await p.clock.runFor(20000);
  const first = await ticks();
  assert.ok(first >= 15, `ticks are recorded: ${first}`);
  await p.clock.runFor(300000);
  const last = await ticks();
  assert.ok(last > first);
  await p.clock.runFor(60000);
  assert.equal(await ticks(), last, 'asleep');
  await p.clock.resume();
  const before = beats;
  await until('a beat', () => beats > before, 60000);
  assert.equal(await p.evaluate(() => rr.status().state), 'recording');
  await p.mouse.move(100, 100);
  await until('a snapshot on wake', async () => (await shape(p)).split('MF').length === 3);
  await until('a tick', async () => await ticks() > last);
  assert.equal(await p.evaluate(() => rr.sessionId()), id);
  await rig.compare(visitor, id);
  server.close();
});
