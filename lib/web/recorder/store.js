/**
 * What outlives a page, in the visitor's browser.
 *
 *   localStorage    the session: id, token, when made, when last active
 *   sessionStorage  the tab's baton: its id, the next batch number, where its
 *                   last snapshot is, and the batches not acknowledged
 *   IndexedDB       batches that take long, or are not acknowledged as the page
 *                   is left: for the tab's next page, or another's if none comes
 *
 * The baton is taken out by the page that records and put back when that page
 * is left. So a duplicated tab, which gets a copy of sessionStorage while the
 * original lives, finds none and becomes a tab of its own; so does a tab whose
 * page died. Everything here may fail (private mode, a sandboxed frame) and
 * then says so by returning nothing: a session lasts as long as its page.
 */

const BATON_CHARS = 1 << 20;    // what the baton may take of the site's 5 MB
const DB_AGE = 48 * 3600e3;     // batches older than this are swept
const DB_BYTES = 32 << 20;      // and what is more than this, of all
const DB_REST = 3e3;            // before another tab's page looks after them

const attempt = (fn) => {
  try {
    return fn();
  } catch {
    return undefined;
  }
};

const read = (area, name) => attempt(() => JSON.parse(self[area].getItem(name)));
const write = (area, name, value) =>
  attempt(() => (self[area].setItem(name, JSON.stringify(value)), true));
const remove = (area, name) => attempt(() => self[area].removeItem(name));

/** @param {string} key the project's key: sites on one origin stay apart */
export function store(key) {
  const name = 'rr:' + key;
  let db;

  const open = () => db = db || new Promise((resolve, reject) => {
    const req = indexedDB.open('rr', 1);
    req.onupgradeneeded = () => req.result.createObjectStore('batch');
    req.onsuccess = () => {
      req.result.onversionchange = () => req.result.close();
      resolve(req.result);
    };
    req.onerror = req.onblocked = () => reject(req.error);
  });
  const tx = (mode, fn) => open().then((d) => new Promise((resolve, reject) => {
    const t = d.transaction('batch', mode, { durability: 'relaxed' });
    const req = fn(t.objectStore('batch'));
    t.oncomplete = () => resolve(req && req.result);
    t.onerror = t.onabort = () => reject(t.error);
  })).catch(() => undefined);

  return {
    name,
    session: () => read('localStorage', name),
    saveSession: (s) => s ? write('localStorage', name, s) : remove('localStorage', name),

    /** Takes the baton: whoever else looks finds none. */
    takeBaton() {
      const baton = read('sessionStorage', name);
      remove('sessionStorage', name);
      return baton;
    },
    /**
     * Puts it back. Batches whose text does not fit go without it, first those
     * that are in IndexedDB for sure.
     * @returns {boolean} whether it could be kept at all
     */
    putBaton(baton) {
      let room = BATON_CHARS;
      const fit = new Set();
      for (const safe of [false, true])
        for (const b of baton.queue)
          if (!!b.safe === safe && b.text && (room -= b.text.length) >= 0) fit.add(b);
      const queue = baton.queue.map((b) => b.kind === 'lines' && !fit.has(b) ? { ...b, text: null } : b);
      return !!write('sessionStorage', name, { ...baton, queue }) ||
        !!write('sessionStorage', name, { ...baton, queue: queue.map((b) => b.kind === 'lines' ? { ...b, text: null } : b) });
    },

    put: async (session, tab, n, url, text) => text.length < DB_BYTES &&
      tx('readwrite', (s) => s.put({ url, text, at: Date.now() }, [session, tab, n])),
    get: (session, tab, n) => tx('readonly', (s) => s.get([session, tab, n])).then((v) => v && v.text),
    drop: (session, tab, n) => tx('readwrite', (s) => { s.delete([session, tab, n]); }),
    /**
     * What the browser's other tabs have had here for a while, by their order:
     * [key, {url, text}], the key as drop() takes it. What is too old goes.
     */
    others(tab) {
      const found = [];
      let chars = 0;
      return tx('readwrite', (s) => {
        s.openCursor().onsuccess = (e) => {
          const at = e.target.result;
          if (!at) return;
          const { key, value } = at;
          const age = Math.abs(Date.now() - value.at);    // the clock may be set
          chars += value.text.length;
          if (age > DB_AGE || chars > DB_BYTES) at.delete();
          else if (key[1] !== tab && age > DB_REST) found.push([key, value]);
          at.continue();
        };
      }).then(() => found);
    },
  };
}
