// Watching with a login: who may do what in the dashboard, a link to one
// session, and the way out.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { accessible, assert, replay, test, until } from './harness.mjs';

const T = 1767225600000;
const recording = [
  { type: 4, data: { href: 'https://shop.example/', width: 800, height: 600 }, timestamp: T },
  { type: 2, data: { node: { type: 0, id: 1, childNodes: [{ type: 2, tagName: 'html', attributes: {}, id: 2, childNodes: [{ type: 2, tagName: 'body', attributes: {}, id: 3, childNodes: [{ type: 2, tagName: 'p', attributes: {}, id: 4, childNodes: [{ type: 3, textContent: 'hello', id: 5 }] }] }] }] }, initialOffset: { top: 0, left: 0 } }, timestamp: T + 10 },
  { type: 3, data: { source: 0, texts: [{ id: 5, value: 'before' }], attributes: [], removes: [], adds: [] }, timestamp: T + 3000 },
  { type: 5, data: { tag: 'rr.error', payload: { message: 'an error before' } }, timestamp: T + 3100 },
  { type: 3, data: { source: 0, texts: [{ id: 5, value: 'within' }], attributes: [], removes: [], adds: [] }, timestamp: T + 6000 },
  { type: 3, data: { source: 2, type: 2, id: 4, x: 1, y: 1 }, timestamp: T + 6500 },
  { type: 3, data: { source: 0, texts: [{ id: 5, value: 'afterwards' }], attributes: [], removes: [], adds: [] }, timestamp: T + 9000 },
  { type: 3, data: { source: 3, id: 1, x: 0, y: 0 }, timestamp: T + 12000 },
].map((e) => JSON.stringify(e) + '\n').join('');

await test(async (rig) => {
  const shoot = async (page, name) => process.env.SHOTS && page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });
  const run = (name, ...args) => execFileSync(name, args, { env: rig.env, encoding: 'utf8' }).trim();
  const file = join(rig.dir, 'one.ndjson'), users = join(rig.dir, 'users');
  writeFileSync(file, recording);
  const id = run('rr', 'import', file), other = run('rr', 'import', file);
  const token = { ann: run('rr', 'token', users, 'ann', 'admin'), vic: run('rr', 'token', users, 'vic') };
  const view = await rig.startView('-t', users, '-S', join(rig.dir, 'view-secret'));

  // Whoever comes is asked, and a wrong token is told of.
  const context = await rig.watcher();
  const page = await context.newPage();
  await page.goto(`${view}/?id=${id}`);
  await page.waitForSelector('.login');
  await accessible(page, 'login');
  await shoot(page, 'login');
  await page.keyboard.type('no such token at all');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.wrong:not(:empty)');
  assert.equal(await page.textContent('.wrong'), 'Nobody has this token.');
  await page.keyboard.type(token.vic);
  await page.keyboard.press('Enter');

  // Then it goes on where it was; a viewer can neither delete nor share.
  let player = await replay(page);
  await until('the text', () => player.see((doc) => /hello|before|within|afterwards/.test(doc.querySelector('p').textContent)));
  assert.equal(await page.locator('[aria-label="Share"]').count(), 0);
  await page.click('#view-details');
  await page.waitForSelector('.details');
  assert.equal(await page.locator('.details .danger').count(), 0);
  const cookies = await context.cookies();
  assert.deepEqual(cookies.map((c) => [c.name, c.httpOnly, c.sameSite]), [['rr', true, 'Strict']]);

  // Out, and in as somebody who may.
  await page.goto(view);
  await page.waitForSelector('.sessions a');
  assert.match(await page.textContent('.files'), /plays here when it is dropped on this page; it is sent nowhere\.$/);
  await page.click('.who');
  await page.waitForSelector('.login');
  assert.deepEqual(await context.cookies(), []);
  await page.keyboard.type(token.ann);
  await page.keyboard.press('Enter');
  await page.waitForSelector('.sessions a');
  assert.match(await page.textContent('.files'), /rr import FILE/);
  await accessible(page, 'the list');
  await shoot(page, 'logged-in');
  await page.goto(`${view}/?id=${id}`);
  await replay(page);
  await page.click('[aria-label="Share"]');
  await page.click('dialog .solid');
  await page.waitForSelector('dialog .link:visible');
  await accessible(page, 'share');
  await shoot(page, 'share');
  const link = await page.inputValue('dialog .link');
  assert.ok(link.startsWith(`${view}/?id=${id}&share=`), link);

  // Who has the link sees this session, and no other.
  const guest = await (await rig.watcher({ viewport: { width: 320, height: 640 }, colorScheme: 'dark' })).newPage();
  await guest.goto(link);
  player = await replay(guest);
  await until('the end', () => player.see((doc) => doc.querySelector('p').textContent === 'afterwards'));
  await shoot(guest, 'shared');
  assert.equal(await guest.locator('[aria-label^="All sessions"], [aria-label="Save as a page"], [aria-label="Share"]').count(), 0);
  await guest.goto(link.replace(id, other));
  await guest.waitForSelector('.veil.bad');
  assert.match(await guest.textContent('.veil'), /expired, or was withdrawn/);
  await shoot(guest, 'link-expired');
  await guest.goto(view);
  await guest.waitForSelector('.login');
  assert.equal(await guest.evaluate(() => document.documentElement.scrollWidth), 320);
  await shoot(guest, 'login-phone');

  // A part of it: the dialog takes what is written, and says what is wrong.
  await page.keyboard.press('Escape');
  await page.click('[aria-label="Share"]');
  await page.fill('#share-from', '4.0');
  assert.ok(await page.isChecked('#share-part'));
  assert.match(await page.textContent('#share-part-says'), /What is recorded after the link was made is not in it either, even if the session goes on\./);
  await page.fill('#share-to', 'soon');
  await page.click('dialog .solid');
  await until('a word', async () => (await page.textContent('dialog .wrong')).includes('“soon” is no time'));
  await page.fill('#share-to', '0:03');
  await page.keyboard.press('Enter');
  await until('a word', async () => await page.textContent('dialog .wrong') === 'The part must begin before it ends.');
  await page.fill('#share-from', '100:00');
  await page.fill('#share-to', '200:00');
  await page.keyboard.press('Enter');
  await until('a word', async () => await page.textContent('dialog .wrong') === 'Nothing was recorded in this part that a link can show.');
  await page.fill('#share-from', '0:04');
  await page.fill('#share-to', '0:07,0');
  await accessible(page, 'share a part');
  await shoot(page, 'share-part');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog .link:visible');
  const partLink = await page.inputValue('dialog .link');
  assert.notEqual(partLink, link);
  await page.setViewportSize({ width: 320, height: 640 });
  assert.ok(await page.evaluate(() => document.querySelector('dialog').scrollWidth <= document.querySelector('dialog').clientWidth), 'the dialog fits');
  await shoot(page, 'share-part-phone');
  await page.setViewportSize({ width: 1400, height: 900 });

  // Who opens that sees it from its first moment to its last, whoever it is.
  for (const who of [await rig.watcher({ colorScheme: 'dark' }), context]) {
    const one = await who.newPage();
    await one.goto(`${partLink}#t=0`);
    player = await replay(one);
    await until('what was there at the start', () => player.see((doc) => doc.querySelector('p').textContent === 'before'));
    assert.equal(await one.textContent('.time'), '0:00 / 0:03');
    await one.keyboard.press('End');
    await until('what was there at the end', () => player.see((doc) => doc.querySelector('p').textContent === 'within'));
    await until('its state', async () => await one.textContent('.state') === 'A part');
    assert.equal(await one.locator('[aria-label^="All sessions"], [aria-label="Save as a page"], [aria-label="Share"]').count(), 0);
    await accessible(one, 'a part');
    await shoot(one, who === context ? 'part' : 'part-dark');
    await one.close();
  }
  const all = await (await fetch(`${view}/api/sessions/${id}/lines${new URL(partLink).search}`)).text();
  assert.ok(all.includes('within') && !/afterwards|an error before/.test(all), all);

  // One that has ended, in both colours and on a phone.
  const { share } = await (await fetch(`${view}/api/sessions/${id}/share?seconds=1`, { method: 'POST', headers: { 'X-RR': '1', Authorization: `Bearer ${token.ann}` } })).json();
  await until('its end', async () => (await fetch(`${view}/api/sessions/${id}?share=${share}`)).status === 403);
  for (const [name, options] of Object.entries({ light: {}, dark: { colorScheme: 'dark' }, phone: { viewport: { width: 320, height: 640 } } })) {
    const one = await (await rig.watcher(options)).newPage();
    await one.goto(`${view}/?id=${id}&share=${share}`);
    await one.waitForSelector('.veil.bad');
    assert.match(await one.textContent('.veil'), /expired, or was withdrawn/);
    await accessible(one, `expired, ${name}`);
    await shoot(one, `expired-${name}`);
    await one.goto(view);
    await one.waitForSelector('.login');
    await accessible(one, `login, ${name}`);
    await shoot(one, `login-${name}`);
  }
});
