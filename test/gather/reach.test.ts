import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineClient } from '../../src/gather/engine-client.ts';
import { CannotLook } from '../../src/gather/gathering.ts';
import { gatherReach } from '../../src/gather/reach.ts';
import type { InsideFact, NginxFact } from '../../src/model/facts.ts';
import type { Attachment, Connection, Service } from '../../src/model/stack.ts';
import { containerOf, engineOf, gatheringOf, serviceOf } from './namespace.ts';

const where = (program: string): string | null => {
  const found = spawnSync('sh', ['-c', `command -v ${program}`])
    .stdout.toString()
    .trim();
  return found === '' ? null : found;
};
const PYTHON = spawnSync('python3', ['-c', 'import sys; print(sys.executable)']).stdout?.toString().trim() || null;
const TOOLS: Record<string, string | null> = {
  python3: PYTHON,
  node: process.execPath,
  bash: where('bash'),
  nc: where('nc'),
  busybox: where('busybox'),
};

/** An image with these programs and no others. */
const imageWith = (...programs: string[]): string => {
  const folder = mkdtempSync(join(tmpdir(), 'image-'));
  for (const program of ['sh', ...programs]) symlinkSync(TOOLS[program] ?? where(program)!, join(folder, program));
  return folder;
};

/** Runs commands with the programs of the image. */
const engineWith = (path: string): EngineClient & { commands: string[][] } => {
  const engine = engineOf();
  engine.exec = async (_, command, { timeoutMs = 2_000 } = {}) => {
    engine.commands.push(command);
    // As runc says it.
    if (spawnSync('sh', ['-c', 'command -v "$0"', command[0]!], { env: { PATH: path } }).status !== 0) {
      return {
        exitCode: 127,
        stdout: `OCI runtime exec failed: exec failed: unable to start container process: exec: "${command[0]}": executable file not found in $PATH`,
        stderr: '',
      };
    }
    return promisify(execFile)(command[0]!, command.slice(1), { env: { PATH: path }, timeout: timeoutMs }).then(
      ({ stdout, stderr }) => ({ exitCode: 0, stdout, stderr }),
      (error: { code: unknown; stdout: string; stderr: string }) => ({
        exitCode: typeof error.code === 'number' ? error.code : null,
        stdout: error.stdout,
        stderr: error.stderr,
      }),
    );
  };
  return engine;
};

const connection = (host: string, port: number, more: Partial<Connection> = {}): Connection => ({
  from: 'app',
  to: null,
  kind: 'tcp',
  host,
  port,
  user: null,
  password: null,
  database: null,
  tls: false,
  url: `${host}:${port}`,
  source: 'env TARGET',
  malformed: null,
  ...more,
});

const end = (ip: string, names: string[] = []): Attachment => ({ network: 'default', networkId: 'n1', ip, gateway: '10.9.0.1', names });
const MINUTE_AGO = new Date(Date.now() - 60_000).toISOString();
const upSince = (startedAt: string) => ({ ...containerOf({}).state, startedAt });

const client = serviceOf(containerOf({ networks: [end('10.9.0.2', ['app'])], state: upSince(MINUTE_AGO) }));
const server = (status: 'running' | 'paused' | 'exited' = 'running', startedAt = MINUTE_AGO): Service => {
  const container = containerOf({ id: 'd'.repeat(64), name: 'box-db-1', service: 'db', networks: [end('10.9.0.3', ['db'])] });
  return serviceOf({ ...container, state: { ...upSince(startedAt), status } }, { role: 'postgres' });
};

const INSIDE: InsideFact = { container: '', via: 'proc', listeners: [], peers: [], mounts: [], processes: [], processesKnown: true };
const LISTENS: Partial<InsideFact> = { listeners: [{ family: 4, address: '0.0.0.0', port: 5432 }] };

/** What the kernel shows of client and server, by service. */
const shown = (facts: Record<string, Partial<InsideFact>>) => ({
  inside: (service: Service) =>
    facts[service.name] ? Promise.resolve({ ...INSIDE, ...facts[service.name] }) : Promise.reject(new CannotLook('not seen')),
});

describe('tried from inside', () => {
  let listener: Server;
  let port = 0;
  let refused = 0;
  beforeAll(async () => {
    listener = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await new Promise((resolve) => listener.once('listening', resolve));
    port = (listener.address() as AddressInfo).port;
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    refused = (other.address() as AddressInfo).port;
    await new Promise((resolve) => other.close(resolve));
  });
  afterAll(() => listener.close());

  const tryWith = async (programs: string[]) => {
    const path = imageWith(...programs);
    try {
      const engine = engineWith(path);
      const connections = [connection('no-such-host.invalid', 5432), connection(LOCAL, port), connection(LOCAL, refused)];
      const fact = await gatherReach(client, gatheringOf(engine, [client], {}, { connections }));
      return { engine, outcomes: fact.targets.map(({ trial, addresses }) => ({ layer: trial.layer, outcome: trial.outcome, addresses })) };
    } finally {
      rmSync(path, { recursive: true });
    }
  };
  /** An old spelling of loopback: tried like any other name, while `localhost` needs no try. */
  const LOCAL = '0177.1';

  const IMAGES: [string, string[]][] = [
    ['Python', ['python3']],
    ['Node.js', ['node']],
    ['bash', ['bash', 'getent', 'timeout', 'sleep']],
    ['bash without timeout', ['bash', 'getent', 'sleep']],
    ['nc', ['nc', 'getent', 'sleep']],
    ['busybox', ['busybox', 'getent', 'sleep']],
  ];
  for (const [name, programs] of IMAGES) {
    it.skipIf(programs.some((program) => (TOOLS[program] ?? where(program)) === null))(`by ${name}`, { timeout: 30_000 }, async () => {
      const { engine, outcomes } = await tryWith(programs);
      expect(outcomes[0]).toMatchObject({ layer: 'name', addresses: null });
      expect(['not-found', 'timeout']).toContain(outcomes[0]!.outcome);
      expect(outcomes.slice(1)).toEqual([
        { layer: 'tcp', outcome: 'ok', addresses: ['127.0.0.1'] },
        { layer: 'tcp', outcome: 'refused', addresses: ['127.0.0.1'] },
      ]);
      expect(engine.commands).toHaveLength(1);
    });
  }

  it('says so where the image has nothing to try it with', async () => {
    const { outcomes } = await tryWith([]);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['no-tool', 'no-tool', 'no-tool']);
  });

  it('hands over no name that is none', async () => {
    const engine = engineOf();
    const odd = ['-e', '$(reboot)', 'a b', '`x`', ''].map((host) => connection(host, 1));
    const fact = await gatherReach(
      client,
      gatheringOf(
        engine,
        [client],
        {},
        { connections: [...odd, connection('db', 1, { kind: 'depends-on' }), connection('db', 5432, { malformed: 'no host' })] },
      ),
    );
    expect(fact.targets).toEqual([]);
    expect(engine.commands).toEqual([]);
  });
});

describe('known without a try', () => {
  const toDb = connection('db', 5432, { to: 'db', kind: 'postgres' });
  const look = async (facts: Record<string, Partial<InsideFact>>, db = server()) => {
    const path = imageWith('node');
    const engine = engineWith(path);
    try {
      const fact = await gatherReach(client, gatheringOf(engine, [client, db], shown(facts), { connections: [toDb] }));
      return { target: fact.targets[0]!, tries: engine.commands.length };
    } finally {
      rmSync(path, { recursive: true });
    }
  };
  const closed = (secondsAgo: number) => ({ closed: [{ localPort: 40_000, address: '10.9.0.3', port: 5432, secondsAgo }] });
  const ok = {
    addresses: ['10.9.0.3'],
    trial: { layer: 'tcp', outcome: 'ok' },
    view: { kind: 'inside', service: 'app', network: 'default' },
  };

  it.each<[string, Record<string, Partial<InsideFact>>, Service]>([
    ['a live connection', { app: { peers: [{ address: '10.9.0.3', port: 5432 }] }, db: LISTENS }, server()],
    ['one that ended a moment ago', { app: closed(4), db: LISTENS }, server()],
    [
      'one that the server remembers',
      { app: {}, db: { ...LISTENS, closed: [{ localPort: 5432, address: '10.9.0.2', port: 40_000, secondsAgo: 4 }] } },
      server(),
    ],
    ['a live connection, where the server cannot be seen', { app: { peers: [{ address: '10.9.0.3', port: 5432 }] } }, server()],
  ])('%s', async (_, facts, db) => {
    const { target, tries } = await look(facts, db);
    expect(target).toMatchObject(ok);
    expect(tries).toBe(0);
  });

  it.each<[string, Record<string, Partial<InsideFact>>, Service]>([
    ['no connection', { app: {}, db: LISTENS }, server()],
    ['a connection to another port', { app: { peers: [{ address: '10.9.0.3', port: 6379 }] }, db: LISTENS }, server()],
    [
      'a connection of before the server started anew',
      { app: closed(10), db: LISTENS },
      server('running', new Date(Date.now() - 5_000).toISOString()),
    ],
    [
      'a server that has shut itself in',
      { app: { peers: [{ address: '10.9.0.3', port: 5432 }] }, db: { listeners: [{ family: 4, address: '127.0.0.1', port: 5432 }] } },
      server(),
    ],
    ['a server that listens no more', { app: { peers: [{ address: '10.9.0.3', port: 5432 }] }, db: {} }, server()],
    [
      'another connection that waits in vain',
      { app: { ...closed(4), connecting: [{ address: '10.9.0.3', port: 5432 }] }, db: LISTENS },
      server(),
    ],
  ])('not by %s', async (_, facts, db) => expect((await look(facts, db)).tries).toBe(1));

  it.each(['paused', 'exited'] as const)('not of a server that is %s; and then no try is made for it alone', async (status) => {
    const { target, tries } = await look({ app: { peers: [{ address: '10.9.0.3', port: 5432 }] } }, server(status));
    expect(target.trial).toMatchObject({ layer: 'name', outcome: 'failed', text: 'not tried: db is not running' });
    expect(tries).toBe(0);
  });

  it.each<[string, number, string]>([
    ['something listens', 5432, 'ok'],
    ['nothing listens', 5433, 'refused'],
  ])('on its own loopback, where %s', async (_, port, outcome) => {
    const engine = engineOf();
    const fact = await gatherReach(
      client,
      gatheringOf(engine, [client], shown({ app: LISTENS }), { connections: [connection('localhost', port)] }),
    );
    expect(fact.targets[0]?.trial.outcome).toBe(outcome);
    expect(engine.commands).toEqual([]);
  });

  it.each<[string, number, number, string]>([
    ['what the app itself answered', 404, 0, MINUTE_AGO],
    ['not by an error', 502, 1, MINUTE_AGO],
    ['not by a refusal of nginx itself', 403, 1, MINUTE_AGO],
    ['not where the app is younger than nginx', 200, 1, new Date(Date.now() - 1_000).toISOString()],
  ])('through nginx: %s', async (_, status, tries, startedAt) => {
    const path = imageWith('node');
    const engine = engineWith(path);
    const nginx = { ...client, role: 'nginx' as const };
    const http = {
      url: '',
      pathFrom: '',
      view: { kind: 'published', address: '' },
      trial: { layer: 'done', outcome: 'ok', code: '', text: '', ms: 0 },
      answer: { status },
    };
    const fact = {
      upstreams: [{ host: 'db', port: 5432 }],
      proxied: [{ location: '/', upstream: 'db:5432', http }],
    } as unknown as NginxFact;
    const reached = await gatherReach(
      nginx,
      gatheringOf(engine, [nginx, server('running', startedAt)], {
        ...shown({ app: {}, db: LISTENS }),
        nginx: () => Promise.resolve(fact),
      }),
    );
    expect(engine.commands).toHaveLength(tries);
    expect(reached.targets[0]).toMatchObject({ host: 'db', port: 5432 });
    rmSync(path, { recursive: true });
  });
});

it('says that nothing can be tried from a client that does not run', async () => {
  await expect(
    gatherReach(serviceOf(containerOf({ state: { ...containerOf({}).state, status: 'exited' } })), gatheringOf(engineOf(), [])),
  ).rejects.toThrow(CannotLook);
});
