import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { TryStopped } from '../../src/gather/trial.ts';
import { openTunnel } from '../../src/gather/tunnel.ts';
import { makeContainer } from '../checks/make.ts';
import { closedPort, listen, localEngine } from './loopback.ts';

const container = makeContainer({ service: 'app' });

/** The real program behind a name; version managers put scripts in front of it that need the rest of the PATH. */
const find = (name: string): string | null => {
  const words = { python3: ['python3', '-c', 'import sys;print(sys.executable)'], node: ['node', '-p', 'process.execPath'] }[name] ?? [
    'sh',
    '-c',
    `command -v ${name}`,
  ];
  try {
    return realpathSync(execFileSync(words[0]!, words.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim());
  } catch {
    return null;
  }
};

/** An image that has these programs and no others. */
const imageWith = (...names: string[]): string => {
  const folder = mkdtempSync(join(tmpdir(), 'stack-doctor-path-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of names) symlinkSync(find(name)!, join(folder, name));
  return folder;
};

const open = (path: string, host: string, port: number, signal = AbortSignal.timeout(8_000)) => {
  const engine = localEngine(path);
  return { engine, stream: openTunnel(engine, container, host, port, { signal }) };
};

const failureOf = async (stream: Promise<Duplex>) => {
  const error: unknown = await stream.then(
    () => new Error('it connected'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof TryStopped)) throw error;
  return error.failure;
};

const read = (stream: Duplex, bytes: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    let all = Buffer.alloc(0);
    stream.on('data', (chunk: Buffer) => {
      all = Buffer.concat([all, chunk]);
      if (all.length >= bytes) resolve(all);
    });
    stream.once('error', reject);
    stream.once('close', () => reject(new Error(`closed after ${all.length} bytes`)));
  });

const TOOLS: [string, string[]][] = [
  ['python3', ['sh', 'python3']],
  ['node', ['sh', 'node']],
  ['perl', ['sh', 'perl']],
  ['bash', ['sh', 'bash', 'dd']],
  ['nc', ['sh', 'nc']],
  ['python3 without a shell', ['python3']],
  ['node without a shell', ['node']],
];

describe.each(TOOLS)('a tunnel by %s', (_name, programs) => {
  const isHere = programs.every((name) => find(name) !== null);

  test.skipIf(!isHere)('carries any bytes both ways, and leaves no process behind', async () => {
    const server = await listen((socket) => socket.pipe(socket));
    const { engine, stream } = open(imageWith(...programs), '127.0.0.1', server.port);
    const tunnel = await stream;
    const sent = randomBytes(300_000);
    const received = read(tunnel, sent.length);
    tunnel.write(sent);
    expect((await received).equals(sent)).toBe(true);
    expect(engine.running()).toBe(1);
    tunnel.destroy();
    await vi.waitFor(() => expect([engine.running(), server.open()]).toEqual([0, 0]), 4_000);
  });

  test.skipIf(!isHere)('ends when the server closes', async () => {
    const server = await listen((socket) => socket.end('bye'));
    const { engine, stream } = open(imageWith(...programs), '127.0.0.1', server.port);
    const tunnel = await stream;
    expect((await read(tunnel, 3)).toString()).toBe('bye');
    await vi.waitFor(() => expect([tunnel.destroyed, engine.running()]).toEqual([true, 0]), 4_000);
  });

  test.skipIf(!isHere)('tells a refused port from an unknown name', async () => {
    const path = imageWith(...programs);
    expect(await failureOf(open(path, '127.0.0.1', await closedPort()).stream)).toMatchObject({
      layer: 'tcp',
      outcome: 'refused',
      code: 'ECONNREFUSED',
    });
    expect(await failureOf(open(path, 'no-such-service.invalid', 5432).stream)).toMatchObject({ layer: 'name', outcome: 'not-found' });
  });

  test.skipIf(!isHere)('is over when its limit is', async () => {
    const server = await listen(() => {});
    const limit = new AbortController();
    const { engine, stream } = open(imageWith(...programs), '127.0.0.1', server.port, limit.signal);
    const tunnel = await stream;
    limit.abort();
    expect(tunnel.destroyed).toBe(true);
    await vi.waitFor(() => expect([engine.running(), server.open()]).toEqual([0, 0]), 4_000);
  });
});

test('an image with none of the tools is not blamed', async () => {
  const { stream } = open(imageWith('sh'), '127.0.0.1', 1);
  expect(await failureOf(stream)).toMatchObject({ layer: 'tcp', outcome: 'no-tool' });
});

test('nor is one with nothing in it at all', async () => {
  const { engine, stream } = open(imageWith(), '127.0.0.1', 1);
  expect(await failureOf(stream)).toMatchObject({ outcome: 'no-tool' });
  expect(engine.commands.map((command) => command[0])).toEqual(['sh', 'python3', 'node', '/nodejs/bin/node']);
});
