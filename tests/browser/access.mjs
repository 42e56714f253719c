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
  { type: 3, data: { source: 3, id: 1, x: 0, y: 0 }, timestamp: T + 3000 },
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
  await until('the text', () => player.see((doc) => doc.querySelector('p').textContent === 'hello'));
  assert.equal(await page.locator('[aria-label="Share"]').count(), 0);
  await page.click('#view-details');
  await page.waitForSelector('.details');
  assert.equal(await page.locator('.details .danger').count(), 0);
  const cookies = await context.cookies();
  assert.deepEqual(cookies.map((c) => [c.name, c.httpOnly, c.sameSite]), [['rr', true, 'Strict']]);

  // Out, and in as somebody who may.
  await page.goto(view);
  await page.waitForSelector('.sessions a');
  await page.click('.who');
  await page.waitForSelector('.login');
  assert.deepEqual(await context.cookies(), []);
  await page.keyboard.type(token.ann);
  await page.keyboard.press('Enter');
  await page.waitForSelector('.sessions a');
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
  await until('the text', () => player.see((doc) => doc.querySelector('p').textContent === 'hello'));
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
});
