/** What a server's own container says it is set up with, and how that contradicts what a client is given. */
import { isMark } from './secrets.ts';
import type { Connection, Container, Service } from './stack.ts';

export interface Setup {
  user: string | null;
  /** A mark; `''` when there is none; `null` when not known. */
  password: string | null;
  database: string | null;
}

type Told = Pick<Container, 'env' | 'entrypoint' | 'command'>;

/** By its container; of one that has none, by what the files declare. */
export const setupOf = (connection: Connection, { containers: [container], spec }: Pick<Service, 'containers' | 'spec'>): Setup | null => {
  const server: Told | null =
    container ?? (spec && { env: spec.environment, entrypoint: spec.entrypoint ?? [], command: spec.command ?? [] });
  if (!server) return null;
  if (connection.kind === 'postgres') return postgresSetup(server);
  return connection.kind === 'redis' ? redisSetup(server) : null;
};

/** The official images' variables; `*_FILE` hides a value, `trust` makes the password moot. */
const postgresSetup = ({ env }: Told): Setup | null => {
  if (env['POSTGRES_PASSWORD'] === undefined && env['POSTGRES_USER'] === undefined && env['POSTGRES_HOST_AUTH_METHOD'] !== 'trust')
    return null;
  const user = env['POSTGRES_USER'] || (env['POSTGRES_USER_FILE'] ? null : 'postgres');
  const password = env['POSTGRES_HOST_AUTH_METHOD'] === 'trust' ? null : (env['POSTGRES_PASSWORD'] ?? null);
  return { user, password, database: env['POSTGRES_DB'] || (env['POSTGRES_DB_FILE'] ? null : user) };
};

/** A configuration file or an ACL may hold what neither command nor environment shows. */
const redisSetup = (server: Told): Setup | null => {
  const words = [...server.entrypoint, ...server.command].flatMap((part) => part.split(/\s+/));
  const at = words.indexOf('--requirepass');
  const given = at >= 0 ? (words[at + 1] ?? '').replace(/^["']|["']$/g, '') : null;
  if (given?.startsWith('$')) return { user: null, password: server.env[given.replace(/[${}]/g, '')] ?? null, database: null };
  if (given !== null) return { user: null, password: given, database: null };
  const elsewhere =
    words.some((word) => /\.(conf|acl)$|--aclfile|--include/.test(word)) ||
    Object.keys(server.env).some((key) => /REDIS.*(PASS|ARGS|ACL)/i.test(key));
  return elsewhere || !words.includes('redis-server') ? null : { user: null, password: '', database: null };
};

export const differences = (connection: Connection, setup: Setup): string[] => {
  const user = connection.user ?? (connection.kind === 'postgres' ? null : 'default');
  const otherUser = setup.user !== null && user !== null && user !== setup.user;
  // Marks are compared with marks only: a value that stands in the open was not recognised as a secret.
  const comparable =
    setup.password !== null &&
    (setup.password === '' || isMark(setup.password)) &&
    (connection.password === null || isMark(connection.password));
  const otherPassword =
    !otherUser &&
    (user === null || user === 'default' || user === setup.user) &&
    comparable &&
    (connection.password ?? '') !== setup.password;
  const otherDatabase =
    connection.kind === 'postgres' && setup.database !== null && connection.database !== null && connection.database !== setup.database;
  return [
    ...(otherUser ? [`user "${user}" where "${setup.user}" is set up`] : []),
    ...(otherPassword ? [passwordWords(connection, setup)] : []),
    ...(otherDatabase ? [`database "${connection.database}" where "${setup.database}" is set up`] : []),
  ];
};

const passwordWords = (connection: Connection, setup: Setup): string => {
  if (setup.password === '') return 'a password where none is set up';
  return connection.password === null ? 'no password where one is set up' : 'another password than it is set up with';
};
