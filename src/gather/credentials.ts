/** With whose words a server is asked: each client's own, and those that the server itself was given. Passwords are marks. */
import { declaredRoot, pairBeside } from '../model/mongodb-answer.ts';
import { declaredLogins } from '../model/mysql-answer.ts';
import { declaredBroker } from '../model/rabbitmq-answer.ts';
import {
  connectionsFrom,
  connectionsTo,
  serviceNamed,
  shouldRun,
  toldTo,
  type ConnectionKind,
  type Container,
  type Service,
  type Stack,
} from '../model/stack.ts';

export interface Credentials {
  client: string;
  source: string;
  host: string;
  port: number;
  user: string | null;
  password: string | null;
  database: string | null;
  tls: boolean;
  /** What the URL says after its question mark; only where a protocol is told more than the rest says. */
  query?: string;
}

/** Of every client that is there; a malformed URL never gets as far as the server. */
export const clientCredentials = (stack: Stack, server: string, kind: ConnectionKind): Credentials[] =>
  connectionsTo(stack, server).flatMap((each) => {
    const client = serviceNamed(stack, each.from);
    if (each.kind !== kind || each.from === server || each.malformed !== null || each.port <= 0) return [];
    if (!client || (client.containers.length === 0 && !shouldRun(client))) return [];
    const env = client.containers[0] ? toldTo(client.containers[0]) : (client.spec?.environment ?? {});
    // libpq and its kin take it where the URL gives none.
    const password = each.password ?? ((kind === 'postgres' && env['PGPASSWORD']) || null);
    if (password === null && isToldByFile(client, env, stack)) return [];
    const { source, host, port, user, database, tls } = each;
    return [{ client: each.from, source, host, port, user, password, database, tls }];
  });

/**
 * Its password may be in a file that nobody but the client reads: then nothing can be said about it. A file whose content is the password of
 * another connection is that one's.
 */
const isToldByFile = (client: Service, env: Record<string, string>, stack: Stack): boolean => {
  const used = connectionsFrom(stack, client.name).map(({ password }) => password);
  const spent = Object.keys(env).filter((key) => key.endsWith('_FILE') && used.includes(env[key.slice(0, -'_FILE'.length)] ?? ''));
  const files = spent.map((key) => env[key]);
  return (
    Object.keys(env).some(
      (key) => !spent.includes(key) && /(PASS|PASSWORD|PASSWD|SECRETS?|CREDENTIALS?)_?(FILE|PATH)$|^PGPASSFILE$|^PGSERVICEFILE$/i.test(key),
    ) ||
    client.containers.some(({ mounts }) =>
      mounts.some(({ destination }) => destination.startsWith('/run/secrets') && !files.includes(destination)),
    )
  );
};

/**
 * What the official image (and Bitnami's) was told at its first start; `null` where it was told otherwise (a file, a secret), which cannot
 * be tried. Those values count only while the data folder is new: that they fail later is what this is asked for.
 */
export const ownPostgresCredentials = (container: Container): Credentials | null => {
  const env = toldTo(container);
  const key = ['POSTGRES_PASSWORD', 'POSTGRESQL_PASSWORD'].find((each) => env[each]);
  const isTrusting = env['POSTGRES_HOST_AUTH_METHOD'] === 'trust';
  if (!key && !isTrusting) return null;
  const user = env['POSTGRES_USER'] || env['POSTGRESQL_USERNAME'] || 'postgres';
  return {
    client: container.service,
    source: `env ${key && container.env[key] === undefined ? `${key}_FILE` : (key ?? 'POSTGRES_HOST_AUTH_METHOD')}`,
    host: container.service,
    port: postgresPort(container),
    user,
    password: key ? env[key]! : null,
    database: env['POSTGRES_DB'] || env['POSTGRESQL_DATABASE'] || user,
    tls: false,
  };
};

export const postgresPort = (container: Container): number =>
  toPort(container.env['PGPORT']) ?? toPort(valueAfter(container, /^(?:-p|--port|port)$/)) ?? 5432;

/** `requirepass` on the command line, or the variable that images turn into it; no password where none is set. */
export const ownRedisCredentials = (container: Container): Credentials => {
  const key = ['REDIS_PASSWORD', 'VALKEY_PASSWORD'].find((each) => toldTo(container)[each]);
  const flag = valueAfter(container, /^--requirepass$/);
  return {
    client: container.service,
    source: flag ? 'command --requirepass' : key ? `env ${key}` : 'no password set',
    host: container.service,
    port: toPort(valueAfter(container, /^--port$/)) ?? toPort(container.env['REDIS_PORT_NUMBER']) ?? 6379,
    user: null,
    password: flag ?? (key ? toldTo(container)[key]! : null),
    database: null,
    tls: false,
  };
};

/**
 * What the official images of MySQL and MariaDB were told at their first start: root, who sees all accounts, else the one user. No password at
 * all where the set-up says that there is none.
 */
export const ownMysqlCredentials = (container: Container): Credentials | null => {
  const env = toldTo(container);
  const allowsEmpty = ['MARIADB_ALLOW_EMPTY_ROOT_PASSWORD', 'MYSQL_ALLOW_EMPTY_PASSWORD'].find((each) => env[each]);
  const [first] = declaredLogins(env);
  if (!first && !allowsEmpty) return null;
  return {
    client: container.service,
    source: `env ${first?.variable ?? allowsEmpty}`,
    host: container.service,
    port: mysqlPort(container),
    user: first?.user ?? 'root',
    password: first?.password ?? null,
    database: null,
    tls: false,
  };
};

/**
 * A URL with a user and without authSource has the database that it names asked for the user. One without a user may leave that to other
 * variables of the client, which its code puts together in its own way.
 */
export const mongodbClients = (stack: Stack, server: string): Credentials[] =>
  clientCredentials(stack, server, 'mongodb').map((each) => {
    const { url } = connectionsTo(stack, server).find(
      ({ from, source, host, port }) => from === each.client && source === each.source && host === each.host && port === each.port,
    )!;
    const query = /\?(.*)$/.exec(url)?.[1] ?? '';
    if (each.user !== null) {
      const isTold = /(^|&)authSource=/i.test(query) || !url.includes('://');
      return { ...each, query: isTold ? query : `${query}&authSource=${each.database ?? 'admin'}` };
    }
    const client = serviceNamed(stack, each.client);
    const spent = connectionsFrom(stack, each.client).map(({ password }) => password);
    const pair = pairBeside(client?.containers[0] ? toldTo(client.containers[0]) : (client?.spec?.environment ?? {}), spent);
    return { ...each, ...(pair && { user: pair.user, password: pair.password, source: `env ${pair.variable}` }), query };
  });

/** What the official image of MongoDB (and Bitnami's) was told at its first start. */
export const ownMongodbCredentials = (container: Container): Credentials | null => {
  const declared = declaredRoot(toldTo(container));
  if (!declared) return null;
  return {
    client: container.service,
    source: `env ${declared.variable}`,
    host: container.service,
    port: mongodbPort(container),
    user: declared.user,
    password: declared.password,
    database: null,
    tls: false,
    query: 'authSource=admin',
  };
};

export const mongodbPort = (container: Container): number =>
  toPort(valueAfter(container, /^--port$/)) ?? toPort(container.env['MONGODB_PORT_NUMBER']) ?? 27_017;

export const mysqlPort = (container: Container): number =>
  toPort(valueAfter(container, /^(?:-P|--port)$/)) ?? toPort(container.env['MYSQL_TCP_PORT'] ?? container.env['MYSQL_PORT_NUMBER']) ?? 3306;

/** What the official image of RabbitMQ (and Bitnami's) was told at its first start; without a word it makes guest, with the password guest. */
export const ownRabbitmqCredentials = (container: Container): Credentials | null => {
  const declared = declaredBroker(toldTo(container));
  if (!declared) return null;
  return {
    client: container.service,
    source: `env ${declared.variable}`,
    host: container.service,
    port: rabbitmqPort(container),
    user: declared.user,
    password: declared.password,
    database: container.env['RABBITMQ_DEFAULT_VHOST'] || container.env['RABBITMQ_VHOST'] || '/',
    tls: false,
  };
};

export const rabbitmqPort = (container: Container): number => toPort(container.env['RABBITMQ_NODE_PORT']) ?? 5672;

/** Nobody's name is known: then only the protocol is asked for. */
export const unknownCredentials = (container: Container, port: number): Credentials => ({
  client: container.service,
  source: 'no credentials known',
  host: container.service,
  port,
  user: null,
  password: null,
  database: null,
  tls: false,
});

/** `--flag value` or `--flag=value`, also inside one `sh -c` line. */
const valueAfter = (container: Container, flag: RegExp): string | null => {
  const words = [...container.entrypoint, ...container.command].flatMap((each) => each.split(/\s+/));
  for (const [index, word] of words.entries()) {
    const [name = '', value] = word.split(/=(.*)/s);
    if (flag.test(name) && value !== undefined) return unquote(value);
    if (flag.test(word)) return unquote(words[index + 1] ?? '') || null;
  }
  return null;
};

/** A variable of the shell is not known here. */
const unquote = (word: string): string | null => {
  const text = word.replace(/^(['"])(.*)\1$/, '$2');
  return text === '' || text.startsWith('$') ? null : text;
};

const toPort = (text: string | null | undefined): number | null => {
  const port = Number(text);
  return text && Number.isInteger(port) && port > 0 && port < 65_536 ? port : null;
};
