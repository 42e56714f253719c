// The pages that recorder.mjs records: an ordinary one that a script uses, one
// that changes 5,000 times a second, and one whose snapshot is 6 MB.

const cards = (n) => Array.from({ length: n }, (_, i) => `<article class="card" data-n="${i}"><h3>Product ${i}</h3>
<p>In <em>three</em> colours, <a href="/p/${i}?from=list">more</a></p><img alt="Picture ${i}" src="data:,">
<label>Amount <input name="n${i}" value="1"></label><button type="button">Buy</button></article>`).join('\n');

const PAGES = {
  shop: `<form><input id="q" placeholder="Search"></form><ul id="list"></ul>${cards(300)}<script>
    window.work = async (seconds) => {
      const end = performance.now() + seconds * 1000, list = document.getElementById('list'), q = document.getElementById('q');
      for (let i = 0; performance.now() < end; i++) {
        const li = list.appendChild(document.createElement('li'));
        li.innerHTML = '<b>row</b> <span title="' + i + '">' + i + '</span>';
        if (i > 20) list.firstChild.remove();
        document.querySelectorAll('.card')[i % 300].classList.toggle('hot');
        q.value = 'what is typed'.slice(0, i % 14);
        q.dispatchEvent(new Event('input', { bubbles: true }));
        scrollTo(0, (i * 40) % 4000);
        await new Promise((r) => setTimeout(r, 50));
      }
    };</script>`,
  flood: `<table><tbody id="cells">${Array.from({ length: 200 }, () =>
    `<tr>${'<td>0</td>'.repeat(10)}</tr>`).join('')}</tbody></table><script>
    window.work = (seconds) => new Promise((done) => {
      const cells = [...document.querySelectorAll('td')], begin = performance.now();
      let n = 0;
      const timer = setInterval(() => {
        const now = performance.now() - begin;
        for (; n < Math.min(now, seconds * 1000) * 5; n++) {
          const cell = cells[n * 7 % cells.length];
          if (n % 2) cell.textContent = String(n);
          else cell.firstChild.data = String(n);
        }
        if (now > seconds * 1000) done(clearInterval(timer));
      }, 10);
    });</script>`,
  large: `<div hidden>${cards(5200)}</div><script>window.work = (seconds) => new Promise((r) => setTimeout(r, seconds * 1000));</script>`,
};

/** The page of this name with these scripts in its head. */
export const page = (name, head) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${name}</title>
<style>.card { border: 1px solid; margin: 4px } .hot { background: #fec }</style>${head}</head><body>${PAGES[name]}</body></html>`;
