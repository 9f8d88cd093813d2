/** One try at a service, within one limit: connect, ask and answer together. What stops it is a fact, never an exception. */
import type { Duplex } from 'node:stream';
import type { Trial } from '../model/facts.ts';
import { plain } from '../model/plain.ts';
import { CannotLook } from './gathering.ts';
import type { Vault } from './vault.ts';

export type Layer = Trial['layer'];
type Failure = Pick<Trial, 'layer' | 'outcome' | 'code' | 'text'>;

/** What stopped a try, by whoever knows the layer: the dial, the tunnel, the protocol. Caught by `tryOut`. */
export class TryStopped extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.text);
    this.name = 'TryStopped';
    this.failure = failure;
  }
}

export interface Limits {
  ms: number;
  /** Of the whole run. A try that it cuts short proves nothing. */
  signal: AbortSignal;
  vault: Vault;
}

/** How far the try is; the work moves it on. Once at `done` the try has succeeded, and what the work still does is beside it. */
export interface Progress {
  layer: Layer;
}

/**
 * `work` gets a signal that is aborted when the limit is reached, and in any case when the try is over: whatever it opens with that signal
 * is closed by then. Errors: `CannotLook` when the run ended first.
 */
export const tryOut = async (limits: Limits, work: (at: Progress, limit: AbortSignal) => Promise<void>): Promise<Trial> => {
  const { ms, signal, vault } = limits;
  const began = performance.now();
  const elapsed = () => Math.round(performance.now() - began);
  let layer: Layer = 'tcp';
  let doneMs: number | null = null;
  const at: Progress = {
    get layer() {
      return layer;
    },
    set layer(next) {
      layer = next;
      if (next === 'done') doneMs ??= elapsed();
    },
  };
  const limit = new AbortController();
  let timedOut = false;
  let isOver = false;
  const giveUp = () => {
    if (isOver) return;
    timedOut = true;
    limit.abort();
  };
  // What came while we were busy is read before the time is called over.
  const timer = setTimeout(() => setImmediate(giveUp), ms);
  const interrupt = () => limit.abort();
  if (signal.aborted) limit.abort();
  else signal.addEventListener('abort', interrupt, { once: true });
  try {
    await Promise.race([work(at, limit.signal), aborted(limit.signal)]);
    return done(doneMs ?? elapsed());
  } catch (error) {
    if (doneMs !== null) return done(doneMs);
    if (signal.aborted) throw new CannotLook('the run ended before the try did', { timedOut: true, cause: error });
    if (error instanceof CannotLook || isOurBug(error)) throw error;
    const failure: Failure = timedOut
      ? { layer: at.layer, outcome: 'timeout', code: 'ETIMEDOUT', text: `${SILENT[at.layer]} within ${ms} ms` }
      : error instanceof TryStopped
        ? error.failure
        : systemFailure(error, at.layer);
    return { ...failure, text: plain(vault.maskText(failure.text.slice(0, 20_000))).slice(0, 2_000), ms: elapsed() };
  } finally {
    isOver = true;
    clearTimeout(timer);
    signal.removeEventListener('abort', interrupt);
    limit.abort();
  }
};

/** A mistake of the program is no answer of the server. What Node says of the world has a code. */
const isOurBug = (error: unknown): boolean =>
  (error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError) &&
  (error as NodeJS.ErrnoException).code === undefined;

const done = (ms: number): Trial => ({ layer: 'done', outcome: 'ok', code: '', text: '', ms });

const SILENT: Record<Layer, string> = {
  name: 'the name was not resolved',
  tcp: 'no connection was made',
  tls: 'the TLS handshake did not end',
  protocol: 'connected, but no answer came',
  login: 'the login did not end',
  query: 'the question was not answered',
  done: 'not done',
};

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const stop = () => reject(new Error('aborted'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });

const OUTCOMES: Record<string, Trial['outcome']> = {
  ENOTFOUND: 'not-found',
  EAI_AGAIN: 'not-found',
  EAI_NODATA: 'not-found',
  EAI_NONAME: 'not-found',
  ECONNREFUSED: 'refused',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  EAFNOSUPPORT: 'unreachable',
  ECONNRESET: 'reset',
  ECONNABORTED: 'reset',
  EPIPE: 'reset',
};

/** An error of the operating system, or of a driver that has no layer of its own. */
export const systemFailure = (thrown: unknown, layer: Layer): Failure => {
  // Several addresses were tried (happy eyeballs): the first one's error speaks.
  const error = (thrown instanceof AggregateError && thrown.errors[0] ? thrown.errors[0] : thrown) as { code?: unknown; message?: unknown };
  const code = typeof error?.code === 'string' ? error.code : '';
  const outcome = OUTCOMES[code] ?? 'failed';
  return { layer: outcome === 'not-found' ? 'name' : layer, outcome, code, text: String(error?.message || code || thrown) };
};

/** So far down that no other credentials could change it. */
export const isBelowLogin = (trial: Trial): boolean => trial.outcome !== 'ok' && ['name', 'tcp', 'tls', 'protocol'].includes(trial.layer);

export const isBelowProtocol = (trial: Trial): boolean => trial.outcome !== 'ok' && (trial.layer === 'name' || trial.layer === 'tcp');

/** It answered as its protocol has it; that is as far as this went. */
export const knock = (trial: Trial): Trial => (trial.outcome === 'ok' ? { ...trial, layer: 'protocol' } : trial);

/** What a server says first, or to the first question. Errors: `TryStopped` where it hangs up instead. */
export const firstBytes = (stream: Duplex): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    stream.once('data', resolve);
    stream.once('error', reject);
    stream.once('close', () =>
      reject(new TryStopped({ layer: 'protocol', outcome: 'reset', code: '', text: 'the server closed the connection without an answer' })),
    );
  });

/** A driver that stumbles over what a server sent: the server's doing, though it comes as the driver's own mistake. */
export const unreadable = (thrown: unknown, at: Progress): TryStopped | null =>
  isOurBug(thrown) && at.layer !== 'done'
    ? new TryStopped({
        layer: at.layer,
        outcome: 'failed',
        code: '',
        text: `the answer cannot be read: ${(thrown as Error).message}`,
      })
    : null;
