/** Calls code that is not ours and must end: V8 itself stops it when its time is up, also in a loop without end. */
import { Script } from 'node:vm';

const MOST_MS = 1_000;
const SLOT = Symbol.for('stack-doctor.call');
const call = new Script("globalThis[Symbol.for('stack-doctor.call')]()");

/** Errors: what `work` throws; an `Error` when it does not end. */
export const bounded = <T>(work: () => T): T => {
  const slots = globalThis as unknown as Record<symbol, unknown>;
  const outer = slots[SLOT];
  slots[SLOT] = work;
  try {
    return call.runInThisContext({ timeout: MOST_MS }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      throw new Error(`it did not end within ${MOST_MS / 1_000} s`, { cause: error });
    throw error;
  } finally {
    slots[SLOT] = outer;
  }
};
