// The visitor's clock is set a day forwards, and back by a minute, while the
// page records: the times between events stay as they were, in storage and on
// the viewer's screen. So they do between three tabs, of which one has a clock
// that is a day ahead, one an hour behind, and one that is set between two pages.
// What setting a clock does to a page is done to it here: Date jumps,
// performance.now() and timers do not, and timeOrigin does so on the next page.
import { assert, test, until } from './harness.mjs';

const DAY = 24 * 3600e3;

/** A page's clock, which its tab or ?skew= says how far it is off. */
function skewed() {
  if (window !== top) return;
  const was = Date.now.bind(Date), origin = performance.timeOrigin;
  let skew = location.href === 'about:blank' ? 0 : +sessionStorage.skew || +new URLSearchParams(location.search).get('skew') || 0;
  const begun = skew;
  class Skewed extends Date {
    constructor(...args) {
      args.length ? super(...args) : super(was() + skew);
    }
    static now() {
      return was() + skew;
    }
  }
  window.Date = Skewed;
  Object.defineProperty(performance, 'timeOrigin', { get: () => origin + begun });
  window.setClock = (ms) => {
    sessionStorage.skew = skew += ms;
  };
}

const batches = (rig, id) => rig.stored(id).directives.filter((d) => d.startsWith(':batch'));
const value = (d, key) => +(new RegExp(` ${key}=(\\S+)`).exec(d)?.[1] ?? 0);
/** The offsets of a session's batches, in minutes. */
const offsets = (rig, id) => [...new Set(batches(rig, id).map((d) => Math.round(value(d, 'offset') / 60e3)))].sort((a, b) => a - b);

/** One that is set forwards between two pages: nothing is stretched. */
async function forwards(rig) {
  const visitor = await rig.visitor();
  await visitor.addInitScript(skewed);
  const page = await visitor.newPage();
  await page.goto(rig.address());
  const id = await until('a session', () => page.evaluate(() => rr.sessionId()));
  await page.evaluate(() => rr.flush());
  await page.evaluate((ms) => setClock(ms), 20 * 60e3);
  await page.goto(rig.address('product.html'));
  await until('the session', () => page.evaluate(() => rr.sessionId()));
  assert.equal(await page.evaluate(() => rr.sessionId()), id);
  await page.evaluate(() => rr.stop());
  assert.deepEqual(offsets(rig, id), [-20, 0]);
  const all = batches(rig, id);
  const length = Math.max(...all.map((d) => value(d, 'last'))) - Math.min(...all.map((d) => value(d, 'first')));
  assert.ok(length < 2 * 60e3, `${length} ms in all`);
}

/** One session in tabs with clocks of their own, as somebody goes from one to another. */
async function tabs(rig, viewer) {
  const visitor = await rig.visitor();
  await visitor.addInitScript(skewed);
  const pages = [], marks = [];
  for (const skew of [DAY, 0, -3600e3]) {
    const page = await visitor.newPage();
    await page.goto(rig.address(`?skew=${skew}`));
    await until('the session', () => page.evaluate(() => rr.sessionId()));
    pages.push(page);
  }
  for (const [n, i] of [0, 2, 1, 0].entries()) {
    if (n) await pages[i].waitForTimeout(2000);
    marks.push(Date.now());
    await pages[i].evaluate((n) => rr.event(`mark ${n}`), n);
  }
  const id = await pages[0].evaluate(() => rr.sessionId());
  for (const page of pages) {
    assert.equal(await page.evaluate(() => rr.sessionId()), id, 'one session');
    await page.evaluate(() => rr.flush());
  }
  assert.deepEqual(offsets(rig, id), [-1440, 0, 60]);
  await pages[0].evaluate(() => rr.stop());

  const dash = await viewer.newPage();
  await dash.goto(`${rig.view}/?id=${id}`);
  await dash.waitForSelector('.stage[data-opened]');
  await dash.click('#view-events');
  await until('all marks', async () => await dash.locator('.rows .row .go').count() === 4);
  const rows = await dash.locator('.rows .row .go').allTextContents();
  assert.deepEqual(rows.map((text) => /mark \d/.exec(text)?.[0]), ['mark 0', 'mark 1', 'mark 2', 'mark 3'], 'in the order in which they happened');
  const seconds = rows.map((text) => /(\d+):(\d\d)/.exec(text)).map((m) => +m[1] * 60 + +m[2]);
  for (const [n, at] of marks.entries()) {
    const real = (at - marks[0]) / 1000, told = seconds[n] - seconds[0];
    assert.ok(Math.abs(real - told) <= 5, `${real} s from the first mark to mark ${n}, ${told} as told`);
  }
  const total = await until('the duration', async () => /\/ (\d+):(\d\d)$/.exec(await dash.textContent('.time')));
  assert.ok(+total[1] * 60 + +total[2] < 120, `${total[0]} in all`);
}

await test(async (rig) => {
  const visitor = await rig.visitor();
  await visitor.addInitScript(skewed);
  const p = await visitor.newPage();
  await p.goto(rig.address());
  const id = await until('a session', () => p.evaluate(() => rr.sessionId()));
  // Real time, by a clock that nobody sets, goes into each mark.
  const mark = () => p.evaluate(() => rr.event('mark', { at: performance.now() }));
  const use = async (text) => {
    await mark();
    await p.fill('#search', text);
    await p.mouse.move(100 + text.length * 20, 200);
    await p.waitForTimeout(400);
    await mark();
  };
  await use('a');
  await p.evaluate((ms) => setClock(ms), DAY);
  await use('bb');
  await p.evaluate(() => setClock(-60e3));
  await use('ccc');
  await p.evaluate(() => rr.flush());
  assert.equal(await p.evaluate(() => rr.sessionId()), id, 'the session goes on');
  assert.ok(await p.evaluate(() => Date.now() - performance.timeOrigin - performance.now()) > DAY - 61e3, 'the clock was set');

  const events = () => Object.values(rig.stored(id).tabs)[0].map((l) => JSON.parse(l));
  const marks = events().filter((e) => e.data.tag === 'mark');
  assert.equal(marks.length, 6);
  for (const [i, m] of marks.slice(1).entries()) {
    const real = m.data.payload.at - marks[i].data.payload.at, told = m.timestamp - marks[i].timestamp;
    assert.ok(Math.abs(real - told) < 100, `${real} ms between two marks, ${told} as told`);
  }
  const ordered = (list) => list.every((e, i) => !i || e.timestamp >= list[i - 1].timestamp - 100);
  assert.ok(ordered(events()), 'in order');

  await rig.compare(visitor, id);
  await p.evaluate(() => rr.resume());

  // Two hours before what it was, and on to the next page: nothing moves back.
  await p.evaluate((ms) => setClock(-ms), DAY - 60e3 + 2 * 3600e3);
  await p.goto(`${rig.demo}/product.html`);
  await until('the session', () => p.evaluate(() => rr.sessionId()));
  await mark();
  assert.equal(await p.evaluate(() => rr.sessionId()), id);
  await p.evaluate(() => rr.stop());
  const all = events();
  assert.ok(ordered(all) && all.length > marks.length + 5, 'in order over two pages');
  assert.ok(all.some((e) => e.type === 4 && e.data.href.endsWith('/product.html')));
  const span = all.at(-1).timestamp - all[0].timestamp;
  assert.ok(span < 5 * 60e3, `${span} ms in all`);

  const viewer = await rig.watcher();
  const dash = await viewer.newPage();
  await dash.goto(`${rig.view}/?id=${id}`);
  await dash.waitForSelector('.stage[data-opened]');
  const total = await until('the duration', async () => /\/ (\d+):(\d\d)$/.exec(await dash.textContent('.time')));
  const shown = +total[1] * 60 + +total[2];
  assert.ok(Math.abs(shown - span / 1000) <= 2, `${shown} s on the screen, ${span / 1000} s recorded`);

  await tabs(rig, viewer);
  await forwards(rig);
});
