// Pages that were made for RePlaya, with another host in them and nothing else
// changed: its snippet with a queue, its script tag with attributes, and what
// its own script says to its host, to the beacon as the page is left.
import http from 'node:http';
import { assert, test, until } from './harness.mjs';

const body = (text) => `<h1>plain-heading</h1><input id="name"><p class="replaya-block">zq-blocked</p>
<input class="replaya-ignore" id="ignored"><input type="password" id="pass"><p id="out">${text}</p>`;

const PAGES = {
  // The stub's calls are `arguments`, and the script comes later.
  '/snippet': (host) => `<!doctype html><title>One</title><script>
    (function (w, d) {
      w.replaya = w.replaya || function () { (w.replaya.q = w.replaya.q || []).push(arguments); };
      const e = d.createElement('script');
      e.async = 1;
      e.src = '${host}/recorder.js';
      d.head.appendChild(e);
    })(window, document);
    replaya('init', { apiHost: '${host}/', source: 'web-app', userId: 'ann', distinctId: 'd-7', flushAt: 20 });
    </script>${body('one')}<a href="/second">on</a>`,
  '/second': (host) => PAGES['/snippet'](host).replace('>One<', '>Two<'),
  '/tag': (host) => `<!doctype html><title>Tag</title>${body('tag')}
    <script src="${host}/recorder.js" data-project-key="dev" data-source="tagged" data-mask-all-inputs="false"></script>`,
  '/wait': (host) => `<!doctype html><title>Wait</title>
    <script src="${host}/recorder.js" data-autostart="false"></script>${body('wait')}`,
  // What RePlaya's own script does, served from elsewhere.
  '/own': (host) => `<!doctype html><title>Own</title>${body('own')}<script src="${host}/vendor/rrweb.min.js"></script><script>
    const post = (path, body) => fetch('${host}/api/sessions' + path, { method: 'POST',
      headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }).then((r) => r.json());
    window.ready = (async () => {
      const { session, appendToken } = await post('', { title: document.title, url: location.href, source: 'own', projectKey: 'dev', sdk: 'replaya-js' });
      const at = '/' + session.id, all = [], with_ = (more) => ({ sessionToken: appendToken, ...more });
      let batch = [];
      rrweb.record({ emit: (e) => { batch.push(e); all.push(JSON.stringify(e)); localStorage.emitted = JSON.stringify(all); }, maskAllInputs: true });
      window.flush = () => post(at + '/events', with_({ events: batch.splice(0), eventCount: all.length }));
      window.heartbeat = () => post(at + '/heartbeat', with_({ title: document.title, eventCount: all.length }));
      addEventListener('pagehide', () => navigator.sendBeacon('${host}/api/sessions' + at + '/events',
        new Blob([JSON.stringify(with_({ events: batch }))], { type: 'application/json' })));
      return session.id;
    })();
    </script>`,
};

await test(async (rig) => {
  const server = http.createServer((req, res) => {
    const page = PAGES[new URL(req.url, 'http://x').pathname];
    res.writeHead(page ? 200 : 404, { 'content-type': 'text/html' });
    res.end(page ? page(rig.collect) : '');
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  const site = `http://127.0.0.1:${server.address().port}`;
  const meta = (id) => rig.sessions().find((s) => s.id === id).meta;
  const visit = async (path) => {
    const context = await rig.watcher();
    const p = await context.newPage();
    await p.goto(site + path);
    return { context, p };
  };
  const texts = (id) => Object.values(rig.stored(id).tabs).flat().join('\n');

  // The snippet: one session over two pages, and what was on its way arrives.
  let { context, p } = await visit('/snippet');
  const id = await until('a session', () => p.evaluate(() => window.replaya.sessionId));
  assert.equal(await p.evaluate(() => replaya('start')), id);
  assert.ok(await p.evaluate(() => replaya.version && replaya.config.source === 'web-app'));
  for (const field of ['#name', '#pass', '#ignored']) await p.fill(field, 'zq-typed');
  await p.evaluate(() => { document.getElementById('out').textContent = 'before the page is left'; });
  await p.click('a');
  await until('the same session', () => p.evaluate(() => window.replaya.sessionId).then((now) => now === id));
  await p.evaluate(() => replaya('identify', { userId: 'bob' }));
  await p.evaluate(() => { document.getElementById('out').textContent = 'the last words'; });
  await p.evaluate(() => replaya('flush'));
  let all = texts(id);
  for (const word of ['plain-heading', 'before the page is left', 'the last words', '/second'])
    assert.ok(all.includes(word), word);
  assert.doesNotMatch(all, /zq-/);
  const { source, user, traits, title } = meta(id);
  assert.deepEqual([source, user, traits, title], ['web-app', 'bob', { distinctId: 'd-7' }, 'One']);
  await p.evaluate(() => replaya('stop'));
  assert.ok(rig.stored(id).directives.some((d) => d.startsWith(':stop')), 'stopped');
  await context.close();

  // The tag: attributes say what it is to do.
  ({ context, p } = await visit('/tag'));
  const tagged = await until('a session', () => p.evaluate(() => replaya.sessionId));
  await p.fill('#name', 'zq-shown');
  await p.fill('#pass', 'zq-secret');
  await p.evaluate(() => replaya('flush'));
  all = texts(tagged);
  assert.ok(all.includes('zq-shown') && !all.includes('zq-secret'), 'inputs as asked, but no password');
  assert.equal(meta(tagged).source, 'tagged');
  await context.close();
  ({ context, p } = await visit('/wait'));
  assert.equal(await p.evaluate(() => replaya('flush').then(() => replaya.sessionId)), null);
  assert.ok(await p.evaluate(() => replaya('start')));
  await context.close();

  // Its own script: events as they stood in the body, the last by a beacon.
  ({ context, p } = await visit('/own'));
  const own = await p.evaluate(() => window.ready);
  await until('the snapshot', () => p.evaluate(() => JSON.parse(localStorage.emitted || '[]').length >= 2));
  await p.fill('#name', 'zq-typed');
  assert.ok((await p.evaluate(() => flush())).appended >= 2);
  assert.equal((await p.evaluate(() => heartbeat())).appended, 1);
  await p.evaluate(() => { document.getElementById('out').textContent = 'by the beacon'; });
  await until('it to be seen', () => p.evaluate(() => localStorage.emitted.includes('by the beacon')));
  await p.goto(`${rig.view}/player.html`);
  await until('the beacon', () => texts(own).includes('by the beacon'));
  await p.goto(`${site}/wait`);
  assert.equal(texts(own), (await p.evaluate(() => JSON.parse(localStorage.emitted))).join('\n'));
  assert.equal(meta(own).sdk, 'replaya-js');
  server.close();
});
