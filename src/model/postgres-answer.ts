/** What an answer of Postgres means. SQLSTATEs: PostgreSQL documentation, appendix A. */
import type { LogLine, PostgresAttempt } from './facts.ts';
import { fellSilent, unreachedReason } from './rejection.ts';
import { isMark } from './secrets.ts';

/** The reason of check `postgres` that one try gives; `null` where it went well, or never came to the server. */
export const postgresReason = (attempt: PostgresAttempt, serverLog: readonly LogLine[]): string | null => {
  const { layer, code, text } = attempt.trial;
  const unreached = unreachedReason(attempt.trial);
  if (unreached !== undefined) return unreached;
  if (/^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code)) return ofState(code, attempt, serverLog);
  if (fellSilent(attempt.trial)) return 'no-answer';
  // A client gives up by itself, with no SQLSTATE, where the server has no TLS, or asks for a password and none is given.
  if (layer === 'tls' || /\b(ssl|tls)\b/i.test(text)) return 'tls-required';
  if (layer === 'protocol') return 'not-postgres';
  return layer === 'login' && !attempt.password ? 'auth-rejected' : 'error';
};

const ofState = (code: string, attempt: PostgresAttempt, serverLog: readonly LogLine[]): string => {
  const { layer, text } = attempt.trial;
  if (/shared memory segment/i.test(text)) return 'shared-memory-full';
  if (/no space left on device/i.test(text)) return 'disk-full';
  switch (code) {
    case '28P01':
      return roleDetail(attempt, serverLog) ? 'role-missing' : 'auth-rejected';
    case '28000':
      if (/role ".*" does not exist/i.test(text)) return 'role-missing';
      if (/pg_hba/i.test(text)) return 'no-hba-entry';
      return /certificate|\bssl\b|encryption/i.test(text) ? 'tls-required' : 'error';
    case '3D000':
      return 'database-missing';
    case '53300':
      return 'too-many-clients';
    case '53100':
      return 'disk-full';
    // 57P01 and 57P02 are said once to those who are connected while it stops.
    case '57P01':
    case '57P02':
    case '57P03':
      return 'starting-up';
    case '25006':
      return 'read-only';
    case '08P01':
      return layer === 'protocol' ? 'not-postgres' : 'error';
    default:
      return 'error';
  }
};

/** 28P01 is said of a wrong password and of a missing role alike; only the DETAIL in the server's log tells them apart. */
export const roleDetail = (attempt: { user: string }, serverLog: readonly LogLine[]): LogLine | undefined =>
  serverLog.find((line) => {
    const role = /Role "(.*)" does not exist/i.exec(line.text)?.[1];
    // A user whose name is a password elsewhere may stand in the log as a mark.
    return role !== undefined && (role === attempt.user || isMark(role));
  });

export interface DeclaredLogin {
  user: string;
  /** A mark. */
  password: string;
  variable: string;
}

/** What the server's own container declares: the official image and Bitnami's take it at the first start only. */
export const declaredLogin = (env: Record<string, string>): DeclaredLogin | null => {
  const variable = ['POSTGRES_PASSWORD', 'POSTGRESQL_PASSWORD'].find((each) => env[each]);
  return variable ? { user: env['POSTGRES_USER'] || env['POSTGRESQL_USERNAME'] || 'postgres', password: env[variable]!, variable } : null;
};
