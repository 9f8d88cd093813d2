/** `--wait`: looks again until nothing fails, until what fails cannot heal by waiting, or until the time is up. The last look counts. */
import type { Report } from './model/report.ts';
import { exitCode } from './render/exit-code.ts';

/** Between two looks. */
const PAUSE_MS = 1_000;
/** A root cause that waiting does not mend is believed when this many looks in a row have seen it. */
const LOOKS_TO_BELIEVE = 2;

export interface Waiting {
  waitMs: number;
  strict: boolean;
  signal: AbortSignal;
  /** Another look follows, because of these check instances. */
  onAgain(failing: string[]): void;
}

export const untilFinal = async <D extends { report: Report }>(look: () => Promise<D>, waiting: Waiting): Promise<D> => {
  const begun = performance.now();
  const ready = new Map<string, number>();
  let hopeless = new Map<string, number>();
  for (let looks = 1; ; looks++) {
    const diagnosis = await look();
    const { report } = diagnosis;
    const elapsedMs = Math.round(performance.now() - begun);
    noteReady(report, elapsedMs, ready);
    hopeless = new Map(lastingCauses(report).map((cause) => [cause, (hopeless.get(cause) ?? 0) + 1]));
    const isFinal =
      (exitCode(report, { strict: waiting.strict, signal: null }) === 0 && stillStarting(report).length === 0) ||
      [...hopeless.values()].some((seen) => seen >= LOOKS_TO_BELIEVE) ||
      elapsedMs + PAUSE_MS > waiting.waitMs;
    if (!isFinal && !waiting.signal.aborted) {
      waiting.onAgain(toWaitFor(report));
      await pause(PAUSE_MS, waiting.signal);
    }
    if (isFinal || waiting.signal.aborted) {
      report.waited = {
        looks,
        elapsedMs,
        ready: report.stack.services.map(({ name }) => ({ service: name, afterMs: ready.get(name) ?? null })),
      };
      return diagnosis;
    }
  }
};

const lastingCauses = ({ rootCauses }: Report): string[] =>
  rootCauses.filter(({ lasting }) => lasting).map(({ id, code }) => `${id} ${code}`);

/** A service is ready from the look on at which nothing of it fails, is blocked or could not be seen. */
const noteReady = (report: Report, elapsedMs: number, ready: Map<string, number>): void => {
  const starting = stillStarting(report).map((id) => id.split('/')[0]);
  for (const { name } of report.stack.services) {
    const isReady =
      !starting.includes(name) &&
      report.checks.every(({ service, status }) => service !== name || ['pass', 'warn', 'skip'].includes(status));
    if (!isReady) ready.delete(name);
    else if (!ready.has(name)) ready.set(name, elapsedMs);
  }
};

/** These ask a service in its own protocol: after a pass, its healthcheck, which may speak once in half a minute, has nothing to add. */
const ASKED = new Set(['postgres', 'redis', 'mysql', 'rabbitmq', 'mongodb', 'pooler', 'http-health', 'static-files', 'proxy', 'balancer']);

/** No healthcheck has spoken yet, or what warns has only just begun: nothing fails, and nobody knows whether it is well. */
const stillStarting = ({ checks, stack }: Report): string[] => {
  const answers = new Set(checks.filter(({ check, status }) => status === 'pass' && ASKED.has(check)).map(({ service }) => service));
  const unknown = stack.services
    .filter(({ name, health }) => health === 'starting' && !answers.has(name))
    .map(({ name }) => `${name}/container`);
  return [...new Set([...unknown, ...checks.filter(({ starting }) => starting).map(({ id }) => id)])];
};

const toWaitFor = (report: Report): string[] => {
  const { rootCauses, checks } = report;
  if (rootCauses.length > 0) return rootCauses.map(({ id }) => id);
  const starting = stillStarting(report);
  return starting.length > 0 ? starting : checks.filter(({ status }) => status === 'error' || status === 'warn').map(({ id }) => id);
};

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
