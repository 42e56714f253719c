// Three tabs with several pages each, a duplicated one, leaving the site, and
// coming back: one session, a track a tab, and nothing lost or doubled. Behind
// the collector's address are two, each request is for the next of them.
import { assert, test, until } from './harness.mjs';

const flushed = (page) => page.evaluate(() => rr.flush());

await test(async (rig) => {
  const asked = await rig.pair();
  const visitor = await rig.visitor();
  const a = await visitor.newPage();
  await a.goto(rig.address());
  const id = await until('a session', () => a.evaluate(() => rr.sessionId()));
  const b = await visitor.newPage();
  await b.goto(rig.address('product.html?sku=pine-box'));
  const c = await visitor.newPage();
  await c.goto(rig.address('checkout.html'));
  for (let round = 0; round < 4; round++) {
    await a.goto(`${rig.demo}/index.html?r=${round}`);
    await a.fill('#search', `p${round}`);
    await b.fill('#review [name=name]', `visitor ${round}`);
    await b.goto(`${rig.demo}/product.html?sku=ink-moss&r=${round}`);
    await c.fill('[name=name]', `name ${round}`);
    await c.click('button.primary');
    await c.goto(`${rig.demo}/checkout.html?r=${round}`);
  }
  // Away to another origin, at once after a change; back from the cache.
  await a.fill('#search', 'last words');
  await a.goto(`${rig.view}/player.html`);
  await a.goBack();
  await a.fill('#search', 'back again');

  // A duplicate has a copy of sessionStorage, taken while the original lives.
  const kept = await b.evaluate(() => JSON.stringify(sessionStorage));
  const d = await visitor.newPage();
  await d.addInitScript((all) => {
    if (window === top && !sessionStorage.length) for (const [k, v] of Object.entries(JSON.parse(all))) sessionStorage.setItem(k, v);
  }, kept);
  await d.goto(`${rig.demo}/product.html?sku=stamp-set`);
  await d.fill('#review [name=name]', 'duplicate');

  const tabs = [];
  for (const page of [a, b, c, d]) {
    await until('the load', () => page.evaluate(() => rr.sessionId()));
    await flushed(page);
    tabs.push(await page.evaluate(() => rr.status().tab));
    assert.equal(await page.evaluate(() => rr.sessionId()), id);
  }
  assert.equal(new Set(tabs).size, 4, 'each tab has an id of its own');
  const { events, tabs: stored } = await rig.compare(visitor, id);
  assert.deepEqual(stored.sort(), tabs.sort());
  assert.equal(rig.sessions().length, 1);
  assert.ok(Math.min(...asked) > 10, `both collectors were asked: ${asked}`);
  console.log(`# ${events} events of 4 tabs in one session; requests to each collector: ${asked}`);

  // In the player: a strip of tabs, and each can be chosen.
  const viewer = await rig.watcher();
  const dash = await viewer.newPage();
  await dash.goto(`${rig.view}/?id=${id}`);
  await dash.waitForSelector('.stage[data-opened]');
  await until('the strip', async () => await dash.locator('.tab-strip button').count() === 5);
  await dash.locator('.tab-strip button').nth(2).click();
  await dash.waitForSelector('.tab-strip button.showing:nth-child(3)');
});
