/**
 * What an answer of a pooler means. pgbouncer has few SQLSTATEs and fixed texts (src/client.c, src/objects.c, src/janitor.c of its sources);
 * a text of the server behind it is passed on as it is, and names the user in quotes, which pgbouncer's own never does.
 */
import type { LogLine, PostgresAttempt, Trial } from './facts.ts';
import { unreachedReason } from './rejection.ts';

/** Why pgbouncer has no connection to the server, in the words of its log. */
const SERVER_GONE =
  /closing because: (?:connect failed|server DNS lookup failed|connect timeout|server conn crashed)|DNS lookup failed: \S/;
const SERVER_TURNS_AWAY =
  /server login failed: |cannot do SCRAM authentication|closing because: (?:failed to answer authreq|server login failed)/;
const SERVER_SAYS = /server login (?:failed: |has been failing, cached error: )(?:FATAL )?(.*?)(?: \(server_login_retry\))?$/;
const GONE = /^(connect failed|server DNS lookup failed|connect timeout|server conn crashed\??|login timeout)/;

/** The reason of check `pooler` that one try gives; `null` where it went well, or never came to the pooler. */
export const poolerReason = (
  attempt: PostgresAttempt,
  log: readonly LogLine[],
  straight: Trial | undefined,
  users: readonly string[] | null,
): string | null => {
  const { trial, user } = attempt;
  const unreached = unreachedReason(trial);
  if (unreached !== undefined) return unreached;
  const { text, outcome } = trial;
  if (/client_login_timeout|No server connection|server conn crashed/.test(text)) return 'server-unreachable';
  const cached = serverSays(text);
  if (cached !== null) return GONE.test(cached) ? 'server-unreachable' : 'server-rejects';
  if (/query_wait_timeout/.test(text) || outcome === 'timeout' || outcome === 'reset') return waited(trial, log, straight);
  if (/no such user/i.test(text)) return 'user-missing';
  if (/no such database/i.test(text) || trial.code === '3D000') return 'database-missing';
  if (/no more connections allowed|client connections exceeded|too many clients/i.test(text)) return 'too-many-clients';
  if (/unsupported startup parameter/i.test(text)) return 'startup-parameter';
  if (/authentication failed|auth failed/i.test(text) || trial.code === '28P01') {
    if (/ for user "/.test(text)) return 'server-rejects';
    return users !== null && !users.includes(user) ? 'user-missing' : 'auth-rejected';
  }
  if (trial.layer === 'tls' || /\b(ssl|tls)\b/i.test(text)) return 'tls-required';
  return 'error';
};

/** It let the client wait: for a server that cannot be had, or for a place in its pool. */
const waited = (trial: Trial, log: readonly LogLine[], straight: Trial | undefined): string => {
  const last = serverTrouble(log);
  if (last !== null) return SERVER_TURNS_AWAY.test(last.text) ? 'server-rejects' : 'server-unreachable';
  if (straight?.outcome === 'ok') return trial.layer === 'query' ? 'pool-exhausted' : 'server-unreachable';
  return straight ? 'server-unreachable' : 'no-answer';
};

/** What the server said to the pooler, in the pooler's answer. */
export const serverSays = (text: string): string | null => SERVER_SAYS.exec(text)?.[1] ?? null;

/** The line of the pooler's log that tells why it has no connection to the server. */
export const serverTrouble = (log: readonly LogLine[]): LogLine | null =>
  log.findLast(({ text }) => SERVER_SAYS.test(text) && SERVER_TURNS_AWAY.test(text)) ??
  log.findLast(({ text }) => SERVER_TURNS_AWAY.test(text)) ??
  log.findLast(({ text }) => SERVER_GONE.test(text) || GONE.test(serverSays(text) ?? '')) ??
  null;

/** `C-0x5…: app/app@172.18.0.5:51234 unsupported startup parameter: extra_float_digits=3`: whose it was, and which. */
export const refusedParameter = (text: string): { address: string; parameter: string } | null => {
  const found = /@([\d.]+|\[[\da-f:]+\]):\d+ .*?unsupported startup parameter(?: in options)?: ([\w.]+)/i.exec(text);
  return found ? { address: found[1]!.replace(/^\[|\]$/g, ''), parameter: found[2]! } : null;
};
