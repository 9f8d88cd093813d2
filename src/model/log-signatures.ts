/**
 * Lines by which known programs say what is wrong with them. They are evidence, and point to where to look; a fact that was
 * measured outranks them. Groups: `host`, `port` of the other side.
 */
import type { LogLine } from './facts.ts';
import type { Role } from './stack.ts';

/** Where a line points: to the other side of a connection, to the compose files, or nowhere beyond the service. */
type Blame =
  | 'name'
  | 'connection'
  | 'postgres'
  | 'redis'
  | 'mysql'
  | 'rabbitmq'
  | 'mongodb'
  | 'variable'
  | 'data-path'
  | 'command'
  | 'format'
  | 'self';

interface Signature {
  id: string;
  blame: Blame;
  says: string;
  pattern: RegExp;
}

const signature = (id: string, blame: Blame, says: string, pattern: RegExp): Signature => ({ id, blame, says, pattern });

const name = (id: string, pattern: RegExp) => signature(id, 'name', 'a host name did not resolve', pattern);
const refused = (id: string, pattern: RegExp) => signature(id, 'connection', 'a connection was refused', pattern);
const silent = (id: string, pattern: RegExp) => signature(id, 'connection', 'a connection got no answer', pattern);
const pg = (id: string, says: string, pattern: RegExp) => signature(id, 'postgres', says, pattern);
const redis = (id: string, says: string, pattern: RegExp) => signature(id, 'redis', says, pattern);
const mysql = (id: string, says: string, pattern: RegExp) => signature(id, 'mysql', says, pattern);
const amqp = (id: string, says: string, pattern: RegExp) => signature(id, 'rabbitmq', says, pattern);
const mongo = (id: string, says: string, pattern: RegExp) => signature(id, 'mongodb', says, pattern);
const own = (id: string, says: string, pattern: RegExp) => signature(id, 'self', says, pattern);

/** Each names its matter beyond doubt. */
const SPECIFIC: Signature[] = [
  name('libpq-name', /could not translate host name "(?<host>[^"]+)"/),
  name('node-name', /getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (?<host>[^\s,:]+)/),
  name('nginx-name', /host not found in upstream "(?<host>[^":]+)/),
  name('haproxy-name', /: could not resolve address '(?<host>[^']+)'/),
  name('go-name', /lookup (?<host>[\w.-]{1,253})(?: on \S{1,100})?: (?:no such host|server misbehaving|Temporary failure|i\/o timeout)/),
  name('redis-py-name', /Error -\d+ connecting to (?<host>[^\s:]+):(?<port>\d+)\. (?:Name|Temporary|No address)/),
  name('php-name', /getaddrinfo for (?<host>\S+) failed/),
  name('java-name', /UnknownHostException: (?<host>[\w.-]+)/),
  name('curl-name', /Could not resolve host(?:name)?:? (?<host>[\w.-]+)/),
  name('urllib3-name', /Failed to resolve '(?<host>[^']+)'/),
  name('busybox-name', /bad address '(?<host>[^':]+)/),
  name('pymongo-name', /\b(?<host>[\w.-]{1,253}):\d{1,5}: \[Errno -\d\] (?:Name|Temporary|No address)/),
  name('mysql-name', /Unknown (?:MySQL|MariaDB) server host '(?<host>[^']+)'/),

  refused('libpq-refused', /connection to server at "(?<host>[^"]+)"[^,]{0,80}, port (?<port>\d+) failed: Connection refused/),
  refused('node-refused', /ECONNREFUSED \[?(?<host>[0-9a-f.:]*[0-9a-f])\]?:(?<port>\d+)\b/),
  refused('asyncio-refused', /Connect call failed \('(?<host>[^']+)', (?<port>\d+)/),
  refused('go-refused', /dial tcp \[?(?<host>[^\s\]]{1,253}?)\]?:(?<port>\d+): connect: connection refused/),
  refused('redis-py-refused', /Error 111 connecting to (?<host>[^\s:]+):(?<port>\d+)/),
  refused('mysql-refused', /Can't connect to (?:MySQL|MariaDB)? ?server on '(?<host>[^':]+)(?::(?<port>\d+))?'/),
  refused('pymongo-refused', /\b(?<host>[\w.-]{1,253}):(?<port>\d{1,5}): \[Errno 111\] Connection refused/),
  refused('celery-refused', /Cannot connect to (?:amqp|redis)s?:\/\/(?:[^@\s]{0,200}@)?(?<host>[^\s:/@]{1,100}):(?<port>\d+)/),
  silent(
    'libpq-silent',
    /connection to server at "(?<host>[^"]+)"[^,]{0,80}, port (?<port>\d+) failed: (?:timeout|Connection timed out|No route)/,
  ),
  silent('node-silent', /(?:ETIMEDOUT|EHOSTUNREACH) \[?(?<host>[0-9a-f.:]*[0-9a-f])\]?:(?<port>\d+)\b/),
  silent('go-silent', /dial tcp \[?(?<host>[^\s\]]{1,253}?)\]?:(?<port>\d+): (?:i\/o timeout|connect: no route to host)/),

  signature('postgres-no-password', 'variable', 'the superuser password is empty', /superuser password is not specified/),
  signature(
    'mysql-no-password',
    'variable',
    'the root password is empty',
    /Database is uninitialized and password option is not specified|Database is uninitialized and (?:MYSQL|MARIADB)_ROOT_PASSWORD/,
  ),
  signature(
    'postgres-data-path',
    'data-path',
    'from 18 on, Postgres images refuse a mount at /var/lib/postgresql/data',
    /in 18\+, these Docker images|\(unused mount\/volume\)/,
  ),

  pg('postgres-password', 'Postgres rejected the password', /password authentication failed for user "/),
  pg('postgres-role', 'Postgres has no such role', /role "[^"]+" does not exist/),
  pg('postgres-database', 'Postgres has no such database', /database "[^"]+" does not exist/),
  pg('postgres-hba', 'Postgres has no pg_hba.conf entry for the client', /no pg_hba\.conf entry for/),
  pg('postgres-clients', 'Postgres is out of connections', /too many clients already|remaining connection slots are reserved/),
  pg(
    'postgres-starting',
    'Postgres does not accept connections yet',
    /the database system is (?:starting up|shutting down|in recovery|not yet accepting)/,
  ),
  pg(
    'postgres-privilege',
    'Postgres denies the role a right',
    /permission denied for (?:table|relation|schema|sequence|database|function) \S/,
  ),
  pg(
    'postgres-pooler',
    'the pooler before Postgres turned the client away',
    /\bno such (?:database|user)(?:: \S|$)|server login (?:has been failing|failed: )|client_login_timeout \(|no more connections allowed \(max_client_conn|query_wait_timeout|[Uu]nsupported startup parameter(?: in options)?: /,
  ),
  pg('postgres-read-only', 'Postgres refuses to write', /cannot execute .{1,60} in a read-only transaction/),
  redis('redis-noauth', 'Redis wants a password', /\bNOAUTH\b|Authentication required\.$/),
  redis('redis-wrongpass', 'Redis rejected the password', /\bWRONGPASS\b/),
  redis('redis-nopass', 'Redis was given a password and has none', /AUTH <password> called without any password/),
  redis('redis-misconf', 'Redis cannot save and refuses writes', /\bMISCONF\b/),
  redis('redis-memory', 'Redis is at its memory limit', /OOM command not allowed/),
  redis('redis-replica', 'Redis is a read-only replica', /READONLY You can't write/),
  redis('redis-loading', 'Redis is loading its data', /LOADING Redis is loading/),
  redis('redis-clients', 'Redis is out of connections', /max number of clients reached/),
  redis('redis-protected', 'Redis runs in protected mode', /DENIED Redis is running in protected mode/),
  mysql('mysql-password', 'MySQL denied the login', /Access denied for user '[^']*'@'[^']*'(?! to database)/),
  mysql('mysql-denied', 'MySQL gives the user no rights on the database', /Access denied for user '[^']*'@'[^']*' to database/),
  mysql(
    'mysql-host',
    'MySQL has no account for the host of the client',
    /Host '[^']+' is not allowed to connect to this (?:MySQL|MariaDB) server/,
  ),
  mysql('mysql-blocked', 'MySQL shut the client out', /Host '[^']+' is blocked because of many connection errors/),
  mysql('mysql-database', 'MySQL has no such database', /Unknown database '[^']+'/),
  mysql('mysql-clients', 'MySQL is out of connections', /\b1040\b.{0,20}Too many connections|ER_CON_COUNT_ERROR/),
  mysql('mysql-read-only', 'MySQL takes no writes', /running with the --(?:super-)?read-only option/),
  mysql('mysql-lock', 'a lock of MySQL was waited for in vain', /Lock wait timeout exceeded|Waiting for table metadata lock/),
  mysql('mysql-full', 'MySQL cannot write', /The table '[^']+' is full|Disk (?:is )?full(?: \(|;)|ER_DISK_FULL/),
  amqp('rabbitmq-refused', 'RabbitMQ refused the login', /ACCESS_REFUSED|ACCESS-REFUSED|PLAIN login refused/),
  amqp('rabbitmq-vhost', 'RabbitMQ refused the virtual host', /NOT_ALLOWED - (?:vhost|access to vhost)/),
  amqp('rabbitmq-queue', 'RabbitMQ has no such queue or exchange', /NOT_FOUND - no (?:queue|exchange) '/),
  amqp('rabbitmq-arguments', 'a queue or exchange is there with other settings', /PRECONDITION_FAILED - inequivalent arg/),
  amqp('rabbitmq-blocked', 'RabbitMQ holds publishers up', /connection\.blocked|resource limit alarm set on node/),

  mongo(
    'mongodb-auth',
    'MongoDB rejected the login',
    /codeName['"]?: ?['"]AuthenticationFailed|\(AuthenticationFailed\) Authentication failed|Mongo(?:Server)?Error: Authentication failed|Exception authenticating MongoCredential/,
  ),
  mongo('mongodb-login', 'MongoDB wants a login', /[Cc]ommand \w{1,40} requires authentication/),
  mongo('mongodb-denied', 'MongoDB gives the user no rights', /not authorized on \S{1,100} to execute command/),
  mongo(
    'mongodb-primary',
    'the member of the replica set is not its primary',
    /\bNotWritablePrimary\b|\bNotPrimary(?:NoSecondaryOk|OrSecondary)\b|MongoServerError: not primary\b|not master and slaveOk=false/,
  ),
  mongo(
    'mongodb-set',
    'the replica set of MongoDB is not made, or has another name',
    /no replset config has been received|No replica set members (?:found|match)/,
  ),
  mongo(
    'mongodb-transactions',
    'the app wants transactions, which a MongoDB without a replica set does not have',
    /Transaction numbers are only allowed on a replica set member or mongos|The \$changeStream stage is only supported on replica sets/,
  ),
  own(
    'mongodb-driver',
    "the client's library and MongoDB's version do not fit",
    /reports (?:(?:maximum|minimum) )?wire version \d{1,3}, but (?:this version of )?.{1,60} requires at (?:least|most)/,
  ),
  own(
    'mongodb-version',
    'the data is of another MongoDB version',
    /"msg":"Wrong mongod version"|UPGRADE PROBLEM: Found an invalid featureCompatibilityVersion|This version of MongoDB is too recent to start up on the existing data files/,
  ),
  own('mongodb-lock', 'another server holds the data folder', /Another mongod instance is already running on the \S{1,200} directory/),
  own(
    'postgres-version',
    'the data is of another Postgres version',
    /database files are incompatible with server|initialized by PostgreSQL version/,
  ),
  own(
    'postgres-wal',
    'Postgres found no valid checkpoint',
    /could not locate a valid checkpoint record|invalid (?:primary )?checkpoint record/,
  ),
  own('postgres-init', 'a script of the first start failed', /^psql:\/docker-entrypoint-initdb\.d\/\S{1,200}: ERROR:/),
  own('postgres-shm', '/dev/shm is full', /could not resize shared memory segment/),
  own('redis-rdb', 'the dump was written by a newer Redis', /Can't handle RDB format version/),
  own(
    'redis-aof',
    'the append-only file is damaged',
    /Bad file format reading the append only file|Unexpected end of file reading the append only file|AOF is not valid/,
  ),
  own(
    'mysql-version',
    'the data is of a newer server',
    /Cannot downgrade from \d+ to|Invalid MySQL server downgrade|Upgrade after a crash is not supported|redo log was created with/,
  ),
  own(
    'mysql-auth',
    "the client's library does not know the way in that MySQL wants",
    /ER_NOT_SUPPORTED_AUTH_MODE|Authentication plugin '[^']+' (?:cannot be loaded|is not supported)|requested authentication method unknown to the client|Public Key Retrieval is not allowed|'cryptography' package is required for/,
  ),
  own('mysql-lost', 'another server holds the data folder', /Unable to lock \.\/ibdata1/),
  own(
    'rabbitmq-cookie',
    'the Erlang cookies differ',
    /Invalid challenge reply|Connection attempt from (?:disallowed )?node .{1,200} (?:rejected|cookie)|Error when reading .{0,100}\.erlang\.cookie/,
  ),
  own(
    'rabbitmq-version',
    'the data is of another RabbitMQ version',
    /Detected newer|feature flags that are not supported|Required feature flag not enabled/,
  ),
  own('alembic-heads', 'the migrations have several heads', /Multiple head revisions are present/),
  own('alembic-revision', 'the database is at an unknown migration', /Can't locate revision identified by/),
  own(
    'alembic-race',
    'two migrations ran at the same time',
    /pg_type_typname_nsp_index|pg_class_relname_nsp_index|relation "alembic_version" already exists/,
  ),
  own('prisma-migration', 'a migration failed', /\bP30(?:09|18)\b/),
  own(
    'schema',
    'a table does not exist',
    /relation "[^"]+" does not exist|UndefinedTable|no such table|Table '[^'.]+\.[^']+' doesn't exist|ER_NO_SUCH_TABLE/,
  ),
  own('python-setting', 'a setting of the environment is missing', /^KeyError: '[A-Z][A-Z0-9_]+'$|ImproperlyConfigured: /),
  own(
    'setting',
    'a setting of the environment is missing',
    /\b(?:[Mm]issing|[Rr]equired|[Uu]ndefined|[Uu]nset)\b[^"'`]{0,20}\benv(?:ironment)?[ -]var(?:iable)?s?\b:? ["'`]?([A-Z][A-Z0-9_]{2,})|\b[Ee]nv(?:ironment)?[ -]var(?:iable)? ["'`]?[A-Z][A-Z0-9_]{2,}["'`]? (?:is |was )?(?:not set|not defined|required|missing|undefined|unset)\b/,
  ),
  own(
    'python-module',
    'a Python module is missing',
    /ModuleNotFoundError: No module named|^\S{0,100}python[\d.]*: (?:No module named|Error while finding module specification for) /,
  ),
  own('python-import', 'a Python import failed', /^\s*ImportError: /),
  own('python-syntax', 'the Python code does not parse', /^\s*(?:SyntaxError|IndentationError|TabError): /),
  own('asgi-app', 'the ASGI app could not be loaded', /Error loading ASGI app|Attribute "[^"]+" not found in module/),
  own(
    'node-native',
    'a Node module was built for another platform',
    /installed (?:esbuild )?for another platform|@rollup\/rollup-linux|invalid ELF header|ERR_DLOPEN_FAILED|@esbuild\/\S+" package is present but this platform needs/,
  ),
  own('php-parse', 'the PHP code does not parse', /^(?:PHP )?Parse error:\s/),
  own('php-file', 'a PHP file is missing', /Failed opening required '[^']+'/),
  own('node-module', 'a Node module is missing', /Cannot find (?:module|package) '|ERR_MODULE_NOT_FOUND/),
  own('node-lockfile', 'the lock file does not match package.json', /ERR_PNPM_OUTDATED_LOCKFILE|npm ci` can only install packages when/),
  own('node-corepack', "the signing keys of Node's corepack are out of date", /Cannot find matching keyid/),
  own('node-heap', 'Node reached its own heap limit', /JavaScript heap out of memory/),
  own('nginx-config', 'nginx refuses its configuration', /\[emerg\]/),
  own(
    'haproxy-config',
    'HAProxy refuses its configuration',
    /^\[ALERT\] .*(?:parsing \[|Fatal errors found in configuration|unable to find required )/,
  ),
  own('pid-file', 'a pid file of an earlier run is in the way', /server is already running\. Check /),
  // A carriage return is no letter: on its way here it became U+FFFD.
  own(
    'crlf',
    'a script has Windows line ends',
    /\\r'?: (?:No such file|(?:command )?not found)|[\r\ufffd]'?: (?:invalid option|No such file|(?:command )?not found)/,
  ),
  own(
    'watchers',
    'the host is out of file watchers',
    /System limit for number of file watchers|Too many open files \(os error 24\)|EMFILE: too many open files, watch/,
  ),
  own('map-count', 'vm.max_map_count is too low', /vm\.max_map_count \[\d+\] is too low/),
  own('avx', 'the processor lacks AVX', /requires a CPU with AVX/),
  signature(
    'exec-missing',
    'command',
    'the command, or the interpreter that its first line names, is missing',
    /\bexec \S{1,200}: no such file or directory/,
  ),
  signature('exec-format', 'format', 'the command is of another architecture, or has no #! line', /exec format error/),
];

/** Where each program's words are from, by the first word of a signature's id. */
export const SOURCES: Record<string, string> = {
  alembic: 'https://github.com/sqlalchemy/alembic/blob/main/alembic/util/exc.py',
  asgi: 'https://github.com/encode/uvicorn/blob/master/uvicorn/importer.py',
  asyncio: 'https://github.com/python/cpython/blob/main/Lib/asyncio/base_events.py',
  avx: 'https://github.com/docker-library/mongo/issues/485',
  busybox: 'https://git.busybox.net/busybox/tree/libbb/xconnect.c',
  celery: 'https://github.com/celery/celery/blob/main/celery/worker/consumer/consumer.py',
  crlf: 'https://www.gnu.org/software/bash/manual/bash.html',
  curl: 'https://curl.se/libcurl/c/libcurl-errors.html',
  exec: 'https://man7.org/linux/man-pages/man2/execve.2.html',
  go: 'https://pkg.go.dev/net#OpError',
  haproxy: 'https://github.com/haproxy/haproxy/blob/master/src/cfgparse.c',
  java: 'https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/net/UnknownHostException.html',
  libpq: 'https://www.postgresql.org/docs/current/libpq-connect.html',
  map: 'https://www.elastic.co/guide/en/elasticsearch/reference/current/vm-max-map-count.html',
  mongodb: 'https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml',
  mysql: 'https://dev.mysql.com/doc/mysql-errors/8.4/en/client-error-reference.html',
  nginx: 'https://github.com/nginx/nginx/blob/master/src/http/ngx_http_upstream.c',
  node: 'https://nodejs.org/api/errors.html',
  php: 'https://www.php.net/manual/en/function.gethostbyname.php',
  pid: 'https://github.com/puma/puma/blob/main/lib/puma/launcher.rb',
  postgres: 'https://www.postgresql.org/docs/current/errcodes-appendix.html',
  prisma: 'https://www.prisma.io/docs/orm/reference/error-reference',
  pymongo: 'https://github.com/mongodb/mongo-python-driver/blob/master/pymongo/pool_shared.py',
  python: 'https://docs.python.org/3/library/exceptions.html',
  rabbitmq: 'https://www.rabbitmq.com/docs/troubleshooting',
  redis: 'https://github.com/redis/redis/blob/unstable/src/server.c',
  setting: 'https://12factor.net/config',
  schema: 'https://www.postgresql.org/docs/current/errcodes-appendix.html',
  urllib3: 'https://urllib3.readthedocs.io/en/stable/reference/urllib3.exceptions.html',
  watchers: 'https://man7.org/linux/man-pages/man7/inotify.7.html',
};

/** Every signature, for whoever lists them. */
export const signatureIds = (): string[] => SPECIFIC.map(({ id }) => id);

/** Each leaves open whose fault it is; taken when nothing better is found. */
const GENERIC: Signature[] = [
  signature(
    'shell-missing',
    'command',
    'a command was not found',
    /^(?:\S{0,100}\/)?(?:ba|da|a|z)?sh: (?:line )?(?:\d+: )?[^:]{1,100}: (?:command )?not found|: line \d+: (?:exec: )?[^:]{1,100}: (?:command )?not found|^\S{1,100}: \d+: (?:exec: )?[^:]{1,100}: not found/,
  ),
  name(
    'name',
    /Temporary failure in name resolution|Name or service not known|Name does not resolve|No address associated with hostname|ENOTFOUND|EAI_AGAIN/,
  ),
  refused('refused', /connection refused|ECONNREFUSED/i),
  own('disk', 'no space is left on a device', /No space left on device/i),
  own('port', 'an address is in use inside the container', /address already in use|EADDRINUSE/i),
  own('read-only', 'a file system is read-only', /Read-only file system|EROFS/),
  own('permission', 'a permission was denied', /permission denied|EACCES/i),
  own('memory', 'memory ran out', /Cannot allocate memory|MemoryError|bad_alloc/),
];

export interface KnownError {
  id: string;
  blame: Blame;
  says: string;
  line: string;
  /** Host or address of the other side, where the line names it. */
  host: string | null;
  port: number | null;
}

/** How far back an error may stand and still be the reason for the end. */
const RECENT_LINES = 60;

const matchOf = (text: string, signatures: Signature[], role: Role): KnownError | null => {
  for (const { id, blame, says, pattern } of signatures) {
    // A server's own log tells of its clients' mistakes; they are not why the server is ill.
    if (blame === role || (role === 'postgres' && id === 'schema')) continue;
    const found = pattern.exec(text);
    if (!found) continue;
    const { host, port } = found.groups ?? {};
    return { id, blame, says, line: text, host: host ?? null, port: port ? Number(port) : null };
  }
  return null;
};

/** The newest line that names its matter beyond doubt; else the newest that says anything known. */
export const knownErrorIn = (lines: readonly Pick<LogLine, 'text'>[], role: Role = 'unknown'): KnownError | null => {
  const recent = lines.slice(-RECENT_LINES).reverse();
  for (const signatures of [SPECIFIC, GENERIC]) {
    for (const { text } of recent) {
      const known = matchOf(text, signatures, role);
      if (known) return known;
    }
  }
  return null;
};

/** A line that says a name of this kind did not resolve, or a connection to it failed. */
export const lineAbout = (
  lines: readonly Pick<LogLine, 'text'>[],
  blame: 'name' | 'connection',
  hosts: readonly string[],
  port: number | null,
): KnownError | null => {
  for (const { text } of lines.slice(-RECENT_LINES).reverse()) {
    const known = matchOf(text, SPECIFIC, 'unknown');
    if (
      known?.blame === blame &&
      known.host !== null &&
      hosts.includes(known.host) &&
      (port === null || known.port === null || known.port === port)
    )
      return known;
  }
  return null;
};
