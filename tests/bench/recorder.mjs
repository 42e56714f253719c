// recorder.mjs COLLECTOR WEB-DIR WATCHED-DIR DATA-DIR: what the recorder costs a
// page and its visitor. WATCHED-DIR is the collector's -W.
//
// size      of the scripts, packed
// pages     CPU time of a page's main thread, and its long tasks, without a
//           recorder, with rrweb alone (and JSON.stringify, which any recorder
//           needs), and with ours
// wire      bodies of requests for the recordings in DATA-DIR, by the sender
//           itself on a clock of ours, beside RePlaya's
// durable   from an event to the answer that it is stored
import { readFileSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { ours } from '../../lib/web/rrweb.mjs';
import { page as pageOf } from './recorder-pages.mjs';

const [collector, web, watchedDir, dataDir] = process.argv.slice(2);
const only = (process.env.PARTS || 'size pages wire durable').split(' ');
const SECONDS = +process.env.SECONDS_EACH || 8;
const root = fileURLToPath(new URL('../..', import.meta.url));
const esbuild = createRequire(join(root, 'lib/web/x.mjs'))('esbuild');
const { chromium } = createRequire(join(root, 'tests/browser/x.mjs'))('playwright-core');

const bundle = async (options) => (await esbuild.build({ absWorkingDir: join(root, 'lib/web'), bundle: true, write: false,
  format: 'iife', target: 'es2020', legalComments: 'none', define: { __VERSION__: '"0"', __RRWEB__: '"0"' }, ...options })).outputFiles[0].text;
const alone = await bundle({ stdin: { contents: 'export { record } from "@rrweb/record";', resolveDir: join(root, 'lib/web') }, globalName: 'rrweb', minify: true });

// ---- size ----------------------------------------------------------------

if (only.includes('size')) {
  console.log('\nsize: bytes, packed by gzip -9');
  for (const [name, text] of [['rr.js', readFileSync(join(web, 'rr.js'))], ['rrweb record alone', alone]])
    console.log(`${name.padEnd(20)} ${gzipSync(text, { level: 9 }).length}`);
}

// ---- a page, and who does what in it -------------------------------------

// The recorder as it is written, so that each line says whose it is.
const plain = await bundle({ entryPoints: ['recorder/index.js'], plugins: [ours] });
let file = '';
const owners = plain.split('\n').map((line) => {
  const m = /^  \/\/ (recorder|node_modules)\//.exec(line);
  if (m) file = m[1] === 'recorder' ? 'ours' : 'rrweb';
  return file;
});

const RRWEB = `<script src="/rrweb.js"></script><script>let chars = 0;
  rrweb.record({ recordAfter: 'DOMContentLoaded', sampling: { mousemove: 50, scroll: 150, media: 800 },
    emit(e) { chars += JSON.stringify(e).length; } });</script>`;
const HEADS = {
  off: '',
  rrweb: RRWEB,
  ours: `<script src="${collector}/rr.js" data-key="dev"></script>`,
  profile: `<script src="/plain.js" data-key="dev" data-collector="${collector}"></script>`,
};
const site = http.createServer((req, res) => {
  const [, name, mode] = new URL(req.url, 'http://x').pathname.split('/');
  const script = { 'rrweb.js': alone, 'plain.js': plain }[name];
  res.writeHead(200, { 'content-type': script ? 'text/javascript' : 'text/html; charset=utf-8' });
  res.end(script || (HEADS[mode] === undefined ? '' : pageOf(name, HEADS[mode])));
});
await new Promise((r) => site.listen(0, '127.0.0.1', r));
const base = `http://127.0.0.1:${site.address().port}`;
let browser;

/** The main thread's tasks, each with its CPU time in ms (cpu) and ours of it. */
function tasksOf(events) {
  let best = { cpu: -1 };
  for (const m of events.filter((e) => e.name === 'thread_name' && e.args.name === 'CrRendererMain')) {
    const tasks = events.filter((e) => e.pid === m.pid && e.tid === m.tid && e.ph === 'X' && e.name === 'ThreadControllerImpl::RunTask');
    const cpu = tasks.reduce((sum, e) => sum + (e.tdur || 0), 0) / 1e3;
    if (cpu > best.cpu) best = { cpu, tasks: tasks.sort((a, b) => a.ts - b.ts), pid: m.pid };
  }
  const nodes = new Map(), samples = [];
  let at = 0;
  for (const e of events.filter((x) => x.pid === best.pid && /^Profile(Chunk)?$/.test(x.name)).sort((a, b) => a.ts - b.ts)) {
    const { data } = e.args;
    if (e.name === 'Profile') at = data.startTime;
    for (const n of data.cpuProfile?.nodes || []) nodes.set(n.id, n);
    (data.cpuProfile?.samples || []).forEach((id, i) => samples.push([at += data.timeDeltas[i], id]));
  }
  const whose = (n) => {
    for (; n; n = nodes.get(n.parent)) {
      if (n.callFrame.url?.endsWith('/plain.js')) return owners[n.callFrame.lineNumber];
      if (n.callFrame.url) return 'page';
    }
    return 'browser';
  };
  let i = 0;
  return { cpu: best.cpu, tasks: best.tasks.map((task) => {
    const by = { ours: 0, rrweb: 0, all: 0 };
    while (i < samples.length && samples[i][0] < task.ts) i++;
    for (; i < samples.length && samples[i][0] < task.ts + task.dur; i++) {
      by.all++;
      const who = whose(nodes.get(samples[i][1]));
      if (who in by) by[who]++;
    }
    const cpu = (task.tdur || 0) / 1e3;
    return { cpu, ours: by.all ? cpu * by.ours / by.all : 0, rrweb: by.all ? cpu * by.rrweb / by.all : 0 };
  }) };
}

async function visit(name, mode) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 } });
  const p = await context.newPage();
  await p.addInitScript(() => {
    window.__frames = 0;
    const frame = () => {
      __frames++;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  await browser.startTracing(p, { categories: ['toplevel', '__metadata', ...(mode === 'profile' ? ['disabled-by-default-v8.cpu_profiler'] : [])] });
  await p.goto(`${base}/${name}/${mode}`, { timeout: 120000 });
  await p.bringToFront();
  await p.evaluate(() => { window.__frames = 0; });
  const work = p.evaluate((s) => work(s), SECONDS);
  let moving = true;
  work.then(() => { moving = false; });
  for (let i = 0; moving && name === 'shop'; i++) await p.mouse.move(200 + (i * 17) % 700, 100 + (i * 11) % 500);
  await work;
  const frames = await p.evaluate(() => __frames);
  await p.waitForTimeout(1000);
  const events = JSON.parse((await browser.stopTracing()).toString()).traceEvents;
  await context.close();
  return { frames: frames / SECONDS, ...tasksOf(events) };
}

if (only.some((part) => part === 'pages' || part === 'durable'))
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'] });

if (only.includes('pages')) {
  console.log(`\npages: CPU time of the main thread over the load and ${SECONDS} s, tasks that took over 50 ms of it`);
  console.log('page     recorder   CPU ms  tasks  longest  frames/s');
  for (const name of ['shop', 'flood', 'large']) {
    for (const mode of ['off', 'rrweb', 'ours']) {
      const { cpu, tasks, frames } = await visit(name, mode);
      const long = tasks.filter((t) => t.cpu > 50);
      console.log(`${name.padEnd(8)} ${mode.padEnd(9)} ${cpu.toFixed(0).padStart(7)} ${String(long.length).padStart(6)} ${Math.max(0, ...tasks.map((t) => t.cpu)).toFixed(0).padStart(8)} ${frames.toFixed(0).padStart(9)}`);
    }
    const { tasks } = await visit(name, 'profile');
    const most = (who) => Math.max(0, ...tasks.map((t) => t[who])).toFixed(0);
    const sum = (who) => tasks.reduce((n, t) => n + t[who], 0).toFixed(0);
    console.log(`${name.padEnd(8)} by sampling: ours ${sum('ours')} ms in all, ${most('ours')} in one task; rrweb's ${sum('rrweb')}, ${most('rrweb')}`);
  }
}

// ---- bytes on the wire ---------------------------------------------------

/** A clock that stands still until it is moved: its timers run in order. */
function fakeClock() {
  const real = { setTimeout, clearTimeout, setImmediate };
  let now = 0, next = 1e6, timers = new Map();
  globalThis.setTimeout = (fn, ms = 0) => {
    timers.set(++next, { at: now + Math.max(0, ms), fn });
    return next;
  };
  globalThis.clearTimeout = (id) => timers.delete(id);
  performance.now = () => now;
  return {
    // Packing is done by other threads: real time has to pass.
    async to(t, busy) {
      for (;;) {
        let due;
        for (const [id, x] of timers) if (x.at <= t && (!due || x.at < due[1].at)) due = [id, x];
        if (!due) break;
        now = Math.max(now, due[1].at);
        timers.delete(due[0]);
        due[1].fn();
        do await new Promise((r) => real.setImmediate(r)); while (busy());
      }
      now = Math.max(now, t);
    },
  };
}

async function wire() {
  const times = (text) => +(/"timestamp":(\d+)/.exec(text) || [0, 0])[1];
  const sent = { n: 0, bytes: 0 };
  globalThis.self = globalThis;
  let watched = false;
  globalThis.fetch = async (url, { body }) => {
    if (/\/lines\?/.test(url)) {
      sent.n++;
      sent.bytes += Buffer.byteLength(body);
    }
    return { ok: true, status: 200, headers: new Map(), json: async () => (/sessions\?/.test(url)
      ? { verdict: 'open', id: 'a'.repeat(26), token: 't'.repeat(43), flush: 5000, beat: 1e9 }
      : { verdict: 'stored', seq: 1, watched, flush: watched ? 250 : 5000 }) };
  };
  Object.defineProperty(globalThis, 'navigator', { value: { onLine: true }, configurable: true });
  const clock = fakeClock();
  const { Sender } = await import(join(root, 'lib/web/recorder/sender.js'));
  const store = { name: 'x', session: () => null, saveSession() {}, takeBaton: () => null, putBaton() {},
    put: async () => true, get: async () => null, drop() {}, others: async () => [] };
  const host = { snapshot() {}, finish() {}, dead() {}, stricter() {}, describe: () => ({}) };

  /** All of a recording through the sender: requests and bytes of their bodies. */
  const ours = async (lines, live) => {
    watched = live;
    Object.assign(sent, { n: 0, bytes: 0 });
    const sender = new Sender({ collector: 'http://c', key: 'k', maxBuffer: 8 << 20, minDuration: 0, privacy: 'balanced' }, store, host);
    sender.stats.watched = live;
    sender.ready();
    const begin = performance.now();
    const busy = () => sender.busy;
    let first;
    for (const text of lines) {
      const { type, timestamp } = text[0] === '{' ? JSON.parse(text) : {};
      first = first || timestamp || 0;
      await clock.to(begin + Math.max(0, (timestamp || first) - first), busy);
      sender.add(text, type);
    }
    sender.release();
    sender.flush();
    while (sender.queue.length || sender.pending.length || sender.busy) await clock.to(performance.now() + 1000, busy);
    clearTimeout(sender.beatTimer);
    sender.over = true;
    return { ...sent };
  };

  /** As RePlaya's recorder: 250 ms after the last event, at once with 20, 100 at most. */
  const replaya = (lines) => {
    let n = 0, bytes = 0, count = 0, batch = [], last = 0;
    const post = () => {
      for (; batch.length; n++) {
        const some = batch.splice(0, 100);
        count += some.length;
        bytes += Buffer.byteLength(`{"events":[${some.join(',')}],"eventCount":${count},"sessionToken":"${'t'.repeat(114)}"}`);
      }
    };
    for (const text of lines) {
      const t = times(text);
      if (batch.length && t - last >= 250) post();
      batch.push(text);
      last = t;
      if (batch.length >= 20) post();
    }
    post();
    return { n, bytes };
  };

  console.log('\nwire: bodies of requests and their bytes');
  console.log('recording                        text      RePlaya          watched         unwatched');
  const all = { replaya: 0, live: 0, idle: 0 };
  for (const name of readdirSync(dataDir).filter((f) => /\.ndjson(\.zst)?$/.test(f))) {
    const path = join(dataDir, name);
    const text = name.endsWith('.zst') ? execFileSync('zstd', ['-dqc', path], { maxBuffer: 1 << 28, encoding: 'utf8' }) : readFileSync(path, 'utf8');
    const lines = text.split('\n').filter(Boolean);
    const r = replaya(lines), live = await ours(lines, true), idle = await ours(lines, false);
    const cell = (x) => `${String(x.bytes).padStart(9)} ${String(x.n).padStart(5)}`;
    console.log(`${name.replace(/\.ndjson.*/, '').padEnd(26)} ${String(Buffer.byteLength(text)).padStart(9)}  ${cell(r)}  ${cell(live)}  ${cell(idle)}`);
    all.replaya += r.bytes;
    all.live += live.bytes;
    all.idle += idle.bytes;
  }
  console.log(`RePlaya's bytes / ours: ${(all.replaya / all.live).toFixed(1)} watched, ${(all.replaya / all.idle).toFixed(1)} not`);
}

// ---- from an event to durable --------------------------------------------

async function durable(watch) {
  const context = await browser.newContext();
  const p = await context.newPage();
  await p.addInitScript(() => {
    // Events go in order, so those that a stored answer tells of are the oldest.
    const times = [], waits = window.__waits = [];
    let done = 0;
    window.rr = { q: [['init', { onEvent: () => times.push(performance.now()) }]] };
    const was = window.fetch;
    window.fetch = async (...args) => {
      const answer = await was(...args);
      const at = performance.now();
      for (const ms of [1, 20, 100, 200])
        setTimeout(() => { for (const { stored } = rr.status(); done < stored; done++) waits.push(at - times[done]); }, ms);
      return answer;
    };
  });
  await p.goto(`${base}/shop/ours`);
  await p.waitForFunction(() => rr.sessionId() && rr.status().stored > 0, null, { timeout: 60000 });
  const id = await p.evaluate(() => rr.sessionId());
  const touch = watch && setInterval(() => utimesSync(join(watchedDir, id), new Date(), new Date()), 1000);
  if (watch) {
    writeFileSync(join(watchedDir, id), '');
    await p.waitForFunction(() => rr.event('x') || rr.flush() && rr.status().watched, null, { timeout: 60000, polling: 500 });
  }
  await p.evaluate(() => rr.flush());
  await p.evaluate(() => { __waits.length = 0; });
  const end = Date.now() + 3 * SECONDS * 1000;
  for (let i = 0; Date.now() < end; i++) {
    await p.mouse.click(300, 200 + i % 100);
    await p.waitForTimeout(100 + Math.random() * 200);
  }
  const waits = await p.evaluate(() => __waits.sort((a, b) => a - b));
  clearInterval(touch);
  await context.close();
  const q = (x) => Math.round(waits[Math.min(waits.length - 1, Math.floor(waits.length * x))]);
  console.log(`${(watch ? 'watched' : 'not watched').padEnd(12)} ${q(0.5)} ${q(0.95)} ${q(1)}   (${waits.length} events)`);
}

if (only.includes('durable')) {
  console.log('\ndurable: ms from an event to the answer (p50, p95, most)');
  await durable(true);
  await durable(false);
}
if (browser) await browser.close();
if (only.includes('wire')) await wire();
process.exit(0);
