// The back/forward cache: a page that is left and comes back as it was goes on
// in its session, and what was on its way is there once. The page in between may
// be told that it is left only after that: then it has the tab's numbers still.
import { assert, test, until } from './harness.mjs';

await test(async (rig) => {
  const visitor = await rig.visitor();
  const p = await visitor.newPage();
  await p.goto(rig.address());
  const id = await until('a session', () => p.evaluate(() => rr.sessionId()));
  await p.evaluate(() => {
    window.here = true;
    addEventListener('pageshow', (e) => { window.persisted = e.persisted; });
  });
  await p.fill('#search', 'last words');
  await p.evaluate(() => { location.href = '/product.html'; });
  await p.waitForSelector('#review');
  await until('the recorder', () => p.evaluate(() => rr.sessionId()));
  await p.fill('#review [name=name]', 'elsewhere');
  await p.evaluate(() => { setTimeout(() => history.back()); });
  await until('the page as it was', () => p.evaluate(() => window.here && window.persisted));
  assert.equal(await p.evaluate(() => rr.sessionId()), id);
  await p.fill('#search', 'back again');
  const { events } = await rig.compare(visitor, id);
  console.log(`# ${events} events`);
}, '', { ignoreDefaultArgs: ['--disable-back-forward-cache'] });
