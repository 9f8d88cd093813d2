/** What an answer of MySQL or MariaDB means. Numbers: MySQL error reference, "Server Error Message Reference". */
import type { LogLine, MysqlAttempt, MysqlFact } from './facts.ts';
import { fellSilent, unreachedReason } from './rejection.ts';

type Known = Pick<MysqlFact, 'accounts' | 'databases' | 'serverLog'>;

/** The reason of check `mysql` that one try gives; `null` where it went well, or never came to the server. */
export const mysqlReason = (attempt: MysqlAttempt, known: Known): string | null => {
  const { trial } = attempt;
  const unreached = unreachedReason(trial);
  // While it sets itself up it listens on its socket alone.
  if (unreached === 'refused' && settingUp(known.serverLog) !== null) return 'starting-up';
  if (unreached !== undefined) return unreached;
  if (/^\d+$/.test(trial.code)) return ofNumber(Number(trial.code), attempt, known);
  if (fellSilent(trial)) return 'no-answer';
  if (trial.layer === 'tls' || /\b(ssl|tls)\b/i.test(trial.text)) return 'tls-required';
  return trial.layer === 'protocol' ? 'not-mysql' : 'error';
};

const ofNumber = (number: number, attempt: MysqlAttempt, known: Known): string => {
  if (/no space left on device|errno: 28\b/i.test(attempt.trial.text)) return 'disk-full';
  switch (number) {
    case 1045:
    case 1698:
      return ofAccounts(attempt, known);
    case 1130:
      return 'host-not-allowed';
    case 1129:
      return 'host-blocked';
    case 1049:
      return 'database-missing';
    case 1044:
      // A user without rights on it is told the same of a database that is not there.
      return known.databases && !isAmong(known.databases, attempt.database) ? 'database-missing' : 'database-denied';
    case 1040:
    case 1203:
    case 1226:
      return 'too-many-clients';
    case 1053:
    case 1927:
      return 'starting-up';
    case 1290:
    case 1836:
      return 'read-only';
    case 1021:
    case 1114:
      return 'disk-full';
    case 1251:
    case 1275:
    case 1524:
    case 2059:
      return 'auth-plugin';
    case 3159:
      return 'tls-required';
    default:
      return 'error';
  }
};

/** One number for a wrong password, a user that is missing, and one that may not come from there. The list of accounts tells. */
const ofAccounts = ({ user, trial }: MysqlAttempt, { accounts }: Known): string => {
  if (!accounts) return 'auth-rejected';
  const own = accounts.filter((each) => each.user === user);
  if (own.length === 0) return 'user-missing';
  const from = /@'([\d.]+)'/.exec(trial.text)?.[1];
  return own.some(({ host }) => mayBe(host, from)) ? 'auth-rejected' : 'host-not-allowed';
};

/** `172.18.%`, as LIKE has it. What a name or a mask of addresses means, the server alone knows. */
const mayBe = (place: string, address: string | undefined): boolean => {
  if (/^(localhost|127\.0\.0\.1|::1)$/.test(place)) return false;
  if (address === undefined || !/^[\d.%_]+$/.test(place)) return true;
  return new RegExp(`^${place.replaceAll('.', '\\.').replaceAll('%', '.*').replaceAll('_', '.')}$`).test(address);
};

/** On a file system without case a server may keep names in lower case. */
const isAmong = (names: readonly string[], name: string): boolean => names.some((each) => each.toLowerCase() === name.toLowerCase());

/** The server says where it listens once it is ready: port 0 is the one that only sets up the data folder. */
const READY = /ready for connections|: Server socket created on IP/;
const SETS_UP =
  /\[Entrypoint\]: (?:Initializing database|Starting temporary server|Temporary server started|Waiting for server startup|Stopping temporary server)|mysqld: initializing of server|InnoDB initialization has started|Starting crash recovery|starting as process \d+|: Starting upgrade of data|Server upgrade from/i;

/** The newest line that says it is still setting itself up; `null` when it is ready, or says nothing of it. */
export const settingUp = (log: readonly LogLine[]): LogLine | null => {
  const last = (pattern: RegExp) => log.findLastIndex(({ text }) => pattern.test(text));
  const starts = last(SETS_UP);
  const ready = log.findLastIndex(({ text }, index) => READY.test(text) && !isTemporary(`${text} ${log[index + 1]?.text ?? ''}`));
  return starts > ready ? log[starts]! : null;
};

const isTemporary = (text: string): boolean => /port: 0\b/.test(text);

export interface DeclaredLogin {
  user: string;
  /** A mark, or `''` where none is wanted. */
  password: string;
  variable: string;
}

/** What the server's own container declares: official images take it while their data folder is empty. Root first. */
export const declaredLogins = (env: Record<string, string>): DeclaredLogin[] => {
  const of = (user: string | undefined, names: string[]): DeclaredLogin[] => {
    const variable = names.find((each) => env[each]);
    return user && variable ? [{ user, password: env[variable]!, variable }] : [];
  };
  const given = (...names: string[]) => names.map((each) => env[each]).find(Boolean);
  return [
    ...of(given('MYSQL_ROOT_USER', 'MARIADB_ROOT_USER') ?? 'root', ['MARIADB_ROOT_PASSWORD', 'MYSQL_ROOT_PASSWORD']),
    ...of(given('MARIADB_USER', 'MYSQL_USER'), ['MARIADB_PASSWORD', 'MYSQL_PASSWORD']),
  ];
};
