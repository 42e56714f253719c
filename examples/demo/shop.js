// A shop that sells nothing: enough of a page to be worth recording.
const THINGS = [
  ['field-notebook', 'Field notebook', 'paper', 14, 31, '#7f9c7a'], ['grid-pad', 'Grid pad, A5', 'paper', 9, 48, '#c9b98f'],
  ['letter-set', 'Letter set', 'paper', 18, 12, '#d98f6f'], ['kraft-tape', 'Kraft tape', 'paper', 6, 60, '#b89b6d'],
  ['brass-pen', 'Brass pen', 'pens', 42, 7, '#caa64b'], ['soft-pencil', 'Soft pencils, six', 'pens', 11, 25, '#5b6f8f'],
  ['ink-moss', 'Ink, moss', 'pens', 16, 19, '#4f6f52'], ['fine-brush', 'Fine brush', 'pens', 13, 22, '#8f5f5b'],
  ['pine-box', 'Pine box', 'wood', 35, 5, '#d2b48c'], ['desk-tray', 'Desk tray, oak', 'wood', 48, 9, '#a9814f'],
  ['letter-knife', 'Letter knife', 'wood', 21, 14, '#6d5a44'], ['stamp-set', 'Stamp set', 'wood', 27, 11, '#9a6b4f'],
].map(([sku, name, kind, price, stock, color]) => ({ sku, name, kind, price, stock, color }));

const $ = (id) => document.getElementById(id);
const make = (tag, props = {}, ...children) => {
  const el = Object.assign(document.createElement(tag), props);
  el.append(...children);
  return el;
};
const cart = () => JSON.parse(localStorage.getItem('cart') || '[]');

function picture(thing) {
  const box = document.createElement('div');
  const seed = [...thing.sku].reduce((n, c) => n * 31 + c.charCodeAt(0) >>> 0, 7);
  const shapes = Array.from({ length: 5 }, (_, i) => {
    const r = (n) => (seed >>> i * 3 + n) % 97 / 97;
    return `<rect x="${20 + r(0) * 120}" y="${20 + r(1) * 70}" width="${30 + r(2) * 60}" height="${20 + r(3) * 50}" rx="8" fill="#fff" opacity="${0.15 + 0.1 * i}" transform="rotate(${r(1) * 40 - 20} 100 70)"/>`;
  }).join('');
  box.innerHTML = `<svg viewBox="0 0 200 140" aria-hidden="true"><rect width="200" height="140" fill="${thing.color}"/>${shapes}</svg>`;
  return box.firstChild;
}

function toast(text) {
  $('toast').textContent = text;
  $('toast').classList.add('on');
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => $('toast').classList.remove('on'), 1800);
}

function add(thing) {
  localStorage.setItem('cart', JSON.stringify([...cart(), thing.sku]));
  count();
  toast(`${thing.name} is in your cart`);
  console.info('added to cart', { sku: thing.sku, price: thing.price });
  self.rr?.event?.('add to cart', { sku: thing.sku });
}
const count = () => { $('count').textContent = cart().length; };

function listPage() {
  let kind = 'all';
  const show = () => {
    const q = $('search').value.trim().toLowerCase();
    const by = $('sort').value;
    const found = THINGS.filter((t) => (kind === 'all' || t.kind === kind) && t.name.toLowerCase().includes(q))
      .sort((a, b) => a[by] > b[by] ? 1 : -1);
    $('found').textContent = `${found.length} of ${THINGS.length} things`;
    $('list').replaceChildren(...found.map((t) => {
      const button = make('button', { textContent: 'Add to cart', onclick: () => add(t) });
      const li = make('li', { className: 'item', id: t.sku }, picture(t), make('div', {},
        make('a', { href: `product.html?sku=${t.sku}`, textContent: t.name }),
        make('span', { className: 'price', textContent: `€ ${t.price}.00` }),
        make('span', { className: 'stock', textContent: `${t.stock} left` }), button));
      return li;
    }));
  };
  $('chips').append(...['all', 'paper', 'pens', 'wood'].map((k) => make('button', {
    type: 'button', textContent: k, ariaPressed: k === kind, onclick(e) {
      kind = k;
      for (const b of $('chips').children) b.ariaPressed = b === e.target;
      show();
    } })));
  $('search').oninput = $('sort').onchange = show;
  show();
  setInterval(() => {
    const t = THINGS[Math.floor(Math.random() * THINGS.length)];
    t.stock = Math.max(0, t.stock - 1);
    const el = $('list').querySelector(`#${t.sku} .stock`);
    if (el) el.textContent = t.stock ? `${t.stock} left` : 'sold out';
  }, 3000);
}

function productPage() {
  const thing = THINGS.find((t) => t.sku === new URLSearchParams(location.search).get('sku')) || THINGS[0];
  document.title = `${thing.name} · Paper & Pine`;
  $('product').append(picture(thing), make('div', {}, make('h1', { textContent: thing.name }),
    make('p', { className: 'price', textContent: `€ ${thing.price}.00` }),
    make('p', { textContent: 'Made in small runs, of things that grow back. Keeps for longer than a phone does.' }),
    make('button', { className: 'primary', textContent: 'Add to cart', onclick: () => add(thing) })));
  const review = (name, text) => $('reviews').prepend(make('li', {}, make('b', { textContent: name }), make('p', { textContent: text })));
  review('Ada', 'Lies flat, takes ink well.');
  review('Tomasz', 'Smells of a forest.');
  $('review').onsubmit = (e) => {
    e.preventDefault();
    review(e.target.name.value, e.target.text.value);
    e.target.reset();
    toast('Thank you');
  };
}

function checkoutPage() {
  const things = cart().map((sku) => THINGS.find((t) => t.sku === sku));
  $('cart').append(...things.map((t) => make('li', {}, make('span', { textContent: t.name }), make('span', { textContent: `€ ${t.price}.00` }))));
  $('total').textContent = `€ ${things.reduce((sum, t) => sum + t.price, 0)}.00`;
  const form = $('checkout');
  form.gift.onchange = () => { form.querySelector('.gift').hidden = !form.gift.checked; };
  form.onsubmit = (e) => {
    e.preventDefault();
    const bad = [...form.elements].find((el) => el.required && !el.value);
    $('problem').textContent = bad ? `Please fill in: ${bad.labels[0].firstChild.textContent.trim()}` : '';
    if (bad) return bad.focus();
    localStorage.removeItem('cart');
    count();
    form.replaceWith(make('h2', { textContent: 'Thank you. Nothing will be delivered.' }));
  };
}

count();
let visitors = 3;
setInterval(() => {
  visitors = Math.max(1, visitors + Math.round(Math.random() * 2 - 1));
  $('visitors').textContent = `${visitors} people look around`;
}, 2500);
$('break').onclick = () => { throw new Error('Somebody pressed the button'); };
if ($('list')) listPage();
else if ($('product')) productPage();
else checkoutPage();
