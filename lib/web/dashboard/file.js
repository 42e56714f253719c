/** A recording in a file that somebody has: it plays here, and is sent nowhere. */

import { h, icon } from './dom.js';

const KINDS = '.ndjson,.jsonl,.json,.lines,.gz,.html,.htm';

/** Calls `take` for a file that is dropped on the page, until `signal`. */
export function drops(take, signal) {
  const has = (e) => e.dataTransfer?.types.includes('Files');
  const over = (on) => document.body.classList.toggle('dropping', on);
  addEventListener('dragover', (e) => {
    if (!has(e)) return;
    e.preventDefault();
    e.dataTransfer.dropEffect = 'copy';
    over(true);
  }, { signal });
  addEventListener('dragleave', (e) => e.relatedTarget || over(false), { signal });
  addEventListener('drop', (e) => {
    if (!has(e)) return;
    e.preventDefault();
    over(false);
    if (e.dataTransfer.files[0]) take(e.dataTransfer.files[0]);
  }, { signal });
  signal.addEventListener('abort', () => over(false));
}

/**
 * @param {{back(): void}} app
 * @param {File} [file] that was chosen before
 */
export function filePage(app, file) {
  const over = new AbortController();
  const { signal } = over;
  const stage = h('.opened');
  const pick = h('input.heard', { type: 'file', accept: KINDS, onchange: () => pick.files[0] && play(pick.files[0]) });
  const zone = h('label.zone', {}, icon('open', 34), h('b', {}, 'Drop a recording here, or choose one'),
    h('span', {}, 'What ', h('code', {}, 'rr export'), ' or the player’s save button wrote: lines of events, also in gzip, or a page; or an array of events.'),
    h('span', {}, 'It plays in this browser. Nothing of it is sent anywhere.'), pick, h('span.solid', {}, 'Choose a file'));
  let frame;

  function play(chosen) {
    file = chosen;
    document.title = `${file.name} · rrpipe`;
    frame = h('iframe.local', { title: 'Player', src: 'local.html' });
    stage.replaceChildren(frame);
    again.hidden = false;
  }
  const again = h('button.quiet', { hidden: true, onclick() {
    pick.value = '';
    pick.click();
  } }, 'Open another');
  addEventListener('message', (e) => {
    if (e.source !== frame?.contentWindow || e.origin !== location.origin) return;
    if (e.data.back) app.back();
    else if (e.data.ready) {
      frame.contentWindow.postMessage({ file, theme: document.documentElement.dataset.theme }, location.origin);
      frame.focus();
    }
  }, { signal });
  addEventListener('keydown', (e) => e.key === 'Escape' && !document.querySelector('dialog[open]') && app.back(), { signal });
  drops(play, signal);

  document.title = 'Open a file · rrpipe';
  stage.append(zone);
  if (file) play(file);
  else queueMicrotask(() => pick.focus());
  return {
    root: h('main.file', {}, h('header.head', {}, h('button.tool', { title: 'All sessions (escape)', 'aria-label': 'All sessions (escape)', onclick: () => app.back() }, icon('back')),
      h('.titles', {}, h('h1', {}, 'A file'), h('p.sub', {}, h('span', {}, 'It plays in this browser. Nothing of it is sent anywhere.'))), again), stage),
    end: () => over.abort(),
  };
}
