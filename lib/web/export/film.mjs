/**
 * Films a page that `rr export --html` wrote: a Chromium shows it at one moment
 * after the other, and each picture goes to ffmpeg. For rr-export(1):
 *
 *   node film.mjs PAGE OUT WIDTH HEIGHT FPS SPEED CHROMIUM
 *
 * The browser is driven over two pipes (the DevTools protocol), so it listens
 * nowhere. What it keeps goes into the directory of PAGE, which is the caller's
 * to remove.
 */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const QUALITY = 90;             // of the pictures between the two, JPEG's
const IDLE = 4000;              // ms without anybody doing anything: cut out
const LEAD = 1000;              // but for so much at each end
const MOST = 1e6;               // pictures
const ANSWER = 60e3;            // ms that a browser may take for one answer
const [page, out, width, height, fps, speed, chromium] = process.argv.slice(2);
const work = dirname(page);

function die(text) {
  process.stderr.write(`rr-export: ${text}\n`);
  end(1);
}

const browser = spawn(chromium, ['--headless=new', '--remote-debugging-pipe', `--user-data-dir=${join(work, 'profile')}`, '--no-first-run', '--hide-scrollbars',
  '--mute-audio', '--disable-gpu', '--disable-extensions', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND', ...process.getuid() === 0 ? ['--no-sandbox'] : [], 'about:blank'],
{ stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: work } });
const film = spawn('ffmpeg', ['-nostdin', '-y', '-loglevel', 'error', '-f', 'image2pipe', '-c:v', 'mjpeg', '-r', fps, '-i', '-',
  '-c:v', 'libx264', '-preset', 'veryfast', '-crf', '23', '-pix_fmt', 'yuv420p', '-movflags', '+faststart', '-f', 'mp4', out], { stdio: ['pipe', 'inherit', 'inherit'] });
let ended = false, failing = false;

function end(status) {
  if (failing) return;
  failing = true;
  if (status) film.kill('SIGKILL');
  browser.on('exit', () => process.exit(status));
  if (!browser.kill('SIGKILL')) process.exit(status);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => end(143));
browser.on('error', (e) => die(`cannot start '${chromium}': ${e.message}`));
browser.on('exit', (code, signal) => failing || die(`the browser ended before the film did (${signal || code})`));
film.on('error', (e) => die(`cannot start ffmpeg: ${e.message}`));
const filmed = new Promise((resolve) => film.on('exit', (code, signal) => code === 0 && ended ? resolve() : die(`ffmpeg ended with ${signal || code}`)));
film.stdin.on('error', () => {});       // it says why, and ends

// ---- the browser -------------------------------------------------------

const asked = new Map();
let number = 0, rest = [];
browser.stdio[4].on('data', (chunk) => {
  for (let at; (at = chunk.indexOf(0)) >= 0; chunk = chunk.subarray(at + 1)) {
    const { id, result, error } = JSON.parse(Buffer.concat([...rest, chunk.subarray(0, at)]).toString());
    rest = [];
    const answer = asked.get(id);
    asked.delete(id);
    if (answer) answer(error ? die(error.message) : result);
  }
  rest.push(chunk);
});
browser.stdio[3].on('error', () => {});
let session;
const ask = (method, params = {}) => new Promise((resolve) => {
  const late = setTimeout(() => die(`the browser does not answer (${method})`), ANSWER);
  asked.set(++number, (result) => {
    clearTimeout(late);
    resolve(result);
  });
  browser.stdio[3].write(JSON.stringify({ id: number, method, params, sessionId: session }) + '\0');
});
async function look(expression) {
  const { result, exceptionDetails } = await ask('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
  if (exceptionDetails) die(`the page failed: ${exceptionDetails.exception?.description?.split('\n')[0] || exceptionDetails.text}`);
  return result.value;
}

const { targetId } = await ask('Target.createTarget', { url: 'about:blank' });
session = (await ask('Target.attachToTarget', { targetId, flatten: true })).sessionId;
await ask('Emulation.setDeviceMetricsOverride', { width: +width, height: +height, deviceScaleFactor: 1, mobile: false });
await ask('Page.enable');
await ask('Page.navigate', { url: pathToFileURL(page).href });
let state;
for (const until = Date.now() + ANSWER; (state = await look('document.body && document.body.dataset.state')) !== 'ready';) {
  if (state === 'bad') die(await look('document.querySelector(".note").textContent'));
  if (Date.now() > until) die('the page takes too long to read the recording');
  await new Promise((r) => setTimeout(r, 50));
}

// ---- the film ----------------------------------------------------------

/** The moments that are filmed: every step of the time in which somebody is there. */
const moments = await look(`(() => {
  const { first, last, nextActive } = recording, out = [];
  recording.film();
  for (let at = first, was = first; at <= last && out.length <= ${MOST}; at += ${1000 / fps * speed}) {
    const next = Math.min(nextActive(at), last);
    if (at - was > ${LEAD} && next - at > ${IDLE - LEAD}) at = next - ${LEAD};
    if (next - at <= ${1000 / fps * speed}) was = next;
    out.push(Math.round(at));
  }
  return out;
})()`);
if (moments.length > MOST) die(`it takes more than ${MOST} pictures: choose a lower -r or a higher -x`);
const began = Date.now(), tty = process.stderr.isTTY;
for (const [n, at] of moments.entries()) {
  await look(`recording.seek(${at}).then(() => new Promise((r) => requestAnimationFrame(() => r())))`);
  const { data } = await ask('Page.captureScreenshot', { format: 'jpeg', quality: QUALITY });
  if (!film.stdin.write(Buffer.from(data, 'base64'))) await new Promise((r) => film.stdin.once('drain', r));
  if (tty && n % 10 === 0) process.stderr.write(`\r${Math.floor(100 * n / moments.length)} % of ${moments.length} pictures, ${(1000 * (n + 1) / (Date.now() - began)).toFixed(1)} a second\x1b[K`);
}
ended = true;
film.stdin.end();
await filmed;
if (tty) process.stderr.write('\r\x1b[K');
end(0);
