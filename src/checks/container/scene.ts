/** What the judges of a container are given, and what they share: its state, its log, and how both are told. */
import { unique } from '../../model/attempt.ts';
import type { Evidence, Finding } from '../../model/check.ts';
import type { Fact, InsideFact, LogFact, LogLine } from '../../model/facts.ts';
import type { KnownError } from '../../model/log-signatures.ts';
import type { Container, Service, Stack } from '../../model/stack.ts';

export interface Scene {
  service: Service;
  stack: Stack;
  log: LogFact | null;
  inside: InsideFact | null;
  insideFact: Fact<InsideFact>;
  now: string;
}

export const simply = (reason: string, each: Container, { service }: Scene, is: string): Finding => ({
  reason,
  message: `${service.name} ${is} (container ${each.name})`,
  evidence: [stateOf(each)],
  values: { container: each.name },
});

export const stateOf = (each: Container): Evidence => ({
  source: `docker inspect ${each.name}: State`,
  text: each.state.status === 'exited' ? `exited (${each.state.exitCode})` : each.state.status,
});

export const timesWord = (count: number): string => (count === 1 ? 'once' : `${count} times`);

/** What another check makes of the line is still of this service. */
export const ownWord = (known: KnownError | null): Pick<Finding, 'ownWord'> =>
  known && ['self', 'command', 'format'].includes(known.blame) ? { ownWord: true } : {};

/** Of one that was never restarted: each end of a loop has times of its own. One that was stopped in good order did not fail. */
export const timesOf = ({ state }: Container, calm: boolean): Pick<Finding, 'failedAt' | 'well'> => {
  const { status, restartCount, startedAt, finishedAt } = state;
  if (status !== 'exited' || restartCount > 0 || startedAt === null || finishedAt === null) return {};
  return { ...(calm ? {} : { failedAt: finishedAt }), well: { from: startedAt, until: finishedAt } };
};

export const saying = (known: KnownError | null): string => (known ? `; its log says: ${known.line}` : '');

export const LAST_LINES = 3;

/** The log is of one container: the first that failed. */
export const linesOf = (each: Container, { log }: Scene): LogLine[] => (log && log.container === each.name ? log.lines : []);

export const logEvidence = (lines: LogLine[], known: KnownError | null, service: Service): Evidence[] => {
  const source = `${service.name} log`;
  if (known) return [{ source: `${source}: ${known.says}`, text: known.line }];
  const texts = lines.map((line) => line.text).filter((text) => text.trim() !== '');
  return unique(texts.slice(-LAST_LINES)).map((text) => ({ source, text }));
};

/** Of a traceback the last line says what it is. */
export const firstLine = (text: string): string => {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const traced = lines.findIndex((line) => /Traceback \(most recent call last\):/.test(line));
  const error = traced < 0 ? undefined : lines.slice(traced + 1).findLast((line) => /^[A-Za-z_][\w.]*(: |$)/.test(line));
  return (error ?? lines[0] ?? '').trim().slice(0, 200);
};
