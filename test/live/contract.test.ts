/** The promise to users and programs, on a real healthy stack: documents, selections, exit codes, recordings. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../src/model/report.ts';
import { labForTests } from '../lab/for-tests.ts';
import { startStack, type LabStack } from '../lab/stack.ts';
import { diagnosis, doctor, failures } from './doctor.ts';

const engine = await labForTests();

describe.skipIf(!engine)('the contract', () => {
  let stack: LabStack;
  const folder = mkdtempSync(join(tmpdir(), 'stack-doctor-contract-'));
  beforeAll(async () => {
    stack = await startStack(engine!);
  }, 600_000);
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await stack?.down();
    await engine?.close();
  }, 120_000);

  test('--json is one document with the promised keys, and nothing else on stdout', async () => {
    const { report, code } = await diagnosis(stack);
    expect(code).toBe(0);
    expect(Object.keys(report)).toEqual([
      'schemaVersion',
      'tool',
      'startedAt',
      'durationMs',
      'status',
      'stack',
      'counts',
      'rootCauses',
      'checks',
      'notes',
    ]);
    expect(report).toMatchObject({
      schemaVersion: 1,
      tool: { name: 'stack-doctor' },
      status: 'pass',
      rootCauses: [],
      stack: { project: stack.project, workingDir: stack.dir },
    });
    expect(report.stack.services.find(({ name }) => name === 'db')).toMatchObject({
      role: 'postgres',
      state: 'running',
      health: 'healthy',
      replicas: 1,
    });
    expect(report.stack.connections).toContainEqual({ from: 'backend', to: 'db', kind: 'postgres', source: 'env DATABASE_URL' });
    expect(Object.keys(report.counts)).toEqual(['pass', 'warn', 'fail', 'blocked', 'skip', 'error']);
    for (const check of report.checks) {
      expect(check).toMatchObject({
        id: expect.any(String),
        check: expect.any(String),
        title: expect.any(String),
        evidence: expect.any(Array),
        durationMs: expect.any(Number),
      });
    }
  });

  test('a run leaves no trace in the logs of the data stores (FA-9)', async () => {
    const since = new Date().toISOString();
    expect((await diagnosis(stack)).code).toBe(0);
    for (const service of ['db', 'redis']) {
      const { stdout, stderr } = await stack.docker('logs', '--since', since, await stack.containerId(service));
      expect(`${stdout}${stderr}`, service).toBe('');
    }
  });

  test('Postgres never has more than two sessions of the doctor (FA-23)', async () => {
    const counting = `select count(*) from pg_stat_activity where backend_type = 'client backend' and application_name = 'stack-doctor'`;
    const watch = ['sh', '-c', `echo "${counting} \\\\watch interval=0.01 count=300" | psql -U shootout -At`];
    const watching = stack.exec('db', watch);
    const run = await diagnosis(stack);
    const counts = (await watching).stdout.split('\n').filter(Boolean).map(Number);
    expect(run.code).toBe(0);
    expect(Math.max(...counts)).toBeGreaterThan(0);
    expect(Math.max(...counts)).toBeLessThanOrEqual(2);
  });

  test("the caller's own variables for databases and proxies have no say (FA-25, FA-26)", async () => {
    const nowhere = 'http://127.0.0.1:9';
    const { report, code } = await diagnosis(stack, [], {
      PGHOST: 'example.invalid',
      PGPASSWORD: 'of-the-user',
      PGSSLMODE: 'verify-full',
      REDIS_URL: 'redis://example.invalid',
      HTTP_PROXY: nowhere,
      http_proxy: nowhere,
      HTTPS_PROXY: nowhere,
      ALL_PROXY: nowhere,
      NODE_USE_ENV_PROXY: '1',
    });
    expect(failures(report)).toEqual([]);
    expect(code).toBe(0);
  });

  test('order is decided, not raced', async () => {
    const ids = async (): Promise<string[]> => (await diagnosis(stack)).report.checks.map(({ id }) => id);
    const [one, two, three] = await Promise.all([ids(), ids(), ids()]);
    expect(two).toEqual(one);
    expect(three).toEqual(one);
  });

  test.for<[string, RegExp]>([
    ['db', /^db\//],
    ['postgres', /^db\/postgres$/],
    ['db/postgres', /^db\/postgres$/],
    ['cache', /^redis\//],
    ['*/network', /\/network$/],
  ])('`doctor check %s` asks that and nothing else', async ([selector, expected]) => {
    const run = await doctor(stack, ['check', selector, '--json']);
    const { checks } = JSON.parse(run.stdout) as Report;
    expect(run.code).toBe(0);
    expect(checks.length).toBeGreaterThan(0);
    for (const { id } of checks) expect(id).toMatch(expected);
  });

  test('an unknown selector is exit 2, with the nearest name in one line', async () => {
    const run = await doctor(stack, ['check', 'postgers']);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(/^doctor: .*"postgers".*did you mean postgres.*\n$/);
  });

  test('without an engine everything is blocked by that one cause', async () => {
    const { report, code } = await diagnosis(stack, [], { DOCKER_HOST: `unix://${folder}/none.sock` });
    expect(code).toBe(1);
    expect(report.rootCauses.map(({ code: found }) => found)).toEqual(['engine/socket-missing']);
    expect(report.checks.filter(({ id, status }) => id !== 'engine' && status !== 'blocked').map(({ id }) => id)).toEqual([]);
  });

  test('a deadline that cuts the run short is never a pass, and what was found is printed', async () => {
    const { report, code } = await diagnosis(stack, ['--timeout', '1ms']);
    expect(code).not.toBe(0);
    expect(report.checks.length).toBeGreaterThan(0);
    expect(report.notes.join(' ')).toContain('before everything was looked at');
  });

  test('a recording gives the diagnosis again, without an engine and without secrets', async () => {
    const file = join(folder, 'stack.json');
    expect(await doctor(stack, ['record', file])).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).not.toContain(stack.password);
    const { report } = await diagnosis(stack);
    const replayed = await diagnosis({ dir: folder, env: {} }, ['--replay', file], { DOCKER_HOST: `unix://${folder}/none.sock` });
    const told = ({ checks }: Report) => checks.map(({ id, status, code }) => ({ id, status, code }));
    expect(told(replayed.report)).toEqual(told(report));
  });

  test('--wait ends as soon as nothing fails', async () => {
    await stack.compose('stop', '-t', '1', 'redis');
    const waiting = doctor(stack, ['--wait', '60s', '--json']);
    await stack.compose('up', '-d', '--wait', 'redis', 'worker', 'backend');
    const run = await waiting;
    expect(run.code, run.stdout.slice(0, 2_000)).toBe(0);
    expect((JSON.parse(run.stdout) as Report).rootCauses).toEqual([]);
  });
});
