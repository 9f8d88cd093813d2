/** What pgbouncer's configuration says: text → set-up, and set-up → connections. Pure; values are masked by whoever reads the file. */
import { unique } from './attempt.ts';
import { namesFor, nameTable, sortConnections } from './connections.ts';
import type { PoolerSetup } from './facts.ts';
import { connectionsFrom, connectionsTo, serviceNamed, type Connection, type Service, type Stack } from './stack.ts';

type Entry = PoolerSetup['databases'][number];

export interface Ini {
  databases: Omit<Entry, 'at'>[];
  lines: number[];
  settings: Record<string, string>;
}

/** `[databases]` and `[pgbouncer]` of a pgbouncer.ini. Passwords are as they stand there. */
export const parseIni = (text: string): Ini => {
  const found: Ini = { databases: [], lines: [], settings: {} };
  let section = '';
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || /^[;#]/.test(line)) continue;
    const heading = /^\[\s*(\w+)\s*\]/.exec(line)?.[1];
    if (heading) {
      section = heading.toLowerCase();
      continue;
    }
    const [, name = '', value = ''] = /^("(?:[^"]|"")*"|[^\s=]+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (section === 'pgbouncer') found.settings[name.toLowerCase()] = value;
    if (section !== 'databases' || name === '') continue;
    found.databases.push(entryOf(name.replace(/^"(.*)"$/, '$1'), wordsOf(value)));
    found.lines.push(index + 1);
  }
  return found;
};

/** `host=db port=5432 password='it''s'`. */
const wordsOf = (value: string): Map<string, string> =>
  new Map(
    [...value.matchAll(/(\w+)\s*=\s*('(?:[^']|'')*'|\S*)/g)].map(([, key, word]) => [
      key!.toLowerCase(),
      word!.startsWith("'") ? word!.slice(1, -1).replaceAll("''", "'") : word!,
    ]),
  );

const entryOf = (name: string, words: Map<string, string>): Omit<Entry, 'at'> => ({
  name,
  // A path is a socket's folder; without a host it is a socket as well.
  hosts: (words.get('host') ?? '').split(',').filter((host) => host !== '' && !host.startsWith('/')),
  port: Number(words.get('port')) || 5432,
  database: words.get('dbname') || null,
  user: words.get('user') || null,
  password: words.get('password') || null,
});

/** `"user" "password"` a line. */
export const parseUsers = (text: string): { user: string; password: string }[] =>
  [...text.matchAll(/^\s*"((?:[^"]|"")*)"\s+"((?:[^"]|"")*)"/gm)].map(([, user, password]) => ({
    user: user!.replaceAll('""', '"'),
    password: password!.replaceAll('""', '"'),
  }));

/** Who asks a pooler for this database, which it fetches from a server. */
export const clientsThrough = (stack: Stack, pooler: string, database: string | null): string[] =>
  serviceNamed(stack, pooler)?.role === 'pooler'
    ? unique(connectionsTo(stack, pooler).flatMap((each) => (each.kind === 'postgres' && each.database === database ? [each.from] : [])))
    : [];

/** The servers that a service gets to through poolers. */
export const serversThrough = (stack: Stack, client: string): string[] =>
  unique(
    connectionsFrom(stack, client)
      .filter(({ kind, to }) => kind === 'postgres' && to !== null && serviceNamed(stack, to)?.role === 'pooler')
      .flatMap(({ to: pooler }) =>
        connectionsFrom(stack, pooler!).flatMap(({ kind, to }) => (kind === 'postgres' && to !== null ? [to] : [])),
      ),
  );

/** A hash, which opens nothing by itself. */
export const isHashed = (password: string): boolean => /^md5[0-9a-f]{32}$|^SCRAM-SHA-256\$/.test(password);

/** The entry that a database of this name is reached through. */
export const entryFor = (setup: PoolerSetup, database: string): Entry | undefined =>
  setup.databases.find(({ name }) => name === database) ?? setup.databases.find(({ name }) => name === '*');

/** The configuration is what counts: where it was read, the environment that it may have been made of adds only who is let in. */
export const pooled = (connections: Connection[], poolers: Record<string, PoolerSetup>, services: Service[]): Connection[] => {
  const names = nameTable(services);
  const read = Object.entries(poolers).filter(([, { databases }]) => databases.some(({ hosts }) => hosts.length > 0));
  if (read.length === 0) return connections;
  const rest = connections.filter(({ from, kind }) => kind === 'depends-on' || !read.some(([name]) => name === from));
  const own = read.flatMap(([name, { databases, sole }]) => {
    const service = services.find((each) => each.name === name);
    const told = connections.filter(({ from, kind }) => from === name && kind === 'postgres');
    // It goes to the server as the client that it lets in: one whom nobody is, it never goes as.
    const isUsed = connections.some(({ to, kind, user }) => to === name && kind === 'postgres' && user === sole?.user);
    const asSole = databases.map((entry) => (sole && isUsed && entry.user === null ? { ...entry, ...sole } : entry));
    return asSole.flatMap((entry) => entry.hosts.flatMap((host) => connectionTo(entry, host, name, told, namesFor(service, names))));
  });
  return sortConnections([...rest, ...own]);
};

const connectionTo = (entry: Entry, host: string, from: string, told: Connection[], names: Map<string, string>): Connection => {
  const env = told.find((each) => each.host === host && each.port === entry.port);
  const isTold = env !== undefined && (entry.user === null || entry.user === env.user);
  return {
    from,
    to: names.get(host) ?? null,
    kind: 'postgres',
    host,
    port: entry.port,
    user: entry.user ?? env?.user ?? null,
    password: entry.password ?? (isTold ? env.password : null),
    database: entry.database ?? (entry.name === '*' ? (env?.database ?? null) : entry.name),
    tls: false,
    url: `${host}:${entry.port}`,
    // Where somebody would change it: the image writes the file anew from the variable.
    source: isTold ? env.source : entry.at,
    malformed: null,
  };
};
