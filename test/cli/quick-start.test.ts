/** The compiled code that is kept between runs: it must never be able to harm one. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import module from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildCli } from '../../scripts/build.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const RECORDING = join(ROOT, 'fixtures/recordings/db-stopped.json.gz');
const folder = mkdtempSync(join(tmpdir(), 'doctor-quick-'));
const home = join(folder, 'home');
const kept = join(home, '.cache', 'stack-doctor');

beforeAll(async () => {
  await buildCli(join(folder, 'dist'));
  copyFileSync(join(ROOT, 'RUNBOOK.md'), join(folder, 'RUNBOOK.md'));
}, 60_000);
beforeEach(() => {
  rmSync(home, { recursive: true, force: true });
  mkdirSync(join(home, '.cache'), { recursive: true, mode: 0o700 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const doctor = (env: Record<string, string> = {}) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'dist/cli.cjs'), '--replay', RECORDING], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', HOME: home, ...env },
    encoding: 'utf8',
  });
  return { status, stdout: stdout.replace(/\d+(\.\d+)?\s+m?s\b/g, 'some time'), stderr };
};

const fileOf = (): string => join(kept, readdirSync(kept)[0]!);

test('a run leaves it in the cache folder of the user, and the next says the same', () => {
  const first = doctor();
  expect(first).toMatchObject({ status: 1, stderr: '' });
  expect(readdirSync(kept)).toHaveLength(1);
  expect(doctor()).toEqual(first);
});

test('switched off, or without a cache folder, nothing is written', () => {
  const said = doctor({ DOCTOR_NO_CACHE: '1' });
  expect(said).toMatchObject({ status: 1, stderr: '' });
  expect(existsSync(kept)).toBe(false);
  expect(doctor({ XDG_CACHE_HOME: join(folder, 'none') })).toEqual(said);
  expect(existsSync(join(folder, 'none'))).toBe(false);
});

test('a folder that others may write to is not used', () => {
  chmodSync(join(home, '.cache'), 0o777);
  expect(doctor().status).toBe(1);
  expect(existsSync(kept)).toBe(false);
});

test("Node's own modules are taken as Node has compiled them: before the flags change", () => {
  const preload = join(folder, 'cache-usage.cjs');
  writeFileSync(
    preload,
    `const { internalBinding } = require('internal/test/binding');
     process.on('exit', () => process._rawDebug([...internalBinding('builtins').getCacheUsage().compiledWithCache].join(' ')));`,
  );
  const { stderr } = spawnSync(
    process.execPath,
    ['--no-warnings', '--expose-internals', '--require', preload, join(folder, 'dist/cli.cjs'), '--replay', RECORDING],
    { cwd: folder, env: { PATH: process.env['PATH'] ?? '', HOME: home }, encoding: 'utf8' },
  );
  expect(stderr.trim().split(' ')).toEqual(expect.arrayContaining(['http', 'crypto', 'child_process', 'fs/promises']));
});

// From Node 22.1 on the file is Node's own.
describe.skipIf('enableCompileCache' in module)('the file', () => {
  test('is not written again where there is nothing new', () => {
    doctor();
    const { mtimeMs, ino } = statSync(fileOf());
    doctor();
    expect(statSync(fileOf())).toMatchObject({ mtimeMs, ino });
  });

  const DAMAGE: Record<string, (bytes: Buffer) => Buffer> = {
    'is cut off': (bytes) => bytes.subarray(0, bytes.length >> 1),
    'is empty': () => Buffer.alloc(0),
    'is something else': () => Buffer.from('no code at all'.repeat(1_000)),
    'has one bit changed in its code': (bytes) => {
      const at = bytes.length - (bytes.length >> 2);
      bytes[at] = bytes[at]! ^ 1;
      return bytes;
    },
    'names a table without end': (bytes) => {
      bytes.writeUInt32LE(0xffffffff, 4);
      return bytes;
    },
  };
  test.for(Object.entries(DAMAGE))('is made anew when it %s', ([, damage]) => {
    const said = doctor();
    writeFileSync(fileOf(), damage(readFileSync(fileOf())));
    const damaged = readFileSync(fileOf());
    expect(doctor()).toEqual(said);
    expect(readFileSync(fileOf()).equals(damaged)).toBe(false);
    expect(doctor()).toEqual(said);
  });

  test('is not believed when others may write to it', () => {
    const said = doctor();
    chmodSync(fileOf(), 0o666);
    expect(doctor()).toEqual(said);
    expect(statSync(fileOf()).mode & 0o777).toBe(0o600);
  });
});
