/** rr.js: the recorder of rrpipe. Every option is a data- attribute of its
 * script, too: `queryKeys` is data-query-keys, lists are split at blanks.
 *
 * It is off, and begins anew with a snapshot, while nobody has done anything
 * for 5 minutes, and for 5 seconds to a minute where a page changed more than
 * 4,000 times, or by 2 MB, in each of 3 seconds. Taking snapshots gets at most
 * a tenth of the time. Times go on evenly though the clock is set. */

export interface Options {
  /** The project's key, as the collector knows it. */
  key: string;
  /** Origin of the collector. Default: where the script came from; a module has to be told. */
  collector: string;
  /** Where the dashboard is, for sessionUrl(). */
  dashboard: string;
  /** A name for this site. Default: its host name. */
  source: string;
  /** Who the visitor is, if known; see also identify(). */
  user: string;
  /** Record from the start (default), or wait for start(). */
  autostart: boolean;
  /**
   * What is masked; rr-recorder(7) has the table:
   * strict: all text, all inputs, attributes and styles with text, media, what
   * the console and errors say;
   * balanced (default): all inputs and editable text, attributes with text
   * (title, placeholder, alt, aria-label ...), queries of URLs, data in what
   * the console and errors say;
   * open: secret fields only: passwords, payment cards, one-time codes, files.
   * In any page, class rr-block or data-rr-block leaves an element out, rr-mask
   * masks its text, rr-ignore ignores its input, rr-unmask shows what the preset
   * would mask (but never a password, a card or a code).
   * The key may have a stricter preset: it holds, and what was recorded before
   * the collector said so is forgotten.
   */
  privacy: 'strict' | 'balanced' | 'open';
  /** CSS selectors that do what the classes do. */
  block: string;
  mask: string;
  ignore: string;
  unmask: string;
  /** Keys of URL queries whose values may be recorded. */
  queryKeys: string[];
  /** 'wait': nothing is recorded before consent(true). */
  consent: 'given' | 'wait';
  /** Respect Global Privacy Control (default). */
  gpc: boolean;
  /** Share of sessions that are recorded, 0 to 1; of these, the key's share is. */
  sample: number;
  /**
   * Milliseconds that a visit must last: until then nothing is sent, then all
   * of it. A visit is what one tab shows until it is closed; what is shorter
   * is forgotten.
   */
  minDuration: number;
  /**
   * Nothing is sent unless an error comes: until then the last minute is kept
   * in memory (at least; and of maxBuffer at most), from then on all is sent.
   * Errors are captured, named in `capture` or not.
   */
  onError: boolean;
  /**
   * Pages that are recorded, by their path, `*` for anything in it: '/shop/*'.
   * One with a `!` in front is never: '!/account*'. Without any, all are. A
   * page that changes its address on its own is paused or resumed by it.
   */
  pages: string[];
  /**
   * What else to record: console, errors, network (never bodies or headers),
   * canvas (never with `strict`). A page's policy must allow
   * `worker-src blob:` for canvas, and else needs `connect-src` to the collector
   * alone; without the worker canvases stay as they were in the snapshot. Of a
   * canvas, WebGL or not, there are two pictures a second.
   */
  capture: ('console' | 'errors' | 'network' | 'canvas')[];
  /** Record in a frame although the page around it is recorded. */
  frames: boolean;
  /**
   * Characters held in memory while the collector does not take them; what
   * comes then is a gap. The newest snapshot is held beside them.
   */
  maxBuffer: number;
  /** Called with the text of each event, as it is sent. */
  onEvent: ((text: string) => void) | null;
}

export interface Status {
  state: 'off' | 'recording' | 'paused' | 'refused';
  /** Why it does not record, or does not send what it records. */
  why: string;
  session: string | null;
  tab: string | null;
  /** Events not acknowledged yet. */
  buffered: number;
  /** Events and batches that are durable, of this page. */
  stored: number;
  batches: number;
  /** Events that were lost, and the gaps that say so. */
  dropped: number;
  gaps: number;
  /** Somebody is looking. */
  watched: boolean;
  /** The last thing that went wrong, while it is wrong. */
  error: string;
}

export interface Recorder {
  readonly version: string;
  /** Calls made before the script is there: ['identify', '42']. */
  q?: [name: string, ...args: unknown[]][];
  /** Options given here win over data- attributes. Once; later calls do nothing. */
  init(options?: Partial<Options>): void;
  start(): void;
  /** Ends the session, in all its tabs. Resolves when that is durable. */
  stop(): Promise<void>;
  pause(): void;
  resume(): void;
  /** Resolves when all that was recorded so far is durable, or was refused. */
  flush(): Promise<void>;
  /** Who the visitor is; also before init(), and for the sessions that follow on this page. */
  identify(id: string, traits?: Record<string, unknown>): void;
  /** A mark on the timeline. */
  event(name: string, data?: unknown): void;
  consent(yes: boolean): void;
  sessionId(): string | null;
  sessionUrl(): string | null;
  status(): Status;
}

declare const rr: Recorder;
export default rr;
declare global {
  interface Window {
    rr: Recorder;
  }
}
