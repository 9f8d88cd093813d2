/** What an answer of MongoDB means. Numbers: `error_codes.yml` of the server; lines of its log are JSON from 4.4 on. */
import type { LogLine, MongodbAttempt } from './facts.ts';
import { fellSilent, unreachedReason } from './rejection.ts';

/** The reason of check `mongodb` that one try gives; `null` where it went well, or never came to the server. */
export const mongodbReason = (attempt: MongodbAttempt, serverLog: readonly LogLine[]): string | null => {
  const { trial } = attempt;
  const unreached = unreachedReason(trial);
  if (unreached === 'refused' && settingUp(serverLog) !== null) return 'starting-up';
  if (unreached !== undefined) return unreached;
  if (/^\d+$/.test(trial.code)) return ofNumber(Number(trial.code), attempt, serverLog);
  if (trial.layer === 'tls') return 'tls-required';
  if (fellSilent(trial)) return 'no-answer';
  return trial.layer === 'protocol' ? 'not-mongodb' : 'error';
};

const ofNumber = (number: number, attempt: MongodbAttempt, log: readonly LogLine[]): string => {
  switch (number) {
    case 18: // AuthenticationFailed
    case 11: // UserNotFound
      if (attempt.acceptedIn !== null) return 'auth-source';
      return /UserNotFound/.test(rejectionLine(attempt, log)?.text ?? '') ? 'user-missing' : 'auth-rejected';
    case 13: // Unauthorized
      return attempt.user === null ? 'credentials-missing' : 'database-denied';
    case 94: // NotYetInitialized
      return 'replica-set-uninitiated';
    case 10_107: // NotWritablePrimary
    case 10_058: // LegacyNotPrimary
    case 13_435: // NotPrimaryNoSecondaryOk
    case 13_436: // NotPrimaryOrSecondary
    case 189: // PrimarySteppedDown
      return 'no-primary';
    case 91: // ShutdownInProgress
    case 11_600: // InterruptedAtShutdown
      return 'starting-up';
    default:
      return 'error';
  }
};

/** The client is told one thing for all. `Failed to authenticate` from 7.0 on, before that `Authentication failed`. */
export const rejectionLine = ({ user, authSources }: MongodbAttempt, log: readonly LogLine[]): LogLine | undefined => {
  const names = (text: string, word: string): boolean => text.includes(`"${word}"`);
  return log.findLast(
    ({ text }) =>
      /"msg":"(?:Failed to authenticate|Authentication failed)"/.test(text) &&
      names(text, user ?? '') &&
      authSources.some((source) => names(text, source)),
  );
};

/** It opens its port at the end of its start; while the image makes its first user, on its own loopback alone. */
const STARTS = /"msg":"MongoDB starting"|\[initandlisten\] MongoDB starting/;
const READY = /"msg":"Waiting for connections"|waiting for connections on port/;
/** What the image says when its first run, over loopback, is behind it. */
const MADE = /MongoDB init process complete; ready for start up/;
const MAKES = /about to fork child process/;

/** The newest line of a start that has not ended; `null` when it has, or the log says nothing of it. */
export const settingUp = (log: readonly LogLine[]): LogLine | null => {
  const last = (pattern: RegExp) => log.findLastIndex(({ text }) => pattern.test(text));
  const starts = last(STARTS);
  const makes = last(MAKES) > last(MADE);
  return (makes || starts > last(READY)) && log.length > 0 ? log.at(-1)! : null;
};

export interface DeclaredLogin {
  user: string;
  /** A mark. */
  password: string;
  variable: string;
}

/** What the official image (and Bitnami's) takes while its data folder is empty: the first user, who may do everything. */
export const declaredRoot = (env: Record<string, string>): DeclaredLogin | null => {
  const variable = ['MONGO_INITDB_ROOT_PASSWORD', 'MONGODB_ROOT_PASSWORD'].find((each) => env[each]);
  const user = variable === 'MONGODB_ROOT_PASSWORD' ? env['MONGODB_ROOT_USER'] || 'root' : env['MONGO_INITDB_ROOT_USERNAME'];
  return variable && user ? { user, password: env[variable]!, variable } : null;
};

/**
 * `MONGO_USER` and `MONGO_PASSWORD`, `ME_CONFIG_MONGODB_ADMINUSERNAME` and `…ADMINPASSWORD`, else `DB_USER` and its kin: beside a URL that has
 * neither. `spent`: passwords of the client's other connections.
 */
export const pairBeside = (
  env: Record<string, string>,
  spent: readonly (string | null)[],
): { user: string; password: string; variable: string } | null => {
  const pairs = Object.entries(env).flatMap(([variable, user]) => {
    const stem = /^(.*MONGO.*?|DB_|DATABASE_)USER(?:NAME)?$/i.exec(variable)?.[1];
    const password = stem === undefined ? undefined : ['PASSWORD', 'PASS', 'PWD'].map((end) => env[`${stem}${end}`]).find(Boolean);
    return user !== '' && password !== undefined && !spent.includes(password) ? [{ user, password, variable }] : [];
  });
  return pairs.find(({ variable }) => /MONGO/i.test(variable)) ?? pairs[0] ?? null;
};

/** What a URL says after its question mark, by names as the server's manual writes them. */
export const optionsIn = (query: string): Record<string, string> => {
  const given = query.split('&').map((each) => each.split('='));
  return Object.fromEntries(
    OPTIONS.flatMap((name) => {
      const value = given.find(([key]) => key?.toLowerCase() === name.toLowerCase())?.[1];
      return value ? [[name, value]] : [];
    }),
  );
};

const OPTIONS = ['authSource', 'authMechanism', 'replicaSet', 'directConnection', 'readPreference', 'tlsCertificateKeyFile'];
