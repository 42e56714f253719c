// Makes sessions, and what the index says of them, by rr-frame and s2-append:
// node sessions.mjs N BASIN. Each is written at the time that its id says, and
// ends as the 200th after it begins; one in 1,000 has an error.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';

const [n, basin] = [Number(process.argv[2]), process.argv[3]];
const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz', LATER = 200, WAITING = 300;
const pipe = spawn('sh', ['-c', 'rr-frame -m | s2-append -m "s2://$0"', basin], { stdio: ['pipe', 'pipe', 'inherit'] });
const open = [];
let made = 0, waiting = 0, failed = 0, last = 0;

function unit(lines) {
  waiting++;
  pipe.stdin.write(lines.join('\n') + '\n');
}

function end(s) {
  unit([':stream name=sessions.index', `:meta {"id":"${s.id}","stop":{"reason":"explicit"},"records":4,"seen":${s.time},"counts":{"events":1,"bytes":28,"pages":1,"errors":${s.n % 1000 ? 0 : 1},"rage":0,"dead":0,"active":900,"first":${s.time},"last":${s.time + 60000}}}`, ':end token=i']);
}

function make() {
  const time = last = Math.max(Date.now(), last);
  let id = '', t = time;
  for (let i = 0; i < 9; i++, t = Math.floor(t / 32)) id = DIGITS[t % 32] + id;
  id = [...randomBytes(16)].map((b) => DIGITS[b & 31]).join('') + id;
  const meta = `{"url":"https://shop.example/item/${made}?from=list","title":"Item ${made}","user":"user-${made % 5000}","source":"shop"}`;
  unit([`:stream name=sessions/${String(9999999999999 - time).padStart(13, '0')}-${id}`, ':create', ':fence set=stopped', `:meta ${meta}`,
    ':batch tab=1 batch=1', `{"type":3,"timestamp":${time}}`, ':end', ':stop {"reason":"explicit"}', ':end token=s']);
  unit([':stream name=sessions.index', `:meta {"id":"${id}","meta":${meta}}`, ':end token=i']);
  open.push({ id, time, n: made++ });
  if (open.length > LATER) end(open.shift());
}

function more() {
  while (made < n && waiting < WAITING) make();
  if (made < n) return;
  while (open.length) end(open.shift());
  pipe.stdin.end();
}

pipe.stdin.write(':stream name=sessions.index\n:create {"retention_policy":{"infinite":{}}}\n:meta {}\n:end token=0\n');
waiting++;
createInterface({ input: pipe.stdout }).on('line', (line) => {
  waiting--;
  if (!line.startsWith(':ack')) failed++;
  if (made < n) more();
});
pipe.on('exit', () => {
  console.log(`made=${made} failed=${failed}`);
  process.exitCode = failed ? 1 : 0;
});
more();
