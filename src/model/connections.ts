/** Who reaches for whom: connections read from environment variables and `depends_on`. Values are masked before they come here. */
import { spokenBy, toldTo, type Connection, type ConnectionKind, type Service } from './stack.ts';

const KINDS: [ConnectionKind, RegExp, number][] = [
  ['postgres', /^(postgres|postgresql|postgis|timescaledb|pgsql|psql|cockroachdb|ecto)$/, 5432],
  ['redis', /^(redis|rediss|valkey|valkeys|keydb)$/, 6379],
  ['amqp', /^(py|librabbitmq)?amqps?$/, 5672],
  ['mysql', /^(mysql|mariadb|mysql2|mysqls)$/, 3306],
  ['mongodb', /^mongodb$/, 27017],
  ['http', /^(https?|wss?)$/, 80],
  ['tcp', /^(tcp|nats|kafka|smtp|smtps|memcached|ldap|s3|grpc|clickhouse|elasticsearch|bolt|neo4j|plaintext|ssl)$/, 0],
];

const SECURE = /^(https|wss|rediss|valkeys|amqps|smtps)$/;

/** `‹secret:…›`, and what stood unescaped in it (see `gather/vault.ts`). The user may be an e-mail address. */
const URL_PARTS =
  /^([a-z][a-z0-9.-]*)(?:\+([a-z0-9_.-]+))?:\/\/(?:([^:/?#]*)(?::(‹secret:[0-9a-f]{8}›)?(?:‹raw:([^›]*)›)?)?@)?(\[[^\]]*\]|[^:/?#,\s]*)(?::(\d{1,5}))?(\/[^?#\s]*)?(\?[^#\s]*)?/i;

/** A certificate, a dump, a whole configuration: no address is as long, and looking for one would take its time. */
const LONGEST_ADDRESS = 8_192;

/** Every connection that the containers' (or, without one, the declared) environment speaks of. */
export const connectionsOf = (services: Service[]): Connection[] => {
  const names = nameTable(services);
  const found = services.flatMap((service) => {
    const env = service.containers[0] ? toldTo(service.containers[0]) : (service.spec?.environment ?? {});
    const known = namesFor(service, names);
    const told = Object.entries(env)
      .filter(([, value]) => value.length <= LONGEST_ADDRESS)
      .flatMap(([key, value]) => hostByHost(value.trim()).flatMap((each) => fromVariable(service, key, each, env, known, services)));
    return [...told.filter((each) => speaks(service, each)), ...fromDependsOn(service, services)];
  });
  return sortConnections(unique(found));
};

const HOST = String.raw`(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?`;
const HOSTS = `${HOST}(?:,${HOST})+`;
const BARE_LIST = new RegExp(String.raw`^${HOST}(?:\s?,\s?${HOST})+$`, 'i');
const URL_WITH_LIST = new RegExp(String.raw`^([a-z][a-z0-9+.-]{0,40}://(?:[^@/?#,]*@)?)(${HOSTS})(?=[/?#]|$)`, 'i');

/** `kafka1:9092,kafka2:9092`, `mongodb://app:…@one:27017,two:27017/app`, `http://one:9200,http://two:9200`: the client goes to each of them. */
const hostByHost = (value: string): string[] => {
  const quoted = /^\["([^"]+)"(?:\s*,\s*"[^"]+")*\]$/.test(value) ? value.slice(2, -2).replace(/"\s*,\s*"/g, ',') : value;
  const urls = quoted.split(/,\s*(?=[a-z][a-z0-9+.-]{0,40}:\/\/)/i);
  if (urls.length > 1 || quoted !== value) return urls;
  const [whole, head, hosts] = URL_WITH_LIST.exec(value) ?? [];
  if (whole !== undefined) return hosts!.split(',').map((host) => head! + host + value.slice(whole.length));
  return BARE_LIST.test(value) && /:\d/.test(value) ? value.split(',').map((host) => host.trim()) : [value];
};

/** One env file for all services is common: what a database or a proxy reads there, it does not use. */
const speaks = (service: Service, { kind, source }: Connection): boolean => {
  // What a pooler is for: the database behind it is named by the same variables as its own set-up.
  if (service.role === 'pooler') return kind === 'postgres';
  if (spokenBy(service.role) !== null) return /MASTER|PRIMARY|LEADER|REPLICA|SOURCE/i.test(source);
  return (service.role !== 'nginx' && service.role !== 'haproxy') || kind === 'http';
};

export const sortConnections = (connections: Connection[]): Connection[] => connections.toSorted((a, b) => compare(sortKey(a), sortKey(b)));

const sortKey = (each: Connection): string => [each.from, each.to ?? '~', each.kind, each.source, each.host, each.port].join('\n');
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const unique = (connections: Connection[]): Connection[] => [...new Map(connections.map((each) => [sortKey(each), each])).values()];

/** Every name that Docker's DNS or Compose gives a service, to the service. A service's own name wins over an alias. */
export const nameTable = (services: Service[]): Map<string, string> => {
  const table = new Map<string, string>();
  for (const service of services) {
    for (const container of service.containers) {
      for (const name of [container.name, ...container.networks.flatMap((each) => each.names)])
        if (!table.has(name)) table.set(name, service.name);
    }
    for (const alias of service.spec?.aliases ?? []) if (!table.has(alias)) table.set(alias, service.name);
    if (service.spec?.containerName) table.set(service.spec.containerName, service.name);
  }
  for (const service of services) table.set(service.name, service.name);
  return table;
};

/** The same, with the names that `links` give to this service alone: as declared, and as its container has them. */
export const namesFor = (service: Service | undefined, names: Map<string, string>): Map<string, string> => {
  const links = Object.entries(service?.containers[0]?.links ?? {});
  const declared = Object.entries(service?.spec?.links ?? {});
  if (links.length + declared.length === 0) return names;
  return new Map([
    ...names,
    ...declared,
    ...links.flatMap(([name, container]) => (names.has(container) ? [[name, names.get(container)!] as const] : [])),
  ]);
};

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?|0\.0\.0\.0)$/;
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

type Told = (
  service: Service,
  key: string,
  value: string,
  env: Record<string, string>,
  names: Map<string, string>,
  services: Service[],
) => Connection[];

/** Docker's name for the machine that the engine runs on. */
export const HOST_GATEWAY = 'host.docker.internal';

/** A variable says one thing: an address, or the host of a family of variables. */
const fromVariable: Told = (...given) => {
  const [service, key, value, env, names, services] = given;
  const parsed = parseUrl(value) ?? parseWords(value) ?? parseBare(value);
  if (!parsed) {
    const family = fromFamily(...given);
    return family.length > 0 ? family : fromHostAndPort(...given);
  }
  const to = names.get(parsed.host) ?? null;
  // An HTTP URL may be for a browser, a webhook, an allowed origin: it is a connection only where it names a service.
  // What a broker listens on, and tells of itself, is written as its clients write where they go.
  if (KAFKA_LISTENER.test(value) && (to === null || to === service.name)) return [];
  if (parsed.kind === 'http' && ((to === null && parsed.host !== HOST_GATEWAY) || to === service.name || isForBrowsers(key))) return [];
  return [
    {
      ...parsed,
      ...(to !== null && /^mongodb\+srv:/i.test(value) ? { malformed: NO_SRV } : {}),
      ...siblings(parsed, key, value, env),
      ...ecto(value, kindByRole(services.find(({ name }) => name === to))),
      from: service.name,
      to,
      source: `env ${key}`,
    },
  ];
};

/** Docker's DNS has addresses of services and nothing else. */
const NO_SRV = 'mongodb+srv:// asks for an SRV record, which no service of Docker has';

const KAFKA_LISTENER = /^(plaintext|ssl):/i;

/** Elixir's URLs do not say which database they are for. */
const ecto = (value: string, kind: ConnectionKind | null): Partial<Parsed> =>
  kind === 'mysql' && value.startsWith('ecto:') ? { kind, ...(/:\d+\//.test(value) ? {} : { port: 3306 }) } : {};

/** Read by a browser, or a list of who may ask. */
const isForBrowsers = (key: string): boolean =>
  /(^|_)(CORS|(?<!(?:API|BACKEND|SERVER|UPSTREAM|TARGET|SERVICE)_)ORIGINS?|ALLOWED|CSRF|TRUSTED|REDIRECT|CALLBACK|RETURN|SUCCESS|CANCEL|ISSUER|AUDIENCE|PUBLIC|VITE|REACT_APP|EXPO|BROWSER|EXTERNAL|SITE|ROOT_URL|VIRTUAL_HOST)(_|$)/i.test(
    key,
  );

/**
 * JDBC URLs and addresses come without credentials, which stand beside them: `SPRING_DATASOURCE_URL`, `…_USERNAME`, `…_PASSWORD`; `REDIS_ADDR`,
 * `REDIS_PASSWORD`; `DATA_SOURCE_URI`, `DATA_SOURCE_USER`, `DATA_SOURCE_PASS`. Beside any other URL a password is not what its reader takes.
 */
const siblings = (parsed: Parsed, key: string, value: string, env: Record<string, string>): Partial<Parsed> => {
  const isAddress = /_ADDR(ESS)?$/i.test(key) && parsed.password === null && DEFAULT_PORTS[parsed.kind] !== undefined;
  if (parsed.user !== null || (!/^(jdbc|r2dbc):/.test(value) && !isAddress && !BARE.test(value))) return {};
  const prefix = key.replace(/_?(JDBC_)?UR[LI]$|_ADDR(ESS)?$/i, '');
  const get = (...ends: string[]) => ends.map((end) => env[`${prefix}_${end}`]).find((each) => each !== undefined && each !== '') ?? null;
  return { user: get('USERNAME', 'USER'), password: parsed.password ?? get('PASSWORD', 'PASS') };
};

type Parsed = Omit<Connection, 'from' | 'to' | 'source'>;

/** `host=db port=5432 user=app password=… dbname=app` (libpq), `Host=db;Username=app;…` (ADO), `app:…@tcp(db:3306)/app`, `app:…@(db:3306)/` (Go). */
const parseWords = (value: string): Parsed | null => {
  const go = /^([^:@/\s]*)(?::(‹secret:[0-9a-f]{8}›))?@(?:tcp\d?)?\(([\w.-]+)(?::(\d{1,5}))?\)\/([^?]*)/.exec(value);
  if (go)
    return {
      ...NOTHING,
      kind: 'mysql',
      host: go[3]!,
      port: Number(go[4] ?? 3306),
      user: go[1] || null,
      password: go[2] ?? null,
      database: go[5] || null,
      url: value,
    };
  const words = new Map(
    [...value.matchAll(/(?:^|[;\s])([A-Za-z][\w ]{0,30}?)\s{0,8}=\s{0,8}('[^']*'|[^;\s]*)/g)].map(([, key, word]) => [
      key!.toLowerCase().replaceAll(' ', ''),
      word!.replace(/^'(.*)'$/, '$1'),
    ]),
  );
  const get = (...keys: string[]) => keys.map((key) => words.get(key)).find((each) => each !== undefined && each !== '') ?? null;
  const host = get('host');
  // `server=` is SQL Server's and MySQL's; `host=` beside a database is Postgres'.
  if (!host || !/^[\w.-]+$/.test(host) || !get('dbname', 'database')) return null;
  const port = Number(get('port') ?? 5432);
  if (!isPort(port)) return null;
  const tls = /^(require|verify-ca|verify-full)$/i.test(get('sslmode') ?? '');
  return {
    ...NOTHING,
    kind: kindByPort(get('port')) ?? 'postgres',
    host,
    port,
    user: get('user', 'username', 'userid', 'uid'),
    password: get('password', 'pwd'),
    database: get('dbname', 'database'),
    tls,
    url: `${host}:${port}`,
  };
};

const BARE = /^[\w.-]+:(\d{1,5})\/[\w-]+(?:\?\S*)?$/;

/** A URL whose scheme its reader takes for granted (`db:5432/shop?sslmode=disable`): the port tells it. */
const parseBare = (value: string): Parsed | null => {
  const kind = kindByPort(BARE.exec(value)?.[1] ?? null);
  const parsed = kind && parseUrl(`${kind}://${value}`);
  return parsed && { ...parsed, url: value };
};

const NOTHING = { user: null, password: null, database: null, tls: false, malformed: null } as const;

const isPort = (port: number): boolean => Number.isInteger(port) && port > 0 && port <= 65_535;

/** The address in a variable that the configuration names, whatever the variable is called; `[]` where it holds none. */
export const namedConnection = (server: Service, client: Service, variable: string): Connection[] => {
  const env = client.containers[0] ? toldTo(client.containers[0]) : (client.spec?.environment ?? {});
  const value = env[variable] ?? '';
  const parsed = value.length > LONGEST_ADDRESS ? null : (parseUrl(value) ?? parseWords(value));
  const source = `env ${variable}`;
  return parsed ? [{ ...parsed, ...siblings(parsed, variable, value, env), from: client.name, to: server.name, source }] : [];
};

/** `redis:6379`, where the first word is a service: whoever writes it means to go there. */
const fromHostAndPort: Told = (service, key, value, _, names) => {
  const [, host = '', port = ''] = /^([\w.-]+):(\d{1,5})$/.exec(value) ?? [];
  const to = names.get(host);
  if (!to || to === service.name || !isPort(Number(port)) || isForBrowsers(key)) return [];
  const kind = kindByPort(port) ?? 'tcp';
  return [{ ...NOTHING, from: service.name, to, kind, host, port: Number(port), url: value, source: `env ${key}` }];
};

/** A masked URL → its parts; `null` when it is no URL of a kind that services speak. */
export const parseUrl = (value: string): Omit<Connection, 'from' | 'to' | 'source'> | null => {
  const isJdbc = value.startsWith('jdbc:');
  // Celery writes `db+postgresql://`.
  const found = URL_PARTS.exec(value.replace(/^(?:r2dbc:|jdbc:|db\+)/, ''));
  if (!found) return null;
  const [, first = '', second, user, password, raw, host = '', port, path, query] = found;
  const kindOf = (scheme: string | undefined) => KINDS.find(([, pattern]) => pattern.test(scheme?.toLowerCase() ?? ''));
  const kind = kindOf(first) ?? kindOf(second);
  // No host: a socket in the file system.
  const name = host.replace(/^\[|\]$/g, '');
  if (!kind || name === '') return null;
  const scheme = (kindOf(first) ? first : (second ?? '')).toLowerCase();
  const secure = SECURE.test(scheme) || (scheme === 'mongodb' && second === 'srv');
  const asked = (name: string) => new RegExp(`[?&]${name}=([^&]+)`).exec(query ?? '')?.[1] ?? null;
  return {
    kind: kind[0],
    host: name,
    port: port ? Number(port) : (SECURE_PORTS[scheme] ?? kind[2]),
    user: user ? decode(user) : isJdbc ? asked('user') : null,
    password: password ?? (isJdbc ? asked('password') : null),
    database: databaseOf(kind[0], path, query),
    tls: secure || /[?&](sslmode=(require|verify-ca|verify-full)|(?:ssl|tls)=(true|require))/i.test(query ?? ''),
    url: value.replace(/‹raw:[^›]*›/g, ''),
    malformed: raw
      ? `its password holds ${[...raw].map((each) => `"${each}"`).join(', ')} unescaped`
      : port && !isPort(Number(port))
        ? `its port is ${port}`
        : null,
  };
};

const SECURE_PORTS: Record<string, number> = { https: 443, wss: 443, amqps: 5671 };

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
  ['postgres', /postgres|^pg|pgsql|timescale|psycopg/i],
  ['redis', /redis|valkey|keydb/i],
  ['mysql', /mysql|maria/i],
  ['amqp', /rabbit|amqp|^rmq/i],
  ['mongodb', /mongo/i],
];

const DEFAULT_PORTS: Partial<Record<ConnectionKind, number>> = { postgres: 5432, redis: 6379, mysql: 3306, amqp: 5672, mongodb: 27017 };

/** What frameworks write for "none". */
const IS_NONE = /^\(?(null|nil|none)\)?$/i;

/** `DB_HOST`, `DB_PORT`, `DB_USER`, `DB_PASSWORD`, `DB_NAME` and their kin; `PGHOST` and its own. */
const fromFamily: Told = (service, key, value, env, names, services) => {
  // A virtual host is a name inside a server, not where it is.
  const prefix = /^(.+?)_?(?:(?<!V)HOST(?:NAME)?|SERVER|SEEDS|(?<=_)ADDR(?:ESS)?)$/i.exec(key)?.[1];
  // WordPress writes the port into the host.
  const [, host, given] = /^([\w.-]+)(?::(\d{1,5}))?$/.exec(value) ?? [];
  if (
    prefix === undefined ||
    host === undefined ||
    IS_MANAGEMENT.test(prefix) ||
    /(^|_)V(IRTUAL_?)?HOST$/i.test(key) ||
    /^\d+$/.test(host) ||
    isForBrowsers(key)
  )
    return [];
  // A server's own container often carries the same variables for its set-up.
  const to = names.get(host) ?? null;
  if (to === service.name) return [];
  // `KC_DB_URL_HOST` beside `KC_DB_PASSWORD`; `REDIS_HOST_PASSWORD` beside `REDIS_HOST`.
  const above = prefix.replace(/_URL$/i, '');
  const get = (...ends: string[]) =>
    ends
      // `database__connection__host`, as some spell it.
      .map(
        (end) =>
          env[`${prefix}_${end}`] ??
          env[`${prefix}${end}`] ??
          env[`${prefix}_${end.toLowerCase()}`] ??
          env[`${above}_${end}`] ??
          env[`${key}_${end}`],
      )
      .find((each) => each !== undefined && each !== '' && !IS_NONE.test(each)) ?? null;
  const kind =
    FAMILY_KINDS.find(([, pattern]) => pattern.test(prefix))?.[0] ??
    FAMILY_KINDS.find(([, pattern]) =>
      pattern.test(get('CONNECTION', 'ENGINE', 'DRIVER', 'DIALECT', 'ADAPTER', 'CLIENT', 'TYPE') ?? ''),
    )?.[0] ??
    kindByRole(services.find((each) => each.name === to)) ??
    kindByPort(given ?? get('PORT')) ??
    (service.role === 'pooler' ? 'postgres' : null);
  if (kind === null && (to === null || !(given ?? get('PORT')))) return [];
  const port = Number(given ?? get('PORT') ?? DEFAULT_PORTS[kind ?? 'tcp'] ?? 0);
  if (!isPort(port)) return [];
  const user = get('USER', 'USERNAME', ...(kind === 'amqp' ? ['DEFAULT_USER'] : []));
  const password = get('PASSWORD', 'PASS', 'PASSWD', 'PW', 'PWD', ...(kind === 'amqp' ? ['DEFAULT_PASS'] : []));
  return [
    {
      ...NOTHING,
      database: get(...DATABASE_WORDS[kind === 'redis' || kind === 'amqp' ? kind : 'other']),
      ...(user === null && password === null ? inWordsOfServer(kind, env) : { user, password }),
      from: service.name,
      to,
      kind: kind ?? 'tcp',
      host,
      port,
      url: `${host}:${port}${kind === 'mongodb' ? authDatabase(get) : ''}`,
      source: `env ${key}`,
    },
  ];
};

/** `POSTGRES_USER` and `POSTGRES_PASSWORD` beside `DB_SERVER_HOST`: as the server's own image spells them. */
const inWordsOfServer = (kind: ConnectionKind | null, env: Record<string, string>): Partial<Parsed> => {
  const prefix = { postgres: 'POSTGRES', mysql: 'MYSQL' }[String(kind)];
  const [user, password, postgres, mysql] = ['USER', 'PASSWORD', 'DB', 'DATABASE'].map((end) => env[`${prefix}_${end}`] || null);
  const database = postgres ?? mysql;
  return user && password ? { user, password, ...(database ? { database } : {}) } : {};
};

/** As Spring and others spell it: the database that knows the user. */
const authDatabase = (get: (...ends: string[]) => string | null): string => {
  const name = get('AUTHENTICATION_DATABASE', 'AUTH_DATABASE', 'AUTHSOURCE', 'AUTH_SOURCE', 'AUTH_DB');
  return name === null ? '' : `/?authSource=${name}`;
};

/** The web interface of RabbitMQ, or a server's metrics. */
const IS_MANAGEMENT = /(rabbit|amqp|rmq|mysql|maria|mongo|redis)\w*_(MANAGEMENT|MGMT|ADMIN|HTTP|API|METRICS|PROMETHEUS)$/i;

const DATABASE_WORDS = {
  redis: ['DB', 'DATABASE'],
  amqp: ['VHOST', 'VIRTUAL_HOST', 'VIRTUALHOST', 'DEFAULT_VHOST'],
  other: ['DB', 'DATABASE', 'NAME', 'DBNAME', 'DB_NAME', 'SCHEMA'],
};

const kindByRole = (target: Service | undefined): ConnectionKind | null => (target ? spokenBy(target.role) : null);

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

/** What a proxy speaks to those who answer HTTP themselves; FastCGI, uWSGI and their like are protocols of their own. */
const SPEAKS_HTTP = /^(https?|grpcs?|h2c)$/;

/** A connection that a proxy's configuration declares. */
export const proxyConnection = (
  from: string,
  { host, port, at, scheme }: { host: string; port: number; at: string; scheme: string },
  names: Map<string, string>,
): Connection => ({
  from,
  to: names.get(host) ?? null,
  kind: SPEAKS_HTTP.test(scheme) ? 'http' : 'tcp',
  host,
  port,
  user: null,
  password: null,
  database: null,
  tls: false,
  url: `${scheme}://${host}:${port}`,
  source: at,
  malformed: null,
});
