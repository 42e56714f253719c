/**
 * The document in which a file plays that somebody opened in the dashboard: the
 * same player as in exported pages. Its policy allows no request to anybody, so
 * nothing of the file leaves it. The page around it hands the file over by a
 * message {file: File, theme: string}, and hears {back: true} when Escape is pressed.
 */

import { lines } from './file.js';
import { start } from './player.js';

const tell = (message) => parent.postMessage(message, location.origin);

addEventListener('message', (e) => {
  const file = e.data && e.data.file;
  if (e.source !== parent || e.origin !== location.origin || !(file instanceof File)) return;
  document.documentElement.dataset.theme = e.data.theme;
  start((say) => {
    const info = { title: file.name };
    return { info, lines: lines(file, info, (n) => say(`Reading ${file.name}: ${Math.floor(100 * n)} %`)) };
  });
}, { once: true });
addEventListener('keydown', (e) => e.key === 'Escape' && tell({ back: true }));

tell({ ready: true });
