/** The package as others install it: one tarball, no dependencies, two names for the program. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../src/model/report.ts';
import { createRecording, recordingText } from '../src/recording/recording.ts';
import { fact, makeService, NOW } from './checks/make.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const RECORDING = join(ROOT, 'fixtures/recordings/db-stopped.json.gz');

describe('npm pack', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stack-doctor-package-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  beforeAll(() => {
    execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], { cwd: ROOT });
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
    writeFileSync(join(folder, 'package.json'), '{"private":true}');
    execFileSync('npm', ['install', '--offline', '--no-audit', '--no-fund', '--silent', join(folder, tarball)], { cwd: folder });
  }, 120_000);

  test('holds the program, the library with its types, the runbook and the licences, and nothing else', () => {
    const files = readdirSync(join(folder, 'node_modules/stack-doctor'));
    expect(files.toSorted()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'RUNBOOK.md', 'dist', 'doctor.schema.json', 'package.json']);
    expect(readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(['stack-doctor']);
  });

  test.for(['doctor', 'stack-doctor'])('`%s` runs where it is installed', (name) => {
    const program = join(folder, 'node_modules/.bin', name);
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(execFileSync(program, ['--version'], { encoding: 'utf8' }).trim()).toBe(version);
    const run = spawnSync(program, ['--replay', RECORDING, '-q'], { encoding: 'utf8', cwd: folder });
    expect(run.status).toBe(1);
    expect(run.stdout).toContain('db/container');
    expect(run.stdout).toContain('docker compose up -d db');
  });

  test('the example of a plugin is a package beside it, and its checks are like any other', () => {
    const broker = makeService({ name: 'broker', containers: [{ image: 'apache/kafka:4.0.0' }] });
    const api = makeService({ name: 'api', containers: [{ env: { BROKER: 'broker:9092' } }] });
    const groups = (value: object) => ({ 'own:kafka.groups:broker': fact(value) });
    const facts = {
      engine: fact({
        host: 'unix:///var/run/docker.sock',
        state: 'ok',
        version: '28.0.0',
        apiVersion: '1.51',
        detail: '',
        source: '',
        elsewhere: null,
      }),
      containers: fact([...broker.containers, ...api.containers]),
    };
    cpSync(join(ROOT, 'fixtures/plugin-kafka'), join(folder, 'node_modules/stack-doctor-kafka'), { recursive: true });
    writeFileSync(join(folder, 'doctor.yaml'), 'plugins:\n  - stack-doctor-kafka\n');
    const replay = (value: object | null) => {
      const recorded = { ...facts, ...(value && groups(value)) };
      const recording = createRecording(recorded, { tool: { name: 'stack-doctor', version: '0.1.0' }, recordedAt: NOW });
      writeFileSync(join(folder, 'kafka.json'), recordingText(recording));
      const args = ['check', 'kafka-*', '--replay', 'kafka.json', '--config', 'doctor.yaml', '--json'];
      const { status, stdout, stderr } = spawnSync(join(folder, 'node_modules/.bin/doctor'), args, { encoding: 'utf8', cwd: folder });
      expect(stderr).toBe('');
      return { status, report: JSON.parse(stdout) as Report };
    };

    const healthy = replay({ answers: true, said: '', groups: [{ group: 'billing', topic: 'orders', lag: 0 }] });
    expect([healthy.status, healthy.report.checks.map(({ id, status }) => `${id} ${status}`)]).toEqual([
      0,
      ['broker/kafka-broker pass', 'broker/kafka-lag pass'],
    ]);
    const behind = replay({ answers: true, said: '', groups: [{ group: 'billing', topic: 'orders', lag: 90_000 }] });
    expect(behind.status).toBe(1);
    expect(behind.report.rootCauses).toMatchObject([
      {
        code: 'kafka-lag/behind',
        summary: 'group billing is 90000 messages behind on topic orders of broker',
        remedy: { source: { file: 'node_modules/stack-doctor-kafka/RUNBOOK.md', heading: 'Consumers are behind' } },
      },
    ]);
    const silent = replay({ answers: false, said: 'Timed out waiting for a node assignment', groups: [] });
    expect(silent.report.checks.map(({ id, status }) => `${id} ${status}`)).toEqual([
      'broker/kafka-broker fail',
      'broker/kafka-lag blocked',
    ]);
    expect(replay(null).status).toBe(3);
  });

  test('the library is imported by its name', () => {
    const script =
      "import { runDoctor, defineCheck, definePlugin, UsageError } from 'stack-doctor'; console.log(typeof runDoctor, typeof defineCheck, typeof definePlugin, typeof UsageError)";
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: folder, encoding: 'utf8' });
    expect(said.trim()).toBe('function function function function');
  });
});
