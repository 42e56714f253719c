/** All sessions, newest first; those that go on are marked, and move. */

import * as api from './api.js';
import { deletions, forgetUndone, undone } from './delete.js';
import { ago, bytes, h, icon, place, span, visible, when } from './dom.js';
import { ending } from './ends.js';
import { drops } from './file.js';
import { may } from './login.js';

const PAGE = 50;
const FRESH = 2000;             // ms between looks while nothing tells of changes
const QUIET = 10e3;             // and while something does
const MOST_WAIT = 30e3;
const CATCH_UP = 4;             // pages, after which the list begins anew

/** Conditions, as they stand in this page's address and in the list's. */
const FIELDS = [
  ['user', 'User', 'text', 'Exactly'], ['source', 'Source', 'text', 'Exactly'], ['url', 'Page', 'text', 'Part of it'],
  ['since', 'Since', 'date'], ['until', 'Before', 'date'],
  ['min', 'At least', 'number', 'seconds'], ['max', 'At most', 'number', 'seconds'], ['active', 'Active at least', 'number', 'seconds'],
  ['errors', 'Errors', 'number', 'at least'], ['rage', 'Rage clicks', 'number', 'at least'], ['dead', 'Dead clicks', 'number', 'at least'],
];

/** @param {{open(id: string): void}} app */
export function list(app) {
  const gone = new AbortController();
  const { signal } = gone;
  const params = new URLSearchParams(location.search);
  let sessions = new Map(), next = null, more = false, tries = 0, timer = 0, known = false, unfollow = null, typed = 0, searching = null, looked = 0;
  const wanted = Object.fromEntries(FIELDS.map(([key]) => [key, params.get(key) || '']));
  let query = params.get('q') || '', only = params.get('state') || 'all';

  const search = h('input', { type: 'search', value: query, placeholder: 'Find by page, user, source or id', 'aria-label': 'Find sessions', oninput() {
    query = search.value.trim();
    anewSoon();
  } });
  const states = h('.segments', { role: 'group', 'aria-label': 'State' }, ['all', 'live', 'past'].map((s) =>
    h('button', { 'aria-pressed': String(s === only), onclick() {
      only = s;
      press();
      anew();
    } }, s === 'live' ? [h('i'), 'Live'] : s[0].toUpperCase() + s.slice(1))));
  const press = () => [...states.children].forEach((b) => b.setAttribute('aria-pressed', String(b.textContent.toLowerCase().startsWith(only))));
  const note = h('.note', { role: 'status', hidden: true });
  const rows = h('ul.sessions', { 'aria-label': 'Sessions' });
  const moreButton = h('button.quiet.more', { hidden: true, onclick: () => older() }, 'Older sessions');
  const count = h('p.count', {}, ' ');
  const fields = h('.fields', { id: 'fields', hidden: !FIELDS.some(([key]) => wanted[key]) }, FIELDS.map(([key, name, type, hint]) =>
    h('label', {}, h('span', {}, name), h('input', { type, name: key, value: wanted[key], placeholder: hint || '', min: 1, step: 1, oninput(e) {
      wanted[key] = e.target.validity.valid ? e.target.value.trim() : '';
      anewSoon();
    } }))));
  const fieldsButton = h('button.quiet', { 'aria-controls': 'fields', 'aria-expanded': String(!fields.hidden), onclick() {
    fields.hidden = !fields.hidden;
    fieldsButton.setAttribute('aria-expanded', String(!fields.hidden));
  } }, 'Filters');
  // Those that the conditions hold for, all of them: never everything.
  const deleteButton = h('button.danger', { hidden: true, onclick: () => deletions(where(), said(), app, anew) }, icon('trash', 15), 'Delete these');
  const progress = h('.progress', { role: 'status', hidden: true });
  const broken = h('.undone', { role: 'status', hidden: true });
  const files = h('p.soft.files', {}, 'A recording in a file plays here when it is dropped on this page; it is sent nowhere.', may('delete') && [' To put one into this list: ', h('code', {}, 'rr import FILE'), ', where rrpipe runs.']);
  const root = h('main.list', {}, h('h1.heard', {}, 'Sessions'), h('.filters', {}, h('label.find', {}, icon('search', 16), search), states, fieldsButton, deleteButton, count), fields, broken, progress, note, rows, moreButton, files);
  document.title = 'Sessions · rrpipe';

  function remember() {
    const q = new URLSearchParams();
    if (query) q.set('q', query);
    if (only !== 'all') q.set('state', only);
    for (const [key] of FIELDS) if (wanted[key]) q.set(key, wanted[key]);
    history.replaceState(null, '', location.pathname + (q.size ? `?${q}` : ''));
  }

  /** What the list is asked for. */
  function where() {
    const w = {};
    if (query) w.text = query;
    if (only !== 'all') w.state = only;
    for (const [key] of FIELDS) if (wanted[key]) w[key] = wanted[key];
    return w;
  }
  const narrowed = () => Object.keys(where()).length > 0;
  /** The same, for people. */
  const said = () => [query && `“${query}” is in it`, only !== 'all' && (only === 'live' ? 'it is live' : 'it has ended'),
    ...FIELDS.map(([key, name]) => wanted[key] && `${name.toLowerCase()}: ${wanted[key]}`)].filter(Boolean).map(visible).join('; ');

  function anew() {
    clearTimeout(typed);
    remember();
    searching?.abort();
    sessions.clear();
    known = more = false;
    next = null;
    moreButton.hidden = note.hidden = deleteButton.hidden = true;
    skeleton();
    look();
  }
  function anewSoon() {
    clearTimeout(typed);
    typed = setTimeout(anew, 300);
  }

  const facts = (s) => [
    s.pages > 0 && h('span', {}, `${s.pages.toLocaleString()} ${s.pages === 1 ? 'page' : 'pages'}`),
    s.errors > 0 && h('span.bad', {}, `${s.errors.toLocaleString()} ${s.errors === 1 ? 'error' : 'errors'}`),
    s.rage > 0 && h('span.bad', {}, `${s.rage.toLocaleString()} rage`),
    s.dead > 0 && h('span', {}, `${s.dead.toLocaleString()} dead`),
  ];

  function fill(el, s) {
    const p = place(s.url);
    const live = s.state === 'live', end = ending(s);
    const length = live && s.first != null ? Math.max(s.duration || 0, 0) : s.duration || 0;
    el.firstChild.href = `?id=${encodeURIComponent(s.id)}`;
    el.firstChild.replaceChildren(
      h(`span.mark.${end.kind}`, { title: `${end.word}. ${end.why}` }, h('i')),
      h('span.page', {}, h('b', { dir: 'auto' }, visible(s.title || '') || (p.path === '/' && p.host || p.path) || 'Untitled'), h('span', { dir: 'ltr' }, p.host + p.path || s.id)),
      h('span.user', {}, s.user ? h('span.name', { dir: 'auto' }, visible(s.user)) : h('span.soft', {}, 'anonymous'), s.source ? h('span.source', { dir: 'auto' }, visible(s.source)) : ''),
      h('span.facts', {}, facts(s)),
      h('span.length', {}, h('b', {}, span(length)), h('span', {}, s.active > 0 ? `${span(s.active)} active` : s.events != null ? `${s.events.toLocaleString()} ${s.events === 1 ? 'event' : 'events'}` : `${(s.records || 0).toLocaleString()} records`)),
      h('span.when', { title: when(s.created) }, live ? h('b.now', {}, end.word) : ago(s.created), h('span', {}, live ? s.bytes ? bytes(s.bytes) : '' : end.word)));
    el.dataset.state = s.state;
  }

  function draw() {
    const all = [...sessions.values()].sort((a, b) => b.created - a.created || (a.stream < b.stream ? -1 : 1));
    const found = all;
    const had = new Map([...rows.children].map((el) => [el.dataset.id, el]));
    let place = rows.firstElementChild;
    for (const s of found) {
      let el = had.get(s.id);
      if (!el) {
        el = h('li', {}, h('a', { onclick(e) {
          if (e.ctrlKey || e.metaKey || e.shiftKey) return;
          e.preventDefault();
          app.open(s.id);
        } }));
        el.dataset.id = s.id;
        if (known) el.classList.add('new');
      }
      const print = JSON.stringify(s) + ago(s.created);
      if (el.print !== print) {
        el.print = print;
        fill(el, s);
      }
      had.delete(s.id);
      if (el !== place) rows.insertBefore(el, place);
      else place = place.nextElementSibling;
    }
    for (const el of had.values()) el.remove();
    const live = all.filter((s) => s.state === 'live').length;
    count.replaceChildren(`${found.length}${more ? '+' : ''} ${found.length === 1 ? 'session' : 'sessions'}`, live ? h('b', {}, ` ${live} live`) : '');
    moreButton.hidden = !more;
    deleteButton.hidden = !(may('delete') && sessions.size && narrowed());
    if (!sessions.size && known && narrowed()) say('bare', 'Nothing matches.', more ? `None of the ${looked.toLocaleString()} newest sessions; older ones were not looked at.` : 'No session is like this.', ['Show all', () => fit({})]);
    else if (!sessions.size && known) say('empty');
    else if (!tries) note.hidden = true;
  }

  function say(kind, head, text, action) {
    note.hidden = false;
    note.className = 'note ' + kind;
    if (kind === 'empty') {
      const line = `<script src="https://COLLECTOR/rr.js" data-key="KEY"></script>`;
      note.replaceChildren(icon('play', 34), h('h2', {}, 'No sessions yet'),
        h('p', {}, 'Open the demo page, or put this line into a page of yours:'), h('pre', {}, line),
        h('p.soft', {}, 'Sessions appear here as they begin; there is no need to reload.'));
      return;
    }
    note.replaceChildren(icon(kind === 'away' ? 'cloud' : kind === 'bad' ? 'error' : 'search', 34), h('h2', {}, head), h('p', {}, text),
      ...(action ? [h('button.quiet', { onclick: action[1] }, action[0])] : []));
  }

  function skeleton() {
    rows.replaceChildren(...Array.from({ length: 6 }, () => h('li.skeleton', { 'aria-hidden': 'true' }, h('span'), h('span'), h('span'))));
  }

  /** A page; with conditions that few meet it takes several answers, and can be ended. */
  async function page(after) {
    const mine = searching = new AbortController();
    const stop = AbortSignal.any([signal, mine.signal]);
    const w = where(), got = { sessions: [], more: true, next: after, ended: false };
    let n = 0;
    try {
      do {
        const part = await api.list(PAGE - got.sessions.length, got.next, w, stop);
        got.sessions.push(...part.sessions);
        if (got.index === undefined) got.index = part.index;
        [got.more, got.next] = [part.more, part.next];
        n += part.looked || 0;
        if (got.more && got.sessions.length < PAGE && narrowed()) {
          progress.hidden = false;
          progress.replaceChildren(h('span', {}, `Looked at ${n.toLocaleString()} sessions, found ${got.sessions.length}.`),
            h('button.quiet', { onclick: () => { got.ended = true; } }, 'Stop'));
        }
      } while (got.more && got.sessions.length < PAGE && !got.ended && narrowed());
      looked = n;
    } finally {
      if (mine === searching) progress.hidden = true;
    }
    return got;
  }

  /** Takes the newest page into what is shown; several, if so many are new that they do not meet it. */
  async function newest() {
    const had = new Set(sessions.keys());
    const got = await page(null);
    const anyone = (list) => list.some((s) => had.has(s.id));
    for (let i = 0; known && had.size && got.more && !anyone(got.sessions); i++) {
      if (i === CATCH_UP) {
        sessions.clear();
        known = false;
        break;
      }
      const older = await page(got.next);
      got.sessions.push(...older.sessions);
      [got.more, got.next] = [older.more, older.next];
    }
    return got;
  }

  function follow(index) {
    if (unfollow || index === undefined || signal.aborted) return;
    let due = 0;
    const end = api.changes(index, () => {
      due ||= setTimeout(() => {
        due = 0;
        look();
      }, 300);
    }, () => {
      unfollow = null;
      look();
    });
    unfollow = () => {
      clearTimeout(due);
      end();
      unfollow = null;
    };
  }

  async function look() {
    clearTimeout(timer);
    let wait = FRESH;
    try {
      const got = await newest();
      if (!known) {
        rows.replaceChildren();
        more = got.more;
        next = got.next;
      }
      const ids = new Set(got.sessions.map((s) => s.id));
      const oldest = Math.min(...got.sessions.map((s) => s.created));
      // What is not there any more was deleted, or is not like that any more.
      for (const [id, s] of sessions) if (!ids.has(id) && (s.created >= oldest || !got.more)) sessions.delete(id);
      for (const s of got.sessions) sessions.set(s.id, s);
      if (tries) {
        tries = 0;
        note.hidden = true;
      }
      draw();
      known = true;
      draw();
      follow(got.index);
      if (unfollow) wait = QUIET;
    } catch (e) {
      if (e.name === 'AbortError') return;
      unfollow?.();
      tries++;
      wait = Math.min(MOST_WAIT, e.retry || FRESH * 2 ** Math.min(tries, 4));
      if (!known) rows.replaceChildren();
      if (tries > 1 || !known)
        say(e.away ? 'away' : 'bad', e.status === 503 ? 'S2 is away' : e.away ? 'No connection' : 'The list cannot be read',
          e.status === 503 ? `The dashboard runs, but the storage behind it does not answer. This page looks again in ${span(wait)}.` : `${e.message} Trying again in ${span(wait)}.`, ['Try now', look]);
    }
    if (!document.hidden && !signal.aborted) timer = setTimeout(look, wait);
  }

  async function older() {
    moreButton.disabled = true;
    try {
      const got = await page(next);
      for (const s of got.sessions) sessions.set(s.id, s);
      more = got.more;
      next = got.next;
      moreButton.textContent = 'Older sessions';
      draw();
    } catch (e) {
      if (e.name !== 'AbortError') moreButton.textContent = `${e.message} Try again`;
    }
    moreButton.disabled = false;
  }

  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) look();
    else unfollow?.();
  }, { signal });
  addEventListener('keydown', (e) => {
    if (document.querySelector('dialog[open]')) return;
    if (e.key === '/' && !e.target.matches('input, textarea')) {
      e.preventDefault();
      search.focus();
    }
    const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[e.key];
    if (!step || e.target.matches('input') && e.key.length === 1) return;
    const links = [...rows.querySelectorAll('a')];
    const to = links[Math.max(0, links.indexOf(document.activeElement) + step)];
    if (to) {
      e.preventDefault();
      to.focus();
    }
  }, { signal });

  /** A deletion that ended with its page. */
  function tellUndone() {
    const it = may('delete') && undone();
    broken.hidden = !it;
    if (!it) return;
    const forget = () => {
      forgetUndone();
      tellUndone();
    };
    broken.replaceChildren(icon('trash', 16), h('p', {}, h('b', {}, 'A deletion was broken off, as its page was closed. '),
      `${it.done.toLocaleString()} ${it.done === 1 ? 'session is' : 'sessions are'} deleted, ${it.left.toLocaleString()} ${it.left === 1 ? 'was' : 'were'} left. It was for: `, h('span', { dir: 'auto' }, visible(it.said))),
    h('button.quiet', { onclick() {
      forget();
      fit(it.where);
    } }, 'Show what is left'), h('button.quiet', { onclick: forget }, 'Dismiss'));
  }

  /** Asks for this, as `where` has it. */
  function fit(conditions) {
    search.value = query = conditions.text || '';
    only = conditions.state || 'all';
    for (const [key] of FIELDS) wanted[key] = conditions[key] || '';
    for (const input of fields.querySelectorAll('input')) input.value = wanted[input.name];
    press();
    fields.hidden &&= !FIELDS.some(([key]) => wanted[key]);
    fieldsButton.setAttribute('aria-expanded', String(!fields.hidden));
    anew();
  }

  drops((file) => app.file(file), signal);
  tellUndone();
  skeleton();
  look();

  return {
    root,
    end() {
      gone.abort();
      unfollow?.();
      clearTimeout(timer);
      clearTimeout(typed);
    },
  };
}
