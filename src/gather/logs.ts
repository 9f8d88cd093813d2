/** The log of a service's current run. Lines of earlier runs would blame yesterday's faults. */
import type { LogFact, LogLine } from '../model/facts.ts';
import type { Container, Service } from '../model/stack.ts';
import { plain } from '../model/plain.ts';
import { EngineError, type EngineClient } from './engine-client.ts';
import { CannotLook, type Gathering } from './gathering.ts';
import type { Vault } from './vault.ts';

const LINES = 200;
const LINE_LENGTH = 2_000;
/** Docker's words; Podman's, of the driver `none`. */
const NOT_KEPT = /does not support reading|this container is using the 'none' log driver/i;

export const gatherLogs = async (service: Service, given: Gathering): Promise<LogFact> => {
  const container = mostTelling(service);
  if (!container) throw new CannotLook(`${service.name} has no container, so no log`);
  const since = tellingSince(container);
  try {
    const lines = await readLog(given.engine, given.vault, container, since, LINES, given.signal);
    return { container: container.name, since, lines };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    // The engine's choice for all, as a rule: a reason that names none is said once.
    const why = NOT_KEPT.test(error.message)
      ? `the log driver ${container.logDriver || 'of the engine'} gives no log back`
      : `the log of ${container.name} could not be read: ${error.message}`;
    throw new CannotLook(why, { cause: error });
  }
};

/** In a loop of crashes, a run that has just begun says nothing yet; the one before it ended over the same. */
const tellingSince = ({ state, createdAt }: Container): string | null => {
  const { startedAt, finishedAt, restartCount, loops } = state;
  if (state.status !== 'running' || !loops || !startedAt || !finishedAt || restartCount === 0) return startedAt;
  const average = (Date.parse(startedAt) - Date.parse(createdAt)) / restartCount;
  return Number.isFinite(average) ? new Date(Date.parse(finishedAt) - average).toISOString() : startedAt;
};

/** Errors: `EngineError`. */
export const readLog = async (
  engine: EngineClient,
  vault: Vault,
  container: Container,
  since: string | null,
  tail: number,
  signal: AbortSignal,
): Promise<LogLine[]> => {
  const lines = await engine.logs(container.id, { tty: container.tty, since, tail, signal });
  return lines.map((line) => ({ ...line, text: plain(vault.maskText(line.text)).slice(0, LINE_LENGTH) }));
};

/** For what a log adds to an answer: one that cannot be read (another driver) takes nothing away from it. */
export const readLogQuietly = async (given: Gathering, container: Container, since: string | null, tail: number): Promise<LogLine[]> => {
  try {
    return await readLog(given.engine, given.vault, container, since, tail, given.signal);
  } catch (error) {
    if (error instanceof EngineError || error instanceof CannotLook) return [];
    throw error;
  }
};

const TROUBLE = ['restarting', 'dead', 'exited', 'created', 'paused', 'removing', 'running'];

const mostTelling = (service: Service): Container | undefined => service.containers.toSorted((a, b) => rank(a) - rank(b))[0];

const rank = (container: Container): number =>
  TROUBLE.indexOf(container.state.status) - (container.state.status === 'running' && container.health?.status === 'unhealthy' ? 0.5 : 0);
