// Makes one long session of the recordings in tests/data, one visit behind the
// other: node long.mjs HOURS MB BASIN. Prints its id. It began HOURS ago, and S2
// has each record at the time at which a recorder would have sent it.
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';

const [hours, mb, basin] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4]];
const VISITS = ['real-posthog-with-pageviews.ndjson.zst', 'gen-session-shop.ndjson.zst', 'real-posthog-homepage.ndjson.zst',
  'real-posthog-local-docs.ndjson.zst', 'real-rrweb-player-demo.ndjson'];
const BATCH = 5000, SENT = 40; // ms: how long a batch is, and how late it is
const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
const begin = Date.now() - hours * 3600e3 - 1000;

/** The events of a recording: [ms from its start, its text up to the time, is a snapshot]. */
function visit(name) {
  const file = new URL(`../data/${name}`, import.meta.url).pathname;
  const text = name.endsWith('.zst') ? execFileSync('zstd', ['-dqc', file], { maxBuffer: 1 << 28 }) : readFileSync(file);
  const events = String(text).trim().split('\n').map((line) => JSON.parse(line)).filter((e) => e.timestamp && e.type > 1);
  const first = Math.min(...events.map((e) => e.timestamp));
  const out = events.map(({ timestamp, ...e }) => [timestamp - first, `${JSON.stringify(e).slice(0, -1)},"timestamp":`, e.type]);
  return { out, long: Math.max(...out.map((e) => e[0])) + 1000, bytes: out.reduce((n, e) => n + e[1].length + 15, 0) };
}

let id = '';
for (let i = 0, t = begin; i < 9; i++, t = Math.floor(t / 32)) id = DIGITS[t % 32] + id;
id = [...Array(16)].map(() => DIGITS[Math.random() * 32 | 0]).join('') + id;
const uri = `s2://${basin}/sessions/${String(9999999999999 - begin).padStart(13, '0')}-${id}`;
execFileSync('s2-stream', ['create', uri, 'timestamping=client-prefer'], { stdio: ['ignore', 'ignore', 'inherit'] });
const stamp = new URL('../stamp.mjs', import.meta.url).pathname;
const pipe = spawn('bash', ['-c', 'set -o pipefail; rr-frame | node "$0" "$1" | s2-append "$2" >/dev/null', stamp, SENT, uri], { stdio: ['pipe', 'inherit', 'inherit'] });
const done = once(pipe, 'exit');
let bytes = 0, batch = 0, last = begin, pages = 0, lines = [':fence set=active', `:meta {"url":"https://shop.example/","title":"${hours} hours","time":${begin}}`, ':end'];

async function flush() {
  if (!pipe.stdin.write(lines.join('\n') + '\n')) await once(pipe.stdin, 'drain');
  lines = [];
}

const visits = VISITS.map(visit);
const rate = mb * 1e6 / (hours * 3600e3);
let at = begin, until = 0, open = false, events = 0;
for (let i = 0; bytes < mb * 1e6; i++) {
  const v = visits[i % visits.length], long = v.bytes / rate;
  for (const [ms, text, type] of v.out) {
    const t = Math.round(at + ms / v.long * long);
    if (open && (t >= until || type === 4)) {
      lines.push(':end');
      await flush();
      open = false;
    }
    if (!open) {
      lines.push(`:batch tab=1 batch=${++batch}`);
      until = t + BATCH;
      open = true;
    }
    pages += type === 4;
    last = Math.max(last, t);
    events++;
    lines.push(`${text}${t}}`);
    bytes += text.length + 15;
  }
  at += long;
}
lines.push(':end', ':fence use=active set=stopped', `:stop {"reason":"explicit","events":${events},"bytes":${bytes},"duration":${Math.round(at - begin)},"pages":${pages}}`, ':end');
await flush();
pipe.stdin.end();
const [status] = await done;
if (status) process.exit(status);
// What the collector would have told the index.
execFileSync('bash', ['-c', 'rr-frame | s2-append "$0" >/dev/null', `s2://${basin}/sessions.index`], {
  input: `:create {"retention_policy":{"infinite":{}}}\n:meta ${JSON.stringify({ id, counts: { events, bytes, pages, active: Math.round(at - begin), first: begin, last } })}\n:end token=1\n`,
});
console.log(id);
