/** Gives away one session, or a part of it, for a while. */

import * as api from './api.js';
import { clock, h } from './dom.js';

const TIMES = [['an hour', 3600], ['a day', 86400], ['a week', 604800], ['30 days', 2592000]];

/** "1:02:03.5" or "63.5" as ms; NaN if it is no such time. */
export function moment(text) {
  if (!/^(\d{1,3}:)?(\d{1,4}:)?\d{1,6}([.,]\d{1,3})?$/.test(text.trim())) return NaN;
  return text.trim().replace(',', '.').split(':').reduce((sum, part) => sum * 60 + +part, 0) * 1000;
}

/**
 * @param {string} id
 * @param {{dialog(...inside: Node[]): HTMLDialogElement, toast(text: string): void}} app
 * @param {{begin: number, end: number, at: number, own(at: number): number}} [known] of the recording:
 *   where it begins, ends, and is watched just now; `own` gives the visitor's time of a moment
 */
export function shareDialog(id, app, known) {
  const pick = h('select', { id: 'share-for' }, TIMES.map(([text, seconds]) => h('option', { value: seconds, selected: seconds === 604800 }, text)));
  const link = h('input.link', { readOnly: true, hidden: true, 'aria-label': 'The link' });
  const error = h('p.wrong', { role: 'alert' });
  const choice = (name, checked) => h('input', { type: 'radio', name: 'share-what', id: `share-${name}`, value: name, checked, onchange: choose });
  const all = choice('all', true), part = choice('part', false);
  const time = (name, label, ms) => h('input.moment', { id: `share-${name}`, size: 8, value: clock(ms, true), 'aria-label': label, 'aria-describedby': 'share-part-says', inputMode: 'decimal', spellcheck: false,
    oninput() {
      part.checked = true;
      choose();
    } });
  const from = known && time('from', 'From', known.at - known.begin), to = known && time('to', 'To', known.end - known.begin);
  const says = h('p.soft', { id: 'share-part-says', hidden: true }, 'Nothing else of the session is shown: not what came before or after, not who it was. What is recorded after the link was made is not in it either, even if the session goes on. ' +
    'So that its first moment can be drawn, the page’s last snapshot before it goes along, with what changed on the page since.');
  function choose() {
    says.hidden = !part.checked;
    link.hidden = true;
    error.textContent = '';
  }
  const what = known && h('fieldset.what', {}, h('legend', {}, 'What is shown'),
    h('p', {}, h('label', {}, all, 'All of it, also what is still to come')),
    h('p.row', {}, h('label', {}, part, 'A part, from'), from, h('label', { for: 'share-to' }, 'to'), to), says);

  /** {from, to} in the visitor's time; without `to` it goes to what is recorded last. */
  function span() {
    const given = [from, to].map((field, i) => {
      const ms = moment(field.value);
      if (Number.isNaN(ms)) {
        field.focus();
        throw new Error(`“${field.value}” is no time: write it as ${clock(i ? known.end - known.begin : 0)}.`);
      }
      return ms;
    });
    if (given[0] >= given[1]) throw new Error('The part must begin before it ends.');
    const ms = (t) => Math.floor(known.own(known.begin + t));
    // The end as it is written is a little before what is recorded last.
    const open = given[1] >= Math.floor((known.end - known.begin) / 100) * 100;
    return { from: given[0] > 0 ? ms(given[0]) : 0, ...!open && { to: ms(given[1]) } };
  }

  const button = h('button.solid', { type: 'submit' }, 'Make a link');
  const form = h('form.sharing', { async onsubmit(e) {
    e.preventDefault();
    error.textContent = '';
    link.hidden = true;
    button.disabled = true;
    try {
      const { share } = await api.makeShare(id, { seconds: pick.value, ...part.checked && span() });
      const url = new URL(location.pathname, location.href);
      url.search = new URLSearchParams({ id, share });
      link.value = url.href;
      link.hidden = false;
      link.select();
      await navigator.clipboard.writeText(url.href).then(() => app.toast('Link copied'), () => {});
    } catch (e) {
      error.textContent = e.status === 422 ? 'Nothing was recorded in this part that a link can show.' : e.message;
    }
    button.disabled = false;
  } }, what, h('p.row', {}, h('label', { for: 'share-for' }, 'It is good for'), pick, button), link, error);
  const box = app.dialog(h('h2', {}, 'Share this session'),
    h('p', {}, 'Whoever has the link can watch this one session, without a login, until it expires.'),
    form, h('form', { method: 'dialog' }, h('button.quiet', {}, 'Close')));
  box.setAttribute('aria-label', 'Share this session');
}
