// The collector is killed and started again under pages that record, the
// network goes and comes: nothing acknowledged or not is lost, or doubled.
import { assert, test, until } from './harness.mjs';

const ROUNDS = 20, OFFLINE = 30e3;

await test(async (rig) => {
  const visitor = await rig.visitor();
  const page = await visitor.newPage();
  await page.goto(rig.address());
  const id = await until('a session', () => page.evaluate(() => rr.sessionId()));
  const other = await visitor.newPage();
  await other.goto(rig.address('product.html'));
  for (let round = 0; round < ROUNDS; round++) {
    await page.fill('#search', `round ${round}`);
    page.evaluate(() => { rr.flush(); });
    await rig.killCollector();
    await page.fill('#search', `while it is down ${round}`);
    if (round % 4 === 3) await page.goto(`${rig.demo}/index.html?r=${round}`, { waitUntil: 'domcontentloaded' }).catch(() => {});
    await rig.startCollector();
    // The script comes from the collector: a page loaded without it records nothing.
    if (round % 4 === 3) await page.goto(`${rig.demo}/index.html?again=${round}`);
    await other.fill('#review [name=name]', `round ${round}`);
    await page.fill('#search', `up again ${round}`);
  }
  await visitor.setOffline(true);
  await page.fill('#search', 'without a network');
  await other.fill('#review [name=name]', 'without a network');
  await until('a failure', () => page.evaluate(() => { rr.flush(); return rr.status().error; }));
  await page.waitForTimeout(OFFLINE);
  await visitor.setOffline(false);
  await page.evaluate(() => rr.flush());
  await other.evaluate(() => rr.flush());
  assert.equal(await page.evaluate(() => rr.sessionId()), id);
  const { events } = await rig.compare(visitor, id);
  console.log(`# ${events} events over ${ROUNDS} crashes of the collector`);

  // Stopped from outside: the page goes on in a new session, with a snapshot.
  const viewer = await rig.watcher();
  const dash = await viewer.newPage();
  await dash.goto(rig.view);
  await dash.evaluate((s) => fetch(`/api/sessions/${s}/stop`, { method: 'POST', headers: { 'X-RR': '1' } }), id);
  await page.evaluate(() => rr.resume());
  await page.fill('#search', 'after the stop');
  await page.evaluate(() => rr.flush());
  const next = await page.evaluate(() => rr.sessionId());
  assert.notEqual(next, id);
  await page.evaluate(() => rr.flush());
  const lines = Object.values(rig.stored(next).tabs)[0];
  assert.ok(lines.some((l, i) => l.startsWith('{"type":4') && lines[i + 1]?.startsWith('{"type":2')), 'the new session has a snapshot');
  const after = rig.stored(id).directives.filter((d) => !/^:(end|tail)/.test(d)).pop();
  assert.ok(after.startsWith(':stop'), 'nothing came after the stop');
});
