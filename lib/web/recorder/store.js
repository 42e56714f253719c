/**
 * What outlives a page, in the visitor's browser.
 *
 *   localStorage    the session: id, token, when made, when last active
 *   sessionStorage  the tab's baton: its id, the next batch number, where its
 *                   last snapshot is, and the batches not acknowledged
 *   IndexedDB       batches that are too large for the baton
 *
 * The baton is taken out by the page that records and put back when that page
 * is left. So a duplicated tab, which gets a copy of sessionStorage while the
 * original lives, finds none and becomes a tab of its own; so does a tab whose
 * page died. Everything here may fail (private mode, a sandboxed frame) and
 * then says so by returning nothing: a session lasts as long as its page.
 */

const BATON_CHARS = 1 << 20;    // what the baton may take of the site's 5 MB
const DB_AGE = 24 * 3600e3;     // batches older than this are swept
const DB_BYTES = 32 << 20;      // a batch larger than this stays in memory

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
     * Puts it back. Batches whose text does not fit go without it.
     * @returns {boolean} whether it could be kept at all
     */
    putBaton(baton) {
      let room = BATON_CHARS;
      const queue = baton.queue.map((b) => {
        if (b.kind === 'lines' && b.text && (room -= b.text.length) < 0) return { ...b, text: null };
        return b;
      });
      return !!write('sessionStorage', name, { ...baton, queue }) ||
        !!write('sessionStorage', name, { ...baton, queue: queue.map((b) => b.kind === 'lines' ? { ...b, text: null } : b) });
    },

    put: (session, tab, n, text) => text.length < DB_BYTES &&
      tx('readwrite', (s) => s.put({ text, at: Date.now() }, [session, tab, n])),
    get: (session, tab, n) => tx('readonly', (s) => s.get([session, tab, n])).then((v) => v && v.text),
    drop: (session, tab, n) => tx('readwrite', (s) => { s.delete([session, tab, n]); }),
    sweep: () => tx('readwrite', (s) => {
      s.openCursor().onsuccess = (e) => {
        const at = e.target.result;
        if (!at) return;
        if (Date.now() - at.value.at > DB_AGE) at.delete();
        at.continue();
      };
    }),
  };
}
