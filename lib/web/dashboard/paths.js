/** What is asked of the server, and how; early.js asks for some of it first. */

export const FIRST_PIECE = 4;   // records that are read at first

/** The link that this page was opened by, if it is one to a single session. */
export const share = new URLSearchParams(location.search).get('share');
export const shared = (path) => share ? `${path}${path.includes('?') ? '&' : '?'}share=${encodeURIComponent(share)}` : path;
export const HEADERS = { 'X-RR': '1' };

/** The moment that the address names, in ms from the beginning, or null. */
export function wanted() {
  const t = /[#&]t=(\d{1,12})(?!\d)/.exec(location.hash);
  return t && +t[1];
}

export const outlinePath = (id) => `/sessions/${id}/outline`;

/**
 * @param {number|string|{at: number|string, tab?: string}} from a record, a word, or a time
 * @param {number} count of records, 0 for all
 */
export function linesPath(id, from, count) {
  const where = typeof from === 'object' ? { at: from.at, ...from.tab !== undefined && { tab: from.tab } } : { from };
  return `/sessions/${id}/lines?${new URLSearchParams({ ...where, ...count && { count } })}`;
}
