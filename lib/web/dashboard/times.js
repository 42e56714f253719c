/**
 * What the times of events are taken for. They are the visitor's, and the offset
 * that is stored with them says how far his clock is off. It may be set while it
 * records, and he may send what he likes: no time moves anything by more than
 * it can be off.
 */

export const FAR = 86400e3;     // ms: no batch is as long
const MONTH = 30 * FAR;
const BACK = 2000;              // ms that a clock may go back, and is left to

/** rrweb's time in the text of an event, wherever in it that stands. */
export function stamp(line) {
  const m = /"timestamp":\s*(-?\d+(?:\.\d+)?)[^"]*$/.exec(line.slice(-80)) || /^\{"timestamp":\s*(-?\d+(?:\.\d+)?)/.exec(line.slice(0, 80))
    || /"timestamp":\s*(-?\d+(?:\.\d+)?)/.exec(line.slice(-400)) || /"timestamp":\s*(-?\d+(?:\.\d+)?)/.exec(line.slice(0, 400));
  return m ? Number(m[1]) : NaN;
}

/**
 * From when to when a batch lasts: of the times of its events those that are
 * not far from the one in their middle.
 * @returns {{first?: number, last?: number}}
 */
export function bounds(lines) {
  const all = lines.map(stamp).filter(Number.isFinite).sort((a, b) => a - b);
  const middle = all[all.length >> 1];
  return { first: all.find((t) => t >= middle - FAR), last: all.findLast((t) => t <= middle + FAR) };
}

/**
 * What to add to the times of a batch so that its tab goes on where it was: not
 * back, and not further on than S2's time has gone, and a day.
 * @param {{first: number, time?: number}} b  as its clock has it
 * @param {{last: number, time?: number, shift: number}} before  the batch before it, as it is taken for
 */
export function settle(b, before) {
  const gone = Math.max(0, b.time - before.time) || 0;
  for (const shift of [before.shift, 0]) {
    const step = b.first + shift - before.last;
    if (step >= -BACK && step <= gone + FAR) return shift;
  }
  return before.last - b.first;
}

/** The time of an event of a batch, which lasts from `first` to `last`, in whole ms. */
export function placed(t, { first = -Infinity, last = Infinity, shift }) {
  const at = t + shift;
  return at < first ? first : at >= last + 1 ? last : at;
}

/** May a session be as long as it is said to be, by when S2 had its first and its last record? */
export const credible = ({ first, last, created, seen }) => !(last - first > Math.max(0, seen - created) + MONTH);
