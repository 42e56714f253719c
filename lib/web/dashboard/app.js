/** Which page is shown, and what all of them share. */

import { onLogin, share } from './api.js';
import { h, icon } from './dom.js';
import { filePage } from './file.js';
import { list } from './list.js';
import { identify, loginPage, me, whoButton } from './login.js';
import { LEGEND, sample } from './timeline.js';
import { watch } from './watch.js';

const KEYS = {
  'Playing': [['Space', 'play, pause'], ['< >', 'slower, faster'], ['s', 'skip when nobody does anything'], ['l', 'go live']],
  'Moving': [['← →', 'back, forward 5 seconds'], ['Shift ← →', '30 seconds'], [', .', 'previous, next event'], ['1 to 9', 'to 10 % … 90 % of it'], ['Home End', 'to its start, its end'],
    ['m', 'set a marker here, or take it away; links hold them'], ['c', 'copy a link to this moment']],
  'Seeing': [['f', 'full screen'], ['z', 'real size, or fit'], ['i', 'inspector'], ['/', 'find; then Enter and Shift Enter: next, previous'], ['↑ ↓', 'from row to row'],
    ['Esc', 'back to the list'], ['?', 'this']],
};

let page, shown;
const content = h('.content');
const who = h('span');
const toasts = h('.toasts', { role: 'status' });

const themes = ['auto', 'light', 'dark'];
let theme = localStorage.getItem('theme') || 'auto';
const themeButton = h('button.tool', { onclick() {
  theme = themes[(themes.indexOf(theme) + 1) % 3];
  localStorage.setItem('theme', theme);
  dress();
} });
function dress() {
  document.documentElement.dataset.theme = theme;
  themeButton.title = `Colours: ${theme}`;
  themeButton.setAttribute('aria-label', themeButton.title);
  themeButton.replaceChildren(icon(theme === 'dark' || theme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches ? 'moon' : 'sun'));
  dispatchEvent(new Event('resize'));
}

function dialog(...inside) {
  const box = h('dialog', {}, ...inside);
  box.addEventListener('close', () => box.remove());
  // One that is `busy` stays until it has said what came of it.
  box.addEventListener('click', (e) => e.target === box && !box.busy && box.close());
  box.addEventListener('cancel', (e) => box.busy && e.preventDefault());
  box.addEventListener('keydown', (e) => e.key === 'Escape' && box.busy && e.preventDefault());
  document.body.append(box);
  box.showModal();
  return box;
}

function help() {
  const box = dialog(h('form.title', { method: 'dialog' }, h('h2', {}, 'Keys'), h('button.tool', { title: 'Close', 'aria-label': 'Close' }, icon('close', 16))),
    h('.keys', {}, Object.entries(KEYS).map(([name, keys]) => h('section', {}, h('h3', {}, name),
      h('dl', {}, keys.map(([k, what]) => [h('dt', {}, k.split(' ').map((x) => x === 'to' ? ' to ' : h('kbd', {}, x))), h('dd', {}, what)]))))),
    h('section', {}, h('h3', {}, 'On the timeline'), h('ul.legend', {}, LEGEND.map(([kind, what]) => h('li', {}, sample(kind), what)))));
  box.classList.add('help');
  box.setAttribute('aria-label', 'Keys');
}

const app = {
  dialog,
  back() {
    if (share) return;         // there is only this session
    history.pushState(null, '', location.pathname);
    route();
  },
  open(id) {
    history.pushState(null, '', `?id=${encodeURIComponent(id)}`);
    route();
  },
  /** Plays a file that somebody has, or asks for one. */
  file(file) {
    history.pushState(null, '', '?file');
    route(file);
  },
  toast(text) {
    const el = h('.toast', {}, text);
    toasts.append(el);
    setTimeout(() => el.remove(), 4000);
  },
  ask: (title, text, word) => new Promise((resolve) => {
    const box = dialog(h('h2', {}, title), h('p', {}, text), h('form.actions', { method: 'dialog' },
      h('button.quiet', { value: '' }, 'Cancel'), h('button.danger', { value: 'yes' }, word)));
    box.addEventListener('close', () => resolve(box.returnValue === 'yes'));
  }),
};

function show(name, made) {
  if (page) page.end();
  document.body.dataset.page = name;
  page = made;
  who.replaceChildren(...me.name ? [whoButton(gate)] : []);
  content.replaceChildren(page.root);
}
/** Nobody is logged in: who logs in goes on where this is. */
function gate() {
  if (share || document.body.dataset.page === 'login') return;
  shown = undefined;
  show('login', loginPage(() => route()));
}

function route(file) {
  const asked = new URLSearchParams(location.search), id = asked.get('id');
  const what = id || (asked.has('file') ? 'file' : '');
  if (page && what === shown) return;   // only the moment has changed
  shown = what;
  if (id) show('watch', watch(id, app));
  else if (what) show('file', filePage(app, file));
  else show('list', list(app));
}

// The head of the page is in its HTML, so that it is seen before this is read.
const head = document.querySelector('.top');
head.querySelector('.brand').addEventListener('click', (e) => {
  if (e.ctrlKey || e.metaKey) return;
  e.preventDefault();
  app.back();
});
const helpButton = h('button.tool', { title: 'Keys (?)', 'aria-label': 'Keys', onclick: help }, icon('help'));

head.append(h('.spacer'), h('a.tool.open', { href: '?file', title: 'Open a file: it plays here, and is sent nowhere', onclick(e) {
  if (e.ctrlKey || e.metaKey || e.shiftKey) return;
  e.preventDefault();
  app.file();
} }, icon('open'), h('span', {}, 'Open a file')), who, helpButton, themeButton);
document.body.append(content, toasts);
addEventListener('popstate', () => route());
addEventListener('keydown', (e) => {
  if (e.key === '?' && !e.target.matches('input, textarea') && !document.querySelector('dialog[open]')) help();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', dress);
dress();
onLogin.addEventListener('needed', gate);
identify().then(() => me.role === 'none' ? gate() : route());
