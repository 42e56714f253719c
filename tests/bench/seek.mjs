// A long session in a real browser: node seek.mjs VIEW COUNTED ID CALLS PID,
// where COUNTED is a second server, whose reads go through tests/count-proxy.mjs,
// which writes CALLS. Prints when there is a first frame in a browser that was
// just started, how long it takes to another place, what that reads, and what
// memory it takes. Openings are timed at VIEW, the process PID, with nothing that
// counts between it and S2, or in the browser.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { chromium } = createRequire(new URL('../browser/package.json', import.meta.url))('playwright-core');
const [view, counted, id, calls, pid] = process.argv.slice(2);
const OPENS = 9, COUNTED = 3, SEEKS = 20, PLAY = 60e3;
const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });

const reads = () => readFileSync(calls, 'utf8').split('\n').filter((l) => /^GET .*\/records(\?|$)/.test(l)).length;
const rss = () => Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const at = (list, q) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * q))];

/**
 * A page in a browser of its own, that counts what of the recording comes over
 * the wire if `bytes`, and its heap. `ms` is when the first frame of the recording had
 * been handed to the screen, from the beginning of the navigation.
 */
async function open(hash, { browser = null, server = view, bytes = false } = {}) {
  const own = !browser;
  browser ??= await launch();
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  const page = await context.newPage();
  await page.goto('about:blank');
  const cdp = await context.newCDPSession(page);
  // Playwright's ways to wait would load a script of theirs into the page meanwhile.
  await cdp.send('Runtime.addBinding', { name: 'drew' });
  await page.addInitScript(() => addEventListener('message', (e) => {
    if (e.data?.op === 'sought' && window === top) window.sought = (window.sought || 0) + 1;
    if (e.data?.op === 'opened' && window === top) requestAnimationFrame(() => setTimeout(() => drew(String(performance.now()))));
  }));
  const drew = new Promise((resolve) => cdp.on('Runtime.bindingCalled', (e) => resolve(+e.payload)));
  await cdp.send('Runtime.enable');
  const wanted = new Set();
  const seen = { bytes: 0, requests: 0, heap: 0 };
  if (bytes) await cdp.send('Network.enable');
  cdp.on('Network.requestWillBeSent', (e) => {
    if (!e.request.url.includes('/api/sessions/')) return;
    wanted.add(e.requestId);
    seen.requests++;
  });
  cdp.on('Network.dataReceived', (e) => { if (wanted.has(e.requestId)) seen.bytes += e.encodedDataLength || 0; });
  seen.sample = async () => {
    const { usedSize } = await cdp.send('Runtime.getHeapUsage');
    seen.heap = Math.max(seen.heap, usedSize);
    return usedSize;
  };
  seen.collect = () => cdp.send('HeapProfiler.collectGarbage');
  await page.goto(`${server}/?id=${id}${hash}`, { waitUntil: 'commit' });
  const ms = await drew;
  return { page, seen, ms, end: () => own ? browser.close() : context.close() };
}

const kb = (n) => (n / 1000).toFixed(0);
console.log('                        p50 ms   p90 ms    p50 KB   p90 KB  S2 reads');
const row = (name, ms, bytes, n) => console.log(name.padEnd(22), ...[at(ms, 0.5).toFixed(0), at(ms, 0.9).toFixed(0)].map((x) => x.padStart(7)),
  ...[kb(at(bytes, 0.5)), kb(at(bytes, 0.9))].map((x) => x.padStart(9)), ` ${at(n, 0.5)} to ${Math.max(...n)}`);

const info = await (await fetch(`${view}/api/sessions/${id}`)).json();
const long = info.last - (info.first ?? info.last - info.duration);
const middle = `#t=${Math.round(long / 2)}`, used = await launch();
await (await open('', { browser: used })).end();
for (const [name, hash, browser] of [['open at the start', ''], ['open in the middle', middle],
  ['the start, browser up', '', used], ['the middle, browser up', middle, used]]) {
  const ms = [], bytes = [], n = [];
  for (let i = 0; i < OPENS; i++) {
    const o = await open(hash, { browser });
    ms.push(o.ms);
    await o.end();
    await sleep(300);
  }
  for (let i = 0; i < COUNTED; i++) {
    const before = reads();
    const o = await open(hash, { browser, server: counted, bytes: true });
    n.push(reads() - before);
    bytes.push(o.seen.bytes);
    await o.end();
    await sleep(300);
  }
  row(name, ms, bytes, n);
}
await used.close();

/** Goes to random places, the same each time. */
async function seeks({ page, seen }) {
  const ms = [], bytes = [], n = [];
  let random = 20261124;
  for (let i = 0; i < SEEKS; i++) {
    await sleep(500); // what is read ahead has been
    random = random * 16807 % 2147483647;
    // A place near the last one is in the window that the player has.
    const before = [seen.bytes, reads(), await page.evaluate(() => [document.querySelector('.stage').dataset.opened, window.sought])];
    const start = performance.now();
    const shown = page.waitForFunction(([opened, sought]) => (document.querySelector('.stage').dataset.opened !== opened ||
      window.sought !== sought) && document.querySelector('.veil').hidden, before[2], { polling: 'raf', timeout: 20000 });
    await page.evaluate((t) => { location.hash = `t=${t}`; }, Math.round(random / 2147483647 * long));
    await shown;
    ms.push(performance.now() - start);
    bytes.push(seen.bytes - before[0]);
    n.push(reads() - before[1]);
    await seen.sample();
  }
  return { ms, bytes, n };
}
const other = await open('#t=0', { server: counted });
const { n } = await seeks(other);
await other.end();
const { page, seen, end } = await open('#t=0', { bytes: true });
const { ms, bytes } = await seeks({ page, seen });
row(`seek, of ${SEEKS}`, ms, bytes, n);
const peak = seen.heap;
await seen.collect();
console.log(`\nheap of the page, MiB: ${(peak / 1048576).toFixed(0)} at most after ${SEEKS} seeks, ${(await seen.sample() / 1048576).toFixed(0)} in use`);

seen.heap = 0;
await page.selectOption('.speed', '16');
await page.evaluate(() => { location.hash = 't=1000'; });
await sleep(1000);
await page.keyboard.press(' ');
const from = await page.textContent('.time');
for (const end = Date.now() + PLAY; Date.now() < end; await sleep(500)) await seen.sample();
const to = await page.textContent('.time');
const most = seen.heap;
await seen.collect();
console.log(`a minute at 16 times, ${from.split(' ')[0]} to ${to}: ${(most / 1048576).toFixed(0)} at most, ${(await seen.sample() / 1048576).toFixed(0)} in use`);
console.log(`sse-bridge: ${rss().toFixed(1)} MiB at most`);
await end();
