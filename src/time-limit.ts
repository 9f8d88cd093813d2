/** Signals for work that must end, and room for others while it goes on. */
import { setMaxListeners } from 'node:events';

/**
 * Aborted when `parent` is, and otherwise by whoever holds it. Instead of `AbortSignal.any`, which Node 20 may collect as garbage while somebody
 * still waits for it.
 */
export const abortedWith = (parent: AbortSignal): AbortController => {
  const own = new AbortController();
  // One for each call of a run is no leak.
  setMaxListeners(0, parent);
  if (parent.aborted) own.abort(parent.reason);
  else parent.addEventListener('abort', () => own.abort(parent.reason), { once: true });
  return own;
};

/** Aborted after `ms` milliseconds, with a `TimeoutError`, or when `parent` is. The timer holds it and is no reason for the process to stay. */
export const timeLimit = (ms: number, parent?: AbortSignal): AbortSignal => {
  const own = parent ? abortedWith(parent) : new AbortController();
  setTimeout(() => own.abort(new DOMException(`not done within ${ms} ms`, 'TimeoutError')), ms).unref();
  return own.signal;
};

/**
 * Lets Node write what was asked, and read what has come: while promises follow on one another it does neither. To be awaited before
 * work of milliseconds that nobody else waits for, such as loading a part of the program.
 */
export const letOthersIn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
