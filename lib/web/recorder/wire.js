/**
 * One request to the collector and its verdict. All are CORS-simple: POST,
 * text/plain, no header of our own, no credentials.
 */

// The page's own, before anything (we too) wraps it.
const fetch = globalThis.fetch && globalThis.fetch.bind(globalThis);

const TIMEOUT = 30e3;           // and a second more for each 32 KB
const BY_STATUS = { 400: 'bad', 409: 'closed', 410: 'gone', 413: 'big', 408: 'away', 425: 'away', 429: 'slow' };

/**
 * @param {string} url
 * @param {string | Uint8Array | null} body
 * @param {boolean} [keepalive] outlives the page; for at most 64 KB in all
 * @returns {Promise<{verdict: string, retry?: number, [key: string]: any}>} never rejects
 */
export async function post(url, body, keepalive) {
  const cut = new AbortController();
  const timer = setTimeout(() => cut.abort(), TIMEOUT + (body ? body.length / 32 : 0));
  try {
    const answer = await fetch(url, {
      method: 'POST',
      body,
      mode: 'cors',
      credentials: 'omit',
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
      headers: { 'content-type': 'text/plain' },
      keepalive: !!keepalive,
      signal: cut.signal,
    });
    const v = await answer.json().catch(() => ({}));
    if (!v.verdict)
      v.verdict = answer.ok || answer.status >= 500 ? 'away' : BY_STATUS[answer.status] || 'denied';
    if (v.retry == null && answer.headers.get('retry-after'))
      v.retry = 1e3 * answer.headers.get('retry-after') || undefined;
    return v;
  } catch (e) {
    return { verdict: 'away', error: String(e && e.message || e) };
  } finally {
    clearTimeout(timer);
  }
}

/** One that outlives the page and whose answer nobody waits for. */
export function postLast(url, body) {
  if ('keepalive' in Request.prototype) post(url, body, true);
  else navigator.sendBeacon(url, new Blob([body], { type: 'text/plain' }));
}

/** Gzip, or nothing where the browser has none or it does not pay. */
export async function gzip(text) {
  if (!self.CompressionStream || text.length < 1024) return null;
  try {
    const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    return null;
  }
}
