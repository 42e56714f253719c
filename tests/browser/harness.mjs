/**
 * What the browser tests share: the real servers (each on a free port, on
 * the S2 that the environment names), a real Chromium, and what the page
 * emitted beside what was stored.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export { assert };

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const build = process.env.BUILD || join(root, 'build');
export const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

/** Polls until `fn` gives something true; what it gave last is in the message. */
export async function until(what, fn, ms = 20000) {
  const end = Date.now() + ms;
  let last;
  for (;;) {
    try {
      last = await fn();
      if (last) return last;
    } catch (e) {
      last = e;
    }
    if (Date.now() > end) throw new Error(`waited in vain for ${what}; last: ${String(last && last.message || JSON.stringify(last))}`);
    await new Promise((r) => setTimeout(r, 50));
  }
}

/** A long text by its length, its head and a hash (FNV-1a, twice): a page has room for 5 MB. */
function brief(text) {
  if (text.length < 200) return text;
  let a = 0x811c9dc5, b = 0x01000193;
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ text.charCodeAt(i), 0x811c9dc5) ^ a >>> 15;
  }
  return `${text.length} ${a >>> 0} ${b >>> 0} ${text.slice(0, 80)}`;
}

/** axe finds nothing serious on the page. */
export async function accessible(page, what) {
  // By the tester's hand, not the page's: its policy allows no foreign script.
  await page.evaluate(`${axe};undefined`);
  const { violations } = await page.evaluate(() => axe.run(document, { iframes: false }));
  const bad = violations.filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 3).join(', ')}`);
  assert.deepEqual(bad, [], `axe, ${what}`);
}

class Rig {
  dir = mkdtempSync(join(tmpdir(), 'rr-browser-'));
  basin = 'browser-' + process.pid + '-' + Date.now().toString(36);
  children = new Set();
  complaints = [];

  env = { ...process.env, PATH: `${join(build, 'bin')}:${process.env.PATH}`, RR_BASIN: this.basin };

  spawn(name, args) {
    const child = spawn(name, args, { env: this.env, stdio: ['ignore', 'inherit', 'inherit'], detached: true });
    this.children.add(child);
    child.done = new Promise((resolve) => child.on('exit', (code, signal) => {
      this.children.delete(child);
      resolve(signal || code);
    }));
    return child;
  }

  async start(launch) {
    execFileSync('s2-stream', ['ensure', `s2://${this.basin}`], { env: this.env });
    [this.collectPort, this.viewPort, this.demoPort] = [await freePort(), await freePort(), await freePort()];
    this.collect = `http://127.0.0.1:${this.collectPort}`;
    this.view = `http://127.0.0.1:${this.viewPort}`;
    this.demo = `http://127.0.0.1:${this.demoPort}`;
    writeFileSync(join(this.dir, 'secret'), '0123456789abcdef'.repeat(4) + '\n', { mode: 0o600 });
    await this.startCollector();
    this.spawn('sse-bridge', ['-l', `127.0.0.1:${this.viewPort}`, '-w', join(build, 'web'), '-x', join(root, 'scripts/routes')]);
    this.spawn('sse-bridge', ['-l', `127.0.0.1:${this.demoPort}`, '-w', join(root, 'examples/demo')]);
    for (const url of [this.view, this.demo]) await until(url, async () => (await fetch(url)).ok);
    this.browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ARGS, ...launch });
  }

  /** Another dashboard, with these options; where it is. */
  async startView(...options) {
    const port = await freePort();
    this.spawn('sse-bridge', ['-l', `127.0.0.1:${port}`, '-w', join(build, 'web'), '-x', join(root, 'scripts/routes'), ...options]);
    const url = `http://127.0.0.1:${port}`;
    await until(url, async () => (await fetch(url)).ok);
    return url;
  }

  async startCollector(...more) {
    this.collector = this.spawn('rr-ingest', ['-l', `127.0.0.1:${this.collectPort}`, '-w', join(build, 'web'), '-S', join(this.dir, 'secret'), ...more]);
    await until('the collector', async () => (await fetch(`${this.collect}/health/ready`)).ok);
  }

  /**
   * A second collector, and a proxy that gives each request to the next of the
   * two; pages use it from now on. `fault`: wraps how one is forwarded.
   */
  async pair(fault = (req, body, forward) => forward()) {
    const port = await freePort();
    this.spawn('rr-ingest', ['-l', `127.0.0.1:${port}`, '-w', join(build, 'web'), '-S', join(this.dir, 'secret')]);
    await until('the second collector', async () => (await fetch(`http://127.0.0.1:${port}/health/ready`)).ok);
    const ports = [port, this.collectPort];
    const asked = [0, 0];
    let turn = 0;
    const forward = (req, body) => new Promise((resolve, reject) => {
      const at = turn++ % 2;
      asked[at] += req.method === 'POST';
      const out = http.request({ port: ports[at], host: '127.0.0.1', path: req.url, method: req.method, headers: req.headers }, (res) => {
        const parts = [];
        res.on('data', (d) => parts.push(d)).on('end', () => resolve({ res, body: Buffer.concat(parts) })).on('error', reject);
      });
      out.on('error', reject);
      out.end(body);
    });
    this.proxy = http.createServer(async (req, res) => {
      try {
        const parts = [];
        for await (const d of req) parts.push(d);
        const body = Buffer.concat(parts);
        const got = await fault(req, body, () => forward(req, body));
        if (!got) return req.socket.destroy();
        res.writeHead(got.res.statusCode, got.res.headers).end(got.body);
      } catch {
        res.destroy();
      }
    });
    await new Promise((r) => this.proxy.listen(0, '127.0.0.1', r));
    this.collect = `http://127.0.0.1:${this.proxy.address().port}`;
    return asked;
  }

  /** Kills the whole ring, as a crash of the machine would. */
  async killCollector() {
    process.kill(-this.collector.pid, 'SIGKILL');
    await this.collector.done;
  }

  async stop() {
    if (this.browser) await this.browser.close();
    if (this.proxy) {
      this.proxy.closeAllConnections();
      this.proxy.close();
    }
    for (const child of this.children) {
      try {
        process.kill(-child.pid, 'SIGTERM');
      } catch {}
    }
    await Promise.race([Promise.all([...this.children].map((c) => c.done)), new Promise((r) => setTimeout(r, 10000))]);
    for (const child of this.children) process.kill(-child.pid, 'SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** A browser that notes each event its pages emit, even as they are left. */
  async visitor(options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1200, height: 800 } });
    await context.addInitScript(`window.__brief = ${brief}`);
    await context.addInitScript((given) => {
      if (window !== top) return;
      const emitted = [];
      let saves = 0, left = false; // what the recorder makes as the page is left comes after us
      const save = () => {
        if (!emitted.length) return;
        const tab = window.rr && rr.status ? rr.status().tab : '?';
        localStorage.setItem('tap ' + performance.timeOrigin + ' ' + Math.random(), JSON.stringify([performance.timeOrigin, tab, performance.now() + ++saves / 1e4, emitted.splice(0)]));
      };
      window.rr = { q: [['init', { ...given, onEvent: (text) => {
        emitted.push(window.__brief(text));
        if (left) save();
      } }]] };
      window.__emitted = () => [performance.timeOrigin, rr.status().tab, performance.now(), emitted];
      addEventListener('pagehide', () => {
        save();
        left = true;
      });
      addEventListener('pageshow', () => { left = false; });
    }, options);
    context.on('weberror', (e) => this.complaints.push(String(e.error())));
    return context;
  }

  async watcher(options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
    context.on('weberror', (e) => this.complaints.push(String(e.error())));
    return context;
  }

  address(page = '') {
    return `${this.demo}/${page}${page.includes('?') ? '&' : '?'}collector=${encodeURIComponent(this.collect)}`;
  }

  /** What a visitor's pages emitted, by tab, in order. */
  async emitted(context) {
    const pages = context.pages().filter((p) => p.url().startsWith(this.demo));
    const taps = await pages[0].evaluate(() => Object.keys(localStorage).filter((k) => k.startsWith('tap ')).map((k) => JSON.parse(localStorage.getItem(k))));
    for (const p of pages) taps.push(await p.evaluate(() => window.__emitted()));
    taps.sort((a, b) => a[0] + a[2] - b[0] - b[2]);
    const tabs = {};
    for (const [, tab, , texts] of taps) (tabs[tab] = tabs[tab] || []).push(...texts);
    return tabs;
  }

  /** All sessions of the basin, oldest first. */
  sessions() {
    const out = execFileSync('rr-ls', ['-j'], { env: this.env, encoding: 'utf8', maxBuffer: 1 << 28 });
    return JSON.parse(out).sessions.reverse();
  }

  /** A session as it is stored: {lines, tabs: {TAB: [text]}, directives}. */
  stored(id) {
    const text = execFileSync('bash', ['-c', 'set -o pipefail; s2-tail "$(s2-stream name "$1")" | rr-reassemble -d', '-', id], { env: this.env, encoding: 'utf8', maxBuffer: 1 << 30 });
    const tabs = {}, directives = [];
    let tab;
    for (const line of text.split('\n')) {
      if (!line) continue;
      if (line[0] !== ':') {
        tabs[tab].push(line);
        continue;
      }
      directives.push(line);
      const m = /^:batch tab=(\w+)/.exec(line);
      if (m) tabs[tab = m[1].padStart(8, '0')] = tabs[tab] || [];
    }
    return { tabs, directives };
  }

  /** Stored is what was emitted: byte for byte, in order, once. Ends the recording. */
  async compare(context, id) {
    for (const p of context.pages().filter((p) => p.url().startsWith(this.demo)))
      await p.evaluate(() => {
        rr.pause();
        // Where the mouse was rrweb tells half a second later, now to nobody.
        const [origin, tab, now, list] = window.__emitted(), was = [origin, tab, now, [...list]];
        window.__emitted = () => was;
        return rr.flush();
      });
    const emitted = await this.emitted(context);
    const { tabs, directives } = this.stored(id);
    const count = (all) => JSON.stringify(Object.fromEntries(Object.entries(all).map(([t, list]) => [t, list.length])));
    const both = `emitted ${count(emitted)}, stored ${count(tabs)}`;
    let events = 0;
    for (const tab of new Set([...Object.keys(emitted), ...Object.keys(tabs)])) {
      const a = emitted[tab] || [], b = tabs[tab] || [];
      for (let i = 0; i < Math.max(a.length, b.length); i++)
        assert.equal(b[i] === undefined ? b[i] : brief(b[i]), a[i], `tab ${tab}, event ${i}; ${both}`);
      events += a.length;
    }
    assert.ok(events > 0, 'nothing was emitted');
    assert.deepEqual(directives.filter((d) => d.startsWith(':gap')), []);
    return { events, tabs: Object.keys(tabs), directives };
  }
}

/** Runs one test with servers of its own, and says how it went. `launch`: of the browser. */
export async function test(fn, note = '', launch = {}) {
  const rig = new Rig();
  let failed;
  try {
    await rig.start(launch);
    await fn(rig);
    assert.deepEqual(rig.complaints, [], 'errors in the pages');
  } catch (e) {
    failed = e;
    console.error(e && e.stack || e, note);
  } finally {
    await rig.stop().catch((e) => { failed = failed || e; console.error(e); });
  }
  process.exit(failed ? 1 : 0);
}

/** What the player shows, once something is drawn: see(fn, arg) runs fn on that document. */
export async function replay(page) {
  await page.waitForSelector('.stage[data-opened]');
  const frame = page.frames().find((f) => f.url().endsWith('/player.html'));
  return {
    frame,
    async see(fn, arg) {
      const inner = await frame.evaluateHandle(() =>
        document.querySelector('.stage:not([data-next]) .replayer-wrapper > iframe').contentDocument);
      return inner.evaluate(fn, arg).finally(() => inner.dispose());
    },
  };
}
