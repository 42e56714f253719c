/** What rr-lines(5) says of a line, for all who read lines. */

/** @returns {{name: string, json?: object, [key: string]: any}} a directive's parts */
export function directive(line) {
  const brace = line.indexOf(' {');
  const words = (brace < 0 ? line : line.slice(0, brace)).slice(1).split(' ');
  const out = { name: words[0], text: line };
  for (const word of words.slice(1)) {
    const eq = word.indexOf('=');
    let value = word.slice(eq + 1);
    try {
      value = decodeURIComponent(value);
    } catch {}
    if (eq > 0) out[word.slice(0, eq)] = value;
  }
  if (brace >= 0)
    try {
      out.json = JSON.parse(line.slice(brace + 1));
    } catch {}
  return out;
}

/** A packed event is a JSON string: deflate of its text, a byte a character. */
export async function unpack(line) {
  if (line[0] !== '"') return line;
  try {
    const inside = JSON.parse(line);
    if (inside[0] === '{') return inside;
    const bytes = Uint8Array.from(inside, (c) => c.charCodeAt(0));
    return await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'))).text();
  } catch {
    return line;
  }
}
