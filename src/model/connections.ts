/** Who reaches for whom: connections read from environment variables and `depends_on`. Values are masked before they come here. */
import type { Connection, ConnectionKind, Container, Service } from './stack.ts';

const KINDS: [ConnectionKind, RegExp, number][] = [
  ['postgres', /^(postgres|postgresql|postgis|timescaledb|pgsql|psql|cockroachdb)$/, 5432],
  ['redis', /^(redis|rediss|valkey|valkeys|keydb)$/, 6379],
  ['amqp', /^amqps?$/, 5672],
  ['mysql', /^(mysql|mariadb|mysql2)$/, 3306],
  ['mongodb', /^mongodb(\+srv)?$/, 27017],
  ['http', /^(https?|wss?)$/, 80],
  ['tcp', /^(tcp|nats|kafka|smtp|smtps|memcached|ldap|s3|grpc|clickhouse|elasticsearch|bolt|neo4j)$/, 0],
];

/** `‹secret:…›`, and what stood unescaped in it (see `gather/vault.ts`). */
const URL_PARTS =
  /^([a-z][a-z0-9.-]*)(?:\+([a-z0-9_.-]+))?:\/\/(?:([^:@/?#]*)(?::(‹secret:[0-9a-f]{8}›)?(?:‹raw:([^›]*)›)?)?@)?(\[[^\]]*\]|[^:/?#,\s]*)(?::(\d{1,5}))?(\/[^?#\s]*)?(\?[^#\s]*)?/i;

/** Every connection that the containers' (or, without one, the declared) environment speaks of. */
export const connectionsOf = (services: Service[]): Connection[] => {
  const names = nameTable(services);
  const found = services.flatMap((service) => {
    const env = service.containers[0]?.env ?? service.spec?.environment ?? {};
    return [...fromUrls(service, env, names), ...fromFamilies(service, env, names), ...fromDependsOn(service, services)];
  });
  return sortConnections(unique(found));
};

export const sortConnections = (connections: Connection[]): Connection[] =>
  connections.toSorted((a, b) => compare(sortKey(a), sortKey(b)));

const sortKey = (each: Connection): string => [each.from, each.to ?? '~', each.kind, each.source, each.host, each.port].join('\n');
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const unique = (connections: Connection[]): Connection[] =>
  connections.filter((each, index) => connections.findIndex((other) => sortKey(other) === sortKey(each)) === index);

/** Every name that Docker's DNS or Compose gives a service, to the service. A service's own name wins over an alias. */
export const nameTable = (services: Service[]): Map<string, string> => {
  const table = new Map<string, string>();
  for (const service of services) {
    for (const container of service.containers) {
      for (const name of [container.name, ...container.networks.flatMap((each) => each.names)]) if (!table.has(name)) table.set(name, service.name);
    }
    if (service.spec?.containerName) table.set(service.spec.containerName, service.name);
  }
  for (const service of services) table.set(service.name, service.name);
  return table;
};

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?|0\.0\.0\.0)$/;
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

const fromUrls = (service: Service, env: Record<string, string>, names: Map<string, string>): Connection[] =>
  Object.entries(env).flatMap(([key, value]) => {
    const connection = parseUrl(value.trim());
    if (!connection) return [];
    const to = names.get(connection.host) ?? null;
    // An HTTP URL may be for a browser, a webhook, an allowed origin: it is a connection only where it names a service.
    if (connection.kind === 'http' && to === null) return [];
    if (to === service.name && connection.kind === 'http') return [];
    return [{ ...connection, from: service.name, to, source: `env ${key}` }];
  });

/** A masked URL → its parts; `null` when it is no URL of a kind that services speak. */
export const parseUrl = (value: string): Omit<Connection, 'from' | 'to' | 'source'> | null => {
  const found = URL_PARTS.exec(value);
  if (!found) return null;
  const [, scheme = '', , user, password, raw, rawHost = '', port, path, query] = found;
  const kind = KINDS.find(([, pattern]) => pattern.test(scheme.toLowerCase()));
  if (!kind || (rawHost === '' && kind[0] === 'http')) return null;
  const secure = /s$/.test(scheme) && kind[0] !== 'postgres' && scheme !== 'redis';
  return {
    kind: kind[0],
    host: rawHost.replace(/^\[|\]$/g, ''),
    port: port ? Number(port) : secure && kind[0] === 'http' ? 443 : kind[2],
    user: user ? decode(user) : null,
    password: password ?? null,
    database: databaseOf(kind[0], path, query),
    tls: secure || /[?&](sslmode=(require|verify-ca|verify-full)|ssl=(true|require))/.test(query ?? ''),
    url: value.replace(/‹raw:[^›]*›/g, ''),
    malformed: raw ? `its password holds ${[...raw].map((each) => `"${each}"`).join(', ')} unescaped` : null,
  };
};

const databaseOf = (kind: ConnectionKind, path: string | undefined, query: string | undefined): string | null => {
  if (kind === 'http' || kind === 'tcp') return null;
  const inQuery = /[?&](?:db|dbname|database)=([^&]+)/.exec(query ?? '')?.[1];
  const name = path?.replace(/^\//, '') || inQuery;
  return name ? decode(name) : null;
};

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

const FAMILY_KINDS: [ConnectionKind, RegExp][] = [
  ['postgres', /postgres|^pg|pgsql|timescale/i],
  ['redis', /redis|valkey|keydb/i],
  ['mysql', /mysql|maria/i],
  ['amqp', /rabbit|amqp/i],
  ['mongodb', /mongo/i],
];

const DEFAULT_PORTS: Partial<Record<ConnectionKind, number>> = { postgres: 5432, redis: 6379, mysql: 3306, amqp: 5672, mongodb: 27017 };

/** `DB_HOST`, `DB_PORT`, `DB_USER`, `DB_PASSWORD`, `DB_NAME` and their kin; `PGHOST` and its own. */
const fromFamilies = (service: Service, env: Record<string, string>, names: Map<string, string>): Connection[] =>
  Object.entries(env).flatMap(([key, value]) => {
    const prefix = /^(.*?)_?HOST(?:NAME)?$/i.exec(key)?.[1];
    if (prefix === undefined || prefix === '' || value === '' || !/^[\w.-]+$/.test(value)) return [];
    // A server's own container often carries the same variables for its set-up.
    const to = names.get(value) ?? null;
    const get = (...ends: string[]) => ends.map((end) => env[`${prefix}_${end}`] ?? env[`${prefix}${end}`]).find((each) => each !== undefined && each !== '') ?? null;
    const kind = FAMILY_KINDS.find(([, pattern]) => pattern.test(prefix))?.[0] ?? kindByPort(get('PORT')) ?? null;
    if (kind === null && to === null) return [];
    if (to === service.name || (kind === null && !get('PORT'))) return [];
    const port = Number(get('PORT') ?? DEFAULT_PORTS[kind ?? 'tcp'] ?? 0);
    if (!Number.isInteger(port) || port <= 0 || port > 65_535) return [];
    return [
      {
        from: service.name,
        to,
        kind: kind ?? 'tcp',
        host: value,
        port,
        user: get('USER', 'USERNAME'),
        password: get('PASSWORD', 'PASS', 'PASSWD'),
        database: kind === 'redis' ? get('DB', 'DATABASE') : get('DB', 'DATABASE', 'NAME', 'DBNAME'),
        tls: false,
        url: `${value}:${port}`,
        source: `env ${key}`,
        malformed: null,
      },
    ];
  });

const kindByPort = (port: string | null): ConnectionKind | null =>
  (Object.entries(DEFAULT_PORTS) as [ConnectionKind, number][]).find(([, number]) => String(number) === port)?.[0] ?? null;

const fromDependsOn = (service: Service, services: Service[]): Connection[] => {
  const declared = { ...service.containers[0]?.compose.dependsOn, ...service.spec?.dependsOn };
  return Object.keys(declared)
    .filter((on) => services.some((each) => each.name === on))
    .map((on) => ({
      from: service.name,
      to: on,
      kind: 'depends-on',
      host: on,
      port: 0,
      user: null,
      password: null,
      database: null,
      tls: false,
      url: on,
      source: 'depends_on',
      malformed: null,
    }));
};

/** A connection that a proxy's configuration declares. */
export const proxyConnection = (from: string, host: string, port: number, at: string, names: Map<string, string>): Connection => ({
  from,
  to: names.get(host) ?? null,
  kind: 'http',
  host,
  port,
  user: null,
  password: null,
  database: null,
  tls: false,
  url: `http://${host}:${port}`,
  source: at,
  malformed: null,
});

/** Container addresses of a service, of all its replicas and networks. */
export const addressesOf = (containers: Container[]): string[] =>
  containers.flatMap((container) => container.networks.map((each) => each.ip)).filter(Boolean);
