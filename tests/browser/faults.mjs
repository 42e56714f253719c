// Navigations with a bad network in between: connections cut before and after
// the request was forwarded, answers delayed by up to 10 s, doubled requests,
// 5xx, and each request, repeats too, to the other of two collectors. Compared
// with what the pages emitted, nothing is lost or doubled.
import { assert, test, until } from './harness.mjs';

const ROUNDS = +process.env.ROUNDS || 60;     // 200 is the whole check
const seed = +process.env.SEED || Math.floor(Math.random() * 2 ** 31);

/** mulberry32 */
let state = seed;
function random() {
  state = state + 0x6D2B79F5 | 0;
  let t = Math.imul(state ^ state >>> 15, 1 | state);
  t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
  return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
}

await test(async (rig) => {
  let bad = false;
  const counts = {};
  await rig.pair(async (req, body, forward) => {
    const fault = !bad || req.method !== 'POST' ? 'none'
      : ['cut before', 'cut after', 'delay', 'twice', '503', 'none', 'none', 'none', 'none', 'none'][Math.floor(random() * 10)];
    counts[fault] = (counts[fault] || 0) + 1;
    if (fault === 'cut before') return null;
    if (fault === '503') return { res: { statusCode: 503, headers: { 'access-control-allow-origin': '*' } }, body: 'no' };
    if (fault === 'delay') await new Promise((r) => setTimeout(r, random() * 10000));
    const got = await forward();
    if (fault === 'twice') await forward();
    return fault === 'cut after' ? null : got;
  });
  const collector = rig.collect;
  const visitor = await rig.visitor({ collector });
  const page = await visitor.newPage();
  const to = (n) => `${rig.demo}/${n % 3 ? 'product.html' : 'index.html'}?n=${n}&collector=${encodeURIComponent(collector)}`;
  await page.goto(to(0));
  const id = await until('a session', () => page.evaluate(() => rr.sessionId()));
  bad = true;
  for (let n = 1; n <= ROUNDS; n++) {
    await page.goto(to(n));
    await page.fill(n % 3 ? '#review [name=name]' : '#search', `round ${n}`);
    if (n % 4 === 0) await page.goBack();
  }
  bad = false;
  await until('all to be stored', async () => {
    await Promise.race([page.evaluate(() => rr.flush()), new Promise((r) => setTimeout(r, 1000))]);
    return await page.evaluate(() => rr.status().buffered) === 0;
  }, 60000);
  assert.equal(await page.evaluate(() => rr.sessionId()), id);
  const { events } = await rig.compare(visitor, id);
  console.log(`# ${events} events over ${ROUNDS} pages; ${JSON.stringify(counts)}; SEED=${seed}`);
}, `SEED=${seed}`);
