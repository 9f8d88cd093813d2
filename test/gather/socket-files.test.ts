import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { SocketView } from '../../src/model/facts.ts';
import { gatherInside } from '../../src/gather/inside.ts';
import { lookAtSockets, withHolders } from '../../src/gather/socket-files.ts';
import type { Container } from '../../src/model/stack.ts';
import { canUnshare, containerOf, engineOf, gatheringOf, serviceOf, startBox, type Box } from './namespace.ts';

/** Listens on one socket by its whole path, and on one by a path from where it is. */
const APP = `
const { createServer } = require('net');
const folder = require('fs').readFileSync('/proc/self/mountinfo', 'utf8').match(/ (\\/\\S*\\/sockets) /)[1];
process.chdir(folder);
createServer().listen(folder + '/api.sock', () => createServer().listen('near.sock', () => createServer().listen(8123, () => console.log('ready'))));
`;

const upstream = (path: string) => ({ host: `unix:${path}`, port: 0, scheme: 'http', location: '/', at: 'nginx.conf:3', literal: true });
const bind = (source: string, destination: string): Container['mounts'][number] => ({
  type: 'bind',
  name: null,
  source,
  destination,
  readOnly: false,
});

describe.skipIf(!canUnshare)('a socket file that two containers share', () => {
  let app: Box;
  beforeAll(async () => {
    app = await startBox({ run: 'sockets' }, [process.execPath, '-e', APP]);
  });
  afterAll(() => app?.stop());

  const scene = (more: Partial<Container> = {}) => {
    const api = serviceOf({ ...app.container, service: 'api', workingDir: join(app.folder, 'sockets') });
    const idle = serviceOf(containerOf({ id: 'other', service: 'idle', mounts: api.containers[0]!.mounts }));
    const front = serviceOf(containerOf({ id: 'front', service: 'front', mounts: [bind(join(app.folder, 'run'), '/run/app')], ...more }), {
      role: 'nginx',
    });
    const engine = engineOf();
    return { front, engine, given: gatheringOf(engine, [front, idle, api], { inside: (service, each) => gatherInside(service, each) }) };
  };

  it('is of the one who listens, whatever path it said', () => {
    const { front, given, engine } = scene();
    const paths = ['/run/app/api.sock', '/run/app/near.sock', '/run/app/none.sock', '/run/other/api.sock'];
    expect(withHolders(paths.map(upstream), front, given).map(({ heldBy }) => heldBy)).toEqual(['api', 'api', undefined, undefined]);
    expect(engine.commands).toEqual([]);
  });

  it('tells on what else its maker listens', async () => {
    const { front, given } = scene();
    const [view] = await lookAtSockets(['/run/app/none.sock'], front, front.containers[0]!, given);
    const folder = join(app.folder, 'sockets');
    expect(view).toEqual({
      path: '/run/app/none.sock',
      file: null,
      isOwn: false,
      listeners: [{ service: 'api', sockets: [join(folder, 'api.sock'), join(folder, 'near.sock')], ports: [8123] }],
    });
  });

  it("is nginx' own, where that listens itself, whoever else has such a path", () => {
    const front = serviceOf(app.container, { name: 'front', role: 'nginx' });
    const path = join(app.folder, 'sockets/api.sock');
    expect(withHolders([upstream(path)], front, gatheringOf(engineOf(), [front]))[0]?.heldBy).toBe('front');
  });

  it('is not of one on the network of the host, who sees those of everybody', () => {
    const { front, given } = scene();
    for (const { containers } of given.stack.services) for (const each of containers) each.networkMode = 'host';
    expect(withHolders([upstream('/run/app/api.sock')], front, given)[0]?.heldBy).toBeUndefined();
  });
});

describe.skipIf(!canUnshare)('what stands in the way to a socket file', () => {
  let box: Box;
  let server: Server | undefined;
  beforeAll(async () => {
    box = await startBox({ run: 'sockets' }, [
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      'sh',
      '-c',
      'echo ready; exec sleep 60',
    ]);
    chmodSync(box.folder, 0o755);
  });
  afterEach(() => server?.close());
  afterAll(() => box?.stop());

  const look = async (name: string): Promise<SocketView> => {
    const front = serviceOf(box.container, { name: 'front', role: 'nginx' });
    const [view] = await lookAtSockets([join(box.folder, 'sockets', name)], front, box.container, gatheringOf(engineOf(box), [front]));
    return view!;
  };
  const listen = (name: string, mode: number) =>
    new Promise<void>((resolve) => {
      const path = join(box.folder, 'run', name);
      server = createServer().listen(path, () => {
        chmodSync(path, mode);
        resolve();
      });
    });

  it('is nothing, where all may write to it', async () => {
    await listen('open.sock', 0o777);
    expect(await look('open.sock')).toMatchObject({ file: 'socket', isOwn: false });
    expect(await look('open.sock')).not.toHaveProperty('closed');
  });

  it('is its mode', async () => {
    await listen('own.sock', 0o755);
    const path = join(box.folder, 'sockets/own.sock');
    expect(await look('own.sock')).toMatchObject({ file: 'socket', closed: { path, mode: '755', uid: 0, worker: 65_534 } });
  });

  it('is the mode of its folder', async () => {
    await listen('deep.sock', 0o777);
    const folder = join(box.folder, 'run');
    chmodSync(folder, 0o700);
    const view = await look('deep.sock');
    chmodSync(folder, 0o755);
    expect(view).toMatchObject({ file: 'socket', closed: { path: join(box.folder, 'sockets'), mode: '700' } });
  });

  it('is that it is none, or something else', async () => {
    expect(await look('none.sock')).toMatchObject({ file: 'missing' });
    writeFileSync(join(box.folder, 'run/text.sock'), 'x');
    expect(await look('text.sock')).toMatchObject({ file: 'other' });
    rmSync(join(box.folder, 'run/text.sock'));
  });

  it('is asked by a command where /proc is not to be had', async () => {
    await listen('asked.sock', 0o777);
    const front = serviceOf({ ...box.container, id: 'another' }, { name: 'front', role: 'nginx' });
    const paths = ['asked.sock', 'none.sock'].map((name) => join(box.folder, 'sockets', name));
    const views = await lookAtSockets(paths, front, front.containers[0]!, gatheringOf(engineOf(box), [front]));
    expect(views.map(({ file }) => file)).toEqual(['socket', 'missing']);
  });
});
