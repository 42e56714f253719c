// What the list and the player say when there is nothing to see: of how
// sessions ended, of none, of deleted ones, and while S2 or the server is away.
import { execFileSync } from 'node:child_process';
import net from 'node:net';
import { join } from 'node:path';
import { accessible, assert, replay, test, until } from './harness.mjs';

const T = 1767225600000;
const event = (type, data, ms) => JSON.stringify({ type, data, timestamp: T + ms });
const picture = [
  event(4, { href: 'https://shop.example/', width: 800, height: 600 }, 0),
  event(2, { node: { type: 0, id: 1, childNodes: [{ type: 2, tagName: 'html', attributes: {}, id: 2, childNodes: [
    { type: 2, tagName: 'body', attributes: {}, id: 3, childNodes: [{ type: 3, textContent: 'hello', id: 4 }] }] }] }, initialOffset: { top: 0, left: 0 } }, 10),
  event(3, { source: 3, id: 1, x: 0, y: 0 }, 4000),
];

/** A way to S2 that can be cut off. */
async function road() {
  const s2 = new URL(process.env.S2_ACCOUNT_ENDPOINT), open = new Set();
  const state = { away: false, cut() {
    state.away = true;
    for (const socket of open) socket.destroy();
  } };
  const server = net.createServer((client) => {
    if (state.away) return client.destroy();
    const there = net.connect(s2.port, s2.hostname);
    for (const socket of [client, there]) {
      open.add(socket);
      socket.on('error', () => {}).on('close', () => {
        open.delete(socket);
        client.destroy();
        there.destroy();
      });
    }
    client.pipe(there).pipe(client);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  state.end = () => server.close();
  state.url = `http://127.0.0.1:${server.address().port}`;
  return state;
}

await test(async (rig) => {
  const shell = (script, env = {}) => execFileSync('bash', ['-c', `set -euo pipefail; ${script}`], { env: { ...rig.env, ...env }, encoding: 'utf8' }).trim();
  /** A session with these events, ended by `stop`, if that is given. */
  const session = (events, stop, fence = 'active') => {
    const lines = [':create', `:fence set=${fence}`, ':meta {"url":"https://shop.example/"}', ...events.length ? [':batch tab=1 batch=1', ...events, ':end'] : [],
      ...stop ? [`:fence use=${fence} set=stopped`, `:stop {"reason":"${stop}"}`] : [], ':end token=1'];
    return shell(`id=$(s2-stream new); rr-frame <<<"$LINES" | s2-append "$(s2-stream name "$id")" >&2; echo "$id"`, { LINES: lines.join('\n') });
  };
  const shoot = async (page, name) => {
    if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `state-${name}.png`) });
  };
  const viewer = await rig.watcher();
  const page = await viewer.newPage();
  /** It says this, is fit for all, in the dark and on a phone, and can be seen in a picture. */
  const says = async (p, name, selector, head, text) => {
    await p.waitForSelector(selector, { timeout: 60000 });
    assert.equal(await p.textContent(`${selector} h2`), head);
    assert.match(await p.textContent(`${selector} p`), text);
    for (const [colorScheme, width] of [['light', 1280], ['dark', 320]]) {
      await p.emulateMedia({ colorScheme });
      await p.setViewportSize({ width, height: 700 });
      await accessible(p, `${name}, ${colorScheme}`);
      assert.ok(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} is as wide as the page`);
      await shoot(p, `${name}-${colorScheme}`);
    }
    await p.emulateMedia({ colorScheme: 'light' });
    await p.setViewportSize({ width: 1400, height: 900 });
  };

  // ---- how it ended -----------------------------------------------------

  // An import that is killed half-way.
  const half = shell(`
    cd "$DIR"; mkfifo in; exec 7<>in
    setsid rr import - <in >&2 & import=$!
    printf '%s\\n' ':batch tab=1 batch=1' "$EVENTS" :end >&7
    until id=$(rr-ls -j | jq -er '.sessions[] | select(.records > 1).id'); do :; done
    kill -KILL -- -$import
    echo "$id"`, { DIR: rig.dir, EVENTS: picture.join('\n') });
  const left = session(picture);
  assert.deepEqual(shell('rr-janitor', { RR_LEASE: '1' }).split('\n').sort(), [`${half} stopped`, `${left} stopped`].sort());
  const ends = {
    [left]: ['Visitor left', /lease ran out/],
    [half]: ['Import broke off', /is not whole/],
    [session(picture, 'stopped by the page')]: ['Ended by the page', /rr\.stop\(\)/],
    [session(picture, 'consent withdrawn')]: ['Consent withdrawn', /took the consent back/],
    [session(picture, 'something else')]: ['Stopped', /something else/],
  };
  const stopped = session(picture);
  shell(`rr stop ${stopped}`);
  ends[stopped] = ['Stopped by an operator', /Somebody stopped it/];
  const open = session(picture);

  const word = (id) => page.textContent(`li[data-id="${id}"] .when > :last-child`);
  await page.goto(rig.view);
  for (const [id, [said]] of Object.entries(ends)) await until(said, async () => await word(id) === said);
  await page.waitForSelector(`li[data-id="${open}"] .now`);
  await accessible(page, 'list of ends');
  await shoot(page, 'ends');
  for (const [id, [said, why]] of Object.entries(ends)) {
    await page.goto(`${rig.view}/?id=${id}`);
    await replay(page);
    await until(said, async () => await page.textContent('.state') === said);
    assert.match(await page.getAttribute('.state', 'title'), why);
  }
  // One that nobody stopped, in the eyes of a server with a shorter lease.
  rig.env = { ...rig.env, RR_LEASE: '1' };
  const strict = await rig.startView();
  await page.goto(`${strict}/?id=${open}`);
  await until('that it is silent', async () => {
    await page.reload();
    await page.waitForSelector('.state:not(:empty)');
    return await page.textContent('.state') === 'Gone quiet';
  });
  await page.goto(strict);
  await until('so in the list', async () => await word(open) === 'Gone quiet');

  // ---- nothing ----------------------------------------------------------

  await page.goto(`${rig.view}/?id=${session([], 'stopped by the page')}`);
  await says(page, 'empty', '.veil.bare', 'Nothing has been recorded yet', /its page sent no events/);
  await page.goto(`${rig.view}/?id=${session([])}`);
  await says(page, 'empty-live', '.veil.bare', 'Nothing has been recorded yet', /what comes is shown at once/);
  await page.goto(`${rig.view}/?id=${session([event(3, { source: 3, id: 1, x: 0, y: 0 }, 0)], 'lease')}`);
  await says(page, 'no-snapshot', '.veil.bare', 'No snapshot', /Its events are in the inspector/);
  await page.goto(`${rig.view}/?id=${'0'.repeat(25)}`);
  await says(page, 'no-such', '.veil.gone', 'There is no such session', /^There never was one/);
  await page.click('.veil button');
  await page.waitForSelector('.sessions a');

  // Deleted by somebody else while it is watched.
  const doomed = session(picture);
  await page.goto(`${rig.view}/?id=${doomed}`);
  await replay(page);
  await page.waitForSelector('.state.live');
  shell(`rr rm -f ${doomed}`);
  await says(page, 'deleted', '.veil.gone', 'This session was deleted', /while you watched/);
  assert.equal(await page.textContent('.state'), 'Deleted');
  await page.reload();
  await page.waitForSelector('.veil.gone');
  assert.equal(await page.textContent('.veil h2'), 'This session is there no more');
  assert.match(await page.textContent('.veil p'), /^By its name it began on .*, and was deleted since/);

  // ---- away -------------------------------------------------------------

  const way = await road();
  rig.env = { ...rig.env, RR_LEASE: '150', S2_ACCOUNT_ENDPOINT: way.url, S2_BASIN_ENDPOINT: way.url };
  const far = await rig.startView();
  const other = await viewer.newPage();
  await page.goto(far);
  await page.waitForSelector('.sessions a');
  way.cut();
  await other.goto(`${far}/?id=${stopped}`);
  await says(other, 'away', '.veil.away', 'S2 is away', /The dashboard runs, but the storage behind it does not answer\. This page tries again/);
  await says(page, 'list-away', '.note.away', 'S2 is away', /The dashboard runs, but the storage behind it does not answer\. This page looks again/);
  assert.ok(await page.locator('.sessions a').count() > 0, 'what the list had is still there');
  way.away = false;
  await other.click('.veil button').catch(() => {});
  await replay(other);
  await page.waitForSelector('.note', { state: 'hidden', timeout: 60000 });

  await viewer.setOffline(true);
  await page.goto('about:blank').catch(() => {});
  await other.evaluate((id) => {
    history.pushState(null, '', `?id=${id}`);
    dispatchEvent(new PopStateEvent('popstate'));
  }, left);
  await says(other, 'no-connection', '.veil.away', 'No connection', /The server does not answer\. This page tries again/);
  await viewer.setOffline(false);
  await replay(other);
  way.end();
});
