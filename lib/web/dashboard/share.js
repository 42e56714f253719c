/** Gives away one session, for a while. */

import * as api from './api.js';
import { h } from './dom.js';

const TIMES = [['an hour', 3600], ['a day', 86400], ['a week', 604800], ['30 days', 2592000]];

/**
 * @param {string} id
 * @param {{dialog(...inside: Node[]): HTMLDialogElement, toast(text: string): void}} app
 */
export function shareDialog(id, app) {
  const pick = h('select', { id: 'share-for' }, TIMES.map(([text, seconds]) => h('option', { value: seconds, selected: seconds === 604800 }, text)));
  const link = h('input.link', { readOnly: true, hidden: true, 'aria-label': 'The link' });
  const error = h('p.wrong', { role: 'alert' });
  const button = h('button.solid', { type: 'button', async onclick() {
    try {
      const { share } = await api.makeShare(id, pick.value);
      const url = new URL(location.pathname, location.href);
      url.search = new URLSearchParams({ id, share });
      link.value = url.href;
      link.hidden = false;
      link.select();
      await navigator.clipboard.writeText(url.href).then(() => app.toast('Link copied'), () => {});
    } catch (e) {
      error.textContent = e.message;
    }
  } }, 'Make a link');
  const box = app.dialog(h('h2', {}, 'Share this session'),
    h('p', {}, 'Whoever has the link can watch this one session, without a login, until it expires.'),
    h('p.row', {}, h('label', { for: 'share-for' }, 'It is good for'), pick, button), link, error,
    h('form', { method: 'dialog' }, h('button.quiet', {}, 'Close')));
  box.setAttribute('aria-label', 'Share this session');
}
