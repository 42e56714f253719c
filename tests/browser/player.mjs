// The player's page on a recording with everything in it: each key, the
// timeline, what is idle, and all views of the inspector, with a search over
// them that reads on.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accessible, assert, replay, test, until } from './harness.mjs';

const T = 1767225600000;
const SPEEDS = [0.5, 1, 2, 4, 8, 16];

/** Two pages, ten minutes; somebody is there in the first seconds of each. */
function recording() {
  const out = [];
  const add = (ms, type, data) => out.push({ type, data, timestamp: T + ms });
  const page = (ms, href, title) => {
    let id = 1;
    const el = (tagName, attributes = {}, ...childNodes) => ({ type: 2, tagName, attributes, childNodes, id: ++id });
    const text = (textContent) => ({ type: 3, textContent, id: ++id });
    add(ms, 4, { href, width: 1280, height: 800 });
    add(ms + 5, 2, { node: { type: 0, id: 1, childNodes: [el('html', {}, el('head'),
      el('body', {}, el('h1', {}, text(title)), el('button', {}, text('Buy')),
        el('section', {}, el('img', { alt: 'A \u202epen' }), el('h2', {}, text('in brass')), el('p', {}, text('*** ****'))), el('span', { title: 'Star' }, el('svg', {}, el('path'))), el('i')))] }, initialOffset: { top: 0, left: 0 } });
  };
  const net = (ms, method, path, status, took) => add(ms + took, 6, { plugin: 'rrweb/network@1', payload: { requests:
    [{ method, name: `https://shop.example${path}`, status, initiatorType: 'fetch', startTime: 500, endTime: 500 + took, timestamp: T + ms }] } });
  page(0, 'https://shop.example/', 'Shop');
  net(1000, 'GET', '/api/things', 200, 400);
  add(2000, 3, { source: 3, id: 1, x: 0, y: 400 });
  add(3000, 3, { source: 3, id: 1, x: 0, y: 1200 });
  add(3500, 3, { source: 3, id: 1, x: 0, y: 800 });
  add(5000, 3, { source: 2, type: 2, id: 6, x: 50, y: 60 });
  // What is added piece by piece, and is changed.
  const grown = (parentId, node) => ({ parentId, nextId: null, node });
  add(4000, 3, { source: 0, removes: [], attributes: [], texts: [{ id: 8, value: 'in gold' }], adds: [grown(17, { type: 2, tagName: 'ul', attributes: { id: 'list' }, childNodes: [], id: 30 }),
    grown(30, { type: 2, tagName: 'li', attributes: {}, childNodes: [], id: 31 }), grown(31, { type: 3, textContent: 'One', id: 32 }),
    grown(17, { type: 2, tagName: 'select', attributes: { name: 'size' }, childNodes: [{ type: 2, tagName: 'option', attributes: {}, childNodes: [{ type: 3, textContent: 'S', id: 34 }], id: 35 }], id: 33 })] });
  // What is no control goes by what it says, or by what is around it.
  for (const [i, id] of [12, 7, 13, 16, 17, 30, 31, 33, 9].entries()) add(5001 + i, 3, { source: 2, type: 2, id, x: 50, y: 60 });
  net(5100, 'POST', '/api/cart', 500, 3900);
  add(6000, 6, { plugin: 'rrweb/console@1', payload: { level: 'warn', trace: [], payload: ['"the cart is slow"'] } });
  add(9000, 5, { tag: 'rr.error', payload: { kind: 'error', message: 'TypeError: no cart', stack: 'TypeError: no cart\n    at buy (https://shop.example/app.js:10:5)', url: 'https://shop.example/app.js', line: 10, column: 5 } });
  add(10000, 5, { tag: 'rr.rage', payload: { x: 50, y: 60, id: 6 } });
  add(12000, 5, { tag: 'rr.dead', payload: { x: 50, y: 60, id: 6 } });
  add(15000, 5, { tag: 'wishlist', payload: { thing: 'brass pen' } });
  page(300000, 'https://shop.example/pen', 'Pen');
  net(300100, 'GET', '/api/pen', 0, 2000);
  for (let i = 0; i < 20; i++) add(303000 + 500 * i, 3, { source: 1, positions: [{ x: i, y: i, id: 5, timeOffset: 0 }] });
  add(600000, 3, { source: 2, type: 2, id: 6, x: 50, y: 60 });
  return out.sort((a, b) => a.timestamp - b.timestamp);
}

/** As it is stored: in three batches; two more were lost. */
function directives(events) {
  const part = (from, to) => events.filter((e) => e.timestamp >= T + from && e.timestamp < T + to).map((e) => JSON.stringify(e));
  return [':batch tab=1 batch=1', ...part(0, 15000), ':end', ':gap tab=1 batch=2-3 cause=overflow events=31',
    ':batch tab=1 batch=4', ...part(15000, 300000), ':end', ':batch tab=1 batch=5', ...part(300000, 1e9), ':end', ''].join('\n');
}

/** An hour in which only steps are taken, more than is read ahead. */
function* steps(n, size) {
  yield* recording().slice(0, 2).map((e) => JSON.stringify(e) + '\n');
  for (let i = 0; i < n; i++)
    yield JSON.stringify({ type: 5, data: { tag: i % 7 ? 'step' : 'needle', payload: { i, fill: 'x'.repeat(size) } }, timestamp: T + 1000 + 170 * i }) + '\n';
}

await test(async (rig) => {
  const shoot = async (page, name) => process.env.SHOTS && page.screenshot({ path: join(process.env.SHOTS, `player-${name}.png`) });
  const load = (text) => {
    const file = join(rig.dir, 'recording');
    writeFileSync(file, text);
    return execFileSync('rr', ['import', file], { env: rig.env, encoding: 'utf8' }).trim().split('\n').pop();
  };
  const id = load(directives(recording()));
  const viewer = await rig.watcher();
  await viewer.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: rig.view });
  const page = await viewer.newPage();
  await page.goto(`${rig.view}/?id=${id}#t=5000`);
  let player = await replay(page);
  // What is asked for first was, by the script in the page, which its policy lets run.
  assert.ok(await page.evaluate(() => window.early instanceof Map));
  // The rest a browser has for good: its names have hashes.
  const parts = await page.evaluate(() => [...document.querySelectorAll('script[src], link[rel=stylesheet]')].map((el) => el.src || el.href));
  assert.deepEqual(parts.map((url) => url.slice(rig.view.length).replace(/[0-9a-f]{8}/, '#')).sort(), ['/app.#.css', '/app.#.js']);
  for (const url of parts) assert.match((await fetch(url)).headers.get('cache-control'), /immutable/);
  const t = () => +/#t=(\d+)/.exec(page.url())[1];
  const key = (name) => page.keyboard.press(name);
  const goes = async (name, ms) => {
    await key(name);
    await until(`${ms} after ${name}`, () => t() === ms);
  };
  const playing = async () => (await page.getAttribute('.controls .tool', 'aria-label')).startsWith('Pause');
  await until('all of it', async () => /9:59|10:00/.test(await page.textContent('.time')));

  // ---- each key ---------------------------------------------------------

  await key('s');
  assert.equal(await page.getAttribute('.toggle', 'aria-pressed'), 'false');
  await key(' ');
  await until('to play', playing);
  await until('time to go on', async () => await page.textContent('.time b') !== '0:05');
  await key(' ');
  await until('to pause', async () => !await playing());
  await key('s');
  assert.equal(await page.getAttribute('.toggle', 'aria-pressed'), 'true');
  for (let i = 1; i <= 9; i++) await goes(String(i), 60000 * i);
  await goes('Home', 0);
  await goes('ArrowRight', 5000);
  await goes('ArrowRight', 10000);
  await goes('ArrowLeft', 5000);
  await goes('Shift+ArrowRight', 35000);
  await goes('Shift+ArrowLeft', 5000);
  await goes('.', 6000);
  await goes('.', 9000);
  await goes('.', 10000);
  await goes(',', 9000);
  await goes('End', 600000);
  await goes(',', 300000);
  for (const speed of SPEEDS.slice(2)) {
    await key('>');
    assert.equal(await page.inputValue('.speed'), String(speed));
  }
  await key('>');
  assert.equal(await page.inputValue('.speed'), '16');
  for (let i = 0; i < 6; i++) await key('<');
  assert.equal(await page.inputValue('.speed'), '0.5');
  await key('>');
  assert.deepEqual(await page.locator('.speed option').allTextContents(), SPEEDS.map((s) => `${s}×`));
  const scale = () => player.frame.evaluate(() => /scale\(([\d.]+)\)/.exec(document.querySelector('.replayer-wrapper').style.transform)[1]);
  const fit = await scale();
  assert.notEqual(fit, '1');
  await key('f');
  await until('full screen', () => page.evaluate(() => document.fullscreenElement?.className === 'main'));
  await key('f');
  await until('the whole page', async () => await page.evaluate(() => !document.fullscreenElement) && await scale() === fit);
  await key('z');
  await until('real size', async () => await scale() === '1');
  await key('z');
  await until('it to fit', async () => await scale() === fit);
  await key('i');
  await page.waitForSelector('.inspector', { state: 'hidden' });
  await key('i');
  await page.waitForSelector('.inspector');
  await key('c');
  await until('the link', async () => await page.evaluate(() => navigator.clipboard.readText()) === `${rig.view}/?id=${id}#t=300000`);

  // A marker is in the address, the list and the timeline, until it is taken away.
  await goes('2', 120000);
  await key('m');
  await until('it in the address', () => page.url().endsWith('#t=120000&m=120000'));
  await page.waitForSelector('.row.is-pin:has-text("Marker 1")');
  await goes('Home', 0);
  for (const ms of [3000, 5000, 6000, 9000, 10000, 12000, 15000, 120000]) await goes('.', ms);
  await page.reload();
  player = await replay(page);
  await page.waitForSelector('.row.is-pin:has-text("Marker 1")');
  await key('m');
  await until('it to be taken out of the address', () => page.url().endsWith('#t=120000'));
  await page.waitForSelector('.row.is-pin', { state: 'detached' });

  await key('?');
  await page.waitForSelector('dialog[open]');
  const told = await page.locator('dialog kbd').allTextContents();
  for (const name of ['Space', '←', '→', 'Shift', ',', '.', '1', '9', 'Home', 'End', '<', '>', 's', 'l', 'f', 'z', 'i', 'm', 'c', '/', '↑', '↓', 'Esc', '?'])
    assert.ok(told.includes(name), `the help tells of ${name}`);
  await accessible(page, 'help');
  await shoot(page, 'help');
  await key('Escape');

  // ---- the timeline -----------------------------------------------------

  const slider = page.locator('[role=slider]');
  await goes('Home', 0);
  await slider.focus();
  await goes('PageUp', 30000);
  await goes('ArrowUp', 35000);
  await goes('PageDown', 5000);
  await goes('ArrowDown', 0);
  await goes('3', 180000);
  await until('the slider to say so', async () => {
    assert.deepEqual(await Promise.all(['now', 'max', 'text'].map((x) => slider.getAttribute(`aria-value${x}`))), ['180', '600', '3:00 of 10:00']);
    return true;
  });
  const box = await slider.boundingBox();
  const x = (ms) => box.x + 12 + (box.width - 24) * ms / 600000;
  const hover = async (ms) => {
    await page.mouse.move(x(ms), box.y + box.height / 2);
    return (await page.locator('.tip p').allTextContents()).join('\n');
  };
  const hovers = async (ms, what) => {
    await until(`what is at ${ms}`, async () => {
      assert.match(await hover(ms), what);
      return true;
    });
  };
  await hovers(9000, /^0:0\d \/\nTypeError: no cart\n/);
  await hovers(150000, /^2:(29|30) \/\nNobody does anything for 5 min: skipped$/);
  await hovers(13500, /^0:1\d \/\nMissing: 31 events \(the recorder’s memory was full\)/);
  await hovers(450000, /^7:(29|30) \/pen\nNobody/);
  await shoot(page, 'timeline');
  await page.mouse.click(x(450000), box.y + box.height / 2);
  await until('a click to go there', () => Math.abs(t() - 450000) < 1500);
  await until('that page', () => player.see((doc) => doc.querySelector('h1').textContent === 'Pen'));
  // Dragged, it shows what is there at once, and the address says where it was dropped.
  await page.mouse.move(x(450000), box.y + box.height / 2);
  await page.mouse.down();
  for (let ms = 440000; ms > 30000; ms -= 10000) await page.mouse.move(x(ms), box.y + box.height / 2);
  await until('the page before', () => player.see((doc) => doc.querySelector('h1').textContent === 'Shop'));
  assert.ok(Math.abs(t() - 450000) < 1500, 'not dropped yet');
  await page.mouse.up();
  await until('where it was dropped', () => Math.abs(t() - 40000) < 1500);
  // It is drawn anew in other colours.
  const drawing = () => page.locator('.timeline canvas').evaluate((el) => el.toDataURL());
  const light = await drawing();
  await page.emulateMedia({ colorScheme: 'dark' });
  await until('dark tracks', async () => await drawing() !== light);
  await page.emulateMedia({ colorScheme: 'light' });
  await until('the light ones', async () => await drawing() === light);
  await page.mouse.move(x(100), 10);

  // What is idle is skipped, and said.
  await goes('Home', 0);
  await goes('Shift+ArrowRight', 30000);
  await key(' ');
  await until('what is skipped', async () => /Nobody does anything for 5 min: skipped/.test(await page.textContent('.badge')));
  await until('the next page', () => player.see((doc) => doc.querySelector('h1').textContent === 'Pen'));
  await key(' ');
  await until('to pause', async () => !await playing());
  await page.waitForSelector('.badge', { state: 'hidden' });

  // ---- the inspector ----------------------------------------------------

  await goes('Home', 0);
  const texts = async () => {
    await page.waitForTimeout(50);
    return page.locator('.rows .row .go').evaluateAll((all) => all.map((el) => [...el.children].filter((c) => !c.matches('.track, svg')).map((c) => c.textContent.trim()).join(' | ')));
  };
  const view = async (name, rows) => {
    await page.click(`#view-${name}`);
    await until(`the rows of ${name}`, async () => {
      assert.deepEqual(await texts(), rows);
      return true;
    });
    await accessible(page, name);
    await shoot(page, name);
  };
  await view('activity', ['0:00 | / shop.example', '0:03 | Scrolled down 1,200 px, 2.5 screens', '0:05 | Click button “Buy”',
    '0:05 | Click section “A <U+202E>pen in gold”', '0:05 | Click img “A <U+202E>pen”', '0:05 | Click path in span “Star”', '0:05 | Click i', '0:05 | Click body',
    '0:05 | Click ul “One”', '0:05 | Click li “One”', '0:05 | Click select “size”', '0:05 | Click h2 “in gold”', '0:09 | TypeError: no cart', '0:10 | Rage click',
    '0:12 | Click without effect', '0:12 | Missing: 31 events (the recorder’s memory was full)', '0:15 | wishlist {"thing":"brass pen"}', '5:00 | /pen shop.example', '10:00 | Click button “Buy”']);
  await view('console', ['0:06 | the cart is slow', '0:09 | TypeError: no cart']);
  await view('errors', ['0:09 | TypeError: no cart']);
  await page.click('.row .fold');
  assert.equal(await page.textContent('.unfolded pre'), 'at https://shop.example/app.js:10:5\nTypeError: no cart\n    at buy (https://shop.example/app.js:10:5)');
  await view('events', ['0:15 | wishlist {"thing":"brass pen"}']);
  await view('network', ['0:01 | 200 | GET | /api/things shop.example | 400 ms', '0:05 | 500 | POST | /api/cart shop.example | 3.9 s', '5:00 | failed | GET | /api/pen shop.example | 2.0 s']);
  assert.deepEqual(await page.locator('.row.bad .status').allTextContents(), ['500', 'failed']);
  // Bars: of each page, from its beginning to its last request's end; or of the session.
  const bars = () => page.locator('.row').evaluateAll((all) => all.map((el) => {
    const [track, bar] = [el.querySelector('.track'), el.querySelector('.bar')].map((x) => x.getBoundingClientRect());
    return [bar.left - track.left, bar.width].map((px) => Math.round(100 * px / track.width));
  }));
  assert.deepEqual(await bars(), [[11, 4], [57, 43], [5, 95]]);
  await page.click('.scales button:text-is("Session")');
  await until('the other scale', async () => {
    assert.deepEqual((await bars()).map(([left]) => left), [0, 1, 50]);
    return true;
  });
  await page.click('text=Failed only');
  await until('those', async () => (await texts()).length === 2);
  await page.click('text=Failed only');

  // Each row of each view is a place; by keys, too.
  for (const [name, times] of [['network', [1000, 5100, 300100]], ['console', [6000, 9000]], ['events', [15000]], ['activity', [0, 3000]]]) {
    await page.click(`#view-${name}`);
    for (const [i, ms] of times.entries()) {
      await page.locator('.rows .row .go').nth(i).click();
      await until(`the place of row ${i} of ${name}`, () => t() === ms);
      await until('it to be marked', async () => await page.locator('.row.now').getAttribute('aria-posinset') === String(i + 1));
    }
  }
  await page.locator('.rows .row .go').first().focus();
  await key('ArrowDown');
  await key('ArrowDown');
  await key('Enter');
  await until('the third row', () => t() === 5000);

  // ---- finding ----------------------------------------------------------

  await key('/');
  await page.keyboard.type('CART');
  const badges = async () => Object.fromEntries(await page.locator('.tabs [role=tab]').evaluateAll((all) => all.map((b) => [b.id.slice(5), b.querySelector('.n').hidden ? '0' : b.querySelector('.n').textContent])));
  await until('what matches, by view', async () => {
    assert.deepEqual(await badges(), { activity: '1', console: '2', errors: '1', network: '1', events: '0', details: '0', raw: '3' });
    return true;
  });
  assert.equal(await page.isVisible('.searched'), false, 'all was searched');
  await key('Enter');
  await until('the match', () => t() === 9000);
  assert.equal(await page.textContent('.found'), '1 of 1');
  await page.click('#view-raw');
  await page.focus('.find input');
  await key('Enter');
  await until('the first, behind the last', () => t() === 6000);
  await key('Enter');
  await until('the next', () => t() === 9000);
  assert.equal(await page.textContent('.found'), '2 of 3');
  await key('Shift+Enter');
  await until('the one before', () => t() === 6000);
  assert.equal(await page.textContent('.found'), '1 of 3');
  await shoot(page, 'found');
  await page.click('#view-events');
  assert.match(await page.textContent('.nothing'), /Nothing here matches “cart”\..*3 in Raw/);
  await accessible(page, 'nothing found');
  await page.fill('.find input', 'overflow or such');
  await page.waitForSelector('.nothing');
  await page.fill('.find input', '');
  await page.evaluate(() => document.activeElement.blur());
  await key('Escape');
  await page.waitForSelector('.sessions');

  // ---- two tabs ----

  // The second's records came before the first's.
  const at = (ms, tag) => JSON.stringify({ type: 5, data: { tag }, timestamp: T + ms });
  const tabs = load([':batch tab=2 batch=1', ...recording().slice(0, 2).map((e) => JSON.stringify({ ...e, timestamp: e.timestamp + 1000 })), at(3000, 'c'), at(5000, 'e'), ':end',
    ':batch tab=1 batch=1', ...recording().slice(0, 2).map((e) => JSON.stringify(e)), at(2000, 'b'), at(4000, '\u202ed'), ':end', ''].join('\n'));
  await page.goto(`${rig.view}/?id=${tabs}#t=0`);
  await replay(page);
  await page.click('#view-raw');
  await until('the events of both by time', async () => {
    assert.deepEqual((await texts()).map((row) => row.replace(/ \| \d+ B \| .*"tag":"(.*?)".* \| /, ' $1 ').replace(/ \| [\d.]+ [A-Z]+ \| .* \| /, ' ')),
      ['0:00.0 | Page tab 1', '0:00.0 | Snapshot tab 1', '0:01.0 | Page tab 2', '0:01.0 | Snapshot tab 2', '0:02.0 | Custom b tab 1', '0:03.0 | Custom c tab 2', '0:04.0 | Custom <U+202E>d tab 1', '0:05.0 | Custom e tab 2']);
    return true;
  });
  await shoot(page, 'raw-tabs');
  await page.locator('.rows .row .go').nth(5).click();
  await until('its place', () => t() === 3000);

  // ---- a long one -------------------------------------------------------

  // Nineteen thousand rows, of which those in sight are in the document.
  const many = load([...steps(19000, 0)].join(''));
  await page.goto(`${rig.view}/?id=${many}#t=0`);
  await replay(page);
  const rows = page.locator('.rows .row');
  await until('all rows', async () => await rows.first().getAttribute('aria-setsize') >= 18900);
  assert.ok(await rows.count() < 100, `${await rows.count()} rows`);
  await page.evaluate(() => { document.querySelector('.rows').scrollTop = 1e7; });
  await until('the last', async () => /"i":189\d\d/.test(await rows.last().textContent()));
  assert.ok(await rows.count() < 100);
  await rows.last().locator('.go').click();
  await until('its place', () => t() > 3200000);

  // What was not loaded is not silently left out: it says so, reads on, and can be told to stop.
  const long = load([...steps(2400, 10000)].join(''));
  await page.goto(`${rig.view}/?id=${long}#t=0`);
  await replay(page);
  await key('/');
  await page.keyboard.type('needle');
  await until('to be told', async () => /^\d\d? % of the session was searched/.test(await page.textContent('.searched')));
  await accessible(page, 'searched in part');
  await shoot(page, 'searched');
  const held = [];
  await page.route('**/lines?*', (route) => held.push(route));
  await page.click('.searched button');
  await until('progress', async () => /^Reading on: \d+ %Cancel$/.test(await page.textContent('.searched')));
  await page.click('.searched button');
  await until('to be told again', async () => /searched\.Search the rest$/.test(await page.textContent('.searched')));
  await page.unroute('**/lines?*');
  for (const route of held) await route.continue().catch(() => {});
  await page.click('.searched button');
  await until('all of it', async () => !await page.isVisible('.searched'), 60000);
  await until('all of them', async () => {
    assert.equal(await page.textContent('.found'), '343');
    return true;
  });
  assert.equal((await badges()).raw, '343');
});
