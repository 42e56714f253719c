/**
 * A file that `rr export --html` wrote: all it needs is in it, and its policy
 * lets it ask nobody for anything. The recording is the gzip of its lines, as
 * base64 in script elements that are no scripts.
 */

import { bytesOf, gunzip, split } from './file.js';
import { start } from './player.js';

/** What is in them; what was read leaves the document. */
async function* texts(elements) {
  for (const el of elements) {
    yield el.textContent;
    el.remove();
  }
}

// Not before: the page would wait for the frame that is drawn into.
addEventListener('load', () => start(() => ({
  info: JSON.parse(document.querySelector('#session').textContent),
  lines: split(gunzip(bytesOf(texts([...document.querySelectorAll('script.rr')])))),
})));
