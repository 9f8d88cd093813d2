/** One command inside a container, for gatherers: what stands in the way becomes `CannotLook`, a program that the image lacks a plain answer. */
import { EngineError, type ExecResult } from './engine-client.ts';
import { plain } from '../model/plain.ts';
import type { Container } from '../model/stack.ts';
import { CannotLook, TRY_MS, type Gathering } from './gathering.ts';

/** runc's words, as the output of an exec with exit code 126 or 127, or as an error of the API. */
const NO_PROGRAM = /executable file not found|no such file or directory/i;
/** runc starts nothing whose working directory is a deleted mount. */
const NO_FOLDER = /working directory|\bcwd\b|chdir/i;

/** An engine, or who stands before its socket, that does not take the call from us, for whatever container: the reason names none, and is said once. */
const REFUSED = [401, 403, 405, 501];

export const cannotRun = (container: Container, { status, message, code }: EngineError): CannotLook => {
  const why = plain(message).slice(0, 200);
  const isRefused = status !== null && REFUSED.includes(status);
  return new CannotLook(
    isRefused
      ? `the engine lets us run no command in its containers (HTTP ${status}: ${why})`
      : `no command could be run in ${container.name}: ${why}`,
    { timedOut: code === 'ETIMEDOUT' },
  );
};

/** `null`: the image has no such program. Errors: `CannotLook`. */
export const runInside = async (
  container: Container,
  command: string[],
  given: Gathering,
  timeoutMs = TRY_MS,
): Promise<ExecResult | null> => {
  const result = await given.engine.exec(container.id, command, { timeoutMs, signal: given.signal }).catch((error: unknown) => {
    if (!(error instanceof EngineError)) throw error;
    if (NO_PROGRAM.test(error.message) && !NO_FOLDER.test(error.message)) return null;
    throw cannotRun(container, error);
  });
  if (result === null) return null;
  if (result.exitCode === null)
    throw new CannotLook(`a command in ${container.name} did not end within ${timeoutMs / 1000} s`, { timedOut: true });
  const said = result.stdout + result.stderr;
  if (!/OCI runtime exec failed/.test(said) || result.exitCode < 126) return result;
  if (NO_FOLDER.test(said) || !NO_PROGRAM.test(said)) throw cannotRun(container, new EngineError(said, null, ''));
  return null;
};
