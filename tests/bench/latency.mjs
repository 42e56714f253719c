// latency.mjs COLLECTOR VIEW S2 COUNT: from a POST to the line at a viewer.
//
// In turn: a batch POSTed to the collector until its line is read from the
// bridge's event stream; and a record appended to S2 until it is read from S2's
// own event stream. Both by the same client, so that what it costs is in both.
// Prints p50 and p99 in ms.
import http from 'node:http';

const [collector, view, s2, count] = process.argv.slice(2);
const basin = process.env.RR_BASIN || 'rrpipe-sessions';
const agent = new http.Agent({ keepAlive: true });

function request(base, path, { body = '', method = 'POST', headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const r = http.request(base + path, { agent, method, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (piece) => { text += piece; });
      answer.on('end', () => (answer.statusCode < 300 ? resolve(JSON.parse(text || '{}'))
        : reject(new Error(`${path}: ${answer.statusCode} ${text}`))));
    });
    r.on('error', reject);
    r.end(body);
  });
}

// An event stream in which marks are waited for.
function listen(base, path, headers = {}) {
  const waiting = new Map();
  const stream = { ended: false };
  stream.mark = (mark) => new Promise((resolve) => { waiting.set(mark, resolve); });
  stream.open = new Promise((resolve, reject) => {
    const r = http.get(base + path, { headers: { accept: 'text/event-stream', ...headers } }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`${path}: ${answer.statusCode}`));
      answer.setEncoding('utf8');
      resolve();
      let rest = '';
      answer.on('data', (piece) => {
        const now = performance.now();
        rest = (rest + piece).slice(-4096);
        for (const [mark, found] of waiting) {
          if (rest.includes(mark)) {
            waiting.delete(mark);
            found(now);
          }
        }
      });
    });
    r.on('error', reject);
  });
  return stream;
}

function percentiles(times) {
  times.sort((a, b) => a - b);
  const at = (q) => times[Math.min(times.length - 1, Math.floor(times.length * q))].toFixed(2);
  return `p50=${at(0.5)} p99=${at(0.99)}`;
}

const session = await request(collector, '/v1/sessions?key=dev', { body: '{}' });
const lines = `/v1/sessions/${session.id}/lines?token=${session.token}&tab=1`;
const first = await request(collector, `${lines}&batch=1`, { body: '{"type":4,"timestamp":1}\n{"type":2,"timestamp":1}\n' });
const viewer = listen(view, `/api/sessions/${session.id}/live?from=${first.seq}`);

const json = { 's2-basin': basin, 'content-type': 'application/json' };
const stream = `/v1/streams/bench-latency-${process.pid}`;
await request(s2, '/v1/streams', { body: JSON.stringify({ stream: stream.slice(12) }), headers: json });
await request(s2, `${stream}/records`, { body: '{"records":[{"body":"first"}]}', headers: json });
const bare = listen(s2, `${stream}/records?seq_num=0`, { 's2-basin': basin });
await Promise.all([viewer.open, bare.open]);

const ours = [];
const theirs = [];
for (let i = 0; i < Number(count); i += 1) {
  const mark = `m${String(i).padStart(7, '0')}m`;
  await new Promise((resolve) => { setTimeout(resolve, 10 + Math.random() * 20); });
  let start = performance.now();
  let seen = viewer.mark(mark);
  request(collector, `${lines}&batch=${i + 2}&snap=${first.seq}`, { body: `{"type":3,"data":{"mark":"${mark}"},"timestamp":${i}}\n` });
  ours.push(await seen - start);
  await new Promise((resolve) => { setTimeout(resolve, 10 + Math.random() * 20); });
  start = performance.now();
  seen = bare.mark(mark);
  request(s2, `${stream}/records`, { body: JSON.stringify({ records: [{ body: mark }] }), headers: json });
  theirs.push(await seen - start);
}
console.log(`ours ${percentiles(ours)}\nbare ${percentiles(theirs)}`);
process.exit(0); // the two event streams are still open
