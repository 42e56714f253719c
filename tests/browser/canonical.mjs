/** What two replayers draw, in a form that can be compared. */

/**
 * Runs in a page: what the replayer whose wrapper `selector` names has drawn.
 * Of a class attribute the names count: rrweb writes it anew when it marks what
 * the mouse is over, and leaves it behind, empty, when it no longer is. What the
 * player leaves out, since Chromium would connect for it whatever the policy is,
 * is left out here: links that only fetch, http-equiv, ping, the source of frames.
 * @param {{selector: string, mouse?: boolean, whole?: boolean}} what  is the mouse's place part of it;
 *   is the text wanted, or its hash alone
 * @returns {{hash: string, nodes: number, mouse: string, text?: string[]}}
 */
export function canonical({ selector, mouse, whole }) {
  const wrapper = document.querySelector(selector);
  const frame = wrapper && wrapper.querySelector('iframe');
  if (!frame || !frame.contentDocument) return { hash: 'nothing', nodes: 0, text: ['nothing'] };
  const out = [];
  const rules = (sheet) => {
    try {
      return [...sheet.cssRules].map((r) => r.cssText).join('\n');
    } catch {
      return 'not readable';
    }
  };
  const walk = (node, depth) => {
    const say = (text) => out.push(' '.repeat(depth) + text);
    switch (node.nodeType) {
      case 1: {
        const fetches = node.localName === 'link' && /(^|\s)(preconnect|dns-prefetch|prefetch|prerender|preload|modulepreload)(\s|$)/i.test(node.rel);
        const kept = (name) => !fetches && !/^(http-equiv|ping|attributionsrc)$/.test(name)
          && !(/^(iframe|frame|object|embed)$/.test(node.localName) && /^(src|srcdoc|data)$/.test(name));
        const attributes = [...node.attributes].filter((a) => kept(a.name)).map((a) => a.name !== 'class' ? `${a.name}=${JSON.stringify(a.value)}`
          : node.classList.length ? `class=${JSON.stringify([...node.classList].join(' '))}` : '').filter(Boolean).sort();
        const state = [];
        const has = (name, value) => value && state.push(`${name}:${value === true ? '' : JSON.stringify(value)}`);
        if (/^(input|select|textarea)$/i.test(node.localName)) has('value', node.value);
        has('checked', node.checked);
        has('selected', node.selected);
        has('top', node.scrollTop);
        has('left', node.scrollLeft);
        if (node.localName === 'dialog') has('modal', node.matches(':modal'));
        if (/^(audio|video)$/.test(node.localName)) has('media', `${node.paused} ${node.muted} ${node.volume} ${node.playbackRate} ${node.loop} ${node.currentTime.toFixed(1)}`);
        if (node.localName === 'canvas') has('pixels', node.toDataURL());
        say(`<${node.namespaceURI === 'http://www.w3.org/1999/xhtml' ? '' : node.namespaceURI + ' '}${node.localName} ${attributes.join(' ')}> ${state.join(' ')}`);
        if (node.sheet) say(`rules: ${rules(node.sheet)}`);
        if (node.shadowRoot) walk(node.shadowRoot, depth + 1);
        if (/^i?frame$/i.test(node.localName)) {
          let inside = null;
          try {
            inside = node.contentDocument;
          } catch {}
          if (inside) walk(inside, depth + 1);
          else say('a frame of elsewhere');
        }
        break;
      }
      case 3: say(JSON.stringify(node.data)); break;
      case 4: say(`[${JSON.stringify(node.data)}]`); break;
      case 8: say(`!${JSON.stringify(node.data)}`); break;
      case 9:
        say(`document ${node.compatMode}${node.defaultView ? ` at ${node.defaultView.scrollX} ${node.defaultView.scrollY}` : ''}`);
        for (const sheet of node.adoptedStyleSheets) say(`adopted: ${rules(sheet)}`);
        break;
      case 10: say(`doctype ${node.name} ${node.publicId} ${node.systemId}`); break;
      case 11:
        say('shadow');
        for (const sheet of node.adoptedStyleSheets || []) say(`adopted: ${rules(sheet)}`);
    }
    for (let child = node.firstChild; child; child = child.nextSibling) walk(child, depth + 1);
  };
  out.push(`size ${frame.getAttribute('width')} ${frame.getAttribute('height')}`);
  const { left, top } = wrapper.querySelector('.replayer-mouse').style;
  if (mouse && left) out.push(`mouse ${left} ${top}`);
  walk(frame.contentDocument, 0);
  let a = 0x811c9dc5, b = 0x01000193;
  for (const line of out)
    for (let i = 0; i < line.length; i++) {
      a = Math.imul(a ^ line.charCodeAt(i), 0x01000193);
      b = Math.imul(b ^ line.charCodeAt(i), 0x811c9dc5) ^ a >>> 15;
    }
  return { hash: `${out.length} ${a >>> 0} ${b >>> 0}`, nodes: out.length, mouse: left, ...whole && { text: out } };
}

/** Where two texts part: some lines of each. */
export function differ(want, got) {
  let i = 0;
  while (i < want.length && want[i] === got[i]) i++;
  const part = (name, list) => list.slice(Math.max(0, i - 2), i + 4).map((l) => `${name} ${l.slice(0, 400)}`);
  return [`line ${i} of ${want.length} and ${got.length}`, ...part('rrweb:', want), ...part('ours: ', got)].join('\n');
}
