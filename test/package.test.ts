/** The package as others install it: one tarball, no dependencies, two names for the program. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

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

  test('the library is imported by its name', () => {
    const script =
      "import { runDoctor, defineCheck, UsageError } from 'stack-doctor'; console.log(typeof runDoctor, typeof defineCheck, typeof UsageError)";
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: folder, encoding: 'utf8' });
    expect(said.trim()).toBe('function function function');
  });
});
