// Secrets in more than 100 places of a page, and not one in a stored byte that
// the preset in force covers; consent, Global Privacy Control, and sampling.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { assert, test, until } from './harness.mjs';

// What may be seen: the page's own text, symbols and single words, but in
// strict; with open what was neither masked nor a secret by its kind.
const PAGE = ['text', 'frametext', 'title', 'css', 'cssvar', 'optiontext', 'svgtext', 'svgtitle', 'shadowroot', 'shadowtext', 'shadowcss',
  'adopted', 'hash', 'latershadow', 'laterdecl', 'laterrule', 'laterstyle', 'replaced', 'latertitletext', 'beforemask', 'console', 'rejected'];
const BALANCED = [...PAGE, 'noscript', 'option', 'checkvalue', 'datalist', 'buttonvalue', 'dataword', 'customword'];
const words = [...readFileSync(new URL('secrets.html', import.meta.url), 'utf8').matchAll(/zq-(\w+)-zq/g)].map((m) => m[1]);
/** What no preset shows. */
const NEVER = ['masktitle', 'maskdata', 'masked', 'blocked', 'blockedinput', 'blockedattr', 'blockedframe', 'hidden', 'password', 'passdefault', 'toggled',
  'ccnumber', 'otp', 'cardname', 'passname', 'passunmask', 'shadowmask', 'maskhost', 'maskhosttitle', 'maskhostp', 'blockhost', 'maskedframe',
  'closed', 'closedinput', 'laterhidden', 'latermaskhost', 'laterblockhost', 'becamepassword', 'filename', 'filebody', 'aftermask', 'aftertitle',
  'typedafter', 'body', 'header', 'jsonld', 'comment', 'ogtitle', 'csrf', 'template', 'canvas', 'pushtitle'];
const SEEN = { strict: [], balanced: BALANCED, open: [...words, 'typed', 'typednumber', 'locationquery'].filter((word) => !NEVER.includes(word)) };

await test(async (rig) => {
  assert.ok(words.length > 100, String(words.length));
  const page = readFileSync(new URL('secrets.html', import.meta.url), 'utf8').replaceAll('COLLECTOR', rig.collect);
  const asked = [];
  const server = http.createServer((req, res) => {
    asked.push(req.url);
    res.writeHead(req.url.startsWith('/api') ? 404 : 200, { 'content-type': 'text/html' });
    res.end(page);
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  const site = `http://127.0.0.1:${server.address().port}`;

  for (const privacy of Object.keys(SEEN)) {
    const visitor = await rig.visitor({ privacy, key: 'dev', collector: rig.collect, queryKeys: ['lang'], capture: ['network', 'console', 'errors', ...(privacy === 'strict' ? ['canvas'] : [])] });
    const p = await visitor.newPage();
    await p.goto(`${site}/?id=zq-locationquery-zq&lang=keep`);
    for (const el of await p.locator('.typed').all()) await el.pressSequentially(await el.getAttribute('type') === 'number' ? '987654321' : 'zq-typed-zq');
    await p.waitForTimeout(600);
    await p.evaluate(() => rr.identify('user-1'));
    await p.evaluate(() => rr.flush());
    const id = await p.evaluate(() => rr.sessionId());
    const all = JSON.stringify(rig.stored(id));
    const found = new Set([...all.matchAll(/zq-(\w+)-zq/g)].map((m) => m[1]));
    if (all.includes('987654321')) found.add('typednumber');
    const leaks = [...found].filter((word) => !SEEN[privacy].includes(word));
    assert.deepEqual(leaks, [], `${privacy}: must not be stored`);
    if (privacy !== 'strict') {
      assert.deepEqual(PAGE.filter((word) => !found.has(word)), [], `${privacy}: should be seen`);
      assert.ok(all.includes('plain-link') && all.includes('lang=keep'), 'what is not personal stays');
    }
    assert.ok(all.includes('rrweb/network@1') && all.includes('/api'), 'requests, without their bodies');
    for (const word of ['plain-unmasked', 'plain-font', 'plain-selector', ...(privacy === 'strict' ? [] : ['plain-console', 'plain-error'])])
      assert.ok(all.includes(word), word);
    assert.ok(all.includes('user-1'), 'identify is stored');
    await visitor.close();
  }

  // The page throws, on purpose.
  assert.deepEqual(rig.complaints.splice(0).filter((text) => !/zq-|plain-error/.test(text)), []);

  // Without consent, or with the visitor's browser against it: not a request.
  const silent = async (options, script) => {
    const context = await rig.browser.newContext();
    if (script) await context.addInitScript(script);
    await context.addInitScript((given) => { window.rr = { q: [['init', given]] }; }, { key: 'dev', collector: rig.collect, ...options });
    const sent = [];
    context.on('request', (r) => r.method() === 'POST' && r.url().startsWith(rig.collect) && sent.push(r.url()));
    const p = await context.newPage();
    await p.goto(site);
    await p.waitForTimeout(800);
    return { p, sent, context };
  };
  const gpc = await silent({}, () => Object.defineProperty(navigator, 'globalPrivacyControl', { value: true }));
  assert.deepEqual([gpc.sent, (await gpc.p.evaluate(() => rr.status())).why], [[], 'Global Privacy Control']);
  const none = await silent({ sample: 0 });
  assert.deepEqual(none.sent, []);
  const wait = await silent({ consent: 'wait' });
  assert.deepEqual([wait.sent, (await wait.p.evaluate(() => rr.status())).why], [[], 'waiting for consent']);
  await wait.p.evaluate(() => rr.consent(true));
  await until('a session after consent', () => wait.p.evaluate(() => rr.sessionId()));
  server.close();
});
