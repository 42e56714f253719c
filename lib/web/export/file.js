/**
 * The lines of a recording in a file that a person chose: event lines and
 * directives (rr-lines(5)), or one JSON array of events, as they are or in gzip;
 * or a page that rr export
 * wrote. Of such a page nothing is run or taken for HTML: its text is searched
 * for what rr-export puts there.
 */

const MOST = 1 << 30;           // characters in all; gzip makes 1000 of one
const LINE = 256 << 20;         // characters of a line
const ARRAY = 64 << 20;         // characters of one JSON array, which is read at once
const PACKED = /^<script type="text\/plain" class="rr">([A-Za-z0-9+/=]*)<\/script>$/;
const SESSION = /^<script type="application\/json" id="session">(.*)<\/script>$/;

/** Text as lines; what is behind the last LF is one, too. */
export async function* split(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let parts = [], long = 0, all = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    if ((all += value.length) > MOST) throw new Error('it has more than 1 GB of text');
    let from = 0, to;
    while ((to = value.indexOf('\n', from)) >= 0) {
      parts.push(value.slice(from, to));
      yield parts.join('');
      parts = [];
      long = 0;
      from = to + 1;
    }
    parts.push(value.slice(from));
    if ((long += value.length - from) > LINE) throw new Error('it has a line of more than 256 MB');
  }
  const rest = parts.join('');
  if (rest) yield rest;
}

/** What base64 texts make, one after the other. */
export const bytesOf = (texts) => new ReadableStream({
  async pull(to) {
    const { value, done } = await texts.next();
    if (done) to.close();
    else to.enqueue(Uint8Array.from(atob(value), (c) => c.charCodeAt(0)));
  },
});

export const gunzip = (stream) => stream.pipeThrough(new DecompressionStream('gzip'));

/** A page's parts, in base64; what it says of the session goes to `info`. */
async function* packed(page, info) {
  for await (const line of page) {
    const part = PACKED.exec(line), session = part ? null : SESSION.exec(line);
    if (part) yield part[1];
    else if (session) Object.assign(info, JSON.parse(session[1]));
  }
}

/** The events of one JSON array, a line each. */
async function* elements(first, rest) {
  let text = first;
  for await (const line of rest) if ((text += line + '\n').length > ARRAY) throw new Error('as one JSON array it may have 64 MB at most; rr import takes it');
  for (const e of JSON.parse(text)) yield JSON.stringify(e);
}

/**
 * @param {File} file
 * @param {object} info is told what an exported page says of its session
 * @param {(share: number) => void} read hears how much of the file was read
 * @returns {AsyncGenerator<string>}
 */
export async function* lines(file, info, read) {
  const head = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  let n = 0;
  let stream = file.stream().pipeThrough(new TransformStream({
    transform(chunk, to) {
      read((n += chunk.length) / file.size);
      to.enqueue(chunk);
    },
  }));
  if (head[0] === 0x1f && head[1] === 0x8b) stream = gunzip(stream);
  const all = split(stream);
  const { value: first = '' } = await all.next();
  if (first.toLowerCase() === '<!doctype html>') yield* split(gunzip(bytesOf(packed(all, info))));
  else if (first[0] === '[') yield* elements(first, all);
  else if (/^["{:]/.test(first)) {
    yield first;
    yield* all;
  } else throw new Error('it is neither lines of events nor a page that rr export wrote');
}
