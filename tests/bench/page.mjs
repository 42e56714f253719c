// How soon the dashboard is seen: node page.mjs VIEW ID... loads the list and
// each session's page 20 times, in a tab that is open already and with nothing
// in its cache, and prints the first contentful paint in ms, and when the list
// has its rows, or the player its first picture.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';

const here = dirname(fileURLToPath(import.meta.url));
const { chromium } = createRequire(join(here, '../browser/harness.mjs'))('playwright-core');
const [view, ...ids] = process.argv.slice(2);
const LOADS = 20;

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
const at = (list, share) => list.sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))].toFixed(0).padStart(8);
for (const [name, url, seen] of [['list', view, '.sessions a'], ...ids.map((id) => ['player', `${view}/?id=${id}`, '.stage[data-opened]'])]) {
  const paints = [], whole = [];
  const page = await (await browser.newContext({ viewport: { width: 1400, height: 900 } })).newPage();
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Network.setCacheDisabled', { cacheDisabled: true });
  for (let i = 0; i <= LOADS; i++) {
    await page.goto(url);
    await page.waitForSelector(seen);
    const [paint, now] = await page.evaluate(async () => {
      const entry = () => performance.getEntriesByName('first-contentful-paint')[0];
      const now = performance.now();
      while (!entry()) await new Promise((r) => setTimeout(r, 20));
      return [entry().startTime, now];
    });
    if (!i) continue;           // which starts what the others find running
    paints.push(paint);
    whole.push(now);
  }
  console.log(`${name.padEnd(8)} ${at(paints, 0.5)} ${at(paints, 0.9)} ${at(whole, 0.5)} ${at(whole, 0.9)}`);
}
await browser.close();
