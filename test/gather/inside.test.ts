import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CannotLook } from '../../src/gather/gathering.ts';
import { gatherInside } from '../../src/gather/inside.ts';
import { parseTcpTable } from '../../src/gather/proc-net.ts';
import { ownProcess, processTree, readTcpTables } from '../../src/gather/proc.ts';
import { canUnshare, containerOf, engineOf, gatheringOf, serviceOf, startBox, type Box } from './namespace.ts';

/** Listens on a port, and has a child whose title tries to steer a terminal. */
const APP = `
const { spawn } = require('child_process');
spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)', '--', '--password=hunter2hunter2', '\\u001b[31mred\\u0007'], { stdio: 'ignore' });
require('net').createServer().listen(8123, '0.0.0.0', () => setTimeout(() => console.log('ready'), 200));
`;

describe.skipIf(!canUnshare)('inside a container', () => {
  let box: Box;
  beforeAll(async () => {
    box = await startBox({ src: 'app', old: 'gone' }, [process.execPath, '-e', APP]);
    rmSync(join(box.folder, 'old'), { recursive: true, force: true });
  });
  afterAll(() => box?.stop());

  it('shows listeners, mounts and processes from /proc, and asks no engine', async () => {
    const engine = engineOf();
    const fact = await gatherInside(serviceOf(box.container), gatheringOf(engine, []));
    expect(fact).toMatchObject({
      via: 'proc',
      listeners: [{ family: 4, address: '0.0.0.0', port: 8123 }],
      peers: [],
      processesKnown: true,
    });
    expect(
      fact.mounts
        .filter(({ destination }) => destination.startsWith(box.folder))
        .map(({ destination, root, deleted }) => [destination.slice(box.folder.length), root.endsWith('/src'), deleted]),
    ).toEqual([
      ['/app', true, false],
      ['/gone', false, true],
    ]);
    expect(fact.processes.map(({ parent }) => parent)).toEqual([0, box.container.state.pid]);
    for (const never of ['hunter2', '\u001b', '\u0007']) expect(fact.processes[1]?.command).not.toContain(never);
    expect(fact.processes[1]?.command).toContain('red');
    expect(engine.commands).toEqual([]);
  });

  it('shows the same by one command where the process id means nothing here', async () => {
    const engine = engineOf(box);
    const abroad = { ...box.container, state: { ...box.container.state, pid: process.pid } };
    const fact = await gatherInside(serviceOf(abroad), gatheringOf(engine, []));
    expect(fact).toMatchObject({ via: 'exec', listeners: [{ family: 4, address: '0.0.0.0', port: 8123 }], processesKnown: true });
    expect(fact.mounts.map(({ destination }) => destination)).toContain(join(box.folder, 'app'));
    expect(engine.commands).toHaveLength(1);
  });

  it('does not take another process for the container', () => {
    expect(ownProcess(box.container)?.pid).toBe(box.container.state.pid);
    expect(ownProcess({ ...box.container, state: { ...box.container.state, pid: process.pid } })).toBeNull();
    expect(ownProcess({ ...box.container, id: '' })).toBeNull();
    expect(ownProcess({ ...box.container, state: { ...box.container.state, pid: 4_194_304 } })).toBeNull();
  });
});

describe('inside, where nothing can be seen', () => {
  it('says that nothing runs', async () => {
    const stopped = containerOf({ state: { ...containerOf({}).state, status: 'exited' } });
    await expect(gatherInside(serviceOf(stopped), gatheringOf(engineOf(), []))).rejects.toThrow(CannotLook);
  });

  it('says that the image has no tools', async () => {
    const engine = {
      ...engineOf(),
      exec: () =>
        Promise.resolve({
          exitCode: 127,
          stdout: 'OCI runtime exec failed: exec failed: unable to start container process: exec: "sh": executable file not found in $PATH',
          stderr: '',
        }),
    };
    await expect(gatherInside(serviceOf(containerOf({})), gatheringOf(engine, []))).rejects.toThrow(/neither a shell nor cat/);
  });

  it('does not blame the image for a working directory that is gone', async () => {
    const engine = {
      ...engineOf(),
      exec: () =>
        Promise.resolve({
          exitCode: 128,
          stdout:
            'OCI runtime exec failed: exec failed: unable to start container process: current working directory is outside of container mount namespace root',
          stderr: '',
        }),
    };
    await expect(gatherInside(serviceOf(containerOf({})), gatheringOf(engine, []))).rejects.toThrow(
      /no command could be run .*working directory/,
    );
  });

  it('ends in time where the command does not', async () => {
    const engine = { ...engineOf(), exec: () => Promise.resolve({ exitCode: null, stdout: '', stderr: '' }) };
    await expect(gatherInside(serviceOf(containerOf({})), gatheringOf(engine, []))).rejects.toMatchObject({ timedOut: true });
  });
});

describe.skipIf(process.platform !== 'linux')('the list of processes', () => {
  it('starts with the process itself', () => expect(processTree(process.pid)[0]).toMatchObject({ pid: process.pid, parent: 0 }));
  it('is empty for one that does not exist', () => expect(processTree(4_194_304)).toEqual([]));
});

describe.skipIf(process.platform !== 'linux')('the tables of sockets', () => {
  const own = { pid: process.pid, folder: '/proc/self', mounts: [] };
  const MANY = 200;

  const hasIpv6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'));

  it.each(hasIpv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1'])('are read to their end, over many pages: %s', async (address) => {
    const server = createServer().listen(0, address);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const sockets: Socket[] = [];
    server.on('connection', (socket) => void sockets.push(socket));
    try {
      for (let index = 0; index < MANY; index++) {
        const socket = connect(port, address);
        sockets.push(socket);
        await once(socket, 'connect');
      }
      const seen = parseTcpTable((await readTcpTables(own)) ?? '').filter(({ local, remote }) => [local.port, remote.port].includes(port));
      expect(seen.filter(({ state }) => state === 'listening')).toHaveLength(1);
      expect(seen.filter(({ state }) => state === 'established')).toHaveLength(2 * MANY);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });

  it('are not there for a process that has ended', async () => {
    expect(await readTcpTables({ ...own, folder: '/proc/4194304' })).toBeNull();
  });
});
