import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createVault } from '../../src/gather/vault.ts';
import { connectionsOf, isLoopback, nameTable, parseUrl } from '../../src/model/connections.ts';
import type { Connection, Role } from '../../src/model/stack.ts';
import { makeService } from '../checks/make.ts';

const ROLES: Record<string, Role> = { db: 'postgres', redis: 'redis', shelf: 'mysql', parcels: 'rabbitmq' };

/** Environment of one client beside db (Postgres), redis, shelf (MySQL), parcels (RabbitMQ) and web; masked as the gatherers do it. */
const from = (env: Record<string, string>, client: { name?: string; role?: Role } = {}): Connection[] => {
  const vault = createVault();
  const masked = Object.fromEntries(Object.entries(env).map(([key, value]) => [key, vault.maskEnv(key, value)]));
  const services = [
    makeService({ name: client.name ?? 'app', role: client.role ?? 'http', containers: [{ env: masked }] }),
    ...['db', 'redis', 'shelf', 'parcels', 'web', 'app']
      .filter((name) => name !== (client.name ?? 'app'))
      .map((name) => makeService({ name, role: ROLES[name] ?? 'http' })),
  ];
  const reveal = (each: Connection): Connection => ({ ...each, password: each.password === null ? null : vault.reveal(each.password) });
  return connectionsOf(services)
    .filter((each) => each.from === (client.name ?? 'app'))
    .map(reveal);
};

const brief = (each: Connection): string =>
  `${each.kind} ${each.user ?? '-'}:${each.password ?? '-'}@${each.host}:${each.port}/${each.database ?? '-'}${each.tls ? ' tls' : ''} → ${each.to ?? 'nobody'}`;

describe('URLs', () => {
  test.each([
    ['postgresql://shop:pw@db:5432/shop', 'postgres shop:pw@db:5432/shop → db'],
    ['postgresql+asyncpg://shop:pw@db/shop', 'postgres shop:pw@db:5432/shop → db'],
    ['postgres://shop@db/shop', 'postgres shop:-@db:5432/shop → db'],
    ['POSTGRES://db', 'postgres -:-@db:5432/- → db'],
    ['db+postgresql://shop:pw@db/results', 'postgres shop:pw@db:5432/results → db'],
    ['psql://shop:p%40ss%2Fw@db/sh%20op', 'postgres shop:p@ss/w@db:5432/sh op → db'],
    ['postgresql://shop:pw@db/shop?sslmode=require', 'postgres shop:pw@db:5432/shop tls → db'],
    ['postgresql://shop:pw@[fd00::5]:5433/shop', 'postgres shop:pw@fd00::5:5433/shop → nobody'],
    ['postgresql://shop:pw@prod.example.com/shop', 'postgres shop:pw@prod.example.com:5432/shop → nobody'],
    ['jdbc:postgresql://db:5432/shop?user=shop&password=pw', 'postgres shop:pw@db:5432/shop → db'],
    ['redis://redis:6379/0', 'redis -:-@redis:6379/0 → redis'],
    ['redis://:pw@redis', 'redis -:pw@redis:6379/- → redis'],
    ['rediss://user:pw@redis:6380/2', 'redis user:pw@redis:6380/2 tls → redis'],
    ['REDIS://redis', 'redis -:-@redis:6379/- → redis'],
    ['valkey://redis?db=3', 'redis -:-@redis:6379/3 → redis'],
    ['amqp://guest:guest@rabbit:5672//', 'amqp guest:guest@rabbit:5672// → nobody'],
    ['pyamqp://u:pw@parcels/orders', 'amqp u:pw@parcels:5672/orders → parcels'],
    ['amqp://u:pw@parcels/%2F', 'amqp u:pw@parcels:5672// → parcels'],
    ['mysql+aiomysql://u:pw@shelf/shop', 'mysql u:pw@shelf:3306/shop → shelf'],
    ['mariadb://u:pw@shelf:3307/shop', 'mysql u:pw@shelf:3307/shop → shelf'],
    ['jdbc:mysql://shelf:3306/shop?user=u&password=pw', 'mysql u:pw@shelf:3306/shop → shelf'],
    ['jdbc:mariadb://shelf/shop', 'mysql -:-@shelf:3306/shop → shelf'],
    ['amqps://rabbit', 'amqp -:-@rabbit:5671/- tls → nobody'],
    ['mysql+pymysql://root:pw@mysql/shop', 'mysql root:pw@mysql:3306/shop → nobody'],
    ['mongodb+srv://u:pw@cluster.example.net/shop', 'mongodb u:pw@cluster.example.net:27017/shop tls → nobody'],
    ['mongodb://u:pw@m1/shop?tls=true', 'mongodb u:pw@m1:27017/shop tls → nobody'],
    ['smtp://bob@example.com:pw@mail:1025', 'tcp bob@example.com:pw@mail:1025/- → nobody'],
    ['nats://web:4222', 'tcp -:-@web:4222/- → web'],
    ['http://web:3000/api', 'http -:-@web:3000/- → web'],
    ['https://web', 'http -:-@web:443/- tls → web'],
    ['wss://web/socket', 'http -:-@web:443/- tls → web'],
    ['host=db user=shop password=pw dbname=shop', 'postgres shop:pw@db:5432/shop → db'],
    ["host=db port=5433 user=shop password='p w' dbname=shop sslmode=require", 'postgres shop:p w@db:5433/shop tls → db'],
    ['Host=db;Port=5432;Database=shop;Username=shop;Password=pw', 'postgres shop:pw@db:5432/shop → db'],
    ['shop:pw@tcp(db:3306)/shop?parseTime=true', 'mysql shop:pw@db:3306/shop → db'],
    ['redis:6379', 'redis -:-@redis:6379/- → redis'],
    ['web:50051', 'tcp -:-@web:50051/- → web'],
  ])('%s', (value, expected) => expect(from({ SOME_URL: value }).map(brief)).toEqual([expected]));

  test.each([
    ['no URL', 'hello'],
    ['an unknown scheme', 'gopher://db/x'],
    ['HTTP to a stranger', 'https://api.stripe.com/v1'],
    ['HTTP to localhost, which is for a browser', 'http://localhost:3000'],
    ['HTTP to oneself', 'http://app:8000'],
    ['a file', 'sqlite:///data/x.db'],
    ['a socket', 'postgresql:///shop'],
    ['a socket of redis', 'redis+socket:///run/redis.sock'],
    ['host and port of a stranger', 'somewhere:8000'],
    ['a time', '12:30'],
    ['an image', 'postgres:16'],
    ['words that only look like a DSN', 'host=db and more'],
    ['nothing', ''],
  ])('%s is no connection', (_, value) => expect(from({ SOME_URL: value })).toEqual([]));

  test.each([
    'CORS_ORIGINS',
    'ALLOWED_API_ORIGINS',
    'ALLOWED_ORIGINS',
    'CSRF_TRUSTED_ORIGINS',
    'VITE_API_URL',
    'NEXT_PUBLIC_API_URL',
    'PUBLIC_API_URL',
    'OAUTH_REDIRECT_URI',
    'STRIPE_SUCCESS_URL',
    'JWT_ISSUER',
  ])('%s is for browsers', (key) => expect(from({ [key]: 'http://web:3000' })).toEqual([]));

  test.each(['API_ORIGIN', 'BACKEND_ORIGIN', 'UPSTREAM_ORIGIN'])('%s is where a server asks', (key) =>
    expect(from({ [key]: 'http://web:3000' }).map(brief)).toEqual(['http -:-@web:3000/- → web']),
  );

  test.each([
    ['postgres://u:p@ss@db/x', 'its password holds "@" unescaped'],
    ['postgres://u:p/s#s@db/x', 'its password holds "/", "#" unescaped'],
    ['postgres://u:100%@db/x', 'its password holds "%" unescaped'],
    ['postgres://u:p@db:70000/x', 'its port is 70000'],
  ])('%s: says what is wrong with it', (value, malformed) => {
    const [found] = from({ DATABASE_URL: value });
    expect(found).toMatchObject({ host: 'db', to: 'db', malformed });
    expect(found!.url).not.toContain('raw:');
  });

  test('the URL as shown holds no password', () => {
    expect(parseUrl(createVault().maskEnv('DATABASE_URL', 'postgres://u:sw0rdfish@db/x'))?.url).toMatch(
      /^postgres:\/\/u:‹secret:[0-9a-f]{8}›@db\/x$/,
    );
  });
});

describe('families of variables', () => {
  test.each(['RABBITMQ_DEFAULT_VHOST', 'BROKER_VHOST', 'AMQP_VIRTUAL_HOST'])('%s is a name inside a server', (key) =>
    expect(from({ [key]: 'shop' })).toEqual([]),
  );

  test('what stands in the file that a variable names', () => {
    const vault = createVault();
    const env = { DB_HOST: 'db', DB_USER: 'shop', DB_PASSWORD_FILE: '/run/secrets/db' };
    const client = makeService({ name: 'app', containers: [{ env, toldByFile: { DB_PASSWORD: vault.mark('pw') } }] });
    const [found] = connectionsOf([client, makeService({ name: 'db', role: 'postgres' })]);
    expect(vault.reveal(found!.password!)).toBe('pw');
  });

  test('an address that only the DNS of the internet could resolve', () => {
    expect(from({ MONGO_URL: 'mongodb+srv://u:pw@db/shop' })).toMatchObject([
      { to: 'db', malformed: expect.stringContaining('SRV record') as string },
    ]);
    expect(from({ MONGO_URL: 'mongodb+srv://u:pw@cluster.example.net/shop' })).toMatchObject([{ to: null, malformed: null }]);
  });

  test('the database that knows the user, where variables name one', () => {
    const family = { SPRING_DATA_MONGODB_HOST: 'db', SPRING_DATA_MONGODB_USERNAME: 'u', SPRING_DATA_MONGODB_DATABASE: 'shop' };
    expect(from(family)[0]).toMatchObject({ kind: 'mongodb', host: 'db', user: 'u', database: 'shop', url: 'db:27017' });
    expect(from({ ...family, SPRING_DATA_MONGODB_AUTHENTICATION_DATABASE: 'admin' })[0]!.url).toBe('db:27017/?authSource=admin');
  });

  test.each([
    ['DB_*', { DB_HOST: 'db', DB_PORT: '5432', DB_USER: 'shop', DB_PASSWORD: 'pw', DB_NAME: 'shop' }, 'postgres shop:pw@db:5432/shop → db'],
    [
      'DB_* with no port, by the role of the target',
      { DB_HOST: 'db', DB_USER: 'shop', DB_PASS: 'pw', DB_DATABASE: 'shop' },
      'postgres shop:pw@db:5432/shop → db',
    ],
    [
      'DB_* of Laravel with a typo',
      { DB_CONNECTION: 'pgsql', DB_HOST: 'postgres', DB_DATABASE: 'shop' },
      'postgres -:-@postgres:5432/shop → nobody',
    ],
    ['PG*', { PGHOST: 'db', PGPORT: '5433', PGUSER: 'shop', PGPASSWORD: 'pw', PGDATABASE: 'shop' }, 'postgres shop:pw@db:5433/shop → db'],
    [
      'POSTGRES_*',
      { POSTGRES_HOST: 'db', POSTGRES_USER: 'shop', POSTGRES_PASSWORD: 'pw', POSTGRES_DB: 'shop' },
      'postgres shop:pw@db:5432/shop → db',
    ],
    [
      'POSTGRES_SERVER',
      { POSTGRES_SERVER: 'db', POSTGRES_USER: 'shop', POSTGRES_PASSWORD: 'pw', POSTGRES_DB: 'shop' },
      'postgres shop:pw@db:5432/shop → db',
    ],
    ['REDIS_*', { REDIS_HOST: 'redis', REDIS_PORT: '6379', REDIS_DB: '2', REDIS_PASSWORD: 'pw' }, 'redis -:pw@redis:6379/2 → redis'],
    ['REDIS_* of Laravel', { REDIS_HOST: 'redis', REDIS_PASSWORD: 'null', REDIS_PORT: '6379' }, 'redis -:-@redis:6379/- → redis'],
    ['CACHE_HOST by the role of the target', { CACHE_HOST: 'redis' }, 'redis -:-@redis:6379/- → redis'],
    ['MYSQL_*', { MYSQL_HOST: 'mysql', MYSQL_USER: 'u', MYSQL_PASSWORD: 'pw', MYSQL_DATABASE: 'd' }, 'mysql u:pw@mysql:3306/d → nobody'],
    [
      'WordPress, with the port in the host',
      { WORDPRESS_DB_HOST: 'shelf:3307', WORDPRESS_DB_USER: 'wp', WORDPRESS_DB_PASSWORD: 'pw', WORDPRESS_DB_NAME: 'wp' },
      'mysql wp:pw@shelf:3307/wp → shelf',
    ],
    [
      'DB_* by the role of the target',
      { DB_HOST: 'shelf', DB_USER: 'u', DB_PASSWORD: 'pw', DB_NAME: 'd' },
      'mysql u:pw@shelf:3306/d → shelf',
    ],
    ['DB_* by the port', { DB_HOST: 'elsewhere.example', DB_PORT: '3306' }, 'mysql -:-@elsewhere.example:3306/- → nobody'],
    ['MARIADB_*', { MARIADB_HOST: 'shelf', MARIADB_USER: 'u', MARIADB_PASSWORD: 'pw' }, 'mysql u:pw@shelf:3306/- → shelf'],
    ['RMQ_*', { RMQ_HOST: 'parcels', RMQ_USER: 'u', RMQ_PASS: 'pw', RMQ_VHOST: 'orders' }, 'amqp u:pw@parcels:5672/orders → parcels'],
    [
      'the variables of the image, handed to a client',
      { RABBITMQ_HOST: 'parcels', RABBITMQ_DEFAULT_USER: 'u', RABBITMQ_DEFAULT_PASS: 'pw' },
      'amqp u:pw@parcels:5672/- → parcels',
    ],
    ['BROKER_HOST by the role of the target', { BROKER_HOST: 'parcels' }, 'amqp -:-@parcels:5672/- → parcels'],
    ['RABBITMQ_*', { RABBITMQ_HOST: 'rabbit', RABBITMQ_USER: 'guest' }, 'amqp guest:-@rabbit:5672/- → nobody'],
    ['another server of the stack', { SMTP_HOST: 'web', SMTP_PORT: '1025' }, 'tcp -:-@web:1025/- → web'],
    [
      'in small letters',
      { database__connection__host: 'shelf', database__connection__user: 'u', database__connection__database: 'd' },
      'mysql u:-@shelf:3306/d → shelf',
    ],
    ['seeds', { POSTGRES_SEEDS: 'db', POSTGRES_USER: 'u', POSTGRES_PWD: 'pw' }, 'postgres u:pw@db:5432/- → db'],
    ['localhost', { POSTGRES_HOST: 'localhost' }, 'postgres -:-@localhost:5432/- → nobody'],
  ] as [string, Record<string, string>, string][])('%s', (_, env, expected) => expect(from(env).map(brief)).toEqual([expected]));

  test.each([
    ['the address to listen on', { HOST: '0.0.0.0', PORT: '8000', HOSTNAME: 'app' }],
    ['a virtual host', { VIRTUAL_HOST: 'shop.example.com' }],
    ['no port, no role, no kind', { UPSTREAM_HOST: 'web' }],
    ['a port that is none', { POSTGRES_HOST: 'db', POSTGRES_PORT: 'tcp://10.0.0.1:5432' }],
    ['a pattern', { MYSQL_ROOT_HOST: '%' }],
    ['a number', { SOME_SERVER: '1' }],
    ['the web interface of RabbitMQ', { RABBITMQ_MANAGEMENT_HOST: 'parcels' }],
  ] as [string, Record<string, string>][])('%s is no connection', (_, env) =>
    expect(from(env).filter((each) => each.source !== 'env POSTGRES_PORT')).toEqual([]),
  );

  test('JDBC with its credentials beside it', () => {
    const env = {
      SPRING_DATASOURCE_URL: 'jdbc:postgresql://db:5432/shop',
      SPRING_DATASOURCE_USERNAME: 'shop',
      SPRING_DATASOURCE_PASSWORD: 'pw',
    };
    expect(from(env).map(brief)).toEqual(['postgres shop:pw@db:5432/shop → db']);
  });
});

describe('who speaks', () => {
  const shared = { DATABASE_URL: 'postgres://u:p@db/x', REDIS_URL: 'redis://redis:6379', API_URL: 'http://web:3000' };
  test('a database that was given the env file of all services uses none of it', () => {
    expect(from(shared, { name: 'redis', role: 'redis' })).toEqual([]);
    expect(from(shared, { name: 'db', role: 'postgres' })).toEqual([]);
  });
  test('but a replica names its master', () => {
    expect(from({ REDIS_MASTER_HOST: 'redis', REDIS_MASTER_PORT_NUMBER: '6379' }, { name: 'replica', role: 'redis' }).map(brief)).toEqual([
      'redis -:-@redis:6379/- → redis',
    ]);
  });
  test('a proxy speaks HTTP alone', () => {
    expect(from(shared, { name: 'edge', role: 'nginx' }).map((each) => each.kind)).toEqual(['http']);
  });
});

describe('lists of hosts: the client goes to each', () => {
  test.each([
    ['mongodb://u:pw@m1:27017,m2:27018/shop?replicaSet=rs', ['mongodb u:pw@m1:27017/shop → nobody', 'mongodb u:pw@m2:27018/shop → nobody']],
    [
      'postgresql://shop:p%2Cw@db,standby:5433/shop',
      ['postgres shop:p,w@db:5432/shop → db', 'postgres shop:p,w@standby:5433/shop → nobody'],
    ],
    ['redis:6379,web:9092', ['redis -:-@redis:6379/- → redis', 'tcp -:-@web:9092/- → web']],
    ['http://web:9200,http://app2:9200', ['http -:-@web:9200/- → web']],
    ['["http://web:9200"]', ['http -:-@web:9200/- → web']],
    ['PLAINTEXT://web:9092', ['tcp -:-@web:9092/- → web']],
    // What a broker says of itself.
    ['PLAINTEXT://app:9092,HOST://localhost:9094', []],
    ['ecto://u:pw@db/shop', ['postgres u:pw@db:5432/shop → db']],
    ['ecto://u:pw@shelf/shop', ['mysql u:pw@shelf:3306/shop → shelf']],
    ['redis:6379, web:9092', ['redis -:-@redis:6379/- → redis', 'tcp -:-@web:9092/- → web']],
    // Words, no addresses.
    ['db,redis', []],
    ['a, b:1c', []],
  ])('%s', (value, expected) => expect(from({ BROKERS: value }).map(brief)).toEqual(expected));
});

describe('whatever stands in a value', () => {
  const CHARS = fc.constantFrom(...`$\`'"@:/?#[]%&=+;, {}()|<>~^!*\\\n\t`, 'é', '‹', '›', '\0', 'a', '1');
  const password = fc.string({ unit: CHARS, minLength: 1, maxLength: 12 });

  test('an encoded password is read as it is, whatever is in it', () => {
    fc.assert(
      fc.property(password, (secret) => {
        fc.pre(secret.trim() === secret);
        const [found, ...more] = from({ CACHE_URL: `redis://:${encodeURIComponent(secret)}@redis:6379/0` });
        expect(more).toEqual([]);
        expect(found).toMatchObject({ to: 'redis', port: 6379, database: '0', malformed: null, password: secret });
      }),
    );
  });

  test('one that is not encoded is never shown, and never makes a host of its own', () => {
    fc.assert(
      fc.property(password, (tail) => {
        const secret = `S3cr3t${tail}`;
        for (const each of from({ DATABASE_URL: `postgresql://shop:${secret}@db:5432/shop` })) {
          expect(each.url).not.toContain('S3cr3t');
          expect(each.host).not.toContain('S3cr3t');
        }
      }),
    );
  });

  test('no value throws, and what comes of it is whole', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.string({
        unit: fc.constantFrom('redis://', 'db', ':', '@', ',', '/', '[', ']', '::1', '5432', '?', '=', '%', 'host=', ' ', ';'),
        maxLength: 20,
      }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('X_URL', 'DB_HOST', 'HOST', 'PGHOST', 'BROKERS'),
        value,
        fc.constantFrom('app', 'db', 'redis'),
        (key, text, name) => {
          for (const each of from({ [key]: text, DB_PORT: text }, { name })) {
            expect(each.from).toBe(name);
            expect(each.host).not.toBe('');
            if (each.malformed === null) expect(each.port).toBeGreaterThanOrEqual(0);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a megabyte is no address', () => {
    for (const text of ['redis://redis,'.repeat(80_000), `a${' '.repeat(1_000_000)}b`, "a='".repeat(300_000)])
      expect(from({ CERTIFICATE: text })).toEqual([]);
  });

  test('services that wait for each other, and for themselves', () => {
    const services = ['a', 'b', 'c'].map((name, index, all) =>
      makeService({ name, spec: { dependsOn: { [all[(index + 1) % 3]!]: 'service_started', [name]: 'service_started' } } }),
    );
    expect(connectionsOf(services).map((each) => `${each.from}>${each.to}`)).toEqual(['a>a', 'a>b', 'b>b', 'b>c', 'c>a', 'c>c']);
  });
});

test('depends_on, of the files and of the containers, but not of services that are nowhere', () => {
  const services = [
    makeService({
      name: 'app',
      spec: { dependsOn: { db: 'service_healthy', ghost: 'service_started' } },
      containers: [{ compose: { dependsOn: { redis: 'service_started', db: 'service_started' } } }],
    }),
    makeService({ name: 'db' }),
    makeService({ name: 'redis' }),
  ];
  expect(connectionsOf(services).map((each) => `${each.from}→${each.to} ${each.kind} ${each.port}`)).toEqual([
    'app→db depends-on 0',
    'app→redis depends-on 0',
  ]);
});

test('a declared environment speaks for a service with no container', () => {
  const services = [
    makeService({ name: 'app', spec: { environment: { REDIS_URL: 'redis://redis' } }, containers: [] }),
    makeService({ name: 'redis' }),
  ];
  expect(connectionsOf(services).map((each) => each.to)).toEqual(['redis']);
});

test('the alias of a link is for the one service that has it; aliases of networks are for all', () => {
  const one = (name: string, links?: Record<string, string>) =>
    makeService({
      name,
      containers: [],
      spec: { environment: { X: 'redis://sessions', Y: 'redis://kv.internal' }, ...(links && { links }) },
    });
  const services = [
    one('a', { sessions: 'kv' }),
    one('b'),
    makeService({ name: 'kv', containers: [], spec: { aliases: ['kv.internal'] } }),
  ];
  expect(connectionsOf(services).map((each) => `${each.from} ${each.host} ${each.to}`)).toEqual([
    'a sessions kv',
    'a kv.internal kv',
    'b kv.internal kv',
    'b sessions null',
  ]);
});

test("names: aliases and container names lead to the service; a service's own name is nobody else's alias", () => {
  const table = nameTable([
    makeService({ name: 'api', containers: [{ name: 'shop-api-1', networks: [{ names: ['api', 'backend', 'db'] }] }] }),
    makeService({ name: 'db', spec: { containerName: 'the-db' }, containers: [] }),
  ]);
  expect(Object.fromEntries(table)).toMatchObject({ api: 'api', backend: 'api', 'shop-api-1': 'api', db: 'db', 'the-db': 'db' });
});

test.each([
  ['localhost', true],
  ['127.0.0.1', true],
  ['127.1.2.3', true],
  ['::1', true],
  ['[::1]', true],
  ['0.0.0.0', true],
  ['db', false],
  ['localhost.example.com', false],
  ['128.0.0.1', false],
])('isLoopback(%s) is %s', (host, expected) => expect(isLoopback(host)).toBe(expected));

test('order and doubles do not depend on the order of variables', () => {
  const env = { B_URL: 'redis://redis', A_URL: 'postgres://db/x', C_HOST: 'redis' };
  const reversed = Object.fromEntries(Object.entries(env).toReversed());
  expect(from(env)).toEqual(from(reversed));
});

test('many services take no time', () => {
  const env = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`URL_${index}`, `redis://s${index}:6379`]));
  const services = Array.from({ length: 200 }, (_, index) => makeService({ name: `s${index}`, containers: [{ env }] }));
  const started = performance.now();
  expect(connectionsOf(services)).toHaveLength(4_000);
  expect(performance.now() - started).toBeLessThan(3_000);
});
