/** Deletes a session: what goes, whether it shall, and what went. */

import * as api from './api.js';
import { bytes, h, icon, span, when } from './dom.js';
import { ending } from './ends.js';

const table = (facts) => h('dl.receipt', {}, facts.filter(([, v]) => v).map(([k, v]) => [h('dt', {}, k), h('dd', {}, v)]));

/**
 * @param {import('./recording.js').Recording} rec
 * @param {{back(): void, dialog(...inside: Node[]): HTMLDialogElement, toast(text: string): void}} app
 * @param {() => void} done is called when it is gone
 */
export async function deletion(rec, app, done) {
  const body = h('.deletion', {}, h('p', { role: 'status' }, 'Looking at what there is of it…'));
  const box = app.dialog(body);
  box.setAttribute('aria-label', 'Delete this session');
  let gone = false;
  box.addEventListener('close', () => gone && app.back());
  const close = (word) => h('button.quiet', { type: 'button', onclick: () => box.close() }, word);

  let info;
  try {
    info = await api.session(rec.id);
  } catch (e) {
    body.replaceChildren(h('h2', {}, 'Delete this session?'), h('p.wrong', { role: 'alert' }, e.message), h('.actions', {}, close('Close')));
    return;
  }
  const error = h('p.wrong', { role: 'alert' });
  const stop = close('Cancel');
  const button = h('button.danger.sure', { type: 'button', async onclick() {
    button.disabled = stop.disabled = true;
    button.lastChild.textContent = 'Deleting…';
    error.textContent = '';
    try {
      const receipt = await api.remove(rec.id);
      gone = true;
      done();
      say(receipt);
    } catch (e) {
      error.textContent = e.status === 404 ? 'It is not there any more: somebody else deleted it.' : `It was not deleted: ${e.message}`;
      button.disabled = stop.disabled = false;
      button.lastChild.textContent = 'Delete for good';
    }
  } }, icon('trash', 15), h('span', {}, 'Delete for good'));
  body.replaceChildren(h('h2', {}, 'Delete this session?'),
    h('p', {}, 'The recording is removed for good, and no list shows it any more. There is no way back.'),
    table([['Page', info.url], ['User', info.user], ['Started', when(info.created)], ['Last record', info.seen && when(info.seen)], ['Length', info.duration > 0 && span(info.duration)],
      ['Records', (info.records ?? 0).toLocaleString()], ['Events', info.events != null && info.events.toLocaleString()],
      ['Size', info.bytes > 0 ? bytes(info.bytes) : rec.complete && bytes(rec.chars)], ['State', ending(info).word], ['Stream', info.stream]]),
    info.state === 'live' ? h('p.warned', {}, 'It still goes on. What its page sends later is refused, and the visitor goes on in a new session.') : '',
    error, h('.actions', {}, stop, button));
  stop.focus();

  function say(r) {
    const text = JSON.stringify(r);
    const copy = h('button.quiet', { type: 'button', onclick: () => navigator.clipboard.writeText(text).then(() => app.toast('Receipt copied'), () => {
      getSelection().selectAllChildren(line);
      app.toast('Press Ctrl C to copy it');
    }) }, icon('copy', 15), 'Copy the receipt');
    const line = h('pre.line', { tabIndex: 0, 'aria-label': 'The receipt' }, text);
    body.replaceChildren(h('h2', {}, 'Deleted'), h('p', { role: 'status' }, 'The recording is gone. This receipt is kept nowhere: copy it if you need it.'),
      table([['Session', r.deleted], ['Stream', r.stream], ['Records', r.records != null && r.records.toLocaleString()], ['User', r.user], ['Began', r.begun], ['Deleted', r.at]]),
      line, h('p.soft', {}, 'What the index of sessions says of it, its page and user, goes with it; of an index of more than 1000 sessions within an hour or so.'),
      h('.actions', {}, copy, h('button.solid', { type: 'button', onclick: () => box.close() }, 'To the list')));
    copy.focus();
  }
}
