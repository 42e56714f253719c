// Gives each record that rr-frame writes the time at which S2 is to have got it,
// that of its last event plus MS, and never one before that of the record
// before; one without events gets that of the record before, or, at the
// beginning, behind: rr-frame | node stamp.mjs MS | s2-append ...
import { once } from 'node:events';

const late = Number(process.argv[2]);

function varint(n) {
  const out = [];
  for (; n > 127; n = Math.floor(n / 128)) out.push(n % 128 | 128);
  return Buffer.from([...out, n]);
}

/** @returns {[number, number] | null} the value, and where it ends */
function getVarint(b, at) {
  let value = 0, scale = 1, i = at;
  do {
    if (i >= b.length) return null;
    value += (b[i] & 127) * scale;
    scale *= 128;
  } while (b[i++] & 128);
  return [value, i];
}

let last = 0;
/** As rr-records(5) has the header's value. */
function time(record) {
  const i = getVarint(record, 1)[1];    // behind the header's length
  if (record[0] !== 0x12 || record[i] !== 0x0a || record[i + 1] !== 1 || record[i + 2] !== 0x72) return last;
  const [size, at] = getVarint(record, i + 4);
  const h = record.subarray(at, at + size);
  if (h[0] !== 0x11 || !(h[1] & 0x08)) return last;
  let rest = getVarint(h, 6)[1];
  if (h[1] & 0x01) {
    const [part, end] = getVarint(h, rest);
    if (part > 1) return last;
    rest = getVarint(h, end)[1];
  }
  rest = getVarint(h, rest + 4)[1];
  return last = Math.max(last, h.readIntBE(rest, 6) + getVarint(h, rest + 6)[0] + late);
}

const put = async (out) => {
  if (out.length && !process.stdout.write(Buffer.concat(out))) await once(process.stdout, 'drain');
};

let left = Buffer.alloc(0), first = [];
for await (const piece of process.stdin) {
  left = Buffer.concat([left, piece]);
  const out = [];
  for (;;) {
    const tag = getVarint(left, 0), long = tag && getVarint(left, tag[1]);
    if (!long) break;
    const end = (tag[0] & 7) === 2 ? long[0] + long[1] : long[1];
    if (end > left.length) break;
    first.push([left.subarray(0, tag[1]), left.subarray(long[1], end), left.subarray(0, end)]);
    if (tag[0] === 0x0a) time(left.subarray(long[1], end));
    left = left.subarray(end);
    if (!last) continue;
    for (const [name, record, whole] of first) {
      const stamp = Buffer.concat([Buffer.from([0x08]), varint(last)]);
      if (name[0] === 0x0a) out.push(name, varint(stamp.length + record.length), stamp, record);
      else out.push(whole);
    }
    first = [];
  }
  await put(out);
}
await put(first.map((f) => f[2]));
