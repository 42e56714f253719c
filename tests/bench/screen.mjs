// screen.mjs COLLECTOR VIEW COUNT: from a POST to the screen of who watches.
//
// A page of one word is recorded by hand, and each batch is one event, made as
// it is sent, that changes the word. A Chromium watches it live; in each frame
// that it draws the word is looked at. Prints p50 and p99 in ms.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';

const here = dirname(fileURLToPath(import.meta.url));
const { chromium } = createRequire(join(here, '../browser/harness.mjs'))('playwright-core');
const [collector, view, count] = process.argv.slice(2);
const EACH = 250;               // ms; the recorder's, while somebody watches

async function post(path, body) {
  const answer = await fetch(collector + path, { method: 'POST', body, headers: { 'content-type': 'text/plain' } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const element = (id, tagName, ...childNodes) => ({ type: 2, id, tagName, attributes: {}, childNodes });
const session = await post('/v1/sessions?key=dev', '{}');
let number = 0;
const send = (...events) => post(`/v1/sessions/${session.id}/lines?token=${session.token}&tab=1&batch=${++number}`,
  events.map((e) => JSON.stringify({ ...e, timestamp: Date.now() })).join('\n') + '\n');
await send({ type: 4, data: { href: 'http://127.0.0.1/', width: 800, height: 600 } },
  { type: 2, data: { node: { type: 0, id: 1, childNodes: [element(2, 'html', element(3, 'head'), element(4, 'body', { type: 3, id: 5, textContent: '0' }))] }, initialOffset: { top: 0, left: 0 } } });

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
const page = await (await browser.newContext({ viewport: { width: 1400, height: 900 } })).newPage();
await page.goto(`${view}/?id=${session.id}`);
await page.waitForSelector('.stage[data-opened]');
await page.waitForSelector('.live-button.on');
const frame = page.frames().find((f) => f.url().endsWith('/player.html'));
await frame.evaluate(() => {
  window.seen = {};
  const look = () => {
    const inner = document.querySelector('.stage:not([data-next]) .replayer-wrapper > iframe');
    const word = inner?.contentDocument?.body?.textContent;
    if (word) window.seen[word] ??= Date.now();
    requestAnimationFrame(look);
  };
  look();
});
const sent = {};
const word = async (n) => {
  sent[n] = Date.now();
  await send({ type: 3, data: { source: 0, texts: [{ id: 5, value: String(n) }], attributes: [], removes: [], adds: [] } });
  await new Promise((r) => setTimeout(r, Math.max(0, sent[n] + EACH - Date.now())));
};
// Once what opening the page took is no longer in how late it plays.
for (let n = 1; n <= +count + 16; n++) await word(n);
await frame.waitForFunction((n) => window.seen[n], +count + 16);
const seen = await frame.evaluate(() => window.seen);
await browser.close();
const times = Object.keys(sent).filter((n) => n > 16 && seen[n]).map((n) => seen[n] - sent[n]).sort((a, b) => a - b);
const at = (q) => times[Math.min(times.length - 1, Math.floor(times.length * q))];
console.log(`screen p50=${at(0.5)} p99=${at(0.99)} of ${times.length}`);
