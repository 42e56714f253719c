// What the dashboard's player draws is what rrweb's own Replayer draws, given
// the whole recording: each of data/ at ten of its times, sought in any order,
// and at its end, played; the largest at two. So of each tab of a session of
// three, one of which began late and one of which has another clock. On a canvas
// is what rrweb draws in a frame that runs scripts. With RECORDINGS=DIR, all of
// all that are in DIR.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { assert, replay, test, until } from './harness.mjs';
import { canonical, differ } from './canonical.mjs';

const root = new URL('../../', import.meta.url).pathname;
const data = process.env.RECORDINGS || join(root, 'tests/data');
const TIMES = 10;
const FEW = 2;                  // of a recording of more than
const LARGE = 3e6;              // characters: rrweb takes seconds for each time
const AHEAD = 90e3;             // ms, the clock of the second of three tabs
const MOST = 3000;              // events, unless RECORDINGS names other recordings
const PATIENCE = 60000;
const LANES = 2;                // recordings at once: most of the time is waiting

/** Numbers that look random, and are the same each time. */
function shuffled(list) {
  let seed = 1;
  const next = () => (seed = Math.imul(seed, 48271) >>> 0) / 2 ** 32;
  return list.map((x) => [next(), x]).sort((a, b) => a[0] - b[0]).map(([, x]) => x);
}

/** The text of a recording's events, a line each; of many no more than MOST. */
function read(name) {
  const file = join(data, name);
  const text = name.endsWith('.zst') ? execFileSync('zstd', ['-dcq', file], { maxBuffer: 1 << 28 }) : readFileSync(file);
  return text.toString().trimEnd().split('\n').slice(0, process.env.RECORDINGS ? Infinity : MOST);
}

/** A packed event is a string: deflate of its text, a byte a character. */
function parse(line) {
  const e = JSON.parse(line);
  return typeof e === 'string' ? JSON.parse(inflateSync(Buffer.from(e, 'latin1')).toString()) : e;
}

/** So many times over the length, those of the events that say a page's size among them. */
function times(events, count = TIMES) {
  const first = events[0].timestamp, length = events.at(-1).timestamp - first;
  const pages = events.filter((e) => e.type === 4).map((e) => e.timestamp - first);
  const even = Array.from({ length: count }, (_, i) => Math.round(length * i / (count - 1)));
  return shuffled([...new Set([...even, ...pages.slice(1, 4)])]);
}

/**
 * Where rrweb is to be asked for what has happened at `at`: behind it, since it
 * leaves out what happens at the time itself, and not between a page's size and
 * its snapshot, where it would show the page before.
 */
function behind(events, at) {
  let meta;
  for (const e of events) {
    if (e.type === 4) meta = e.timestamp;
    else if (e.type === 2 && meta !== undefined && meta <= at && at < e.timestamp) at = e.timestamp;
  }
  return at + 1;
}

const PAGE = `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/style.css">
<body style="margin:0"><script src="/rrweb.js"></script><script>
let events, it;
window.load = async (url) => { events = await (await fetch(url)).json(); };
window.at = async (t) => {
  if (it) it.destroy();
  // Each time anew, from the text: what was played leaves traces in the events.
  const fresh = structuredClone(events);
  it = new rrwebReplay.Replayer(fresh, { root: document.body, triggerFocus: false, showWarning: false, loadTimeout: 0, mouseTail: false,
    // With its virtual document it leaves out clicks on what is new on the way to a time.
    useVirtualDom: false,
    // Of ours: what is scrolled to is shown at once.
    insertStyleRules: ['*{scroll-behavior:auto!important}'] });
  // What it does by itself, to draw the first page, comes before.
  await new Promise((r) => setTimeout(r, 20));
  it.pause(t - fresh[0].timestamp);
  await new Promise((r) => setTimeout(r, 50));
};
// What is on the first canvas: drawn in a frame with scripts, the snapshot's picture first.
window.onCanvas = async (t) => {
  if (it) it.destroy();
  const fresh = structuredClone(events);
  it = new rrwebReplay.Replayer(fresh, { root: document.body, triggerFocus: false, showWarning: false, loadTimeout: 0, mouseTail: false, useVirtualDom: false,
    UNSAFE_replayCanvas: true });
  const drawn = () => it.iframe.contentDocument.querySelector('canvas');
  const empty = ({ width, height }) => Object.assign(document.createElement('canvas'), { width, height }).toDataURL();
  while (!drawn() || drawn().toDataURL() === empty(drawn())) await new Promise((r) => setTimeout(r, 5));
  it.pause(t - fresh[0].timestamp);
  await new Promise((r) => setTimeout(r, 50));
  return drawn().toDataURL();
};
</script>`;

/**
 * What the real recorder makes of a visitor with three tabs at once, of one to
 * three pages each: the second has a clock of its own, the third begins late.
 */
async function threeTabs(rig) {
  const visitor = await rig.visitor();
  const [a, b] = [await visitor.newPage(), await visitor.newPage()];
  await b.addInitScript((ahead) => {
    const now = Date.now.bind(Date), origin = performance.timeOrigin;
    Date.now = () => now() + ahead;
    Object.defineProperty(performance, 'timeOrigin', { get: () => origin + ahead });
  }, AHEAD);
  await a.goto(rig.address());
  const id = await until('a session', () => a.evaluate(() => rr.sessionId()));
  await b.goto(rig.address('product.html?sku=pine-box'));
  const session = (p) => until('the session', async () => await p.evaluate(() => window.rr && rr.sessionId && rr.sessionId()) === id);
  await session(b);
  for (const round of [1, 2, 3]) {
    await a.fill('#search', 'ink'.slice(0, round));
    await a.mouse.wheel(0, 150 * round);
    await b.fill('#review [name=name]', `visitor ${round}`);
    await b.mouse.move(100 * round, 200);
    await a.mouse.move(300, 100 * round);
    await a.waitForTimeout(250);
  }
  const c = await visitor.newPage();
  await c.goto(rig.address('checkout.html'));
  await session(c);
  await c.fill('[name=name]', 'late');
  await a.goto(`${rig.demo}/product.html?sku=stamp-set`);
  await session(a);
  await a.fill('#review [name=name]', 'second page');
  await b.fill('#review [name=name]', 'visitor of the other clock');
  await c.click('button.primary');
  await a.goto(`${rig.demo}/index.html`);
  await session(a);
  await a.fill('#search', 'third page');
  await c.mouse.move(400, 300);
  await c.waitForTimeout(250);
  await rig.compare(visitor, id);
  await visitor.close();
  const { tabs, directives } = rig.stored(id);
  // Each with how far its clock is off, and when it began but for that.
  const all = Object.entries(tabs).map(([tab, lines]) => {
    const events = lines.map(parse);
    // A directive has no zeros before a tab's name.
    const [, offset = 0] = directives.map((d) => new RegExp(`^:batch tab=${tab.replace(/^0+/, '')} .* offset=(-?\\d+)`).exec(d)).find(Boolean) || [];
    return { events, offset: +offset, began: events[0].timestamp + +offset };
  });
  return { id, tabs: all.sort((x, y) => x.began - y.began) };
}

await test(async (rig) => {
  const given = new Map();
  const dist = join(root, 'lib/web/node_modules/@rrweb/replay');
  const server = http.createServer((q, a) => {
    const body = q.url === '/' ? PAGE : q.url === '/rrweb.js' ? readFileSync(join(dist, 'umd/replay.js'))
      : q.url === '/style.css' ? readFileSync(join(dist, 'dist/style.css')) : given.get(q.url);
    a.writeHead(body ? 200 : 404, { 'content-type': q.url === '/' ? 'text/html' : q.url.endsWith('.js') ? 'text/javascript' : q.url.endsWith('.css') ? 'text/css' : 'application/json' });
    a.end(body);
  }).listen(0, '127.0.0.1');
  await new Promise((r) => server.once('listening', r));
  const origin = `http://127.0.0.1:${server.address().port}`;

  const put = (name, lines) => {
    const file = join(rig.dir, name);
    writeFileSync(file, lines.join('\n') + '\n');
    return execFileSync('rr', ['import', file], { env: rig.env, encoding: 'utf8' }).trim().split('\n').pop();
  };

  /** Two pages beside each other: rrweb's own player, and the dashboard's. */
  async function lane() {
    const viewer = await rig.watcher();
    // Of what is elsewhere, neither has anything.
    await viewer.route((url) => url.origin !== origin && url.origin !== rig.view && /^http/.test(url.protocol), (r) => r.abort());
    const reference = await viewer.newPage();
    await reference.goto(origin);
    const dash = await viewer.newPage();
    dash.on('crash', () => rig.complaints.push('the page crashed'));
    const theirs = (more) => reference.evaluate(canonical, { selector: '.replayer-wrapper', ...more });
    const ours = (more) => dash.frames().find((f) => f.url().endsWith('/player.html'))
      .evaluate(canonical, { selector: '.stage:not([data-next]) .replayer-wrapper', ...more });
    return {
      dash,
      async give(events) {
        const url = `/events-${given.size}`;
        given.set(url, JSON.stringify(events));
        await reference.evaluate((at) => load(at), url);
      },
      /** Waits for the player to draw what rrweb draws at `at`. What is played leaves the mouse where it was on the page before. */
      async same(what, events, at, mouse = true) {
        await reference.evaluate((t) => window.at(t), behind(events, at));
        let want = await theirs({ mouse });
        // rrweb does not place it where what it was on has gone.
        if (mouse && !want.mouse) want = await theirs({ mouse: mouse = false });
        assert.ok(want.nodes > 5, `${what}: rrweb draws something`);
        try {
          await until(what, async () => (await ours({ mouse })).hash === want.hash || ((want = await theirs({ mouse })), false), PATIENCE);
        } catch (e) {
          const [a, b] = [await theirs({ mouse, whole: true }), await ours({ mouse, whole: true })];
          throw new Error(`${what}, ${differ(a.text, b.text)}`);
        }
        return want.nodes;
      },
      async open(id, t = 0) {
        await dash.goto('about:blank');
        await dash.goto(`${rig.view}/?id=${id}#t=${t}`);
        await replay(dash);
      },
      seek: (t) => dash.evaluate((ms) => { location.hash = `t=${ms}`; }, t),
      /** Of two canvases: one by commands, and one of WebGL, which is not drawn. */
      async canvas(name, events, times, seek) {
        const drawn = () => dash.frames().find((f) => f.url().endsWith('/player.html')).evaluate(() => {
          const { contentDocument: page, contentWindow: inside } = document.querySelector('.stage:not([data-next]) .replayer-wrapper iframe');
          return [...page.querySelectorAll('canvas')].map((node) => [/^url\("(.*)"\)$/.exec(inside.getComputedStyle(node).content)?.[1],
            node.getBoundingClientRect().width - node.width]);
        });
        const seen = new Set();
        for (const t of times) {
          const want = await reference.evaluate((t) => onCanvas(t), behind(events, events[0].timestamp + t));
          await seek(t);
          await until(`${name}, its canvas at ${t} ms`, async () => (await drawn())[0][0] === want);
          seen.add(want);
        }
        assert.equal(seen.size, times.length, 'the canvas changes');
        assert.match((await drawn())[1][0], /^data:image\/svg/);
        assert.deepEqual((await drawn()).map(([, wider]) => wider), [0, 0]);
        await until('what is left out', async () => /Left out: .*1 canvas not drawn in full/.test(await dash.textContent('.left-out')));
      },
    };
  }

  async function one(name, { dash, give, same, open, seek, canvas }) {
    const began = Date.now();
    const lines = read(name);
    const events = lines.map(parse);
    const first = events[0].timestamp, last = events.at(-1).timestamp;
    const id = put(name.replace('.zst', ''), lines);
    await give(events);
    let nodes = 0;
    const large = !process.env.RECORDINGS && lines.reduce((n, l) => n + l.length, 0) > LARGE;
    for (const [i, t] of (large ? times(events, FEW + 1).filter((t) => t > 0) : times(events)).entries()) {
      await (i ? seek(t) : open(id, t));
      nodes = Math.max(nodes, await same(`${name} at ${t} ms`, events, first + t));
    }
    if (!large) {
      await seek(Math.max(0, last - first - 3000));
      await dash.selectOption('.speed', '4');
      await dash.keyboard.press(' ');
      await until('the end', async () => (await dash.getAttribute('.controls .tool', 'aria-label')).startsWith('Play'));
      await same(`${name}, played to its end`, events, last, false);
    }
    if (/canvas/.test(name)) await canvas(name, events, times(events, 4), seek);
    console.log(`# ${name}: ${nodes} nodes, ${Date.now() - began} ms`);
  }

  /** Each tab alone, then as the visitor went from one to the other. */
  async function several({ dash, give, same, open, seek }) {
    const began = Date.now();
    const { id, tabs } = await threeTabs(rig);
    assert.equal(tabs.length, 3);
    const first = tabs[0].began;
    assert.ok(tabs[2].events.at(-1).timestamp < tabs[1].events[0].timestamp, 'the third ended before the second began, by its clock');
    await open(id);
    const buttons = dash.locator('.tab-strip button');
    await until('a strip of tabs', async () => await buttons.count() === 4);
    for (const [i, { events, began }] of tabs.entries()) {
      await give(events);
      await buttons.nth(i + 1).click();
      for (const t of times(events, 7)) {
        await seek(began - first + t);
        await same(`tab ${i + 1} at ${t} ms`, events, events[0].timestamp + t);
      }
    }
    await buttons.first().click();
    const seen = new Set();
    for (const at of shuffled(tabs.flatMap(({ events, began }) => times(events, 4).map((t) => began + t)))) {
      await seek(at - first);
      await until('a tab', async () => await dash.locator('.tab-strip .showing').count() === 1);
      const i = await dash.evaluate(() => [...document.querySelectorAll('.tab-strip button')].findIndex((b) => b.matches('.showing')) - 1);
      seen.add(i);
      await give(tabs[i].events);
      await same(`followed at ${at - first} ms, to tab ${i + 1}`, tabs[i].events, at - tabs[i].offset);
    }
    assert.equal(seen.size, 3, 'each tab is followed at its time');
    // With the strip, all is there on a phone, too.
    await dash.setViewportSize({ width: 320, height: 640 });
    const outside = () => dash.locator('.controls > *').evaluateAll((all) => all.map((el) => [el.className, el.getBoundingClientRect()])
      .filter(([, r]) => r.width && (r.left < 0 || r.right > innerWidth)).map(([name]) => name));
    await until('all controls', async () => {
      assert.deepEqual(await outside(), []);
      return true;
    });
    await dash.setViewportSize({ width: 1400, height: 900 });
    console.log(`# a session of three tabs: ${tabs.map((t) => t.events.length).join(', ')} events, ${Date.now() - began} ms`);
  }

  const size = (name) => -statSync(join(data, name)).size;
  const work = readdirSync(data).filter((f) => /\.ndjson/.test(f)).sort((a, b) => size(a) - size(b)).map((name) => (pages) => one(name, pages));
  if (!process.env.RECORDINGS) work.unshift(several);
  await Promise.all(Array.from({ length: LANES }, async () => {
    const pages = await lane();
    while (work.length) await work.shift()(pages);
  }));
  server.close();
});
