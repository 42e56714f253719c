/**
 * recorder.js: for pages that have RePlaya's snippet, which asks its host for
 * a script of this name. Its global, its options and its attributes are taken,
 * and rr.js does the work:
 *
 *   replaya('init', { apiHost: 'https://rec.example', projectKey: 'KEY' });
 *
 * Without a key it is `dev`. Inputs are masked unless maskAllInputs is false,
 * which is the preset `open`: passwords, cards and codes stay masked.
 */

import rr from './index.js';

const script = document.currentScript;
const data = script ? script.dataset : {};

const config = {
  apiHost: script && script.src ? new URL(script.src).origin : location.origin,
  source: data.source || '',
  distinctId: data.distinctId || '',
  userId: data.userId || '',
  projectKey: data.projectKey || '',
  autostart: data.autostart !== 'false',
  maskAllInputs: data.maskAllInputs !== 'false',
  blockClass: 'replaya-block',
  ignoreClass: 'replaya-ignore',
  recordCanvas: false,
};

const merge = (given) => {
  for (const name in given) if (given[name] !== undefined) config[name] = given[name];
};
const selector = (name) => (name ? `.${CSS.escape(name)}` : '');

/** RePlaya has two names for a visitor; here the second is a trait. */
const tell = () => {
  const { userId, distinctId } = config;
  if (userId || distinctId) rr.identify(userId || distinctId, distinctId ? { distinctId } : undefined);
};

const commands = {
  init(given) {
    merge(given);
    return config.autostart === false ? undefined : commands.start();
  },
  start(given) {
    merge(given);
    rr.init({
      key: config.projectKey || 'dev',
      collector: config.apiHost,
      source: config.source,
      privacy: config.maskAllInputs ? 'balanced' : 'open',
      block: selector(config.blockClass),
      ignore: selector(config.ignoreClass),
      capture: config.recordCanvas ? ['canvas'] : [],
      autostart: false,
    });
    rr.start();
    tell();
    return rr.flush().then(rr.sessionId);
  },
  stop: () => rr.stop(),
  identify(given) {
    merge({ distinctId: given && given.distinctId, userId: given && given.userId });
    tell();
  },
  flush: () => rr.flush(),
};

if (!self.__replayaRecorderLoaded) {
  self.__replayaRecorderLoaded = true;
  const early = self.replaya && self.replaya.q || [];
  const replaya = async (name, given) => commands[name] && commands[name](given);
  Object.defineProperty(replaya, 'sessionId', { get: rr.sessionId });
  self.replaya = Object.assign(replaya, { q: [], version: rr.version, config });
  for (const [name, given] of early) replaya(name, given);
  if (!early.length && config.autostart) replaya('start');
}
