/** Beside the player: what happened, in words; each line is a place to go to. */

import { bytes, clock, h, icon, place, span, visible, visibleLines, when } from './dom.js';
import { ending } from './ends.js';
import { may } from './login.js';
import { virtual } from './rows.js';
import { Search } from './search.js';
import { describe } from './timeline.js';
import { placed, stamp } from './times.js';

const MOST_TEXT = 20000;        // characters of what is unfolded,
const MOST_LINE = 500;          // and of a row
const ICONS = { page: 'page', click: 'click', input: 'type', error: 'error', rage: 'rage', dead: 'dead', event: 'event', size: 'size', gap: 'gap', note: 'gap', console: 'terminal', net: 'net', scroll: 'scroll', pin: 'pin' };
const TYPES = ['DOM ready', 'Load', 'Snapshot', 'Change', 'Page', 'Custom', 'Plugin', 'Asset'];
const SOURCES = ['DOM', 'Mouse', 'Mouse', 'Scroll', 'Resize', 'Input', 'Touch', 'Media', 'Style', 'Canvas', 'Font', 'Log', 'Drag', 'Style', 'Selection', 'Style', 'Element'];

const loud = (m) => m.kind === 'console' && /error|assert/.test(m.level);
/** Name, icon, what of the marks is in it, and what is said when that is nothing. */
const VIEWS = {
  activity: ['Activity', 'click', (m) => m.kind !== 'console' && m.kind !== 'net', 'Nothing has happened yet.'],
  console: ['Console', 'terminal', (m) => m.kind === 'console' || m.kind === 'error', 'Nothing was written to the console, or it was not captured: data-capture="console".'],
  errors: ['Errors', 'error', (m) => m.kind === 'error' || loud(m), 'No errors, or they were not captured: data-capture="errors".'],
  network: ['Network', 'net', (m) => m.kind === 'net', 'No requests, or they were not captured: data-capture="network".'],
  events: ['Events', 'event', (m) => m.kind === 'event' || m.kind === 'pin', 'No custom events. A page makes them by rr.event(name, data).'],
  details: ['Details', 'list', null, ''],
  raw: ['Raw', 'code', null, 'No events are in memory.'],
};
const KEYS = Object.keys(VIEWS);
const MARKED = KEYS.filter((key) => VIEWS[key][2]);

/** What a search looks at. */
const hay = (m) => m.hay !== undefined && m.kind !== 'scroll' ? m.hay
  : (m.hay = [describe(m), m.stack, m.detail, m.where, m.type].filter(Boolean).join('\n').toLowerCase());
const took = (ms) => ms < 1000 ? `${Math.round(ms)} ms` : ms < 60e3 ? `${(ms / 1000).toFixed(1)} s` : span(ms);
const short = (n) => n < 1000 ? String(n) : n < 1e6 ? `${(n / 1000).toFixed(n < 10e3 ? 1 : 0)}k` : '1M+';

/**
 * @param {import('./recording.js').Recording} rec
 * @param {{seek(at: number): void, stop(): void, remove(): void, fault(e: Error): void}} on
 */
export function inspector(rec, on) {
  let view = 'activity', query = '', at = rec.first, search = null, hit = -1, only = false, zoom = 'page', pages = [], timer = 0;
  const list = virtual({
    key: (x) => x.kind ? `${x.kind}/${x.key || ''}${x.batch?.seq}/${x.index}/${x.kind === 'scroll' ? '' : x.at}/${x.took}/${x.text}` : `${x.batch.seq}/${x.index}`,
    stamp: (x) => x.kind ? `${x.at}/${x.y || ''}/${view === 'network' ? axis(x.at).join() : ''}` : x.at,
    row: (x) => x.kind ? view === 'network' ? request(x) : mark(x) : event(x),
    more: (x) => x.kind ? unfolds(x) : () => pretty(x),
    go(x, i) {
      hit = i;
      on.seek(x.kind ? x.at : time(x));
      say();
    },
  });
  const body = h('.body', { role: 'tabpanel', id: 'inspect', tabIndex: -1 });
  const field = h('input', { type: 'search', placeholder: 'Find in all of these', 'aria-label': 'Find in this session', 'aria-describedby': 'found', oninput() {
    find(field.value.trim().toLowerCase());
  }, onkeydown(e) {
    if (e.key !== 'Enter') return;
    e.preventDefault();
    jump(e.shiftKey ? -1 : 1);
  } });
  const found = h('span.found', { id: 'found', role: 'status' });
  const progress = h('.searched', { hidden: true });
  const tabs = h('.tabs', { role: 'tablist', 'aria-label': 'Inspector' }, KEYS.map((key) =>
    h('button', { role: 'tab', id: `view-${key}`, 'aria-controls': 'inspect', 'aria-selected': String(key === view), tabIndex: key === view ? 0 : -1, onclick: () => choose(key) },
      icon(VIEWS[key][1], 17), h('span', {}, VIEWS[key][0]), h('span.n', { hidden: true }))));
  tabs.addEventListener('keydown', (e) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!step) return;
    e.preventDefault();
    e.stopPropagation();
    choose(KEYS[(KEYS.indexOf(view) + step + KEYS.length) % KEYS.length]);
    tabs.querySelector('[aria-selected=true]').focus();
  });
  const notice = h('p.notice', { hidden: true });
  // One read of all of it, which is more than what anybody looks at: on demand.
  const all = h('button.quiet', { hidden: true, onclick() {
    if (rec.outlining) return rec.outlining.over.abort();
    rec.outline().catch((e) => e.name !== 'AbortError' && on.fault(e)).finally(later);
    say();
  } });
  const outlining = h('.outlining', { hidden: true }, notice, all);
  const root = h('aside.inspector', { 'aria-label': 'Inspector' }, tabs, h('label.find', {}, icon('search', 15), field, found), progress, outlining, body);

  function choose(key) {
    view = key;
    hit = -1;
    for (const b of tabs.children) {
      const on = b.id === `view-${key}`;
      b.setAttribute('aria-selected', String(on));
      b.tabIndex = on ? 0 : -1;
    }
    body.setAttribute('aria-labelledby', `view-${key}`);
    body.dataset.view = key;
    draw(true);
  }

  // ---- rows ------------------------------------------------------------

  const tabOf = (name) => {
    const t = rec.tabs.size > 1 && rec.tabs.get(name);
    return t && h('span.tab', { title: `Tab ${t.index + 1}` }, h('span.heard', {}, 'tab '), String(t.index + 1));
  };

  function mark(m) {
    const look = m.kind === 'error' || m.kind === 'gap' || loud(m) || m.failed ? 'bad' : m.kind === 'rage' || m.kind === 'dead' || m.level === 'warn' ? 'warn' : `is-${m.kind}`;
    const p = m.kind === 'page' ? place(m.text) : null;
    return { look, inside: [h('time', {}, clock(m.at - rec.first)), icon(ICONS[m.kind] || 'event', 15),
      h('span.what', { title: visible(describe(m)), dir: p ? 'ltr' : 'auto' }, p ? [h('b', {}, p.path), h('span.soft', {}, ' ' + p.host)]
        : m.on ? [m.text + ' ', h('b', { dir: 'auto' }, visible(m.on))]
          : m.kind === 'event' ? [h('b', { dir: 'auto' }, visible(m.text)), m.detail ? h('span.soft', {}, ' ' + visible(m.detail.slice(0, 120))) : '']
            : visible(m.kind === 'gap' || m.kind === 'scroll' ? describe(m) : m.text.slice(0, MOST_LINE))), tabOf(m.tab)] };
  }

  /** What the bars of the requests at a time are drawn on: the session, or from their page's beginning to its last request's end. */
  function axis(t) {
    if (zoom === 'session' || !pages.length) return [rec.first, Math.max(rec.last, rec.first + 1)];
    const page = pages[pages.findLastIndex((p) => p[0] <= t)] ?? pages[0];
    return page;
  }
  const share = (t, [from, to]) => Math.max(0, Math.min(1, (t - from) / (to - from || 1)));
  function request(m) {
    const p = place(m.text), on = axis(m.at);
    const bar = h('i.bar');
    bar.style.left = `min(${100 * share(m.at, on)}%, 100% - 3px)`;
    bar.style.width = 100 * (share(m.at + m.took, on) - share(m.at, on)) + '%';
    return { look: 'net' + (m.failed ? ' bad' : ''), inside: [
      h('time', {}, clock(m.at - rec.first)), h('span.status', {}, m.status ? String(m.status) : 'failed'), h('span.method', {}, visible(m.method)),
      h('span.what', { title: visible(m.text), dir: 'ltr' }, h('b', {}, p.path), h('span.soft', {}, ' ' + p.host)),
      h('span.took', {}, took(m.took)), tabOf(m.tab),
      h(`span.track${on[0] === axis(at)[0] ? '' : '.other'}`, { 'aria-hidden': 'true', 'data-from': on[0] }, bar)] };
  }

  function unfolds(m) {
    const text = m.kind === 'net'
      ? [m.text, `${m.method} ${m.status || 'failed: no answer, or one that the page may not see'}`, m.type && `by ${m.type}`, `from ${clock(m.at - rec.first, true)} for ${Math.round(m.took)} ms`]
      : [m.text?.length > 60 && m.text, m.where && `at ${m.where}`, m.stack !== m.text && m.stack, m.detail];
    const said = text.filter(Boolean).join('\n');
    return said ? () => h('pre', {}, visibleLines(said.slice(0, MOST_TEXT))) : null;
  }

  // ---- raw events ------------------------------------------------------

  const times = new WeakMap();
  const time = (x) => {
    if (x.at !== undefined) return x.at;
    let all = times.get(x.batch);
    if (!all) times.set(x.batch, all = []);
    const t = all[x.index] ??= placed(stamp(x.batch.lines?.[x.index] ?? ''), x.batch);
    return Number.isFinite(t) ? t : x.batch.first ?? rec.first;
  };

  /** All events in memory, as a list that makes its items when they are asked for: by time, each tab's in their order. */
  function loaded() {
    if (rec.tabs.size > 1) return merged();
    const parts = rec.batches.filter((b) => b.lines && b.lines.length);
    const starts = [];
    let length = 0;
    for (const b of parts) {
      starts.push(length);
      length += b.lines.length;
    }
    return { length, at(i) {
      let low = 0, high = starts.length;
      while (low < high) {
        const mid = low + high >> 1;
        if (starts[mid] <= i) low = mid + 1;
        else high = mid;
      }
      return { batch: parts[low - 1], index: i - starts[low - 1] };
    } };
  }

  let sorted = { print: '', items: [] };
  function merged() {
    const parts = rec.batches.filter((b) => b.lines);
    const print = parts.map((b) => b.seq).join();
    if (print !== sorted.print) {
      const upTo = new Map();
      const items = parts.flatMap((batch) => batch.lines.map((_, index) => {
        const x = { batch, index, at: 0 };
        const t = Math.max(time({ batch, index }), upTo.get(batch.tab) ?? -Infinity);
        upTo.set(batch.tab, t);
        x.at = t;
        return x;
      }));
      sorted = { print, items: items.sort((a, b) => a.at - b.at) };
    }
    return sorted.items;
  }

  function event(x) {
    const line = x.batch.lines?.[x.index] ?? '';
    let e = {};
    try {
      if (line.length < 200e3) e = JSON.parse(line);
      else e = { type: /"type":\s*(\d+)/.exec(line.slice(0, 100))?.[1] };
    } catch {}
    const name = e?.type === 3 && e.data ? SOURCES[e.data.source] || 'Change' : TYPES[e?.type] || 'Event';
    const from = query ? Math.max(0, line.toLowerCase().indexOf(query) - 10) : 0;
    return { look: 'raw', inside: [h('time', {}, clock(time(x) - rec.first, true)), h('b', {}, name), h('span.soft', {}, bytes(line.length)), h('code', { dir: 'ltr' }, (from ? '…' : '') + visible(line.slice(from, from + 160))), tabOf(x.batch.tab)] };
  }

  async function pretty(x) {
    if (!x.batch.lines) await rec.refill([x.batch]);
    let text = x.batch.lines[x.index];
    try {
      text = JSON.stringify(JSON.parse(text), null, 1);
    } catch {}
    return h('pre', {}, visibleLines(text.slice(0, MOST_TEXT)) + (text.length > MOST_TEXT ? '\n…' : ''));
  }

  // ---- details ---------------------------------------------------------

  function facts() {
    const i = rec.info, m = rec.meta, end = ending(i);
    const offset = rec.batches.length && rec.batches[0].time ? rec.batches[0].first - rec.batches[0].shift - rec.batches[0].time : null;
    const out = [
      ['State', `${end.word}. ${end.why}`], ['Page', m.url || i.url], ['Title', m.title || i.title], ['User', m.user || i.user], ['Source', m.source || i.source],
      ['Started', when(i.created)], ['Length', isFinite(rec.last - rec.first) ? span(rec.last - rec.first) : null], ['Active', i.active > 0 ? span(i.active) : null],
      ['Tabs', rec.tabs.size > 1 ? [...rec.tabs.values()].sort((a, b) => a.index - b.index).map((t) => `${t.index + 1}: ${isFinite(t.first) ? `${clock(t.first - rec.first)} to ${clock(t.last - rec.first)}` : 'empty'}`).join('\n') : null],
      ['Events', (i.events ?? rec.events).toLocaleString()], ['Records', rec.tail.toLocaleString()], ['Size', i.bytes ? bytes(i.bytes) : `${bytes(rec.chars)} read`],
      ['Missing', rec.gaps.length ? `${rec.gaps.length} ${rec.gaps.length === 1 ? 'gap' : 'gaps'}` : null],
      ['Window', m.width && `${m.width} × ${m.height}`], ['Language', m.language], ['Referrer', m.referrer],
      ['Recorder', m.sdk && `${m.sdk}, rrweb ${m.rrweb || '?'}`], ['Visitor’s clock', offset === null || Math.abs(offset) < 2000 || end.kind === 'import' ? null : `${span(Math.abs(offset))} ${offset < 0 ? 'behind' : 'ahead'}`],
      ['Id', rec.id], ['Stream', i.stream],
    ];
    const shown = new Set(['url', 'title', 'user', 'source', 'width', 'height', 'language', 'referrer', 'sdk', 'rrweb', 'tab', 'time']);
    for (const [k, v] of Object.entries(m)) if (!shown.has(k)) out.push([k, typeof v === 'object' ? JSON.stringify(v) : String(v)]);
    return out.filter(([, v]) => v != null && v !== '').map(([k, v]) => [k, String(v)]);
  }
  const matching = () => query ? facts().filter(([k, v]) => `${k} ${v}`.toLowerCase().includes(query)) : facts();

  function details() {
    const list = matching();
    if (!list.length) return empty();
    return h('.details', {},
      h('dl', {}, list.map(([k, v]) => [h('dt', { dir: 'auto' }, visible(k)), h('dd', { dir: 'auto' }, visibleLines(v))])),
      may('view') && !query && [h('h3', {}, 'In the shell'), h('pre', {}, `rr cat ${rec.id}`)],
      may('delete') && !query && h('.actions', {},
        rec.info.state === 'live' && h('button.quiet', { onclick: on.stop }, icon('stop', 15), 'Stop recording'),
        h('button.danger', { onclick: on.remove }, icon('trash', 15), 'Delete')));
  }

  // ---- finding ---------------------------------------------------------

  function find(text) {
    if (text === query) return;
    query = text;
    hit = -1;
    search?.end();
    search = query ? new Search(rec, query, later) : null;
    draw(true);
  }

  const passes = (m) => !query || hay(m).includes(query);
  const every = () => rec.pins?.length ? [...rec.marks, ...rec.pins].sort((a, b) => a.at - b.at) : rec.marks;

  /** How many of each view there are, or match. */
  function counts() {
    const n = Object.fromEntries(KEYS.map((key) => [key, 0]));
    for (const m of every()) if (passes(m)) for (const key of MARKED) if (VIEWS[key][2](m)) n[key]++;
    if (!query) n.activity = 0;
    n.details = query ? matching().length : 0;
    n.raw = search ? search.count : 0;
    return n;
  }

  function badges() {
    const n = counts();
    for (const b of tabs.children) {
      const key = b.id.slice(5);
      b.lastChild.hidden = !n[key];
      b.lastChild.textContent = short(n[key]);
      b.setAttribute('aria-label', n[key] ? `${VIEWS[key][0]}, ${n[key]} ${query ? 'found' : ''}` : VIEWS[key][0]);
    }
    tabs.classList.toggle('finding', !!query);
    return n;
  }

  /** Where in the matches this is, and what was not looked at. */
  function say(n) {
    notice.textContent = view === 'details' || query && rec.known ? '' : rec.notice;
    notice.hidden = !notice.textContent;
    all.hidden = !rec.outlining && (rec.known || rec.isShort || !rec.tail || rec.info.state === 'part' || view === 'raw');
    all.textContent = rec.outlining ? 'Cancel' : 'List all of it';
    all.title = rec.outlining ? '' : `Reads the whole session from S2 once: ${rec.tail.toLocaleString()} records${rec.info.bytes ? `, ${bytes(rec.info.bytes)} of events before they are packed` : ''}`;
    outlining.hidden = notice.hidden && all.hidden;
    if (!query) {
      found.textContent = '';
      progress.hidden = true;
      return;
    }
    const total = view === 'raw' ? search.count : view === 'details' ? matching().length : list.items.length;
    found.textContent = total ? hit >= 0 ? `${hit + 1} of ${total.toLocaleString()}` : `${total.toLocaleString()}` : '0';
    const part = search.share, whole = part >= 1;
    progress.hidden = whole && !search.reading;
    if (progress.hidden) return;
    const percent = `${Math.min(99, Math.floor(100 * part))} %`;
    const what = search.reading ? 'reading' : 'idle';
    if (progress.dataset.what !== what) {
      progress.dataset.what = what;
      progress.replaceChildren(h('span'), search.reading ? h('progress', { max: 1, 'aria-label': 'Searched' }) : '',
        h('button.quiet', { onclick: search.reading ? () => search?.stop() : rest }, search.reading ? 'Cancel' : 'Search the rest'));
    }
    progress.firstChild.textContent = search.reading ? `Reading on: ${percent}` : `${percent} of the session was searched.`;
    if (search.reading) progress.children[1].value = part;
  }
  function rest() {
    search.rest(() => at).catch((e) => {
      if (e.name !== 'AbortError') on.fault(e);
    }).finally(later);
    say();
  }

  /** To the next match, or the one before; if there is none here, where there is one. */
  function jump(step) {
    if (!query) return;
    draw();
    let items = list.items;
    if (view === 'details' || !items.length) {
      const n = counts();
      const key = KEYS.find((k) => k !== 'details' && n[k]);
      if (!key) return;
      choose(key);
      items = list.items;
    }
    if (hit < 0) {
      const here = before(items);
      hit = step > 0 ? here + 1 : here;
    } else hit += step;
    hit = (hit + items.length) % items.length;
    const x = items.at(hit);
    on.seek(x.kind ? x.at : time(x));
    list.follow(hit, true);
    say();
  }

  // ---- all of it -------------------------------------------------------

  /** The last item that is not after the time, or -1. */
  function before(items) {
    let low = 0, high = items.length;
    while (low < high) {
      const mid = low + high >> 1;
      const x = items.at(mid);
      if ((x.kind ? x.at : time(x)) <= at + 50) low = mid + 1;
      else high = mid;
    }
    return low - 1;
  }

  function empty() {
    if (!query) return h('p.nothing', {}, VIEWS[view][3]);
    const n = counts();
    return h('.nothing', {}, h('p', {}, `Nothing here matches “${query}”.`),
      h('.actions', {}, KEYS.filter((k) => k !== view && n[k]).map((k) => h('button.quiet', { onclick: () => choose(k) }, `${short(n[k])} in ${VIEWS[k][0]}`))));
  }

  /** Of the network view: what its bars are drawn on. */
  const scales = h('.scales', {}, h('.segments', { role: 'group', 'aria-label': 'Scale' }, [['page', 'Page'], ['session', 'Session']].map(([key, name]) =>
    h('button', { 'aria-pressed': String(key === zoom), onclick(e) {
      zoom = key;
      for (const b of e.target.parentElement.children) b.setAttribute('aria-pressed', String(b === e.target));
      draw();
    } }, name))), h('button.tool', { 'aria-pressed': 'false', onclick(e) {
    only = !only;
    e.target.setAttribute('aria-pressed', String(only));
    draw();
  } }, 'Failed only'), h('span.axis'));

  function network(items) {
    pages = [];
    for (const m of rec.marks)
      if (m.kind === 'page') pages.push([m.at, m.at + 1]);
      else if (m.kind === 'net') {
        if (!pages.length) pages.push([Math.min(rec.first, m.at), m.at + 1]);
        pages.at(-1)[1] = Math.max(pages.at(-1)[1], m.at + m.took);
      }
    head();
    return only ? items.filter((m) => m.failed) : items;
  }

  /** Above the bars: what they are drawn on; on them: the time. */
  function head() {
    const [from, to] = axis(at);
    // A page that asked for nothing has no length here.
    scales.lastChild.textContent = to - from <= 1 ? 'no requests' : `${clock(from - rec.first, to - from < 60e3)} – ${clock(to - rec.first, to - from < 60e3)}`;
    for (const track of list.root.querySelectorAll('.track')) track.classList.toggle('other', track.dataset.from !== String(from));
    list.root.style.setProperty('--at', at > to ? '-9px' : 100 * share(at, [from, to]) + '%');
  }

  function draw(moved) {
    if (rec.held) return;
    badges();
    if (view === 'details') {
      body.replaceChildren(details());
      return say();
    }
    let items;
    if (view === 'raw') items = search ? search.hits : loaded();
    else {
      items = every().filter((m) => VIEWS[view][2](m) && passes(m));
      if (view === 'network' && items.length) items = network(items);
    }
    const above = view === 'network' && rec.marks.some((m) => m.kind === 'net') ? [scales] : [];
    if (items.length) {
      if (list.root.parentElement !== body || body.childElementCount !== above.length + 1) body.replaceChildren(...above, list.root);
      list.set(items);
      list.follow(before(items), moved);
    } else {
      list.set([]);
      body.replaceChildren(...above, empty());
    }
    say();
  }

  const later = () => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = 0;
      draw();
    }, 400);
  };
  rec.addEventListener('change', () => {
    search?.soon();
    later();
  });
  choose(view);

  return {
    root,
    draw,
    set(t) {
      at = t;
      if (view === 'network') head();
      if (list.items.length) list.follow(before(list.items));
    },
    find() {
      field.focus();
      field.select();
    },
    end() {
      clearTimeout(timer);
      search?.end();
      list.end();
    },
  };
}
