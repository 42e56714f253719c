// An HTTP/2 proxy that writes a line a request: node count-proxy.mjs PORT TO
// [FILE]. While there is FILE, nobody may append.
import { existsSync } from 'node:fs';
import http2 from 'node:http2';

const [port, to, denied] = process.argv.slice(2);
const there = http2.connect(to);

http2.createServer().on('stream', (from, headers) => {
  console.log(headers[':method'], headers[':path']);
  if (denied && existsSync(denied) && headers[':method'] === 'POST' &&
      headers[':path'].endsWith('/records')) {
    from.on('error', () => {});
    from.respond({ ':status': 403, 'content-type': 'application/json' });
    from.end('{"code":"permission_denied","message":"no append for this token"}');
    return;
  }
  const on = there.request(headers);
  on.on('response', (answer) => {
    // Who asked may be gone by now.
    if (from.destroyed) return on.close();
    from.respond(answer);
    on.pipe(from);
  });
  for (const s of [on, from]) s.on('error', () => { on.close(); from.close(); });
  from.pipe(on);
}).listen(Number(port), '127.0.0.1', () => console.log('ready'));
