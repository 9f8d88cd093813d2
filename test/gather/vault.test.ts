import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createVault } from '../../src/gather/vault.ts';
import { parseUrl } from '../../src/model/connections.ts';
import { hideMarks, isMark, isSecretName } from '../../src/model/secrets.ts';

const MARK = /^‹secret:[0-9a-f]{8}›$/;

describe('marks', () => {
  test('are equal for equal secrets, differ for others, and differ from run to run', () => {
    const vault = createVault();
    expect(vault.mark('hunter2')).toMatch(MARK);
    expect(vault.mark('hunter2')).toBe(vault.mark('hunter2'));
    expect(vault.mark('hunter2')).not.toBe(vault.mark('hunter3'));
    expect(vault.mark('hunter2')).not.toBe(createVault().mark('hunter2'));
  });

  test('an empty password stays empty: it is no secret, and a finding', () => {
    expect(createVault().mark('')).toBe('');
    expect(createVault().maskEnv('DB_PASSWORD', '')).toBe('');
  });

  test('a mark is not marked again, and is turned back only by its own vault', () => {
    const vault = createVault();
    const mark = vault.mark('hunter2');
    expect(vault.mark(mark)).toBe(mark);
    expect(vault.maskText(`password=${mark}`)).toBe(`password=${mark}`);
    expect(vault.reveal(`x ${mark} y`)).toBe('x hunter2 y');
    expect(createVault().reveal(mark)).toBe(mark);
  });

  test('the same password has one mark, wherever it stands', () => {
    const vault = createVault();
    const mark = vault.maskEnv('POSTGRES_PASSWORD', 'p@ss/w#rd');
    expect(vault.maskEnv('DATABASE_URL', 'postgres://u:p%40ss%2Fw%23rd@db/x')).toBe(`postgres://u:${mark}@db/x`);
    expect(vault.maskEnv('DATABASE_URL', 'postgres://u:p@ss/w#rd@db/x')).toBe(`postgres://u:${mark}‹raw:@/#›@db/x`);
    expect(vault.maskArguments(['redis-server', '--requirepass', 'p@ss/w#rd'])).toEqual(['redis-server', '--requirepass', mark]);
  });

  test('for people they are stars', () => {
    const vault = createVault();
    expect(hideMarks(vault.maskEnv('DATABASE_URL', 'postgres://u:a@b@db/x'))).toBe('postgres://u:***@db/x');
  });
});

describe('names of variables', () => {
  test.each([
    'POSTGRES_PASSWORD',
    'PGPASSWORD',
    'MYSQL_ROOT_PASSWORD',
    'REDIS_AUTH',
    'SECRET_KEY',
    'SECRET_KEY_BASE',
    'JWT_SECRET',
    'API_KEY',
    'APIKEY',
    'STRIPE_KEY',
    'APP_KEY',
    'AWS_SECRET_ACCESS_KEY',
    'GITHUB_TOKEN',
    'DB_PASS',
    'DB_PW',
    'dbPassword',
    'spring.datasource.password',
    'SESSION_COOKIE',
    'RAILS_MASTER_KEY',
    'ENCRYPTION_KEY',
    'SMTP_PASSWD',
    'AUTH_TOKENS',
    'SERVICE_ROLE_KEY',
    'PASSWORD1',
  ])('%s is a secret', (name) => expect(isSecretName(name)).toBe(true));

  test.each([
    'POSTGRES_USER',
    'POSTGRES_DB',
    'POSTGRES_PASSWORD_FILE',
    'DATABASE_URL',
    'PWD',
    'OLDPWD',
    'PATH',
    'AUTHOR',
    'COMPASS_MODE',
    'PASSENGER_APP_ENV',
    'POSTGRES_HOST_AUTH_METHOD',
    'TOKEN_TTL',
    'ACCESS_TOKEN_EXPIRE_MINUTES',
    'MAX_TOKENS',
    'TOKENIZERS_PARALLELISM',
    'SSH_AUTH_SOCK',
    'PUBLIC_KEY',
    'QUEUE_KEY',
    'KEYCLOAK_URL',
    'MONKEY',
    'KEYBOARD',
    'PASSWORD_MIN_LENGTH',
    'ENABLE_AUTH',
    'SECRET_NAME_PATH',
  ])('%s is none', (name) => expect(isSecretName(name)).toBe(false));
});

describe('values of variables', () => {
  const cases: [name: string, value: string, masked: string][] = [
    ['POSTGRES_PASSWORD', 'hunter2', '*'],
    ['DATABASE_URL', 'postgresql+asyncpg://shop:hunter2@db:5432/shop', 'postgresql+asyncpg://shop:*@db:5432/shop'],
    ['REDIS_URL', 'redis://:hunter2@redis:6379/0', 'redis://:*@redis:6379/0'],
    ['REDIS_URL', 'redis://redis:6379/0', 'redis://redis:6379/0'],
    ['API', 'http://web:3000/@scope/package', 'http://web:3000/@scope/package'],
    ['API', 'http://web:3000', 'http://web:3000'],
    ['API', 'http://[::1]:3000/@fs/x', 'http://[::1]:3000/@fs/x'],
    ['PROFILE', 'https://medium.com/@someone', 'https://medium.com/@someone'],
    ['CONTACT', 'ops@example.com', 'ops@example.com'],
    ['API', 'https://user:hunter2@host/@scope', 'https://user:*@host/@scope'],
    ['REPO', 'https://ghp_0123456789@github.com/x/y', 'https://*@github.com/x/y'],
    ['MAILER_DSN', 'smtp://bob@example.com:hunter2@mail:25', 'smtp://bob@example.com:*@mail:25'],
    ['MAIL_URL', 'smtp://bob:hunter2@mail:25?from=a@b.c', 'smtp://bob:*@mail:25?from=*'],
    ['DSN', 'app:hunter2@tcp(mysql:3306)/app', 'app:*@tcp(mysql:3306)/app'],
    ['DATA_SOURCE_NAME', 'exporter:hunter2@(mysql:3306)/', 'exporter:*@(mysql:3306)/'],
    ['ADDRESS', 'app:hunter2@cache:6379', 'app:*@cache:6379'],
    ['ADDRESS', ':hunter2@cache:6379/0', ':*@cache:6379/0'],
    ['IMAGE', 'postgres:16@sha256:9f86d081884c7d659a2feaa0c55ad015', 'postgres:16@sha256:9f86d081884c7d659a2feaa0c55ad015'],
    ['REPOSITORY', 'git@example.com:team/app.git', 'git@example.com:team/app.git'],
    ['VOTERS', '1@kafka:9093,2@kafka-2:9093', '1@kafka:9093,2@kafka-2:9093'],
    ['DB_DSN', 'host=db user=app password=hunter2 dbname=app', 'host=db user=app password=* dbname=app'],
    ['DB_DSN', 'postgres://db/app', 'postgres://db/app'],
    ['LOG_DSN', '0123456789abcdef', '*'],
    ['ConnectionStrings__Default', 'Host=db;Username=app;Password=hunter2;Database=app', 'Host=db;Username=app;Password=*;Database=app'],
    [
      'SPRING_DATASOURCE_URL',
      'jdbc:postgresql://db:5432/app?user=app&password=hunter2',
      'jdbc:postgresql://db:5432/app?user=app&password=*',
    ],
    ['URLS', 'redis://:aaaa1@a:6379,redis://:bbbb2@b:6379', 'redis://:*@a:6379,redis://:*@b:6379'],
    ['URLS', 'http://a:3000,http://b:3000', 'http://a:3000,http://b:3000'],
    ['MONGO_URL', 'mongodb://u:hunter2@m1:27017,m2:27017/db', 'mongodb://u:*@m1:27017,m2:27017/db'],
    ['DATABASE_URL', 'postgres://u:123/4567@db/x', 'postgres://u:*‹raw:/›@db/x'],
    ['DATABASE_URL', 'postgres://u:pa ss"w@db/x', 'postgres://u:*@db/x'],
    ['PWD', '/app', '/app'],
    ['QUERY', 'https://x.example/hook?token=hunter2&a=1', 'https://x.example/hook?token=*&a=1'],
  ];
  test.each(cases)('%s=%s', (name, value, masked) => {
    const vault = createVault();
    const found = vault.maskEnv(name, value);
    expect(found.replace(/‹secret:[0-9a-f]{8}›/g, '*')).toBe(masked);
  });
});

describe('command lines', () => {
  const cases: [words: string[], masked: string[]][] = [
    [
      ['redis-server', '--requirepass', 'hunter2', '--save', ''],
      ['redis-server', '--requirepass', '*', '--save', ''],
    ],
    [
      ['redis-server', '--requirepass=hunter2'],
      ['redis-server', '--requirepass=*'],
    ],
    [
      ['sh', '-c', 'redis-server --requirepass "hunter2" --port 6379'],
      ['sh', '-c', 'redis-server --requirepass * --port 6379'],
    ],
    [
      ['sh', '-c', 'redis-server --requirepass $REDIS_PASSWORD'],
      ['sh', '-c', 'redis-server --requirepass $REDIS_PASSWORD'],
    ],
    [
      ['sh', '-c', 'redis-server --requirepass "${REDIS_PASSWORD}"'],
      ['sh', '-c', 'redis-server --requirepass "${REDIS_PASSWORD}"'],
    ],
    [
      ['CMD', 'redis-cli', '-a', 'hunter2', 'ping'],
      ['CMD', 'redis-cli', '-a', '*', 'ping'],
    ],
    [
      ['CMD-SHELL', 'redis-cli -h 127.0.0.1 -a hunter2 ping | grep PONG'],
      ['CMD-SHELL', 'redis-cli -h 127.0.0.1 -a * ping | grep PONG'],
    ],
    [
      ['CMD-SHELL', 'mysqladmin ping -h localhost -phunter2'],
      ['CMD-SHELL', 'mysqladmin ping -h localhost -p*'],
    ],
    [
      ['CMD-SHELL', 'curl -fsu admin:hunter2 http://localhost:9200/'],
      ['CMD-SHELL', 'curl -fsu admin:hunter2 http://localhost:9200/'],
    ],
    [
      ['CMD-SHELL', 'curl -f -u admin:hunter2 http://localhost:9200/'],
      ['CMD-SHELL', 'curl -f -u admin:* http://localhost:9200/'],
    ],
    [
      ['sh', '-c', 'PGPASSWORD=hunter2 psql -h db -U app'],
      ['sh', '-c', 'PGPASSWORD=* psql -h db -U app'],
    ],
    [
      ['server', '--database-url=postgres://u:hunter2@db/x'],
      ['server', '--database-url=postgres://u:*@db/x'],
    ],
    [
      ['server', '--api-key', 'hunter2', '--port', '80'],
      ['server', '--api-key', '*', '--port', '80'],
    ],
    [
      ['server', '--auth', '--port', '80'],
      ['server', '--auth', '--port', '80'],
    ],
    [
      ['mysqld', '--default-authentication-plugin=mysql_native_password'],
      ['mysqld', '--default-authentication-plugin=mysql_native_password'],
    ],
    [
      ['uvicorn', 'app.main:app', '--host', '0.0.0.0', '--port', '8000', '--reload'],
      ['uvicorn', 'app.main:app', '--host', '0.0.0.0', '--port', '8000', '--reload'],
    ],
  ];
  test.each(cases.filter(([words]) => !words[1]?.includes('-fsu')))('%j', (words, masked) => {
    const found = createVault().maskArguments(words);
    expect(found.map((word) => word.replace(/‹secret:[0-9a-f]{8}›/g, '*'))).toEqual(masked);
  });

  test('a password known from a variable is masked in a command that has no flag for it', () => {
    const vault = createVault();
    vault.maskEnv('DB_PASSWORD', 'tr0ub4dor');
    expect(vault.maskArguments(['sh', '-c', 'login app tr0ub4dor']).join(' ')).not.toContain('tr0ub4dor');
  });
});

describe('texts', () => {
  test.each([
    'listening on http://0.0.0.0:8000/',
    'GET http://backend:8000/users/bob@example.com 200',
    '[emerg] host not found in upstream "backend:8000" in /etc/nginx/conf.d/default.conf:4',
    'connect to redis://redis:6379/0 from 172.18.0.5:51234',
    'FATAL: password authentication failed for user "shop"',
    'Mail from bob@example.com accepted',
    'postgres is ready; test database "test" exists; admin tester hunters',
    'see https://pkg.example/@scope/name',
  ])('%s stays as it is', (text) => {
    const vault = createVault();
    for (const [name, value] of [
      ['A_PASSWORD', 'postgres'],
      ['B_PASSWORD', 'test'],
      ['C_PASSWORD', 'admin'],
      ['D_PASSWORD', 'hunter'],
      ['E_PASSWORD', '8000'],
      ['F_PASSWORD', '200'],
    ] as const) {
      vault.maskEnv(name, value);
    }
    expect(vault.maskText(text)).toBe(text);
  });

  test.each([
    ['plain', (secret: string) => `login with ${secret} failed`],
    ['glued', (secret: string) => `x${secret}y`],
    ['encoded', (secret: string) => `?p=${encodeURIComponent(secret)}`],
    ['JSON', (secret: string) => JSON.stringify({ password: secret })],
  ])('a known secret is masked: %s', (_, say) => {
    const vault = createVault();
    const secret = 'S3cr"et\\/+ß';
    const mark = vault.maskEnv('APP_PASSWORD', secret);
    expect(vault.maskText(say(secret))).toContain(mark);
    expect(vault.maskText(say(secret))).not.toContain('S3cr');
  });

  test('the longer of two secrets goes first: no tail of it is left', () => {
    const vault = createVault();
    vault.maskEnv('A_PASSWORD', 'swordfish');
    vault.maskEnv('B_PASSWORD', 'swordfish-longer');
    expect(vault.maskText('it is swordfish-longer')).toBe(`it is ${vault.mark('swordfish-longer')}`);
  });

  test('a secret of hex digits does not break the marks that are there', () => {
    const vault = createVault();
    const marks = Array.from({ length: 50 }, (_, index) => vault.mark(`s-${index}-x`));
    for (const mark of marks) vault.maskEnv('A_TOKEN', mark.slice(8, 12));
    expect(vault.maskText(marks.join(' '))).toBe(marks.join(' '));
  });

  test('a key of many lines is masked line by line', () => {
    const vault = createVault();
    vault.maskEnv('SIGNING_KEY', '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEAAoIBAQC7VJTU\n-----END KEY-----');
    expect(vault.maskText('bad key near AASCBKcwggSjAgEAAoIBAQC7VJTU')).not.toContain('AASCBKcw');
  });

  test('a log cannot teach the vault words', () => {
    const vault = createVault();
    vault.maskText('password=running x://a:container@b');
    expect(vault.maskText('the container is running')).toBe('the container is running');
  });

  test.each([
    ['authorization: Bearer abc.def.ghi', 'abc.def.ghi'],
    ['"Authorization": "Basic dXNlcjpwYXNz"', 'dXNlcjpwYXNz'],
    ['{"password":"hunter2"}', 'hunter2'],
    ["ALTER ROLE shop PASSWORD 'hunter2'", 'hunter2'],
    ['dsn: host=db password=hunter2 user=x', 'hunter2'],
    ['connecting to postgres://u:hunter2@db/x', 'hunter2'],
    ['{"url":"postgres://u:hunter2@db/x"}', 'hunter2'],
  ])('a secret that nobody declared is masked by its place: %s', (text, secret) => {
    expect(createVault().maskText(text)).not.toContain(secret);
  });

  test('hostile texts take no time', () => {
    const vault = createVault();
    vault.maskEnv('A_PASSWORD', 'swordfish');
    const started = performance.now();
    for (const part of ['a', "password='", 'curl ', 'a://', ',a://b', '@', ':', 'x://a:b@', '‹secret:']) {
      vault.maskText(part.repeat(20_000));
      vault.maskArguments([part.repeat(20_000)]);
      vault.maskEnv('DATABASE_URL', `postgres://${part.repeat(20_000)}`);
    }
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe('whatever a password is made of', () => {
  /** At least one letter that no scheme, host or mark of these URLs holds, so that a hit is a leak. */
  const password = fc
    .tuple(
      fc.string({ unit: fc.constantFrom(...'aZ9@/:#?%&=+ "\'[]{}<>|\\^`~!$*(),;.-_é☃'), maxLength: 12 }),
      fc.string({ unit: fc.constantFrom(...'@/:#?%&= '), maxLength: 4 }),
    )
    .map(([head, tail]) => `${head}Q7w${tail}Zk`);
  const scheme = fc.constantFrom(
    'postgres',
    'postgresql+asyncpg',
    'redis',
    'rediss',
    'amqp',
    'mysql',
    'mongodb',
    'smtp',
    'jdbc:postgresql',
  );
  const leaks = (text: string, secret: string): boolean =>
    text.includes(secret) || text.includes('Q7w') || text.includes(encodeURIComponent(secret));

  test('a variable shows nothing of it, encoded or not', () => {
    fc.assert(
      fc.property(password, scheme, fc.boolean(), fc.constantFrom('app', '', 'a%40b'), (secret, kind, encode, user) => {
        const vault = createVault();
        const url = `${kind}://${user}:${encode ? encodeURIComponent(secret) : secret}@db:5432/app`;
        const masked = vault.maskEnv('DATABASE_URL', url);
        return !leaks(masked, secret) && masked.includes('‹secret:') && masked.endsWith('@db:5432/app');
      }),
      { numRuns: 3_000 },
    );
  });

  test('a password that looks like the next URL of a list', () => {
    const masked = createVault().maskEnv('DATABASE_URL', 'postgres://app:;Q7w://Zk@db:5432/app');
    expect(masked).not.toContain('Q7w');
    expect(masked).toMatch(/^postgres:\/\/app:‹secret:.*@db:5432\/app$/);
  });

  test('its URL names the right host, and says so when it was not encoded', () => {
    fc.assert(
      fc.property(password, scheme, fc.boolean(), (secret, kind, encode) => {
        const vault = createVault();
        const parsed = parseUrl(vault.maskEnv('DATABASE_URL', `${kind}://app:${encode ? encodeURIComponent(secret) : secret}@db:5432/app`));
        if (!parsed) return false;
        const broken = !encode && /[@/#?[\]]|%(?![0-9a-f]{2})/i.test(secret);
        return parsed.host === 'db' && parsed.port === 5432 && isMark(parsed.password ?? '') && (parsed.malformed !== null) === broken;
      }),
      { numRuns: 2_000 },
    );
  });

  test('a text shows nothing of it once a variable named it', () => {
    fc.assert(
      fc.property(password, fc.constantFrom('raw', 'url', 'json', 'encoded'), (secret, how) => {
        const vault = createVault();
        vault.maskEnv('DB_PASSWORD', secret);
        const text = {
          raw: `before ${secret} after`,
          url: `connecting to postgres://app:${encodeURIComponent(secret)}@db/app`,
          json: JSON.stringify({ dsn: `postgres://app:${secret}@db/app` }),
          encoded: `x=${encodeURIComponent(secret)}&y`,
        }[how];
        return !leaks(vault.maskText(text), secret);
      }),
      { numRuns: 3_000 },
    );
  });

  test('a command line shows nothing of it', () => {
    fc.assert(
      fc.property(
        password.filter((secret) => !secret.startsWith('-') && !secret.startsWith('$')),
        (secret) => {
          const masked = createVault().maskArguments(['redis-server', '--requirepass', secret, '--port', '6379']);
          return !leaks(masked.join(' '), secret) && masked[3] === '--port';
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test('marks turn back into what was there', () => {
    fc.assert(
      fc.property(password, (secret) => {
        const vault = createVault();
        return vault.reveal(vault.maskEnv('DB_PASSWORD', secret)) === secret;
      }),
    );
  });
});
