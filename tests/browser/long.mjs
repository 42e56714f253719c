// A session too long to be read whole: it is opened at any place by one read,
// and what is far away is let go; a watcher who looked away goes on with now.
import { execFileSync } from 'node:child_process';
import { assert, replay, test, until } from './harness.mjs';

const T = 1767225600000, HOURS = 2, STEP = 10e3, SNAPSHOT = 6;

/** Batches of ten seconds; each sixth is another page, whose number is on it. */
function session() {
  const out = [], fill = 'x'.repeat(40e3);
  const event = (type, t, data) => out.push(JSON.stringify({ type, data, timestamp: t }));
  for (let i = 0; i < HOURS * 3600e3 / STEP; i++) {
    const t = T + i * STEP;
    out.push(`:batch tab=1 batch=${i + 1}`);
    if (i % SNAPSHOT === 0) {
      event(4, t, { href: `https://shop.example/${i / SNAPSHOT}`, width: 800, height: 600 });
      event(2, t + 1, { node: { type: 0, id: 1, childNodes: [{ type: 2, tagName: 'html', attributes: {}, id: 2, childNodes: [
        { type: 2, tagName: 'body', attributes: {}, id: 3, childNodes: [
          { type: 2, tagName: 'h1', attributes: {}, id: 4, childNodes: [{ type: 3, textContent: `page ${i / SNAPSHOT}`, id: 5 }] },
          { type: 2, tagName: 'p', attributes: {}, id: 6, childNodes: [{ type: 3, textContent: 'batch 0', id: 7 }] }] }] }] }, initialOffset: { top: 0, left: 0 } });
    }
    event(3, t + 5000, { source: 0, texts: [{ id: 7, value: `batch ${i}` }], attributes: [{ id: 6, attributes: { title: fill } }], removes: [], adds: [] });
    event(3, t + 6000, { source: 2, type: 2, id: 4, x: 10, y: 10 });
    out.push(':end');
  }
  return out.join('\n') + '\n';
}

await test(async (rig) => {
  const id = execFileSync('rr', ['import', '-'], { env: rig.env, input: session(), encoding: 'utf8' }).trim();
  const viewer = await rig.watcher();
  const page = await viewer.newPage();
  const asked = [];
  let pending = 0;
  page.on('request', (r) => r.url().includes('/lines?') && ++pending && asked.push(r.url().replace(/.*\/lines/, '')));
  for (const end of ['requestfinished', 'requestfailed']) page.on(end, (r) => { pending -= r.url().includes('/lines?'); });
  const quiet = () => until('all that is read ahead', async () => {
    if (!pending) await page.waitForTimeout(300);
    return !pending;
  });
  await page.goto(`${rig.view}/?id=${id}#t=${3600e3 + 7000}`);
  const player = await replay(page);
  const shows = (n) => until(`batch ${n}`, async () => {
    const seen = await player.see((doc) => [doc.querySelector('h1')?.textContent, doc.querySelector('p')?.textContent]);
    return seen[0] === `page ${Math.floor(n / SNAPSHOT)}` && seen[1] === `batch ${n}`;
  });
  await shows(360);
  // All of its length is known, and that not all of it was read.
  assert.match(await page.textContent('.time'), /^1:00:07 \/ 1:59:5\d$/);
  await until('what was read', async () => /^Read so far: \d+ % of the session/.test(await page.textContent('.notice')));
  assert.deepEqual(asked.slice(0, 1), [`?at=%2B${3600e3 + 7000}&count=4`]);

  // To any place: one request each, and none where it was already.
  await until('what follows is read ahead', async () => asked.length > 3);
  for (const minute of [115, 3, 30, 45, 119, 0]) {
    await quiet();
    asked.length = 0;
    await page.evaluate((t) => { location.hash = `t=${t}`; }, minute * 60e3 + 27e3);
    await shows(minute * SNAPSHOT + 2);
    assert.deepEqual(asked, [`?at=${T + minute * 60e3 + 27e3}&count=4`]);
  }
  asked.length = 0;
  await page.evaluate((t) => { location.hash = `t=${t}`; }, 45 * 60e3 + 6500);
  await shows(45 * SNAPSHOT);
  assert.deepEqual(asked, []);

  // What happened is listed for where somebody was; and of all of it, if one asks.
  const listed = async () => {
    await page.locator('.rows').evaluate((rows) => { rows.scrollTop = 0; });
    return (await page.locator('.rows .row').allTextContents()).join(' ');
  };
  await page.fill('.find input', 'shop.example/7');
  const found = async (n) => await page.textContent('.found') === String(n);
  await until('what was read to be searched', async () => /^\d+$/.test(await page.textContent('.found')) && !await found(11));
  assert.match(await page.locator('.outlining button').getAttribute('title'), /^Reads the whole session from S2 once: [\d,]+ records/);
  await page.click('.outlining button');
  await until('all of it to be listed', () => page.isHidden('.outlining'));
  await until('it to be searched', () => found(11));
  for (const n of [7, 70, 79]) assert.match(await listed(), new RegExp(`/${n}( |$)`));
  await page.fill('.find input', '');
  // A place is read by one request, as before.
  await quiet();
  asked.length = 0;
  await page.evaluate((t) => { location.hash = `t=${t}`; }, 20 * 60e3 + 27e3);
  await shows(20 * SNAPSHOT + 2);
  assert.deepEqual(asked, [`?at=${T + 20 * 60e3 + 27e3}&count=4`]);

  // Over many places, of which few can be read and drawn: where it is dropped is.
  const box = await page.locator('.timeline').boundingBox(), y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * 0.1, y);
  await page.mouse.down();
  for (let share = 0.1; share < 0.7; share += 0.02) await page.mouse.move(box.x + box.width * share, y);
  await page.mouse.up();
  await until('where it was dropped', () => /#t=[45]\d{6}$/.test(page.url()));
  await shows(Math.floor((/#t=(\d+)/.exec(page.url())[1] - 5000) / STEP));

  // Live: who looks away for long comes back to what is there now.
  const visitor = await rig.visitor({ unmask: '#search' });
  const shop = await visitor.newPage();
  await shop.goto(rig.address());
  const live = await until('a session', () => shop.evaluate(() => rr.sessionId()));
  await page.goto(`${rig.view}/?id=${live}`);
  const screen = await replay(page);
  const look = (hidden, away) => page.evaluate(([is, ms]) => {
    const { now } = Date;
    Date.now = () => now() + ms;
    Object.defineProperty(document, 'hidden', { value: is, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
    Date.now = now;
  }, [hidden, away]);
  await look(true, 0);
  asked.length = 0;
  await shop.fill('#search', 'tin');
  await shop.evaluate(() => rr.flush());
  await look(false, 60e3);
  await until('what was typed meanwhile', async () => await screen.see((doc) => doc.querySelector('#search').value) === 'tin');
  assert.deepEqual(asked, ['?from=snapshot']);
  await shop.fill('#search', 'pen');
  await until('what is typed now', async () => await screen.see((doc) => doc.querySelector('#search').value) === 'pen');
  // And one who was away for a moment just goes on.
  await look(true, 0);
  await shop.fill('#search', 'ink');
  await shop.evaluate(() => rr.flush());
  await look(false, 1000);
  await until('what was typed in that moment', async () => await screen.see((doc) => doc.querySelector('#search').value) === 'ink');
  assert.deepEqual(asked, ['?from=snapshot']);
});
