import { describe, expect, it } from 'vitest';
import { startup } from '../../src/checks/startup.ts';
import type { Role, Service } from '../../src/model/stack.ts';
import { logOf } from './attempts.ts';
import { ask, fact, findingsOf, gap, inShort, makeConnection, makeService, makeStack } from './make.ts';

const ended = (role: Role = 'http', rest = {}): Service =>
  makeService({ role, containers: [{ state: { status: 'exited', exitCode: 1 }, command: ['serve'], workingDir: '/app', ...rest }] });

const look = (service: Service, log: string[]) =>
  ask(startup, { stack: makeStack({ services: [service] }), service: 'app', facts: { logs: fact(logOf('p-app-1', log)) } });

const applies = (service: Service): boolean => startup.appliesTo(service, makeStack({ services: [service] }));

describe('startup: of whom it is asked', () => {
  it.each<[string, Service, boolean]>([
    ['a service that runs', makeService(), false],
    ['FA-4 one that the user stopped', makeService({ containers: [{ state: { status: 'exited', exitCode: 137 } }] }), false],
    ['FA-2 a migration that succeeded', makeService({ role: 'one-shot', containers: [{ state: { status: 'exited' } }] }), false],
    [
      'FA-5 one behind a profile',
      makeService({ spec: { active: false }, containers: [{ state: { status: 'exited', exitCode: 1 } }] }),
      false,
    ],
    ['FA-19 restarted before, stable since', makeService({ containers: [{ state: { restartCount: 4 } }] }), false],
    ['one that ended with an error', ended(), true],
    ['a migration that failed', makeService({ role: 'one-shot', containers: [{ state: { status: 'exited', exitCode: 1 } }] }), true],
    ['one that ends again and again', makeService({ containers: [{ state: { loops: true } }] }), true],
  ])('%s', (_, service, expected) => expect(applies(service)).toBe(expected));
});

describe('startup: who is not to blame', () => {
  it.each<[string, Service, string[]]>([
    ['an unknown end', ended(), ['bye']],
    ['it did not reach the database', ended(), ['connection to server at "db" (172.18.0.2), port 5432 failed: Connection refused']],
    [
      'a traceback that ends at another service',
      ended(),
      ['Traceback (most recent call last):', '  File "/app/main.py", line 3, in <module>', 'redis.exceptions.ConnectionError: no'],
    ],
    ['FA-7 the health check of a database that is ill for another reason', ended('postgres'), ['FATAL:  role "root" does not exist']],
    ['FA-8 a warning of Redis', ended('redis'), ['WARNING Memory overcommit must be enabled!']],
    ['FA-9 a warning of Postgres', ended('postgres'), ['WARNING:  database "shop" has a collation version mismatch']],
    ['an exception in a library alone', ended(), ['  File "/usr/lib/python3/dist-packages/x.py", line 3', 'ValueError: no']],
    ['a failed migration', ended(), ["Can't locate revision identified by 'abc'"]],
  ])('%s', (_, service, log) => expect(inShort(startup, look(service, log))).toBe('skip'));

  it('says nothing of a log that it could not read', () => {
    const service = ended();
    const verdict = ask(startup, { stack: makeStack({ services: [service] }), service: 'app', facts: { logs: gap('log driver none') } });
    expect(inShort(startup, verdict)).toBe('cannot look');
  });

  it('says nothing of a log of another replica', () => {
    const service = makeService({ containers: [{}, { state: { status: 'exited', exitCode: 1 } }] });
    expect(inShort(startup, look(service, ["ModuleNotFoundError: No module named 'x'"]))).toBe('skip');
  });
});

describe('startup: in its own words', () => {
  it.each<[string, Role, string[], string]>([
    [
      'data-version',
      'postgres',
      [
        'FATAL:  database files are incompatible with server',
        'DETAIL:  The data directory was initialized by PostgreSQL version 16, which is not compatible with this version 17.2.',
      ],
      'app is Postgres 17.2, and its data was written by Postgres 16',
    ],
    ['wal-damaged', 'postgres', ['PANIC:  could not locate a valid checkpoint record'], 'write-ahead log is damaged'],
    [
      'init-script-failed',
      'postgres',
      [
        'psql:/docker-entrypoint-initdb.d/10-shop.sql:3: ERROR:  relation "shop" does not exist',
        '2026-11-23 06:59:00 UTC [83] ERROR:  relation "shop" does not exist at character 13',
      ],
      '/docker-entrypoint-initdb.d/10-shop.sql failed: relation "shop" does not exist',
    ],
    [
      'mongodb-data-version',
      'mongodb',
      [
        String.raw`{"t":{"$date":"2026-11-23T06:59:00.282+00:00"},"s":"F","c":"CONTROL","id":20573,"ctx":"initandlisten","msg":"Wrong mongod version","attr":{"error":"UPGRADE PROBLEM: Found an invalid featureCompatibilityVersion document (ERROR: Location4926900: Invalid featureCompatibilityVersion document in admin.system.version: { _id: \\"featureCompatibilityVersion\\", version: \\"4.4\\" }."}}`,
      ],
      'another version of MongoDB wrote (feature compatibility version 4.4)',
    ],
    [
      'mongodb-data-version',
      'mongodb',
      [
        '{"s":"F","c":"-","id":4671205,"msg":"This version of MongoDB is too recent to start up on the existing data files. Try MongoDB 4.2 or earlier."}',
      ],
      'another version of MongoDB wrote',
    ],
    ['password-missing', 'postgres', ['Error: Database is uninitialized and superuser password is not specified.'], 'no password'],
    ['dump-too-new', 'redis', ["# Can't handle RDB format version 12"], 'RDB format 12'],
    ['append-file-damaged', 'redis', ['# Bad file format reading the append only file a.aof: make a backup'], 'append-only file'],
    ['disk-full', 'postgres', ['FATAL:  could not write lock file "postmaster.pid": No space left on device'], 'no room'],
    [
      'module-missing',
      'http',
      ['  File "/app/main.py", line 3, in <module>', "ModuleNotFoundError: No module named 'stripe'"],
      'the Python module stripe is not in the container (/app/main.py:3)',
    ],
    [
      'module-missing',
      'http',
      ["Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'hono' imported from /app/server.js"],
      'the Node module hono',
    ],
    [
      'native-module',
      'http',
      ['Error: Cannot find module @rollup/rollup-linux-x64-musl. npm has a bug related to optional dependencies'],
      'another platform',
    ],
    ['app-not-found', 'http', ['ERROR:    Error loading ASGI app. Could not import module "app.main".'], 'does not find its app'],
    [
      'code-error',
      'http',
      ['  File "/app/main.py", line 9', '    def (', 'SyntaxError: invalid syntax'],
      'SyntaxError: invalid syntax (/app/main.py:9)',
    ],
    ['code-error', 'worker', ['  File "/app/jobs.py", line 9, in <module>', "NameError: name 'x' is not defined"], '(/app/jobs.py:9)'],
    [
      'setting-missing',
      'worker',
      ['  File "/app/config.py", line 9, in <module>', "KeyError: 'REDIS_URL'"],
      "KeyError: 'REDIS_URL' (/app/config.py:9)",
    ],
    ['setting-missing', 'http', ['Error: Missing required environment variable API_KEY'], 'API_KEY'],
    ['heap-limit', 'http', ['FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory'], "Node's own heap"],
    ['lockfile-outdated', 'http', [' ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with "frozen-lockfile"'], 'lock file'],
    ['corepack-keys', 'http', ['Error: Cannot find matching keyid: {"signatures":[]}'], 'corepack'],
    ['stale-pid-file', 'http', ['A server is already running. Check /app/tmp/pids/server.pid.'], 'pid file'],
    ['map-count', 'unknown', ['max virtual memory areas vm.max_map_count [65530] is too low, increase to at least [262144]'], '65530'],
    ['cpu-unsupported', 'unknown', ['WARNING: MongoDB 5.0+ requires a CPU with AVX support'], 'AVX'],
  ])('%s', (reason, role, log, says) => {
    const [finding, ...more] = findingsOf(look(ended(role), log));
    expect(more).toEqual([]);
    expect(finding.reason).toBe(reason);
    expect(finding.message).toContain(says);
    expect(finding.evidence[0]?.source).toContain('app log');
  });

  it('leaves a missing module to the mount or the image that hides it', () => {
    const [finding] = findingsOf(look(ended(), ["ModuleNotFoundError: No module named 'x'"]));
    expect(finding.suspects).toContainEqual({ service: 'app', code: 'compose/image-drift' });
    expect(finding.suspects?.every((each) => each.service === 'app')).toBe(true);
  });

  it('code that fails may fail over another service; code that does not parse does not', () => {
    const service = ended();
    const verdict = (...log: string[]) =>
      ask(startup, {
        stack: makeStack({ services: [service], connections: [makeConnection()] }),
        service: 'app',
        facts: { logs: fact(logOf('p-app-1', ['  File "/app/main.py", line 9, in <module>', ...log])) },
      });
    expect(findingsOf(verdict('RuntimeError: no configuration'))[0].suspects).toContainEqual({ service: 'db' });
    expect(findingsOf(verdict('SyntaxError: invalid syntax'))[0].suspects).toBeUndefined();
  });

  it('leaves a missing password to the variable that should have held it', () => {
    const [finding] = findingsOf(look(ended('postgres'), ['superuser password is not specified']));
    expect(finding.suspects).toContainEqual({ code: 'compose/variable-unset' });
  });
});
