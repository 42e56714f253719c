/** Beside the player: what happened, in words; each line is a place to go to. */

import { bytes, clock, h, icon, place, span, when } from './dom.js';
import { may } from './login.js';
import { describe } from './timeline.js';

const MOST_ROWS = 1500;
const ICONS = { page: 'page', click: 'click', input: 'type', error: 'error', rage: 'rage', dead: 'rage', event: 'event', size: 'size', gap: 'gap', note: 'gap', console: 'terminal', net: 'net', scroll: 'scroll' };
const VIEWS = {
  activity: ['Activity', (m) => m.kind !== 'console' && m.kind !== 'net'],
  console: ['Console', (m) => m.kind === 'console' || m.kind === 'error'],
  network: ['Network', (m) => m.kind === 'net'],
  details: ['Details', null],
  raw: ['Raw', null],
};
const TYPES = ['DOM ready', 'Load', 'Snapshot', 'Change', 'Page', 'Custom', 'Plugin', 'Asset'];
const SOURCES = ['DOM', 'Mouse', 'Mouse', 'Scroll', 'Resize', 'Input', 'Touch', 'Media', 'Style', 'Canvas', 'Font', 'Log', 'Drag', 'Style', 'Selection', 'Style', 'Element'];

/**
 * @param {import('./recording.js').Recording} rec
 * @param {{seek(at: number): void, stop(): void, remove(): void}} on
 */
export function inspector(rec, on) {
  let view = 'activity', query = '', at = rec.first, rows = [], current, drawn = '', partial = false;
  const body = h('.rows', { role: 'tabpanel', id: 'inspect', tabIndex: -1 });
  const search = h('input', { type: 'search', placeholder: 'Find in this session', 'aria-label': 'Find in this session', oninput() {
    query = search.value.trim().toLowerCase();
    draw();
  } });
  const tabs = h('.tabs', { role: 'tablist' }, Object.entries(VIEWS).map(([key, [name]]) =>
    h('button', { role: 'tab', id: `view-${key}`, 'aria-controls': 'inspect', 'aria-selected': String(key === view), tabIndex: key === view ? 0 : -1, onclick: () => choose(key) },
      name, h('span.n', { hidden: true }))));
  tabs.addEventListener('keydown', (e) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!step) return;
    e.preventDefault();
    e.stopPropagation();
    const keys = Object.keys(VIEWS);
    choose(keys[(keys.indexOf(view) + step + keys.length) % keys.length]);
    tabs.querySelector('[aria-selected=true]').focus();
  });
  const root = h('aside.inspector', { 'aria-label': 'Inspector' }, tabs, h('label.find', {}, icon('search', 15), search), body);

  function choose(key) {
    view = key;
    for (const b of tabs.children) {
      const on = b.id === `view-${key}`;
      b.setAttribute('aria-selected', String(on));
      b.tabIndex = on ? 0 : -1;
    }
    draw();
  }

  const has = (text) => !query || text.toLowerCase().includes(query);

  function row(m) {
    const p = m.kind === 'page' ? place(m.text) : null;
    const bad = m.kind === 'error' || m.kind === 'gap' || m.kind === 'console' && /error|assert/.test(m.level) || m.failed;
    const warn = m.kind === 'rage' || m.kind === 'dead' || m.level === 'warn';
    const more = m.stack || m.detail || m.where;
    const line = h(`button.row${bad ? '.bad' : warn ? '.warn' : ''}`, { onclick: () => on.seek(m.at), title: more ? undefined : describe(m) },
      h('time', {}, clock(m.at - rec.first)), icon(ICONS[m.kind] || 'event', 15),
      h('span.what', {}, p ? [h('b', {}, p.path), h('span.soft', {}, ' ' + p.host)]
        : m.kind === 'net' ? [h('b', {}, `${m.status || 'failed'} ${m.method} `), place(m.text).path, h('span.soft', {}, ` ${m.took} ms`)]
          : m.on ? [m.text + ' ', h('b', {}, m.on)] : m.kind === 'gap' || m.kind === 'scroll' ? describe(m) : m.text),
      rec.tabs.size > 1 && h('span.tab', { title: `Tab ${rec.tabs.get(m.tab)?.index + 1}` }, String((rec.tabs.get(m.tab)?.index ?? 0) + 1)));
    if (!more) return line;
    return h('details', {}, h('summary', {}, line), h('pre', {}, [m.where, m.stack, m.detail].filter(Boolean).join('\n')));
  }

  function draw() {
    for (const b of tabs.children) {
      const key = b.id.slice(5);
      const filter = VIEWS[key][1];
      const n = filter && key !== 'activity' ? rec.marks.filter(filter).length : 0;
      b.lastChild.hidden = !n;
      b.lastChild.textContent = n > 999 ? '999+' : String(n);
    }
    search.parentElement.hidden = view === 'details';
    if (view === 'details' || view === 'raw') {
      drawn = '';
      current = undefined;
      rows = [];
      return body.replaceChildren(view === 'raw' ? raw() : details());
    }
    const filter = VIEWS[view][1];
    const list = rec.marks.filter((m) => filter(m) && has(describe(m) + (m.stack || '') + (m.detail || '')));
    // Of a long list the part around the time.
    const here = list.findIndex((m) => m.at > at);
    const start = Math.max(0, Math.min(list.length - MOST_ROWS, (here < 0 ? list.length : here) - MOST_ROWS / 2));
    const shown = list.slice(start, start + MOST_ROWS);
    partial = list.length > shown.length;
    // What goes on live only adds lines.
    const same = drawn === view + query && rows.length && shown[0] === rows[0].m && shown[rows.length - 1] === rows[rows.length - 1].m;
    const more = shown.slice(same ? rows.length : 0).map((m) => ({ m, el: row(m) }));
    rows = same ? [...rows, ...more] : more;
    if (same) body.append(...more.map((r) => r.el));
    else body.replaceChildren(...(partial ? [h('p.nothing', {}, `${shown.length} of ${list.length}, around the time; search to narrow.`)] : []),
      ...(rows.length ? rows.map((r) => r.el) : [empty()]));
    drawn = view + query;
    follow(!same);
  }

  function empty() {
    if (query) return h('p.nothing', {}, `Nothing here matches “${query}”.`);
    if (view === 'console') return h('p.nothing', {}, 'No console output was recorded. Pages that set ', h('code', {}, 'data-capture="console errors"'), ' send it.');
    if (view === 'network') return h('p.nothing', {}, 'No requests were recorded. Pages that set ', h('code', {}, 'data-capture="network"'), ' send when and how they ended, never what was in them.');
    return h('p.nothing', {}, 'Nothing has happened yet.');
  }

  function details() {
    const m = rec.meta, i = rec.info;
    const offset = typeof m.time === 'number' && i.created ? m.time - i.created : null;
    const facts = [
      ['Page', m.url || i.url], ['Title', m.title || i.title], ['User', m.user || i.user], ['Source', m.source || i.source],
      ['State', i.state === 'live' ? 'live' : i.state === 'stopped' ? 'stopped' : 'ended: nothing came any more'],
      ['Began', when(i.created)], ['Length', isFinite(rec.first) ? span(rec.last - rec.first) : '0 s'],
      ['Tabs', rec.tabs.size || ''], ['Events', rec.events.toLocaleString() + (rec.ranges.length === 1 && rec.ranges[0][1] >= rec.tail ? '' : ' read so far')],
      ['Missing', rec.gaps.length ? `${rec.gaps.length} ${rec.gaps.length === 1 ? 'gap' : 'gaps'}` : 'nothing'],
      ['Read', bytes(rec.chars)], ['Window', m.width && `${m.width} × ${m.height}`], ['Language', m.language], ['Referrer', m.referrer],
      ['Recorder', m.sdk && `${m.sdk}, rrweb ${m.rrweb || '?'}`], ['Visitor’s clock', offset === null || Math.abs(offset) < 2000 ? null : `${span(Math.abs(offset))} ${offset < 0 ? 'behind' : 'ahead'}`],
      ['Id', rec.id], ['Stream', i.stream],
    ];
    const shown = new Set(['url', 'title', 'user', 'source', 'width', 'height', 'language', 'referrer', 'sdk', 'rrweb', 'tab', 'time']);
    for (const [k, v] of Object.entries(m)) if (!shown.has(k)) facts.push([k, typeof v === 'object' ? JSON.stringify(v) : String(v)]);
    return h('.details', {},
      h('dl', {}, facts.filter(([, v]) => v != null && v !== '').map(([k, v]) => [h('dt', {}, k), h('dd', {}, String(v))])),
      may('view') && [h('h3', {}, 'In the shell'), h('pre', {}, `rr cat ${rec.id}`)],
      may('delete') && h('.actions', {},
        rec.info.state === 'live' && h('button.quiet', { onclick: on.stop }, icon('stop', 15), 'Stop recording'),
        h('button.danger', { onclick: on.remove }, icon('trash', 15), 'Delete')));
  }

  /** The events around the time, as they are stored. */
  function raw() {
    const list = h('.raw', {});
    let n = 0;
    const upTo = rec.batches.filter((b) => b.lines);
    for (let i = upTo.length - 1; i >= 0 && n < 200; i--) {
      const b = upTo[i];
      for (let j = b.lines.length - 1; j >= 0 && n < 200; j--) {
        const line = b.lines[j];
        if (!has(line)) continue;
        let e = {};
        try {
          if (line.length < 200e3) e = JSON.parse(line);
          else e = { type: /"type":\s*(\d+)/.exec(line.slice(0, 100))?.[1], timestamp: b.first };
        } catch {}
        const t = Number(e.timestamp) + b.shift;
        if (!query && t > at + 2000) continue;
        n++;
        const name = e.type === 3 && e.data ? SOURCES[e.data.source] || 'Change' : TYPES[e.type] || 'Event';
        list.append(h('details', { ontoggle(ev) {
          if (ev.target.open && ev.target.childElementCount === 1) {
            let pretty = line;
            try {
              pretty = JSON.stringify(JSON.parse(line), null, 1);
            } catch {}
            ev.target.append(h('pre', {}, pretty.length > 20000 ? pretty.slice(0, 20000) + '\n…' : pretty));
          }
        } }, h('summary', {}, h('time', {}, clock(t - rec.first, true)), h('b', {}, name), h('span.soft', {}, ` ${bytes(line.length)}`), h('code', {}, line.slice(0, 160)))));
      }
    }
    return n ? list : empty();
  }

  /** Marks the line of the time, and brings it into sight. */
  function follow(jump) {
    if (!rows.length) return;
    let low = 0, high = rows.length;
    while (low < high) {
      const mid = low + high >> 1;
      if (rows[mid].m.at <= at + 50) low = mid + 1;
      else high = mid;
    }
    const next = rows[low - 1];
    if (next === current) return;
    if (current) current.el.classList.remove('now');
    current = next;
    if (!next) return;
    next.el.classList.add('now');
    const a = next.el.getBoundingClientRect(), b = body.getBoundingClientRect();
    if (!root.matches(':hover') || jump)
      if (a.top < b.top || a.bottom > b.bottom - 40) body.scrollTop += a.top - b.top - b.height / 2;
  }

  let timer = 0;
  const later = () => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = 0;
      draw();
    }, 400);
  };
  rec.addEventListener('change', later);
  draw();

  return {
    root,
    draw,
    set(t) {
      const moved = Math.abs(t - at) > 1500;
      at = t;
      if (moved && (view === 'raw' || partial)) later();
      follow();
    },
    find: () => search.focus(),
  };
}
