/** The read side: JSON, lines, and the live stream. */

import { directive, unpack } from './lines.js';
import { HEADERS, linesPath, outlinePath, share, shared } from './paths.js';

export { share };

export class Failure extends Error {
  constructor(status, text, retry) {
    super(text);
    this.status = status;
    this.retry = retry;
  }
  /** Away, as opposed to refused: it is worth asking again. */
  get away() {
    return !this.status || this.status >= 500 || this.status === 429;
  }
}

/** Is told when nobody is logged in, or not any more. */
export const onLogin = new EventTarget();

/** What early.js has asked for, once; nothing else was said with it. */
function asked(path, init) {
  const it = !init?.method && window.early?.get(path);
  if (!it) return null;
  window.early.delete(path);
  init?.signal?.addEventListener('abort', () => it.over.abort(), { once: true });
  return it.answer;
}

async function call(path, init) {
  let answer;
  try {
    answer = await (asked(path, init) ?? fetch('/api' + shared(path), { ...init, headers: { ...HEADERS, ...init?.headers } }));
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Failure(0, 'The server does not answer.');
  }
  if (answer.ok) return answer;
  // Who logs in now gets other answers.
  if (answer.status === 401) window.early?.clear();
  if (answer.status === 401 && path !== '/login') onLogin.dispatchEvent(new Event('needed'));
  const body = await answer.text().catch(() => '');
  let text = body;
  try {
    text = JSON.parse(body).error || body;
  } catch {}
  throw new Failure(answer.status, text.slice(0, 300) || answer.statusText, 1e3 * answer.headers.get('retry-after'));
}

const request = (path, init) => call('/sessions' + path, init);

/** @param {object} where conditions, as rr-ls(1) has them */
export const list = (limit, after, where, signal) => request('?' + new URLSearchParams({ limit, ...after && { after }, ...where }), { signal }).then((r) => r.json());
export const session = (id, signal) => request(`/${id}`, { signal }).then((r) => r.json());
export const stop = (id) => request(`/${id}/stop`, { method: 'POST' });
/** Deletes it. @returns the receipt: {deleted, stream, records, begun, user, at} */
export const remove = (id) => request(`/${id}`, { method: 'DELETE' }).then((r) => r.json());

/** Calls `on` for each entry that the index gets from there on; `lost` when it cannot be followed. */
export function changes(from, on, lost) {
  const source = new EventSource(`/api/sessions/changes?from=${from}`);
  source.addEventListener('meta', on);
  const end = () => {
    source.close();
    lost();
  };
  source.addEventListener('resync', end);
  source.addEventListener('end', end);
  source.addEventListener('error', () => source.readyState === 2 && end());
  return () => source.close();
}

/** Who is logged in, and what the role permits: {login, name, role}. */
export const me = () => call('/me').then((r) => r.json());
export const login = (token) => call('/login', { method: 'POST', headers: { Authorization: `Bearer ${token}` } }).then((r) => r.json());
export const logout = () => call('/logout', { method: 'POST' });
/** What a link to a session carries: {share, expires}. `what` is {seconds, from, to}. */
export const makeShare = (id, what) => request(`/${id}/share?${new URLSearchParams(what)}`, { method: 'POST' }).then((r) => r.json());

const packed = (events) => events.some((line) => line[0] === '"');
const unpackAll = (events) => Promise.all(events.map(unpack));

/** A number that a directive carries, or undefined. */
export const num = (d, key) => d[key] === undefined ? undefined : Number(d[key]);

/**
 * Reads records of a session.
 * @param {number|string|{at: number|string, tab?: string}} from a record, a word, or
 *   the snapshot before a time ('+' and one: from the first event on); then
 *   `count` are read from that time on
 * @param {(directive: object, events: string[]) => void|boolean} got is called
 *   for each batch and other thing in it, in order;
 *   if that returns false, no more is read
 * @returns {Promise<{seq?: number, tail: boolean}>} where to go on
 */
export async function lines(id, from, count, signal, got) {
  return take(await call(linesPath(id, from, count), { signal }), got);
}

/** What happens in all of a session, as rr-outline(1) has it; `got` as above. */
export const outline = async (id, signal, got) => take(await call(outlinePath(id), { signal }), got);

async function take(answer, got) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = [], batch = null, events = [], end = { seq: undefined, tail: false }, on = true;
  const took = async (line) => {
    if (line[0] !== ':') {
      if (batch && line) events.push(line);
      return;
    }
    const d = directive(line);
    if (d.name === 'batch') [batch, events] = [d, []];
    else if (d.name === 'end') {
      if (batch) on = got(batch, packed(events) ? await unpackAll(events) : events) !== false;
      batch = null;
    } else if (d.name === 'tail' || d.name === 'next') end = { seq: num(d, 'seq'), tail: d.name === 'tail' };
    else got(d, []);
  };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const parts = value.split('\n');
    rest.push(parts[0]);
    if (parts.length === 1) continue;
    parts[0] = rest.join('');
    for (const line of parts.slice(0, -1)) {
      await took(line);
      if (!on) {
        reader.cancel().catch(() => {});
        return end;
      }
    }
    rest = [parts[parts.length - 1]];
  }
  return end;
}

/**
 * Follows a session. `got` is as above; `say` hears tail, resync, end, and
 * open and lost of the connection.
 * @returns {() => void} ends it
 */
export function follow(id, from, got, say) {
  const source = new EventSource('/api' + shared(`/sessions/${id}/live?from=${from}`));
  let order = null;             // while a packed batch is being unpacked, all wait
  const inOrder = (fn) => {
    if (order) order = order.then(fn);
    else fn();
  };
  const over = (word) => () => {
    source.close();
    say(word);
  };
  source.addEventListener('open', () => say('open'));
  source.addEventListener('error', () => say(source.readyState === 2 ? 'closed' : 'lost'));
  source.addEventListener('batch', (e) => {
    const [first, ...events] = e.data.split('\n');
    const give = (list) => got(directive(first), list, +e.lastEventId);
    if (packed(events)) order = (order || Promise.resolve()).then(async () => give(await unpackAll(events)));
    else inOrder(() => give(events));
  });
  for (const name of ['meta', 'gap', 'beat', 'fence', 'stop', 'record'])
    source.addEventListener(name, (e) => inOrder(() => got(directive(e.data), [], +e.lastEventId)));
  source.addEventListener('tail', () => say('tail'));
  source.addEventListener('resync', over('resync'));
  source.addEventListener('end', over('end'));
  return () => source.close();
}
