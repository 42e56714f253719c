// One browser records the demo shop, another watches: what is typed on the
// first is on the second's screen; after the stop the replay is complete.
import { assert, replay, test, until } from './harness.mjs';

const input = (doc) => doc.querySelector('#search').value;
const found = (doc) => doc.querySelector('#found').textContent;

await test(async (rig) => {
  const visitor = await rig.visitor({ unmask: '#search' });
  const shop = await visitor.newPage();
  await shop.goto(rig.address());
  const id = await until('a session', () => shop.evaluate(() => rr.sessionId()));

  const viewer = await rig.watcher();
  const dash = await viewer.newPage();
  await dash.goto(rig.view);
  await dash.waitForSelector('.sessions li[data-state=live] a');
  await dash.click('.sessions li[data-state=live] a');
  const player = await replay(dash);
  assert.equal(await player.see((doc) => doc.querySelector('h1').textContent), 'Tools for a slow afternoon');

  await shop.locator('#search').pressSequentially('pen', { delay: 40 });
  await until('what was typed', async () => await player.see(input) === 'pen' && await player.see(found) === '2 of 12 things');
  await shop.fill('#search', '');
  await shop.click('#brass-pen button');
  await until('the cart', async () => await player.see((doc) => doc.querySelector('#count').textContent) === '1');

  // Back, and to what happens now again.
  await dash.keyboard.press('ArrowLeft');
  await dash.waitForSelector('.live-button:not(.on)');
  await dash.keyboard.press('l');
  await dash.waitForSelector('.live-button.on');

  // To another page: the viewer goes along.
  await shop.click('#brass-pen a');
  await shop.waitForSelector('#review');
  await until('the next page', async () => await player.see((doc) => doc.querySelector('#product h1')?.textContent) === 'Brass pen');

  const before = await shop.evaluate(() => document.querySelector('#reviews').textContent);
  await shop.evaluate(() => rr.stop());
  await dash.waitForSelector('.state.stopped');
  assert.equal(await dash.textContent('.state'), 'Ended by the page');
  const { events } = await rig.compare(visitor, id);

  // Watched again, from the start: first the first page, at the end the last.
  const again = await viewer.newPage();
  await again.goto(`${rig.view}/?id=${id}#t=0`);
  const past = await replay(again);
  assert.equal(await past.see((doc) => !!doc.querySelector('#list')), true);
  await again.keyboard.press('End');
  await until('the end', async () => await past.see((doc) => doc.querySelector('#product h1')?.textContent) === 'Brass pen');
  assert.equal(await past.see((doc) => doc.querySelector('#reviews').textContent), before);
  await again.keyboard.press('Home');
  await until('the start', async () => await past.see((doc) => !!doc.querySelector('#list')));
  console.log(`# ${events} events, live and past`);
});
