// Starts the recorder. A real page has one line for this, with its own host:
//
//   <script src="https://rec.example/rr.js" data-key="KEY"></script>
//
// Here the collector is on this machine, at the port of `rr up`; another one
// is named once by ?collector=http://HOST:PORT.
(() => {
  const named = new URLSearchParams(location.search).get('collector');
  if (named) sessionStorage.setItem('collector', named);
  const collector = named || sessionStorage.getItem('collector') || `http://${location.hostname}:8787`;
  const script = document.createElement('script');
  script.src = new URL('/rr.js', collector);
  Object.assign(script.dataset, {
    key: 'dev',
    source: 'demo shop',
    capture: 'console errors network',
    mask: '.private',
  });
  document.head.append(script);
})();
