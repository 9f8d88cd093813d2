import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseConfig, readConfig } from '../../src/config/read.ts';
import { ConfigError } from '../../src/model/usage-error.ts';
import { DEFAULT_THRESHOLDS } from '../../src/model/thresholds.ts';

const read = (text: string) => parseConfig(text, 'doctor.yaml', '/src/shop');
const check = (body: string) => `checks:\n  it:\n    service: db\n    question: Is it?\n    ${body}\n`;
const ignore = (changes: Record<string, string | null>) => {
  const all = { finding: 'ports/taken', service: 'web', reason: 'known', owner: 'ana', until: '2027-01-31', ...changes };
  const [first, ...rest] = Object.entries(all).filter(([, value]) => value !== null);
  return `ignore:\n  - ${first!.join(': ')}\n${rest.map((each) => `    ${each.join(': ')}\n`).join('')}`;
};

describe('what a team says', () => {
  test.each(['', '# nothing yet\n', '{}', '---\n'])('nothing: %j', (text) =>
    expect(read(text)).toMatchObject({ runbook: null, services: {}, checks: [], ignore: [], thresholds: DEFAULT_THRESHOLDS, plugins: [] }),
  );

  test('of services', () => {
    const { services, runbook } = read(
      'runbook: ops/RUNBOOK.md\nservices:\n  api: { role: http, health_path: /up, url: "http://localhost:8080" }\n' +
        '  db:\n    credentials: { service: api, variable: MAIN_STORE }\n',
    );
    expect(runbook).toBe('/src/shop/ops/RUNBOOK.md');
    expect(services['api']).toMatchObject({ role: 'http', healthPath: '/up', url: 'http://localhost:8080', place: { line: 3, column: 3 } });
    expect(services['db']).toMatchObject({ role: null, credentials: { service: 'api', variable: 'MAIN_STORE' } });
  });

  test.each<[string, object]>([
    ['http: /orders', { ask: { kind: 'http', path: '/orders', url: null, port: null, status: [] } }],
    ['http: { path: /a, status: [200, 204], contains: ok }', { ask: { status: [200, 204] }, expect: { contains: 'ok' } }],
    ['tcp: 5432', { ask: { kind: 'tcp', host: null, port: 5432 } }],
    ['tcp: { host: smtp.example.com, port: 25 }', { ask: { host: 'smtp.example.com', port: 25 } }],
    ['postgres: { query: select 1, expect: 1 }', { ask: { kind: 'postgres', query: 'select 1', as: null }, expect: { equals: '1' } }],
    // As it is written, not as YAML would count it.
    ['postgres: { query: select 1, expect: 1.0 }', { expect: { equals: '1.0' } }],
    ['redis: { command: LLEN jobs, expect: "< 100" }', { ask: { kind: 'redis', command: ['LLEN', 'jobs'] }, expect: { equals: '< 100' } }],
    ['exec: test -s /run/ready', { ask: { kind: 'exec', command: ['sh', '-c', 'test -s /run/ready'], exitCode: 0 } }],
    ['exec: [node, --version]', { ask: { command: ['node', '--version'] } }],
    ['file: /etc/app.conf', { ask: { kind: 'file', path: '/etc/app.conf', exists: true } }],
    ['log: "ERROR|FATAL"', { ask: { kind: 'log', pattern: 'ERROR|FATAL', present: false } }],
    ['env: { name: MODE, expect: production }', { ask: { kind: 'env', name: 'MODE', exists: true }, expect: { equals: 'production' } }],
    ['severity: warn\n    runbook: Orders\n    timeout: 5s\n    tcp: 1', { severity: 'warn', section: 'Orders', timeoutMs: 5_000 }],
  ])('a check without code: %s', (body, wanted) =>
    expect(read(check(body)).checks).toMatchObject([{ id: 'it', services: ['db'], ...wanted }]),
  );

  test.each([
    ['disk_free: 2GiB', { diskFree: 2 * 2 ** 30 }],
    ['slow_health: 1.5s', { slowHealth: 1_500 }],
    ['blocked_for: 1m', { blockedFor: 60_000 }],
    ['clock_apart: 500ms', { clockApart: 500 }],
  ])('a threshold: %s', (line, wanted) => expect(read(`thresholds: { ${line} }`).thresholds).toEqual({ ...DEFAULT_THRESHOLDS, ...wanted }));

  test('an alias stands for its value', () =>
    expect(read('services:\n  a: &a { role: http }\n  b: *a\n').services['b']).toMatchObject({ role: 'http' }));
});

const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefgh'
  .split('')
  .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefg'[index]}`).join(', ')}]\n`)
  .join('')}`;

describe('what is wrong is told with its place and the right word', () => {
  test.each<[string, string, string | RegExp]>([
    ['a key', 'runbook: a.md\nserivces:\n  db: {}\n', 'doctor.yaml:2:1: unknown key "serivces"; did you mean services?'],
    [
      'a key with a dash',
      'services:\n  db:\n    health-path: /x\n',
      'doctor.yaml:3:5: unknown key "health-path" in db; did you mean health_path?',
    ],
    [
      'a key like nothing',
      'zzz: 1\n',
      'doctor.yaml:1:1: unknown key "zzz"; it takes runbook, services, checks, ignore, thresholds, plugins',
    ],
    ['a role', 'services:\n  db:\n    role: postgre\n', /^doctor\.yaml:3:11: role "postgre" is none of .*; did you mean postgres\?$/],
    ['a key twice', 'services:\n  db: {}\nservices: {}\n', 'doctor.yaml:3:1: this key stands here twice'],
    ['a tab', 'services:\n\tdb: {}\n', 'doctor.yaml:2:1: a tab indents this line; YAML wants spaces'],
    ['no YAML', 'services: [\n', /^doctor\.yaml:2:1: this is no YAML: /],
    ['two documents', 'runbook: a\n---\nrunbook: b\n', /^doctor\.yaml:2:1: a second document begins here/],
    ['a list on top', '- a\n', /^doctor\.yaml:1:1: doctor\.yaml must be a mapping with runbook, services/],
    ['an unknown tag', 'runbook: !!js/function x\n', /^doctor\.yaml:1:10: this is no YAML: /],
    ['no value', 'services:\n  db:\n', 'doctor.yaml:2:3: db has no value'],
    ['a mapping for a word', 'runbook: { a: b }\n', 'doctor.yaml:1:10: runbook must be a single value, not a mapping'],
    [
      'a password',
      'services:\n  a: { url: "http://me:pw@host/" }\n',
      /^doctor\.yaml:2:13: url ".*" is not an http:\/\/ or https:\/\/ address without a password$/,
    ],
    ['a bomb', bomb, /^doctor\.yaml:1:1: unknown key "a"/],
    [
      'many aliases',
      `plugins:\n  - &a ./x.mjs\n${'  - *a\n'.repeat(200)}`,
      /^doctor\.yaml:\d+:5: more than 100 aliases; write the values out$/,
    ],
    ['an alias in a circle', 'services: &a\n  db: *a\n', /^doctor\.yaml:/],
    ['deep nesting', '['.repeat(100_000), /^doctor\.yaml(: it is nested too deeply|:\d+:\d+: )/],
    [
      'a threshold',
      'thresholds: { slow_health: soon }',
      'doctor.yaml:1:28: slow_health "soon" is no duration; write it as 500ms, 2s or 1m',
    ],
    ['a size', 'thresholds: { disk_free: much }', 'doctor.yaml:1:26: disk_free "much" is no size; write it as 512MiB or 2GB'],
    ['a date', ignore({ until: '2026-06-31' }), 'doctor.yaml:6:12: until "2026-06-31" is no date; write it as 2027-01-31'],
    ['no owner', ignore({ owner: null }), 'doctor.yaml:2:5: an entry of ignore needs the key owner'],
    ['a code', ignore({ finding: 'ports' }), 'doctor.yaml:2:14: finding "ports" is not the code of a finding, such as ports/closed'],
    [
      'the id of a check',
      'checks:\n  Orders!: { question: "Is it?" }\n',
      /^doctor\.yaml:2:3: "Orders!" cannot be a name in checks: it takes small letters/,
    ],
    ['no question asked', check(''), /^doctor\.yaml:3:5: it asks nothing: it needs one of http, tcp, postgres/],
    ['two questions', check('tcp: 1\n    log: x'), 'doctor.yaml:3:5: it asks two things, tcp and log: make two checks of it'],
    ['no question mark', 'checks:\n  it: { service: a, question: Is it, tcp: 1 }\n', /question "Is it" is none: end it with "\?"$/],
    ['no service', 'checks:\n  it: { question: "Is it?", log: x }\n', 'doctor.yaml:2:3: it needs the key service'],
    ['a regular expression', check('log: "("'), /^doctor\.yaml:5:10: pattern|log "\(" is no regular expression/],
    [
      'a Redis command',
      check('redis: { command: FLUSHALL, expect: OK }'),
      'doctor.yaml:5:5: redis command "FLUSHALL" is not one that only reads',
    ],
    [
      'a Redis command, nearly',
      check('redis: { command: LEN jobs, expect: 0 }'),
      /"LEN" is not one that only reads; did you mean HLEN, LLEN or XLEN/,
    ],
    [
      'a second word of Redis',
      check('redis: { command: CONFIG SET a b, expect: OK }'),
      /"CONFIG SET" is not one that only reads; of CONFIG it takes GET$/,
    ],
    ['nothing expected', check('postgres: select 1'), 'doctor.yaml:5:5: it does not say what to expect: add expect'],
    ['a port', check('tcp: 70000'), 'doctor.yaml:5:10: tcp "70000" is no whole number from 1 to 65535'],
    ['too long a wait', check('timeout: 1m\n    tcp: 1'), 'doctor.yaml:5:14: timeout "1m" is longer than 8s'],
    [
      'absent and looked into',
      check('file: { path: /a, exists: false, contains: x }'),
      /wants \/a absent and looks into it; leave one out$/,
    ],
  ])('%s', (_, text, message) => {
    expect(() => read(text)).toThrow(ConfigError);
    expect(() => read(text)).toThrow(
      typeof message === 'string' ? new RegExp(`^${message.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`) : message,
    );
  });

  test('a name of an object is a name', () =>
    expect(Object.keys(read('services:\n  __proto__: { role: http }\n').services)).toEqual(['__proto__']));
});

describe('a file that cannot be read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'doctor-config-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string, content?: string | Buffer) => {
    if (content !== undefined) writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  mkdirSync(join(folder, 'folder.yaml'));

  test.each<[string, string, string]>([
    ['is not there', file('none.yaml'), 'there is no such file'],
    ['is a folder', file('folder.yaml'), 'it is a folder, not a file'],
    ['is a device', '/dev/zero', 'it is no regular file'],
    ['is too large', file('large.yaml', '#'.repeat(1_500_000)), 'it has 1.5 MB; at most 1 MB is read'],
    ['is not UTF-8', file('latin.yaml', Buffer.from([0x72, 0x3a, 0x20, 0xe4, 0x0a])), 'it is not UTF-8 text'],
  ])('%s', async (_, path, message) => expect(readConfig(path, 'doctor.yaml')).rejects.toThrow(`doctor.yaml: ${message}`));
});
