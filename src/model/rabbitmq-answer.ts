/** What an answer of RabbitMQ means. Reply codes: AMQP 0-9-1; the words beside them are RabbitMQ's own. */
import type { LogLine, RabbitmqAttempt } from './facts.ts';
import { fellSilent, unreachedReason } from './rejection.ts';

/** The reason of check `rabbitmq` that one try gives; `null` where it went well, or never came to the server. */
export const rabbitmqReason = (attempt: RabbitmqAttempt, serverLog: readonly LogLine[]): string | null => {
  const { trial, user } = attempt;
  const unreached = unreachedReason(trial);
  if (unreached === 'refused' && booting(serverLog) !== null) return 'starting-up';
  if (unreached !== undefined) return unreached;
  switch (trial.code) {
    case '403':
      return refusal(user, serverLog);
    case '530':
      return ofVhost(trial.text);
    case '541':
    case '320':
      return booting(serverLog) !== null || /broker is (?:shutting down|booting)|CONNECTION_FORCED/i.test(trial.text)
        ? 'starting-up'
        : 'error';
    default:
  }
  if (trial.code !== '' && /^\d+$/.test(trial.code)) return 'error';
  if (fellSilent(trial)) return 'no-answer';
  if (trial.layer === 'tls') return 'tls-required';
  return trial.layer === 'protocol' ? 'not-amqp' : 'error';
};

/** The client is told one thing for all; the server's log says which. */
const refusal = (user: string, log: readonly LogLine[]): string => {
  const lines = log.filter(({ text }) => /login refused|refused login/i.test(text) && text.includes(user));
  const newest = lines.at(-1)?.text ?? '';
  return /can only connect via localhost|loopback/i.test(newest) ? 'guest-remote' : 'auth-rejected';
};

/** What the server's log says of a refused login. */
export const refusalLine = (user: string, log: readonly LogLine[]): LogLine | undefined =>
  log.findLast(({ text }) => /login refused|refused login/i.test(text) && text.includes(user));

const ofVhost = (text: string): string => {
  if (/\blimit\b/i.test(text)) return 'too-many-connections';
  if (/vhost .* not found/i.test(text)) return 'vhost-missing';
  return /access to vhost .* refused/i.test(text) ? 'vhost-denied' : 'error';
};

/** It opens its port at the very end of its start. */
const STARTS = /Starting RabbitMQ|node\s+: \S+@|Running boot step/;
const STARTED = /Server startup complete|completed with \d+ plugins|started TCP listener on/i;

/** The newest line of a start that has not ended; `null` when it has, or the log says nothing of it. */
export const booting = (log: readonly LogLine[]): LogLine | null => {
  const starts = log.findLastIndex(({ text }) => STARTS.test(text));
  return starts > log.findLastIndex(({ text }) => STARTED.test(text)) ? log.at(-1)! : null;
};

/** `memory resource limit alarm set on node rabbit@mq.` … `cleared`: what is set at the end of the log. */
export const alarmsIn = (log: readonly LogLine[]): { what: string; line: string }[] => {
  const set = new Map<string, string>();
  for (const { text } of log) {
    const [, what = '', state] = /\b(memory|disk|file_descriptor)\b.{0,20}\balarm (set|cleared)/i.exec(text) ?? [];
    if (state?.toLowerCase() === 'set') set.set(what.toLowerCase(), text);
    else if (state) set.delete(what.toLowerCase());
  }
  return [...set].map(([what, line]) => ({ what, line }));
};

export interface DeclaredLogin {
  user: string;
  /** A mark. */
  password: string;
  variable: string;
}

/** What the official image (and Bitnami's) takes while its data folder is empty. */
export const declaredBroker = (env: Record<string, string>): DeclaredLogin | null => {
  const variable = ['RABBITMQ_DEFAULT_PASS', 'RABBITMQ_PASSWORD'].find((each) => env[each]);
  return variable
    ? { user: env['RABBITMQ_DEFAULT_USER'] || env['RABBITMQ_USERNAME'] || 'guest', password: env[variable]!, variable }
    : null;
};
