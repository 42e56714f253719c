// Visits that may not be recorded: too short, without an error, not in the
// sample, on other pages. Nothing is sent of them; of the others, all is.
// And what a tab that was closed could not send, another sends.
import { writeFileSync } from 'node:fs';
import { assert, test, until } from './harness.mjs';

await test(async (rig) => {
  const visit = async (options, page = '') => {
    const visitor = await rig.visitor(options);
    const sent = [];
    visitor.on('request', (r) => r.method() === 'POST' && r.url().startsWith(rig.collect) && sent.push(r.url()));
    const p = await visitor.newPage();
    await p.goto(rig.address(page));
    await until('the recorder', () => p.evaluate(() => rr.status().state));
    return { visitor, p, sent };
  };
  const why = (p) => p.evaluate(() => rr.status().why);

  // Too short: over two pages nothing leaves, a flush does not hang, then all.
  let { visitor, p, sent } = await visit({ minDuration: 2 ** 40 });
  await p.fill('#search', 'held');
  await p.evaluate(() => rr.flush());
  await p.goto(`${rig.demo}/product.html`);
  await p.fill('#review [name=name]', 'held too');
  assert.equal(await why(p), 'not long enough yet');
  assert.deepEqual(sent, []);
  await p.evaluate(() => rr.stop());
  assert.deepEqual(sent, [], 'stopped before it was long enough');
  await visitor.close();

  ({ visitor, p, sent } = await visit({ minDuration: 3000 }));
  await p.fill('#search', 'held');
  await p.goto(`${rig.demo}/product.html`);
  await p.fill('#review [name=name]', 'long enough');
  let id = await until('a session', () => p.evaluate(() => rr.sessionId()));
  const { events } = await rig.compare(visitor, id);
  assert.ok(events > 10, 'both pages are there');
  assert.equal(await why(p), 'paused');
  await visitor.close();

  // Without an error: held, over two pages; with one: all of the ring.
  ({ visitor, p, sent } = await visit({ onError: true }));
  await p.fill('#search', 'before');
  await p.goto(`${rig.demo}/product.html`);
  await p.fill('#review [name=name]', 'before, too');
  await p.evaluate(() => rr.flush());
  assert.equal(await why(p), 'no error yet');
  assert.deepEqual(sent, []);
  await p.evaluate(() => setTimeout(() => { throw new Error('the reason'); }));
  id = await until('a session', () => p.evaluate(() => rr.sessionId()));
  await rig.compare(visitor, id);
  assert.match(JSON.stringify(rig.stored(id).tabs), /rr.error.*the reason/);
  rig.complaints.splice(0);
  await visitor.close();

  // The ring forgets: after a minute and more, what was before its snapshot.
  visitor = await rig.visitor({ onError: true });
  p = await visitor.newPage();
  await p.clock.install();
  await p.goto(rig.address());
  await until('the recorder', () => p.evaluate(() => rr.status().buffered > 0));
  for (let n = 0; n < 8; n++) {
    await p.evaluate((text) => rr.event('mark', text), `mark ${n}`);
    await p.clock.runFor(25000);
  }
  await p.evaluate(() => { Promise.reject(new Error('at last')); });
  await p.clock.runFor(1000);
  await p.clock.resume();
  id = await until('a session', () => p.evaluate(() => rr.sessionId()));
  await p.evaluate(() => rr.flush());
  const ring = Object.values(rig.stored(id).tabs)[0];
  const marks = [...ring.join('\n').matchAll(/"mark (\d)"/g)].map((m) => +m[1]);
  assert.ok(ring[0].startsWith('{"type":4') && ring[1].startsWith('{"type":2'), 'it begins with a snapshot');
  assert.ok(marks[0] >= 4 && marks.includes(6) && marks.at(-1) === 7, `a minute and a bit: ${marks}`);
  assert.match(ring.join(), /at last/);
  rig.complaints.splice(0);
  await visitor.close();

  // Pages by their address, changed by a load or by the page.
  ({ visitor, p, sent } = await visit({ pages: ['/*.html', '!/checkout*'] }, 'checkout.html'));
  assert.deepEqual([await why(p), sent], ['not a page to record', []]);
  await p.evaluate(() => history.pushState({}, '', '/product.html'));
  id = await until('a session', () => p.evaluate(() => rr.sessionId()));
  await p.evaluate(() => history.pushState({}, '', '/checkout.html?secret'));
  assert.deepEqual(await p.evaluate(() => [rr.status().state, rr.status().why]), ['paused', 'not a page to record']);
  const unseen = await p.evaluateHandle(() => document.body.appendChild(new Text('zq-unseen')));
  await p.evaluate((node) => node.remove(), unseen);
  await p.evaluate(() => history.pushState({}, '', '/index.html'));
  await rig.compare(visitor, id);
  const seen = Object.values(rig.stored(id).tabs).flat();
  assert.deepEqual(seen.filter((l) => l.includes('zq-unseen') || /^{"type":[45].*checkout/.test(l)), []);
  await visitor.close();

  // What the key says: a share of none, asked for once; a preset, before
  // anything was sent of what was recorded without it, and on the next page.
  const keys = `${rig.dir}/keys`;
  writeFileSync(keys, 'dev *\nnone * sample=0\nmasked * preset=strict\n');
  await rig.killCollector();
  await rig.startCollector('-k', keys);
  ({ visitor, p, sent } = await visit({ key: 'none', collector: rig.collect }));
  await until('the answer', () => p.evaluate(() => rr.status().why === 'not in the sample'));
  await p.goto(`${rig.demo}/product.html`);
  await until('the recorder', () => p.evaluate(() => rr.status().why === 'not in the sample'));
  assert.equal(sent.length, 1);
  await visitor.close();
  ({ visitor, p } = await visit({ key: 'masked', privacy: 'open', collector: rig.collect }));
  id = await until('a session', () => p.evaluate(() => rr.sessionId()));
  await p.fill('#search', 'zq-masked');
  await p.evaluate(() => rr.flush());
  await p.goto(`${rig.demo}/product.html`);
  await p.fill('#review [name=name]', 'zq-masked');
  await until('its session', () => p.evaluate(() => rr.sessionId()));
  await p.evaluate(() => rr.flush());
  const masked = Object.values(rig.stored(id).tabs).flat();
  assert.ok(masked.filter((l) => l.startsWith('{"type":2')).length >= 2, 'a snapshot of each page');
  assert.deepEqual(masked.filter((l) => /zq-masked|Paper|Field notebook|afternoon/.test(l)), []);
  const [open] = rig.stored(id).directives.filter((d) => d.startsWith(':meta '));
  const { url, title, privacy } = JSON.parse(open.slice(open.indexOf('{'), open.lastIndexOf('}') + 1));
  assert.deepEqual([url, title, privacy], [`${rig.demo}/`, '', 'strict'], 'what the page said of it before it knew');
  await visitor.close();

  // A tab is closed with the collector out of reach; its other tab sends it.
  ({ visitor, p } = await visit({}));
  id = await until('a session', () => p.evaluate(() => rr.sessionId()));
  const closed = await visitor.newPage();
  await closed.goto(rig.address('product.html'));
  await until('its session', () => closed.evaluate(() => rr.sessionId()));
  await closed.evaluate(() => rr.flush());
  await visitor.route(`${rig.collect}/v1/**`, (route) => route.abort());
  await closed.fill('#review [name=name]', 'last words');
  const tab = await closed.evaluate(() => rr.status().tab);
  // What was not taken is kept before the page is left.
  await until('what was kept', () => closed.evaluate(() => new Promise((resolve) => {
    rr.flush();
    indexedDB.open('rr').onsuccess = ({ target: { result: db } }) => {
      db.transaction('batch').objectStore('batch').getAll().onsuccess = (e) => {
        db.close();
        resolve(e.target.result.some(({ text }) => text.includes('"source":5')));
      };
    };
  })));
  await closed.goto('about:blank');
  await closed.close();
  await visitor.unroute(`${rig.collect}/v1/**`);
  await until('what the closed tab had', async () => {
    await p.reload();
    await until('the recorder', () => p.evaluate(() => rr.status().state));
    await p.waitForTimeout(1500);
    return rig.stored(id).tabs[tab].some((l) => l.includes('"source":5'));
  }, 40000);
  await rig.compare(visitor, id);
});
