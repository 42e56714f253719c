/** Who is watching, and the page that asks. */

import * as api from './api.js';
import { h, icon } from './dom.js';

/** What may be done: without login, all but to make links. */
export let me = { login: false, name: '', role: 'delete' };
const ROLES = ['none', 'view', 'delete', 'admin'];
export const may = (role) => !api.share && ROLES.indexOf(me.role) >= ROLES.indexOf(role);

/** Asks the server who this is. Whoever opened a link is nobody. */
export async function identify() {
  if (api.share) return;
  me = await api.me().catch((e) => {
    if (e.status === 401) return { login: true, name: '', role: 'none' };
    return me;
  });
}

/** @param {() => void} done is called when somebody is logged in */
export function loginPage(done) {
  const field = h('input', { type: 'password', id: 'token', name: 'token', autocomplete: 'current-password', required: true, spellcheck: false });
  const error = h('p.wrong', { role: 'alert' });
  const button = h('button.solid', { type: 'submit' }, 'Log in');
  const form = h('form.login', { async onsubmit(e) {
    e.preventDefault();
    button.disabled = true;
    error.textContent = '';
    try {
      me = await api.login(field.value.trim());
      done();
    } catch (e) {
      error.textContent = e.status === 401 ? 'Nobody has this token.' : e.message;
      field.select();
      field.focus();
    }
    button.disabled = false;
  } }, h('h1', {}, 'Log in'), h('label', { for: 'token' }, 'Your token'), field, error, button,
  h('p.soft', {}, 'Whoever runs this dashboard gives you one.'));
  queueMicrotask(() => field.focus());
  return { root: h('main.gate', {}, form), end() {} };
}

/** For the head of the page: who this is, and the way out. */
export function whoButton(out) {
  return h('button.tool.who', { title: 'Log out', 'aria-label': `Log out ${me.name}`, async onclick() {
    await api.logout().catch(() => {});
    me = { login: true, name: '', role: 'none' };
    out();
  } }, h('span', {}, me.name), icon('out'));
}
