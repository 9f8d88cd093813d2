import { describe, expect, it, test } from 'vitest';
import { knownErrorIn, lineAbout, signatureIds, SOURCES } from '../../src/model/log-signatures.ts';

const known = (...texts: string[]) => knownErrorIn(texts.map((text) => ({ text })));

describe('known errors', () => {
  it.each<[string, string, string | null, number | null]>([
    ['connection to server at "db" (172.18.0.2), port 5432 failed: Connection refused', 'connection', 'db', 5432],
    ['connection to server at "db" (172.18.0.2), port 5432 failed: timeout expired', 'connection', 'db', 5432],
    [
      'connection to server at "db" (172.18.0.2), port 5432 failed: FATAL:  password authentication failed for user "x"',
      'postgres',
      null,
      null,
    ],
    ['Error: connect ECONNREFUSED ::1:5432', 'connection', '::1', 5432],
    ['Error: connect ECONNREFUSED 172.18.0.3:6379', 'connection', '172.18.0.3', 6379],
    ['dial tcp 172.18.0.2:5432: connect: connection refused', 'connection', '172.18.0.2', 5432],
    ['dial tcp [::1]:5432: connect: connection refused', 'connection', '::1', 5432],
    ['dial tcp: lookup db on 127.0.0.11:53: no such host', 'name', 'db', null],
    ['redis.exceptions.ConnectionError: Error -2 connecting to cache:6379. Name or service not known.', 'name', 'cache', 6379],
    ['redis.exceptions.ConnectionError: Error 111 connecting to cache:6379. Connection refused.', 'connection', 'cache', 6379],
    ['[emerg] 1#1: host not found in upstream "backend:8000" in /etc/nginx/conf.d/default.conf:4', 'name', 'backend', null],
    ['nginx: [emerg] unknown directive "prox_pass" in /etc/nginx/nginx.conf:3', 'self', null, null],
    ["[ALERT]    (8) : [/h.cfg:8] : 'server f/a' : could not resolve address 'ghost'.", 'name', 'ghost', null],
    ["[ALERT]    (8) : config : parsing [/h.cfg:8] : unknown keyword 'servr' in 'listen' section", 'self', null, null],
    ['php_network_getaddresses: getaddrinfo for mysql failed: Name or service not known', 'name', 'mysql', null],
    ["wget: bad address 'backend:8000'", 'name', 'backend', null],
    ['socket.gaierror: [Errno -3] Temporary failure in name resolution', 'name', null, null],
    ['redis.exceptions.AuthenticationError: Authentication required.', 'redis', null, null],
    ["MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", 'redis', null, null],
    ['psycopg.errors.InsufficientPrivilege: permission denied for table products', 'postgres', null, null],
    ['rm: permission denied for file /data', 'self', null, null],
    ['asyncpg.exceptions.UndefinedTableError: relation "users" does not exist', 'self', null, null],
    ['sh: 1: uvicorn: not found', 'command', null, null],
    [`pymysql.err.OperationalError: (1045, "Access denied for user 'shop'@'172.18.0.5' (using password: YES)")`, 'mysql', null, null],
    ["Error: Access denied for user 'shop'@'%' to database 'orders'", 'mysql', null, null],
    [`(1049, "Unknown database 'orders'")`, 'mysql', null, null],
    ['Error: ER_CON_COUNT_ERROR: Too many connections', 'mysql', null, null],
    ['MongoServerError: Authentication failed.', 'mongodb', null, null],
    [
      "pymongo.errors.OperationFailure: Authentication failed., full error: {'ok': 0.0, 'errmsg': 'Authentication failed.', 'code': 18, 'codeName': 'AuthenticationFailed'}",
      'mongodb',
      null,
      null,
    ],
    [
      'panic: connection() error occurred during connection handshake: auth error: unable to authenticate using mechanism "SCRAM-SHA-256": (AuthenticationFailed) Authentication failed.',
      'mongodb',
      null,
      null,
    ],
    ['MongoServerError: Command find requires authentication', 'mongodb', null, null],
    ['MongoServerError: not authorized on shop to execute command { find: "orders" }', 'mongodb', null, null],
    ['pymongo.errors.NotPrimaryError: not primary, full error: {"codeName": "NotWritablePrimary", "code": 10107}', 'mongodb', null, null],
    ['MongoServerError: Transaction numbers are only allowed on a replica set member or mongos', 'mongodb', null, null],
    ['MongoServerError: no replset config has been received', 'mongodb', null, null],
    [
      'pymongo.errors.ServerSelectionTimeoutError: store:27017: [Errno 111] Connection refused (configured timeouts: 20s)',
      'connection',
      'store',
      27_017,
    ],
    ['pymongo.errors.ServerSelectionTimeoutError: store:27017: [Errno -2] Name or service not known, Timeout: 30s', 'name', 'store', null],
    ['MongoServerSelectionError: getaddrinfo ENOTFOUND store', 'name', 'store', null],
    [
      'pymongo.errors.ConfigurationError: Server at store:27017 reports wire version 6, but this version of PyMongo requires at least 7 (MongoDB 4.0).',
      'self',
      null,
      null,
    ],
    [
      'MongoCompatibilityError: Server at store:27017 reports maximum wire version 7, but this version of the Node.js Driver requires at least 8 (MongoDB 4.2)',
      'self',
      null,
      null,
    ],
    [
      '"msg":"DBException in initAndListen, terminating","attr":{"error":"DBPathInUse: Unable to lock the lock file: /data/db/mongod.lock (Resource temporarily unavailable). Another mongod instance is already running on the /data/db directory"}}',
      'self',
      null,
      null,
    ],
    ['ER_NOT_SUPPORTED_AUTH_MODE: Client does not support authentication protocol requested by server', 'self', null, null],
    [`(1146, "Table 'shop.orders' doesn't exist")`, 'self', null, null],
    [
      'amqp.exceptions.AccessRefused: (0, 0): (403) ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN',
      'rabbitmq',
      null,
      null,
    ],
    [
      "Error: Operation failed: QueueDeclare; 404 (NOT-FOUND) with message \"NOT_FOUND - no queue 'jobs' in vhost '/'\"",
      'rabbitmq',
      null,
      null,
    ],
    [
      'Error: Handshake terminated by server: 530 (NOT-ALLOWED) with message "NOT_ALLOWED - vhost orders not found"',
      'rabbitmq',
      null,
      null,
    ],
    ['exec /entrypoint.sh: exec format error', 'format', null, null],
    ['Error: Missing required environment variable API_KEY', 'self', null, null],
    ['panic: environment variable "API_KEY" is not set', 'self', null, null],
    ["PHP Fatal error:  Uncaught Error: Failed opening required 'vendor/autoload.php'", 'self', null, null],
  ])('%s', (line, blame, host, port) => {
    expect(known(line)).toMatchObject({ blame, host, port, line });
  });

  it.each([
    'WARNING Memory overcommit must be enabled!',
    'Environment variables found: 12',
    'database system is ready to accept connections',
    'LOG:  invalid length of startup packet',
    'WARNING:  database "shop" has a collation version mismatch',
    'GET /not-found 404 Not Found',
    "Version: '11.8.3-MariaDB'  socket: '/run/mysqld/mysqld.sock'  port: 3306",
    '[info] <0.1.0> Server startup complete; 5 plugins started.',
    '',
  ])('says nothing of: %s', (line) => {
    expect(known(line)).toBeNull();
  });

  it('prefers a line that names its matter to a newer one that names none', () => {
    expect(known('getaddrinfo ENOTFOUND db', 'Permission denied')?.id).toBe('node-name');
  });

  it('takes the newest of two that name theirs', () => {
    expect(known('getaddrinfo ENOTFOUND db', "ModuleNotFoundError: No module named 'x'")?.id).toBe('python-module');
  });

  it('forgets what is long past', () => {
    expect(known('getaddrinfo ENOTFOUND db', ...Array.from({ length: 100 }, () => 'ok'))).toBeNull();
  });

  it("a server's log of its clients' mistakes is not its own error", () => {
    const line = { text: 'FATAL:  role "root" does not exist' };
    expect(knownErrorIn([line], 'postgres')).toBeNull();
    expect(knownErrorIn([line], 'http')?.blame).toBe('postgres');
  });

  it('finds the line about one host and port', () => {
    const lines = [{ text: 'connect ECONNREFUSED 127.0.0.1:5432' }, { text: 'connect ECONNREFUSED 127.0.0.1:6379' }];
    expect(lineAbout(lines, 'connection', ['127.0.0.1'], 5432)?.line).toContain('5432');
    expect(lineAbout(lines, 'connection', ['127.0.0.1'], 9999)).toBeNull();
    expect(lineAbout(lines, 'name', ['127.0.0.1'], 5432)).toBeNull();
  });
});

test('each signature is of a program whose words can be looked up', () => {
  const programs = signatureIds().map((id) => id.split('-')[0]!);
  expect(programs.filter((program) => !SOURCES[program])).toEqual([]);
  expect(Object.keys(SOURCES).filter((program) => !programs.includes(program))).toEqual([]);
});
