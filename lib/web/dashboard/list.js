/** All sessions, newest first; those that go on are marked, and move. */

import * as api from './api.js';
import { ago, bytes, h, icon, place, span, when } from './dom.js';

const PAGE = 50;
const FRESH = 2000;             // ms between looks while this page is seen
const MOST_WAIT = 30e3;

/** @param {{open(id: string): void}} app */
export function list(app) {
  const gone = new AbortController();
  const { signal } = gone;
  const params = new URLSearchParams(location.search);
  let sessions = new Map(), next = null, more = false, tries = 0, timer = 0, known = false;
  let query = params.get('q') || '', only = params.get('state') || 'all';

  const search = h('input', { type: 'search', value: query, placeholder: 'Find by page, user, source or id', 'aria-label': 'Find sessions', oninput() {
    query = search.value.trim();
    remember();
    draw();
  } });
  const states = h('.segments', { role: 'group', 'aria-label': 'State' }, ['all', 'live', 'past'].map((s) =>
    h('button', { 'aria-pressed': String(s === only), onclick() {
      only = s;
      for (const b of states.children) b.setAttribute('aria-pressed', String(b.textContent.toLowerCase().startsWith(s)));
      remember();
      draw();
    } }, s === 'live' ? [h('i'), 'Live'] : s[0].toUpperCase() + s.slice(1))));
  const note = h('.note', { role: 'status', hidden: true });
  const rows = h('ul.sessions', { 'aria-label': 'Sessions' });
  const moreButton = h('button.quiet.more', { hidden: true, onclick: () => older() }, 'Older sessions');
  const count = h('p.count', {}, ' ');
  const root = h('main.list', {}, h('.filters', {}, h('label.find', {}, icon('search', 16), search), states, count), note, rows, moreButton);
  document.title = 'Sessions · rrpipe';

  function remember() {
    const q = new URLSearchParams();
    if (query) q.set('q', query);
    if (only !== 'all') q.set('state', only);
    history.replaceState(null, '', location.pathname + (q.size ? `?${q}` : ''));
  }

  const matches = (s) => {
    if (only === 'live' && s.state !== 'live' || only === 'past' && s.state === 'live') return false;
    const text = [s.url, s.title, s.user, s.source, s.id].filter(Boolean).join(' ').toLowerCase();
    return query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
  };

  function fill(el, s) {
    const p = place(s.url);
    const live = s.state === 'live';
    const length = live && s.first != null ? Math.max(s.duration || 0, 0) : s.duration || 0;
    el.firstChild.href = `?id=${encodeURIComponent(s.id)}`;
    el.firstChild.replaceChildren(
      h('span.mark.' + s.state, { title: { live: 'Live', stopped: 'Stopped', ended: 'Ended: nothing came any more' }[s.state] || '' }, h('i')),
      h('span.page', {}, h('b', {}, s.title || p.path || 'Untitled'), h('span', {}, p.host + p.path || s.id)),
      h('span.user', {}, s.user || h('span.soft', {}, 'anonymous'), s.source ? h('span.source', {}, s.source) : ''),
      h('span.length', {}, h('b', {}, span(length)), h('span', {}, s.events != null ? `${s.events.toLocaleString()} events` : `${(s.records || 0).toLocaleString()} records`)),
      h('span.when', { title: when(s.created) }, live ? h('b.now', {}, 'Live') : ago(s.created), s.bytes ? h('span', {}, bytes(s.bytes)) : ''));
    el.dataset.state = s.state;
  }

  function draw() {
    const all = [...sessions.values()].sort((a, b) => b.created - a.created || (a.stream < b.stream ? -1 : 1));
    const found = all.filter(matches);
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
    if (!found.length && sessions.size) say('bare', 'Nothing matches.', `None of the ${all.length} sessions here${more ? '; older ones are not loaded' : ''}.`, ['Show all', () => {
      search.value = query = '';
      only = 'all';
      remember();
      states.firstChild.click();
    }]);
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

  async function look() {
    clearTimeout(timer);
    let wait = FRESH;
    try {
      const got = await api.list(PAGE, null, signal);
      if (!known) {
        rows.replaceChildren();
        more = got.more;
        next = got.next;
      }
      const ids = new Set(got.sessions.map((s) => s.id));
      const oldest = Math.min(...got.sessions.map((s) => s.created));
      // What is not there any more was deleted.
      for (const [id, s] of sessions) if (!ids.has(id) && (s.created >= oldest || !got.more)) sessions.delete(id);
      for (const s of got.sessions) sessions.set(s.id, s);
      if (tries) {
        tries = 0;
        note.hidden = true;
      }
      draw();
      known = true;
      draw();
    } catch (e) {
      if (e.name === 'AbortError') return;
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
      const got = await api.list(PAGE, next, signal);
      for (const s of got.sessions) sessions.set(s.id, s);
      more = got.more;
      next = got.next;
      draw();
    } catch (e) {
      if (e.name !== 'AbortError') moreButton.textContent = `${e.message} Try again`;
    }
    moreButton.disabled = false;
  }

  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) look();
  }, { signal });
  addEventListener('keydown', (e) => {
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

  skeleton();
  look();

  return {
    root,
    end() {
      gone.abort();
      clearTimeout(timer);
    },
  };
}
