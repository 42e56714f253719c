/** How a session stands: whether it goes on, and if not, who or what ended it. */

const BROKEN = ['broken', 'Import broke off', 'It was being read from a file when that ended early, so it is not whole. Import the file again, and delete this one.'];
const ENDS = {
  'stopped by the page': ['page', 'Ended by the page', 'The visitor’s page called rr.stop().'],
  'consent withdrawn': ['page', 'Consent withdrawn', 'The visitor took the consent back; nothing was recorded from then on.'],
  'explicit-stop': ['page', 'Ended by the page', 'The visitor’s page ended it.'],
  explicit: ['operator', 'Stopped by an operator', 'Somebody stopped it, here or with rr stop.'],
  lease: ['left', 'Visitor left', 'Nothing came any more, so its lease ran out.'],
  import: ['import', 'Imported', 'It was read from a file, and was whole from the start.'],
  'import broke off': BROKEN,
};

/**
 * @param {{state: string, stop?: {reason?: any}, import?: boolean}} info a session, as the list has it
 * @returns {{kind: 'live' | 'silent' | 'page' | 'operator' | 'left' | 'import' | 'broken' | 'stopped' | 'unknown', word: string, why: string}}
 */
export function ending({ state, stop, error, import: reads }) {
  if (state === 'live' && reads) return { kind: 'import', word: 'Being imported', why: 'It is being read from a file.' };
  if (state === 'ended' && reads) return { kind: BROKEN[0], word: BROKEN[1], why: BROKEN[2] };
  if (state === 'live') return { kind: 'live', word: 'Live', why: 'It goes on.' };
  if (state === 'ended') return { kind: 'silent', word: 'Gone quiet', why: 'Nothing has come for as long as its lease. Nobody stopped it, so its page may still come back.' };
  if (state === 'part') return { kind: 'page', word: 'A part', why: 'The link is to a part of a session.' };
  if (state !== 'stopped') return { kind: 'unknown', word: 'Unreadable', why: error || 'It could not be read.' };
  const reason = typeof stop?.reason === 'string' ? stop.reason : '';
  const [kind, word, why] = Object.hasOwn(ENDS, reason) ? ENDS[reason] : ['stopped', 'Stopped', reason.slice(0, 200) || 'No reason was given.'];
  return { kind, word, why };
}

const ID = /^[0-9a-hjkmnp-tv-z]{25}$/;
const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';

/** When a session with this id began, ms, which the id tells; undefined if it is none, or of no time yet. */
export function born(id) {
  if (!ID.test(id)) return undefined;
  const ms = [...id.slice(16)].reduce((t, c) => t * 32 + DIGITS.indexOf(c), 0);
  return ms > Date.UTC(2020) && ms < Date.now() + 864e5 ? ms : undefined;
}
