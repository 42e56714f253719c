/** Deletes sessions: what goes, whether it shall, and what went. */

import * as api from './api.js';
import { bytes, copy, h, icon, place, span, visible, when } from './dom.js';
import { ending } from './ends.js';

const MOST = 1000;              // sessions that are deleted in one go
const UNDONE = 'rr.undone';     // of a deletion whose page was closed
const SILENT = 60e3;            // ms without a word from it: its page is gone

/**
 * Notes how far a deletion is: it is this page's work, and ends with it. Kept is
 * what was asked for, and how many; nothing when it has come to its end.
 */
function keepUndone(what) {
  try {
    if (what) localStorage.setItem(UNDONE, JSON.stringify(what));
    else localStorage.removeItem(UNDONE);
  } catch {
    // Where nothing may be kept there is nothing to be told later.
  }
}

/** The deletion that a closed page left: {where, said, done, left}; or null. */
export function undone() {
  try {
    const it = JSON.parse(localStorage.getItem(UNDONE));
    return it && it.left > 0 && (it.closed || Date.now() - it.at > SILENT) ? it : null;
  } catch {
    return null;
  }
}
export const forgetUndone = () => keepUndone(null);

const table = (facts) => h('dl.receipt', {}, facts.filter(([, v]) => v).map(([k, v]) => [h('dt', {}, k), h('dd', { dir: 'auto' }, visible(v))]));
const closing = (box, word, spec = 'button.quiet') => h(spec, { type: 'button', onclick: () => box.close() }, word);
const INDEX = 'What the index of sessions says of it, its page and user, goes with it; of an index of more than 1000 sessions within an hour or so.';

/** A receipt, and what can be done with it. @returns {Element[]} */
function receipt(text, name, app) {
  const line = h('pre.line', { tabIndex: 0, 'aria-label': 'The receipt' }, text);
  const file = URL.createObjectURL(new Blob([text + '\n'], { type: 'application/x-ndjson' }));
  return [line, h('button.quiet', { type: 'button', onclick: () => copy(text, line, app, 'Receipt copied') }, icon('copy', 15), 'Copy receipt'),
    h('a.quiet', { href: file, download: name }, icon('save', 15), 'Save')];
}

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

  let info;
  try {
    info = await api.session(rec.id);
  } catch (e) {
    body.replaceChildren(h('h2', {}, 'Delete this session?'), h('p.wrong', { role: 'alert' }, e.message), h('.actions', {}, closing(box, 'Close')));
    return;
  }
  const error = h('p.wrong', { role: 'alert' });
  const stop = closing(box, 'Cancel');
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
    const [line, copy, save] = receipt(JSON.stringify(r), `deleted-${r.deleted}.ndjson`, app);
    body.replaceChildren(h('h2', {}, 'Deleted'), h('p', { role: 'status' }, 'The recording is gone. This receipt is kept nowhere: copy it if you need it.'),
      table([['Session', r.deleted], ['Stream', r.stream], ['Records', r.records != null && r.records.toLocaleString()], ['User', r.user], ['Began', r.begun], ['Deleted', r.at]]),
      line, h('p.soft', {}, INDEX), h('.actions', {}, copy, save, closing(box, 'To the list', 'button.solid')));
    copy.focus();
  }
}

/** All that these conditions hold for, newest first; MOST at most. */
async function matching(where, signal, looked) {
  const found = [];
  let next, n = 0, unread = 0;
  do {
    const page = await api.list(MOST - found.length, next, where, signal);
    found.push(...page.sessions);
    next = page.more ? page.next : null;
    unread += page.unread || 0;
    looked(n += page.looked || 0, found.length);
  } while (next && found.length < MOST);
  return { found, more: !!next, unread };
}

/**
 * Deletes what a list's conditions hold for: one session after the other, each
 * as if it alone were deleted.
 * @param {object} where as api.list() takes it
 * @param {string} said the same, for people
 * @param {object} app as above
 * @param {() => void} done is called at the end, if any is gone
 */
export async function deletions(where, said, app, done) {
  const over = new AbortController();
  const status = h('p', { role: 'status' }, 'Looking for what is to go…');
  const body = h('.deletion.many', {}, h('h2', {}, 'Delete these sessions?'), status);
  const box = app.dialog(body);
  const receipts = [], missing = [];
  box.setAttribute('aria-label', 'Delete sessions');
  body.append(h('.actions', {}, closing(box, 'Cancel')));
  const unload = (e) => e.preventDefault();
  let state = null;             // as keepUndone() keeps it
  const closed = () => state && keepUndone({ ...state, closed: true });
  box.addEventListener('close', () => {
    over.abort();
    working(false);
    if (receipts.length || missing.length) done();
  });

  try {
    preview(await matching(where, over.signal, (n, found) => { status.textContent = `Looked at ${n.toLocaleString()} sessions, found ${found.toLocaleString()}.`; }));
  } catch (e) {
    if (e.name !== 'AbortError') status.replaceWith(h('p.wrong', { role: 'alert' }, e.message));
  }

  function preview({ found, more, unread }) {
    const n = found.length, sum = (key) => found.reduce((all, s) => all + (s[key] || 0), 0);
    const live = found.filter((s) => s.state === 'live').length;
    const users = new Set(found.map((s) => s.user).filter(Boolean));
    const words = `delete ${n}`;
    const many = n === 1 ? 'the session' : `${n.toLocaleString()} sessions`;
    if (!n) {
      status.textContent = 'There are none any more.';
      return;
    }
    const field = h('input.typed', { id: 'typed', autocomplete: 'off', spellcheck: false, oninput: () => { button.disabled = field.value.trim().toLowerCase() !== words; } });
    const button = h('button.danger.sure', { disabled: true }, icon('trash', 15), h('span', {}, `Delete ${many} for good`));
    const form = h('form', { onsubmit(e) {
      e.preventDefault();
      if (!button.disabled) run(found);
    } }, h('label', { for: 'typed' }, 'To go on, type ', h('b', {}, words)), field, h('.actions', {}, closing(box, 'Cancel'), button));
    body.replaceChildren(h('h2', {}, `Delete ${many}?`),
      h('p', {}, 'The recordings are removed for good, and no list shows them any more. There is no way back.'),
      table([['Where', said], ['Sessions', n.toLocaleString() + (live ? `, ${live.toLocaleString()} of them live` : '')],
        ['Begun', n === 1 ? when(found[0].created) : `${when(found[n - 1].created)} to ${when(found[0].created)}`],
        ['Users', users.size > 3 ? users.size.toLocaleString() : [...users].join(', ')],
        ['Records', sum('records').toLocaleString()], ['Size', sum('bytes') > 0 && bytes(sum('bytes'))]]),
      h('ul.victims', { tabIndex: 0, 'aria-label': 'What is deleted' }, found.map((s) => {
        const p = place(s.url);
        return h('li', {}, h('time', {}, new Date(s.created).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })), h('span', { dir: 'auto' }, visible(s.user || 'anonymous')), h('span', { dir: 'ltr' }, p.host + p.path || s.id));
      })),
      more ? h('p.warned', {}, `There are more: these are the ${n.toLocaleString()} newest. Delete the others afterwards, or with rr rm.`) : '',
      unread ? h('p.warned', {}, `Of ${unread.toLocaleString()} more sessions it could not be read whether they are like this; they stay.`) : '',
      live ? h('p.warned', {}, 'What live pages send later is refused; their visitors go on in new sessions.') : '', form);
    field.focus();
  }

  /** While it works: who closes the page is asked, and the next one told. */
  function working(on) {
    box.busy = on;
    const change = on ? addEventListener : removeEventListener;
    change('beforeunload', unload);
    change('pagehide', closed);
    if (on || !state) return;
    state = null;
    keepUndone(null);
  }

  async function run(found) {
    const bar = h('progress', { max: found.length, value: 0, 'aria-label': 'Deleted' });
    const text = h('p', { role: 'status' });
    let stopped = false, failure = null, left = found.length;
    const stop = h('button.quiet', { type: 'button', onclick() {
      stopped = stop.disabled = true;
    } }, 'Stop');
    working(true);
    body.replaceChildren(h('h2', {}, 'Deleting'), bar, text,
      h('p.soft', {}, 'This page does it, one after the other: leave it open until it is done. Closed, the others stay.'), h('.actions', {}, stop));
    stop.focus();
    for (const s of found) {
      text.textContent = `${found.length - left} of ${found.length}`;
      if (stopped) break;
      keepUndone(state = { where, said, done: receipts.length, left, at: Date.now() });
      try {
        receipts.push(await api.remove(s.id));
      } catch (e) {
        if (e.status === 404) missing.push(s.id);
        else if (failure = e) break;
      }
      bar.value = found.length - --left;
    }
    working(false);
    say(found.slice(found.length - left), failure);
  }

  function say(left, failure) {
    const n = receipts.length;
    const [line, copy, save] = receipt(receipts.map((r) => JSON.stringify(r)).join('\n'), `deleted-${new Date().toISOString().slice(0, 19).replace(/:/g, '')}.ndjson`, app);
    const again = left.length > 0 && h('button.danger', { type: 'button', onclick: () => run(left) }, `Go on with ${left.length.toLocaleString()}`);
    body.replaceChildren(h('h2', {}, left.length ? 'Not all are deleted' : 'Deleted'),
      failure ? h('p.wrong', { role: 'alert' }, failure.message) : '',
      table([['Deleted', n.toLocaleString()], ['Gone before', missing.length > 0 && missing.length.toLocaleString()], ['Not deleted', left.length > 0 && left.length.toLocaleString()],
        ['Records', receipts.reduce((all, r) => all + (r.records || 0), 0).toLocaleString()], ['From', n > 0 && receipts[0].at], ['To', n > 0 && receipts[n - 1].at]]),
      ...n ? [h('p', { role: 'status' }, 'This receipt, a line a session, is kept nowhere: copy or save it if you need it.'), line, h('p.soft', {}, INDEX)] : [],
      h('.actions', {}, ...n ? [copy, save] : [], again, closing(box, 'To the list', 'button.solid')));
    body.querySelector('.actions').lastChild.focus();
  }
}
