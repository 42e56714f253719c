// A page with a strict policy: the script by a nonce, requests to the collector,
// and nothing else. It is recorded, and the policy is not violated once. Canvas
// takes a worker from a blob: where the policy has none, the rest is recorded.
import http from 'node:http';
import { assert, test, until } from './harness.mjs';

await test(async (rig) => {
  const policy = `default-src 'none'; script-src 'nonce-n0nce'; connect-src ${rig.collect}; base-uri 'none'; form-action 'none'`;
  const server = http.createServer((req, res) => {
    res.writeHead(200, { 'content-type': 'text/html', 'content-security-policy': policy + (req.url === '/worker' ? '; worker-src blob:' : '') });
    res.end(`<!doctype html><title>Strict</title><script nonce="n0nce">
      window.violations = [];
      addEventListener('securitypolicyviolation', (e) => violations.push(e.violatedDirective + ' ' + e.blockedURI));
      </script><script nonce="n0nce" src="${rig.collect}/rr.js"></script><p id="p">plain</p><canvas id="c"></canvas>`);
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  rig.demo = `http://127.0.0.1:${server.address().port}`;
  for (const [path, capture, violations, drawn] of [['/', ['console', 'errors', 'network'], [], false],
    ['/', ['canvas'], ['worker-src blob'], false], ['/worker', ['canvas'], [], true]]) {
    const visitor = await rig.visitor({ key: 'dev', collector: rig.collect, capture });
    const p = await visitor.newPage();
    await p.goto(rig.demo + path);
    const id = await until('a session', () => p.evaluate(() => rr.sessionId()));
    await p.evaluate(() => {
      console.log('said');
      document.getElementById('p').textContent = 'changed';
      document.getElementById('c').getContext('2d').fillRect(0, 0, 9, 9);
    });
    const frames = () => p.evaluate(() => window.__emitted()[3].filter((t) => t.includes('"source":9')).length);
    if (drawn) await until('a frame', () => p.evaluate(() => document.getElementById('c').getContext('2d').fillRect(0, 0, 9 + 90 * Math.random(), 9)).then(frames));
    else await p.waitForTimeout(1000);
    await rig.compare(visitor, id);
    const all = Object.values(rig.stored(id).tabs)[0];
    assert.ok(all.some((l) => l.startsWith('{"type":2')) && all.some((l) => l.includes('"changed"')));
    assert.deepEqual([await p.evaluate(() => window.violations), await frames() > 0], [violations, drawn], path + capture);
    await visitor.close();
  }
  server.close();
});
