/** Makes a recording of a lab stack as it stands, and beside it the diagnosis that it must give. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { LabStack } from '../lab/stack.ts';
import { expectationOf } from './expectation.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.cjs', import.meta.url));
export const RECORDINGS = fileURLToPath(new URL('../../fixtures/recordings/', import.meta.url));

export const recordStack = async (stack: LabStack, name: string): Promise<void> => {
  mkdirSync(RECORDINGS, { recursive: true });
  const file = `${RECORDINGS}${name}.json.gz`;
  rmSync(file, { force: true });
  const { stderr } = spawnSync(process.execPath, [CLI, 'record', file], {
    cwd: stack.dir,
    env: { ...process.env, ...stack.env },
    encoding: 'utf8',
    timeout: 60_000,
  });
  const text = gunzipSync(readFileSync(file)).toString();
  if (text.includes(stack.password)) throw new Error(`${name}: the recording holds a password; ${stderr}`);
  writeFileSync(file, gzipSync(neutral(text, stack), { level: 9 }));
  await writeExpectation(name);
};

export const writeExpectation = async (name: string): Promise<void> => {
  const expectation = await expectationOf(`${RECORDINGS}${name}.json.gz`);
  writeFileSync(`${RECORDINGS}${name}.expected.json`, `${JSON.stringify(expectation, null, 2)}\n`);
};

/** Nothing of the machine that recorded: its folders, its socket. */
const neutral = (text: string, stack: LabStack): string =>
  text
    .replaceAll(/"dataRoot": "([^"]+)"/.exec(text)?.[1] ?? '/var/lib/docker', '/var/lib/docker')
    .replaceAll(stack.dir, `/src/${basename(stack.dir)}`)
    .replaceAll(stack.engine.dockerHost, 'unix:///var/run/docker.sock')
    .replaceAll(/(?<=")\/[^"]*(?=\/volumes\/[^"/]+\/_data")/g, '/var/lib/docker');
