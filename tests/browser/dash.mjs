// The dashboard by keyboard and mouse: list, player, inspector, links; what
// it says when there is nothing, or S2 is away; a hostile recording; axe.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { accessible, assert, replay, test, until } from './harness.mjs';

const data = new URL('../data/', import.meta.url).pathname;
const T = 1767225600000;

/** Everything that a page could try, in one snapshot. */
function hostile(out) {
  let id = 1;
  const el = (tagName, attributes = {}, ...childNodes) => ({ type: 2, tagName, attributes, childNodes, id: ++id });
  const text = (textContent) => ({ type: 3, textContent, id: ++id });
  const bad = 'parent.parent.pwned=1;top.pwned=1;window.pwned=1';
  const node = { type: 0, id: 1, childNodes: [el('html', {}, el('head', {},
    el('script', {}, text(bad)), el('script', { src: `${out}.js` }),
    el('base', { href: `${out}/base/` }), el('meta', { 'http-equiv': 'refresh', content: `0;url=${out}` }),
    el('link', { rel: 'stylesheet', href: `${out}.css` }),
    el('style', { _cssText: `body{background:url(${out}/bg)} @import "${out}.css"; @font-face{font-family:x;src:url(${out}/f)} p{font-family:x} input[value^=a]{background:url(${out}/a)}` })),
  el('body', { onload: bad, onpageshow: bad },
    el('p', {}, text('hostile')), el('img', { src: `${out}/i`, onerror: bad }), el('img', { src: 'x:', onerror: bad }), el('img', { srcset: `${out}/2 2x` }),
    el('svg', { onload: bad }, el('image', { 'xlink:href': `${out}/svg`, href: `${out}/svg` })), el('video', { src: `${out}/v`, poster: `${out}/p`, autoplay: '' }),
    el('iframe', { src: `javascript:${bad}` }), el('iframe', { srcdoc: `<script>${bad}</script>` }), el('iframe', { src: out }),
    el('object', { data: `${out}/o` }), el('embed', { src: `${out}/e` }), el('a', { href: `javascript:${bad}`, id: 'link', target: '_top' }, text('link')),
    el('form', { action: out, id: 'form' }, el('input', { autofocus: '', onfocus: bad, value: 'a' }), el('button', { formaction: `javascript:${bad}` }, text('go'))),
    el('details', { open: '', ontoggle: bad }), el('marquee', { onstart: bad })))] };
  const events = [
    { type: 4, data: { href: 'javascript:top.pwned=1', width: 800, height: 600 }, timestamp: T },
    { type: 2, data: { node, initialOffset: { top: 0, left: 0 } }, timestamp: T + 10 },
    { type: 3, data: { source: 0, texts: [], attributes: [{ id: 2, attributes: { onclick: bad, style: `background:url(${out}/st)` } }], removes: [], adds: [{ parentId: 2, nextId: null, node: el('script', {}, text(bad)) }] }, timestamp: T + 500 },
    { type: 5, data: { tag: '<img src=x onerror=top.pwned=1>', payload: { a: '<script>top.pwned=1</script>' } }, timestamp: T + 600 },
    { type: 6, data: { plugin: 'rrweb/console@1', payload: { level: 'error', trace: [], payload: ['"<img src=x onerror=top.pwned=1>"'] } }, timestamp: T + 700 },
    { type: 3, data: { source: 2, type: 2, id: 999999, x: 1, y: 1 }, timestamp: T + 800 },
    { type: 3, data: { source: 99, strange: true }, timestamp: T + 900 }, { type: 3, timestamp: T + 950 }, { type: 42, data: null, timestamp: T + 1000 },
    { type: 3, data: { source: 3, id: 1, x: 0, y: 0 }, timestamp: T + 3000 },
  ];
  return events.map((e) => JSON.stringify(e)).join('\n') + '\n';
}

await test(async (rig) => {
  const shoot = async (page, name) => process.env.SHOTS && page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });
  const load = (name, text, meta) => {
    const file = join(rig.dir, 'recording.ndjson');
    writeFileSync(file, text);
    return execFileSync('rr', ['import', ...meta ? ['-m', JSON.stringify(meta)] : [], file], { env: rig.env, encoding: 'utf8' }).trim().split('\n').pop();
  };
  const viewer = await rig.watcher();
  const page = await viewer.newPage();
  page.on('dialog', (d) => d.type() !== 'beforeunload' && rig.complaints.push(`dialog ${d.message()}`));

  await page.goto(rig.view);
  await page.waitForSelector('.note.empty');
  await accessible(page, 'empty list');
  await shoot(page, 'empty');

  // A session that begins while the list is open appears in it.
  const four = load('four', readFileSync(join(data, 'real-hogflix-four-pages.ndjson')));
  await page.waitForSelector('.sessions li');
  const shop = load('shop', execFileSync('zstd', ['-dc', join(data, 'gen-session-shop.ndjson.zst')], { maxBuffer: 1 << 28 }));
  await until('the second', async () => await page.locator('.sessions li:not(.skeleton)').count() === 2);
  await accessible(page, 'list');
  await shoot(page, 'list');
  await page.fill('.find input', 'nothing is called this');
  await page.waitForSelector('.note.bare');
  assert.match(page.url(), /q=nothing/);
  await page.click('.note button');
  await until('all again', async () => await page.locator('.sessions li').count() === 2);

  // Conditions are the server's to judge, and stand in the address.
  await page.click('text=Filters');
  await page.fill('.fields [name=url]', '/SHOP');
  await until('the shop alone', async () => await page.locator('.sessions li:not(.skeleton)').count() === 1);
  assert.match(page.url(), /url=%2FSHOP/);
  await page.fill('.fields [name=errors]', '1000');
  await page.waitForSelector('.note.bare');
  await accessible(page, 'filters');
  await shoot(page, 'filters');
  await page.reload();
  await page.waitForSelector('.note.bare');
  assert.equal(await page.inputValue('.fields [name=errors]'), '1000');
  for (const [name, colorScheme, width] of [['dark', 'dark', 1400], ['phone', 'light', 320]]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await shoot(page, `filters-${name}`);
  }
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 320), 'nothing is wider than a phone');
  await page.setViewportSize({ width: 1400, height: 900 });
  await page.click('.note button');
  await until('all of them', async () => await page.locator('.sessions li:not(.skeleton)').count() === 2);
  assert.equal(new URL(page.url()).search, '');
  await page.click('text=Filters');

  // The keyboard alone: to a session, through it, and back.
  await page.locator('h1, body').first().click({ position: { x: 5, y: 5 } });
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  let player = await replay(page);
  await accessible(page, 'player');
  await page.keyboard.press(' ');
  await until('pause', async () => (await page.getAttribute('.controls .tool', 'aria-label')).startsWith('Play'));
  const t = async () => +new URL(page.url()).hash.slice(3);
  await page.keyboard.press('5');
  await until('the middle', async () => Math.abs(await t() - 145500) < 3000);
  const middle = await t();
  await page.keyboard.press('ArrowRight');
  assert.equal(await t(), middle + 5000);
  await page.keyboard.press('Shift+ArrowLeft');
  assert.equal(await t(), middle - 25000);
  // Once that part is read it is known what comes next.
  await until('the next event', async () => {
    await page.keyboard.press('.');
    return await t() > middle - 25000;
  });
  await page.keyboard.press('?');
  await page.waitForSelector('dialog[open]');
  await page.keyboard.press('Escape');
  for (const view of ['console', 'errors', 'network', 'events', 'details', 'raw', 'activity']) {
    await page.click(`#view-${view}`);
    await accessible(page, view);
    await shoot(page, view);
  }
  // A line of the activity is a place: the page it names is drawn there.
  await page.keyboard.press('/');
  await page.keyboard.type('/form');
  await page.click('.row.is-page:has-text("/form") .go');
  await until('the form', async () => await player.see((doc) => !!doc.querySelector('form [name=email]')));
  const link = page.url();
  await page.keyboard.press('Escape');
  await page.waitForSelector('.sessions');
  const other = await viewer.newPage();
  await other.goto(link);
  const shared = await replay(other);
  await until('the same moment', async () => await shared.see((doc) => !!doc.querySelector('form [name=email]')));

  // Played fast, with what is idle skipped, it comes to its end.
  const quick = await viewer.newPage();
  await quick.goto(`${rig.view}/?id=${four}`);
  player = await replay(quick);
  await quick.selectOption('.speed', '16');
  await until('the end', async () => (await quick.getAttribute('.controls .tool', 'aria-label')).startsWith('Play') && await quick.textContent('.time') === '0:18 / 0:18');
  await quick.close();

  // Nothing of a recording is run, or fetched, or put in as HTML.
  const leaks = [];
  const listener = net.createServer((socket) => socket.on('data', (d) => leaks.push(String(d).split('\r\n')[0])).on('error', () => {}));
  await new Promise((r) => listener.listen(0, '127.0.0.1', r));
  const evil = load('evil', hostile(`http://127.0.0.1:${listener.address().port}/leak`));
  await page.goto(`${rig.view}/?id=${evil}`);
  player = await replay(page);
  page.on('crash', () => rig.complaints.push('the page crashed'));
  await until('its text', async () => await player.see((doc) => doc.querySelector('p').textContent === 'hostile'));
  await page.waitForTimeout(1500);
  await player.see((doc) => {
    doc.querySelector('#link')?.click();
    doc.querySelector('#form')?.submit();
  });
  for (const view of ['console', 'raw', 'details', 'activity']) await page.click(`#view-${view}`);
  await page.waitForTimeout(300);
  for (const frame of page.frames()) {
    // A frame that the policy blocked holds nothing, or an error page.
    if (!frame.url() || frame.url().startsWith('chrome-error:')) continue;
    assert.equal(await frame.evaluate(() => window.pwned), undefined, frame.url());
  }
  assert.equal(await page.locator('.inspector img, .inspector script').count(), 0);
  listener.close();
  assert.deepEqual(leaks, [], 'what the recording asked for from elsewhere');
  assert.ok(page.url().startsWith(rig.view));

  // Deleted is gone, here and in the list.
  await page.click('#view-details');
  await page.click('.details .danger');
  await page.waitForSelector('dialog .sure');
  await accessible(page, 'delete');
  await shoot(page, 'delete');
  const records = await page.textContent('.receipt dt:text-is("Records") + dd');
  await page.click('dialog .sure');
  await page.waitForSelector('dialog .line');
  await accessible(page, 'deleted');
  await shoot(page, 'deleted');
  const receipt = JSON.parse(await page.textContent('dialog .line'));
  assert.equal(receipt.deleted, evil);
  assert.equal(String(receipt.records), records);
  assert.match(receipt.stream, new RegExp(`^sessions/\\d{13}-${evil}$`));
  assert.match(receipt.at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  await page.click('dialog .solid');
  await page.waitForSelector('.sessions');
  await until('two left', async () => await page.locator('.sessions li:not(.skeleton)').count() === 2);
  await other.goto(`${rig.view}/?id=${evil}`);
  await other.waitForSelector('.veil.gone');
  await accessible(other, 'no such session');
  await shoot(other, 'no-such-session');
  assert.ok(shop);

  // All that the filter selects, one by one: nothing else, and no more than was shown.
  const tiny = '{"type":4,"data":{"href":"https://a.example/\u202ecod.exe"},"timestamp":5}\n';
  const zed = [1, 2, 3, 4].map((n) => load(`zed ${n}`, tiny, { user: 'zed', title: `\u202eeltit\u200b ${n}`, url: 'https://a.example/x' }));
  await until('all of them', async () => await page.locator('.sessions li:not(.skeleton)').count() === 6);
  assert.equal(await page.locator('.filters .danger:visible').count(), 0, 'everything cannot be deleted at once');
  assert.equal(await page.textContent(`li[data-id="${zed[0]}"] .page b`), '<U+202E>eltit<U+200B> 1');
  await page.click('text=Filters');
  await page.fill('.fields [name=user]', 'zed');
  await until('those of zed', async () => await page.locator('.sessions li:not(.skeleton)').count() === 4);
  await page.click('.filters .danger');
  await page.waitForSelector('.victims');
  assert.equal(await page.locator('.victims li').count(), 4);
  const gone = page.locator('.deletion .sure');
  assert.ok(await gone.isDisabled());
  assert.match(await page.textContent('.deletion .receipt'), /^Whereuser: zedSessions4Begun.*Userszed/);
  await accessible(page, 'delete many');
  await shoot(page, 'delete-many');
  await page.keyboard.type('delete 3');
  await page.keyboard.press('Enter');
  assert.ok(await gone.isDisabled());
  execFileSync('rr', ['rm', '-f', zed[2]], { env: rig.env });
  // Each waits for us, so it can be stopped behind the first, gone on with, and closed.
  await page.evaluate(() => {
    const real = window.fetch;
    window.asked = [];
    window.fetch = (path, init) => init?.method === 'DELETE' ? new Promise((go) => asked.push([path, () => go(real(path, init))])) : real(path, init);
  });
  const ask = async (n, id) => {
    await until(`deletion ${n}`, () => page.evaluate(() => asked.length).then((had) => had === n));
    assert.equal(await page.evaluate((i) => asked[i][0], n - 1), `/api/sessions/${id}`);
    return () => page.evaluate((i) => asked[i][1](), n - 1);
  };
  await page.fill('.typed', 'Delete 4');
  await page.keyboard.press('Enter');
  let on = await ask(1, zed[3]);
  assert.match(await page.textContent('.deletion'), /^Deleting0 of 4This page does it.*leave it open until it is done/);
  await on();
  on = await ask(2, zed[2]);
  await page.click('.deletion button:text-is("Stop")');
  await on();
  await page.waitForSelector('.deletion h2:text-is("Not all are deleted")');
  assert.match(await page.textContent('.deletion .receipt'), /^Deleted1Gone before1Not deleted2Records\d+/);
  assert.equal(await page.evaluate(() => asked.length), 2, 'nothing more was asked for');
  await accessible(page, 'deletion stopped');
  await shoot(page, 'delete-stopped');
  await page.click('.deletion button:text-is("Go on with 2")');
  on = await ask(3, zed[1]);
  await on();
  await ask(4, zed[0]);
  // Whoever leaves the page is asked first, and told when the list is next opened.
  const leaving = page.waitForEvent('dialog');
  const left = page.reload();
  const question = await leaving;
  assert.equal(question.type(), 'beforeunload');
  await question.accept();
  await left;
  await page.waitForSelector('.undone');
  assert.match(await page.textContent('.undone p'), /page was closed\. 2 sessions are deleted, 1 was left\. It was for: user: zed$/);
  await accessible(page, 'a deletion broken off');
  await shoot(page, 'delete-broken-off');
  await page.click('text=Show what is left');
  assert.ok(await page.isHidden('.undone'));
  await until('what is left', async () => await page.locator('.sessions li:not(.skeleton)').count() === 1);
  await page.click('.filters .danger');
  await page.fill('.typed', 'delete 1');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.deletion .line');
  await accessible(page, 'deleted many');
  await shoot(page, 'deleted-many');
  const [file] = await Promise.all([page.waitForEvent('download'), page.click('.deletion [download]')]);
  const receipts = readFileSync(await file.path(), 'utf8');
  assert.deepEqual(receipts.trim().split('\n').map((r) => JSON.parse(r)).map((r) => [r.deleted, r.user]), [[zed[0], 'zed']]);
  assert.match(await page.textContent('.deletion .receipt'), /^Deleted1Records\d+/);
  await page.click('.deletion .solid');
  await page.waitForSelector('.note.bare');
  await page.click('.note button');
  await until('the others', async () => await page.locator('.sessions li:not(.skeleton)').count() === 2);
  await page.click('text=Filters');
  assert.deepEqual(rig.sessions().map((x) => x.id), [four, shop]);
  const index = execFileSync('bash', ['-c', 's2-tail "s2://$RR_BASIN/sessions.index" | rr-reassemble -d'], { env: rig.env, encoding: 'utf8' });
  assert.deepEqual(zed.filter((x) => index.includes(x)), [], 'in the index');
  assert.throws(() => execFileSync('bash', ['-c', 'printf "%s\\n" ":meta {}" ":end token=1" | rr-frame | s2-append "$(s2-stream name "$1")"', '-', zed[0]], { env: rig.env, stdio: 'pipe' }), { status: 66 });

  // Dark, and as small as a phone: nothing sticks out.
  const phone = await rig.watcher({ viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true, colorScheme: 'dark' });
  const small = await phone.newPage();
  await small.goto(rig.view);
  await small.waitForSelector('.sessions a');
  await accessible(small, 'list, dark');
  assert.equal(await small.evaluate(() => document.documentElement.scrollWidth), 320);
  await shoot(small, 'phone-list');
  await small.goto(`${rig.view}/?id=${four}`);
  await replay(small);
  await accessible(small, 'player, dark');
  assert.equal(await small.evaluate(() => document.documentElement.scrollWidth), 320);
  await shoot(small, 'phone');
});
