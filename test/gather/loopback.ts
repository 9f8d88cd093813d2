/**
 * Real sockets and processes of this machine for tests of gatherers: small servers on loopback, and commands run here where an engine would
 * run them in a container.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { onTestFinished } from 'vitest';
import { EngineError, type EngineClient } from '../../src/gather/engine-client.ts';
import type { ServiceSettings } from '../../src/model/config.ts';
import type { Gathering } from '../../src/gather/gathering.ts';
import { createVault, type Vault } from '../../src/gather/vault.ts';
import type { Fact, FactName } from '../../src/model/facts.ts';
import type { Service, Stack } from '../../src/model/stack.ts';

export interface Listening {
  port: number;
  /** Connections taken so far. */
  taken(): number;
  /** Connections still open. */
  open(): number;
}

/** A TCP server on loopback that ends with the test. */
export const listen = async (serve: (socket: Socket) => void, host = '127.0.0.1'): Promise<Listening> => {
  let taken = 0;
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    taken += 1;
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    serve(socket);
    // A socket that is not read does not notice its end.
    socket.resume();
  });
  const port = await start(server, host);
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { port, taken: () => taken, open: () => open.size };
};

export const start = (server: Server, host = '127.0.0.1'): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, () => resolve((server.address() as AddressInfo).port));
  });

/** A port that nobody listens on: one that was free a moment ago. */
export const closedPort = async (): Promise<number> => {
  const server = createServer();
  const port = await start(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
};

export interface LocalEngine extends EngineClient {
  running(): number;
  commands: string[][];
}

/** Runs exec'ed commands on this machine, with the programs of `path` alone. An engine says of a missing program what runc says. */
export const localEngine = (path = process.env['PATH'] ?? ''): LocalEngine => {
  const children = new Set<ChildProcess>();
  const commands: string[][] = [];
  const unasked = () => Promise.reject(new EngineError('not asked for in this test', null, ''));
  onTestFinished(() => {
    for (const child of children) child.kill();
  });
  return {
    host: 'unix:///var/run/docker.sock',
    commands,
    running: () => children.size,
    calls: () => 0,
    ping: unasked,
    get: unasked,
    events: unasked,
    exec: unasked,
    readFile: unasked,
    readTree: unasked,
    logs: () => Promise.resolve([]),
    close: () => {},
    async execStream(_id, command, { onStderr } = {}) {
      commands.push(command);
      const child = spawn(command[0]!, command.slice(1), { env: { PATH: path, HOME: '/' }, stdio: 'pipe' });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', () => reject(new EngineError(`exec: "${command[0]}": executable file not found in $PATH`, 400, '')));
      });
      children.add(child);
      child.once('exit', () => children.delete(child));
      child.stdin.on('error', () => {});
      child.stderr.on('data', (chunk: Buffer) => onStderr?.(chunk.toString('utf8')));
      const stream = new Duplex({
        read() {
          child.stdout.resume();
        },
        write(chunk: Buffer, _encoding, done) {
          child.stdin.write(chunk, () => done());
        },
        final(done) {
          child.stdin.end();
          done();
        },
        destroy(error, done) {
          // All that an engine does for a closed exec stream.
          child.stdin.destroy();
          child.stdout.resume();
          done(error);
        },
      });
      child.stdout.on('data', (chunk: Buffer) => {
        if (!stream.destroyed && !stream.push(chunk)) child.stdout.pause();
      });
      // As on the one connection of an exec: its end comes after everything that was said.
      child.once('close', () => {
        if (!stream.destroyed) stream.push(null);
      });
      return stream;
    },
  };
};

/** Everything a gatherer is handed. `facts` answers for other facts, by name. */
export const gatheringOf = (
  stack: Stack,
  parts: {
    engine?: EngineClient;
    vault?: Vault;
    signal?: AbortSignal;
    facts?: Partial<Record<FactName, Fact<unknown>>>;
    settings?: ServiceSettings;
  } = {},
): Gathering => ({
  engine: parts.engine ?? localEngine(),
  vault: parts.vault ?? createVault(),
  stack,
  signal: parts.signal ?? new AbortController().signal,
  startedAt: '2026-11-23T07:00:00.000Z',
  settings: parts.settings ?? {},
  fact: ((name: FactName, _service?: Service) =>
    Promise.resolve(
      parts.facts?.[name] ?? { ok: false, reason: 'not asked for in this test', timedOut: false, ms: 0 },
    )) as Gathering['fact'],
});

/** A try by loopback, for tests of one session. */
export const limitsOf = (ms = 2_000, vault = createVault()) => ({ ms, vault, signal: new AbortController().signal });
