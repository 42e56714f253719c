/**
 * Stands in the page itself, and asks for what that wants first, while its own script is still loading:
 * who watches, and of the session in the address its head and its first picture.
 * What came is in `early`, by its path, for api.js; and the player that is to
 * draw it, as `early.player`, for watch.js.
 */

import { FIRST_PIECE, HEADERS, linesPath, share, shared, wanted } from './paths.js';

const early = window.early = new Map();
function ask(path) {
  const over = new AbortController();
  const answer = fetch('/api' + shared(path), { headers: HEADERS, signal: over.signal });
  answer.catch(() => {});
  early.set(path, { answer, over });
}

const id = new URLSearchParams(location.search).get('id');
if (!share) ask('/me');
if (/^[a-z0-9]{25}$/.test(id)) {
  ask(`/sessions/${id}`);
  const t = wanted();
  // Of a link to a part its beginning is not known yet.
  if (!share || t === null) ask(linesPath(id, t === null ? 0 : { at: `+${t}` }, FIRST_PIECE));
  if (Element.prototype.moveBefore) {
    const player = early.player = document.createElement('iframe');
    Object.assign(player, { className: 'player early', src: 'player.html' });
    document.documentElement.append(player);
  }
}
