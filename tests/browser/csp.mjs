// A page with a strict policy: the script by a nonce, requests to the collector,
// and nothing else. It is recorded, and the policy is not violated once. Canvas
// takes a worker from a blob: where the policy has none, the rest is recorded.
// What is recorded of one is on the screen in the replay.
import http from 'node:http';
import { assert, replay, test, until } from './harness.mjs';

const COLORS = { red: (r, g, b) => r > 200 && g < 60 && b < 60, blue: (r, g, b) => r < 60 && g < 60 && b > 200 };

/** A session's canvas, at its end and where it was another, is of its color then. */
async function seen(rig, id, frames) {
  const page = await (await rig.watcher()).newPage();
  await page.goto(`${rig.view}/?id=${id}`);
  const { frame } = await replay(page);
  const pixel = async () => {
    const element = await page.$('.stage iframe');
    const around = await element.boundingBox();
    const [x, y] = await frame.evaluate(() => {
      const outer = document.querySelector('.stage:not([data-next]) .replayer-wrapper > iframe'), { x, y, width } = outer.getBoundingClientRect();
      const inner = outer.contentDocument.querySelector('#c').getBoundingClientRect(), scale = width / outer.offsetWidth;
      return [x + scale * (inner.x + inner.width / 2), y + scale * (inner.y + inner.height / 2)];
    });
    const clip = { x: Math.round(around.x + x), y: Math.round(around.y + y), width: 1, height: 1 };
    const shot = (await page.screenshot({ clip })).toString('base64');
    return page.evaluate(async (shot) => {
      const image = new Image();
      image.src = `data:image/png;base64,${shot}`;
      await image.decode();
      const context = document.createElement('canvas').getContext('2d');
      context.drawImage(image, 0, 0);
      return [...context.getImageData(0, 0, 1, 1).data];
    }, shot);
  };
  for (const [color, at] of [frames[1], frames[0], frames[1]]) {
    await page.evaluate((at) => { location.hash = `t=${at}`; }, at);
    await until(`${color} at ${at} ms`, async () => {
      const got = await pixel();
      assert.ok(COLORS[color](...got), String(got));
      return true;
    });
  }
  await page.context().close();
}

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
    });
    const frames = () => p.evaluate(() => window.__emitted()[3].filter((t) => t.includes('"source":9')).length);
    const draw = (color) => p.evaluate((color) => {
      const context = document.getElementById('c').getContext('2d');
      context.fillStyle = color;
      context.fillRect(0, 0, 300, 150);
    }, color);
    if (drawn)
      for (const [i, color] of Object.keys(COLORS).entries()) {
        await draw(color);
        await until(`a frame of ${color}`, async () => await frames() > i);
      }
    else {
      await draw('red');
      await p.waitForTimeout(1000);
    }
    await rig.compare(visitor, id);
    const all = Object.values(rig.stored(id).tabs)[0];
    if (drawn) {
      const events = all.map((l) => JSON.parse(l));
      const times = events.filter((e) => e.data.source === 9).map((e) => e.timestamp - events[0].timestamp);
      assert.equal(times.length, 2);
      // What has ended is played from its beginning, not at its end.
      await p.evaluate(() => rr.stop());
      await seen(rig, id, Object.keys(COLORS).map((color, i) => [color, times[i]]));
    }
    assert.ok(all.some((l) => l.startsWith('{"type":2')) && all.some((l) => l.includes('"changed"')));
    assert.deepEqual([await p.evaluate(() => window.violations), await frames() > 0], [violations, drawn], path + capture);
    await visitor.close();
  }
  server.close();
});
