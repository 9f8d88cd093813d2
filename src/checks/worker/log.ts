/** What a worker says of itself: tasks that fail, that nobody knows, a broker that nobody set. */
import { isRecent } from '../../model/age.ts';
import { grouped } from '../../model/attempt.ts';
import type { Finding } from '../../model/check.ts';
import { isUnreachedPeer, raisedIn, sinceLastReload } from '../../model/crash.ts';
import type { Fact, LogFact } from '../../model/facts.ts';
import { type KnownError, knownErrorIn } from '../../model/log-signatures.ts';
import { connectionsFrom, type Service, type Stack } from '../../model/stack.ts';
import { startupReason } from '../../model/startup-reason.ts';

/** What it met at another service is that service's business, and what a known line says that of another check. */
export const taskErrors = (service: Service, logs: Fact<LogFact>, now: string): Finding[] => {
  if (!logs.ok || service.role !== 'worker') return [];
  const own = raisedIn(logs.value.lines).filter(({ error }) => !isUnreachedPeer(error) && isOfCode(knownErrorIn([{ text: error }])));
  return grouped(own, ({ error, at }) => `${at}\n${error.split(':')[0]}`).map((same): Finding => {
    const last = same.at(-1)!;
    const lasts = same.length > 1 && isRecent(last.time, now);
    return {
      reason: 'task-error',
      ...(lasts ? {} : { severity: 'warn' as const }),
      message: `${service.name} fails in its own code: ${last.error} (${last.at})`,
      evidence: [
        { source: `${service.name} log`, text: `${last.error}, ${last.at}${last.task ? `, in task ${last.task}` : ''}` },
        { source: `${service.name} log`, text: same.length === 1 ? 'once' : `${same.length} times` },
      ],
      values: { file: last.at },
    };
  });
};

const isOfCode = (known: KnownError | null): boolean =>
  known === null || ['code-error', 'setting-missing', 'module-missing'].includes(startupReason(known) ?? '');

const UNKNOWN_TASK = /\btask "([^"]{1,200})" is not found|Received unregistered task of type '([^']{1,200})'/i;

/** The message is consumed and lost, so that the queue shows nothing. */
export const unknownTask = (service: Service, logs: Fact<LogFact>, now: string): Finding[] => {
  const line = logs.ok ? sinceLastReload(logs.value.lines).findLast(({ text }) => UNKNOWN_TASK.test(text)) : undefined;
  if (!line) return [];
  const [, one, other] = UNKNOWN_TASK.exec(line.text)!;
  return [
    {
      reason: 'task-unknown',
      ...(isRecent(line.time, now) ? {} : { severity: 'warn' as const }),
      message: `${service.name} received the task "${one ?? other}", which its code does not have, and dropped it`,
      evidence: [{ source: `${service.name} log`, text: line.text }],
    },
  ];
};

const LOOPBACK_BROKER = /Cannot connect to (?:amqp|redis)s?:\/\/(?:[^@\s]{0,200}@)?(?:127\.0\.0\.1|localhost)\b/;

/** Celery and its kin try their own machine where nobody names another. */
export const brokerNotSet = (service: Service, stack: Stack, logs: Fact<LogFact>): Finding[] => {
  const line = logs.ok ? logs.value.lines.findLast(({ text }) => LOOPBACK_BROKER.test(text)) : undefined;
  if (!line || connectionsFrom(stack, service.name).some(({ kind }) => kind === 'redis' || kind === 'amqp')) return [];
  return [
    {
      reason: 'broker-not-set',
      message: `${service.name} tries a broker on its own loopback, because its environment names none`,
      evidence: [{ source: `${service.name} log`, text: line.text }],
    },
  ];
};
