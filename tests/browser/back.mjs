// The back/forward cache: a page that is left and comes back as it was goes on
// in its session, and what was on its way is there once. The page in between may
// be told that it is left only after that: then it has the tab's numbers still.
import { assert, test, until } from './harness.mjs';

const TRIES = 6;

await test(async (rig) => {
  const visitor = await rig.visitor();
  const p = await visitor.newPage();
  const cdp = await visitor.newCDPSession(p);
  let why = [];    // Chromium's reasons to load it again
  cdp.on('Page.backForwardCacheNotUsed', (e) => { why = e.notRestoredExplanations; });
  await cdp.send('Page.enable');
  await p.goto(rig.address());
  const id = await until('a session', () => p.evaluate(() => rr.sessionId()));

  /** Leaves the page and comes back to it: whether it was as it had been. */
  const leave = async () => {
    why = [];
    await p.evaluate(() => {
      window.here = true;
      addEventListener('pageshow', (e) => { window.persisted = e.persisted; });
      // What a page does once it is left has no batch to be in: nothing is made of it.
      addEventListener('pagehide', () => document.body.append('left'));
    });
    await p.fill('#search', 'last words');
    await p.evaluate(() => { location.href = '/product.html'; });
    await p.waitForSelector('#review');
    await until('the recorder', () => p.evaluate(() => rr.sessionId()));
    await p.fill('#review [name=name]', 'elsewhere');
    await p.evaluate(() => {
      addEventListener('pagehide', () => document.body.append('left'));
      setTimeout(() => history.back());
    });
    await p.waitForSelector('#search');
    return await until('the page before, as it was or anew', () => why.length ||
      p.evaluate(() => window.here && window.persisted)) === true;
  };
  // What was typed is told to Chromium's form filling a moment later, and that
  // drops a page which was left by then. What a page itself may not do to be
  // kept is of another type.
  let tries = 1;
  while (!await leave()) {
    assert.deepEqual(why.filter((w) => w.type !== 'Circumstantial'), []);
    assert.ok(tries++ < TRIES, `not once as it was; last: ${JSON.stringify(why)}`);
    await until('its recorder', () => p.evaluate(() => rr.sessionId()));
  }
  assert.equal(await p.evaluate(() => rr.sessionId()), id);
  await p.fill('#search', 'back again');
  const { events } = await rig.compare(visitor, id);
  console.log(`# ${events} events, the page as it was at try ${tries}`);
}, '', { ignoreDefaultArgs: ['--disable-back-forward-cache'] });
