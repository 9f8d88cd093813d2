import { createHash } from 'node:crypto';
import { chmodSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openEngineClient } from '../../src/gather/docker-client.ts';
import { addressOf } from '../../src/gather/engine-address.ts';
import { findElsewhere, gatherEngine } from '../../src/gather/engine.ts';
import { folderOf } from './project-folder.ts';
import { cert, key } from './test-certificate.ts';
import { json, smallEngine, strangeServer } from './small-engine.ts';

const look = async (host: string, ms = 2_000) => {
  const address = addressOf(host, 'test', null);
  const client = await openEngineClient(address);
  try {
    return await gatherEngine(client, address, AbortSignal.timeout(ms));
  } finally {
    client.close();
  }
};
const headers = (apiVersion: string, server = 'Docker/28.5.2 (linux)') => ({ 'api-version': apiVersion, server });

describe('an engine', () => {
  test.each([
    ['of today', headers('1.51'), { state: 'ok', version: '28.5.2', apiVersion: '1.51', detail: '' }],
    ['just new enough', headers('1.40', 'Docker/19.03.0 (linux)'), { state: 'ok', version: '19.03.0' }],
    ['with a version of its distribution', headers('1.51', 'Docker/28.5.2+dfsg4 (linux)'), { version: '28.5.2+dfsg4' }],
    ['Podman', headers('1.41', 'Libpod/5.0.2 (linux)'), { state: 'ok', version: '5.0.2', product: 'Podman' }],
    ['too old', headers('1.39', 'Docker/18.09.0 (linux)'), { state: 'too-old', detail: 'it speaks API 1.39, 1.40 is needed' }],
    ['older still', headers('1.9'), { state: 'too-old' }],
    ['that is none', { server: 'nginx' }, { state: 'not-docker', apiVersion: null }],
  ] as [string, Record<string, string>, object][])('%s', async (_, head, expected) => {
    const { host } = await smallEngine({ answer: (_request, response) => response.writeHead(200, head).end('OK') });
    expect(await look(host)).toMatchObject({ host, source: 'test', elsewhere: null, ...expected });
  });

  test.each([
    ['404', json({ message: 'page not found' }, 404), 'not-docker'],
    ['500 of Docker Desktop', json({ message: 'request returned 500 Internal Server Error for API route' }, 500), 'no-answer'],
    ['503 while it starts', json({ message: 'starting' }, 503), 'no-answer'],
    ['HTTP at a TLS port', json({ message: 'Client sent an HTTP request to an HTTPS server.' }, 400), 'tls'],
  ] as const)('%s', async (_, answer, state) => {
    const { host } = await smallEngine({ answer });
    expect(await look(host)).toMatchObject({ state, version: null });
  });

  test('that does not answer', async () => {
    const { host } = await smallEngine({ answer: () => {} });
    expect(await look(host, 100)).toMatchObject({ state: 'no-answer', detail: 'the engine did not answer in time' });
  });

  test('that hangs up', async () => {
    const { host } = await strangeServer((socket) => socket.destroy());
    expect(await look(host)).toMatchObject({ state: 'no-answer' });
  });

  test('that speaks something else', async () => {
    const { host } = await strangeServer((socket) => socket.end('220 mail ESMTP\r\n'));
    expect(await look(host)).toMatchObject({ state: 'not-docker' });
  });
});

describe('no engine', () => {
  test('no socket', async () =>
    expect(await look('unix:///tmp/there-is-no-such.sock')).toMatchObject({
      state: 'socket-missing',
      detail: expect.stringContaining('ENOENT'),
    }));
  test('a socket that nobody listens on', async () =>
    expect((await look(`unix://${import.meta.filename}`)).state).toMatch(/refused|socket-missing/));
  test('a port that nobody listens on', async () => expect(await look('tcp://127.0.0.1:1')).toMatchObject({ state: 'refused' }));
  test('a name that nobody has', async () => expect((await look('tcp://there.is.no.such.invalid:2375')).state).toBe('unreachable'));
  test('TLS wanted, none given', async () => {
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    onTestFinished(() => void server.close());
    expect(await look(`https://127.0.0.1:${(server.address() as AddressInfo).port}`)).toMatchObject({ state: 'tls' });
  });
  test("certificates of the caller's folder are not missed where none is needed", async () => {
    vi.stubEnv('DOCKER_HOST', 'tcp://127.0.0.1:2376');
    vi.stubEnv('DOCKER_CERT_PATH', '/tmp/there-is-no-such-folder');
    onTestFinished(() => void vi.unstubAllEnvs());
    const { host } = await smallEngine({ answer: (_request, response) => response.writeHead(200, headers('1.51')).end('OK') });
    expect(await look(host)).toMatchObject({ state: 'ok' });
    expect(process.env['DOCKER_HOST']).toBe('tcp://127.0.0.1:2376');
  });
  test.each([
    ['with its authority', { ca: Buffer.from(cert), verify: true }, 'ok'],
    ['without verifying', { verify: false }, 'ok'],
    ['with nobody who vouches for it', { verify: true }, 'tls'],
  ])('an engine behind TLS, %s', async (_, tls, state) => {
    const server = createSecureServer({ key, cert }, (_request, response) => response.writeHead(200, headers('1.51')).end('OK'));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    onTestFinished(() => void server.close());
    // The certificate is for localhost, which may be ::1 too.
    const address = { ...addressOf(`tcp://localhost:${(server.address() as AddressInfo).port}`, 'test', tls) };
    const client = await openEngineClient(address);
    expect(await gatherEngine(client, address, AbortSignal.timeout(2_000))).toMatchObject({ state });
    client.close();
  });
  /** In the place of the real one, for this test. */
  const sshThat = (script: string): void => {
    const folder = folderOf({ ssh: script });
    chmodSync(join(folder, 'ssh'), 0o755);
    vi.stubEnv('PATH', `${folder}${delimiter}${process.env['PATH']}`);
    onTestFinished(() => void vi.unstubAllEnvs());
  };

  test('through ssh: what docker would run at the other end', async () => {
    const { host } = await smallEngine({ answer: (_request, response) => response.writeHead(200, headers('1.51')).end('OK') });
    const said = join(folderOf({ keep: '' }), 'said');
    sshThat(`#!${process.execPath}
import('node:fs').then((fs) => fs.writeFileSync(${JSON.stringify(said)}, process.argv.slice(2).join(' ')));
import('node:net').then((net) => {
  const socket = net.connect(${JSON.stringify(host.replace('unix://', ''))});
  process.stdin.pipe(socket).pipe(process.stdout);
});
`);
    expect(await look('ssh://me@engine:2222/run/docker.sock', 10_000)).toMatchObject({
      state: 'ok',
      version: '28.5.2',
      host: 'ssh://me@engine:2222/run/docker.sock',
    });
    expect(readFileSync(said, 'utf8')).toBe(
      '-T -o BatchMode=yes -o ConnectTimeout=4 -l me -p 2222 -- engine docker --host unix:///run/docker.sock system dial-stdio',
    );
  });

  test('through ssh, which says why it does not', async () => {
    sshThat('#!/bin/sh\necho "Warning: added engine" >&2\necho "me@engine: Permission denied (publickey)." >&2\nexit 255\n');
    expect(await look('ssh://me@engine', 10_000)).toMatchObject({
      state: 'unreachable',
      detail: 'me@engine: Permission denied (publickey).',
    });
  });

  test.skipIf(process.getuid?.() === 0)('a socket that one may not open', async () => {
    const { host } = await smallEngine({ answer: json({}) });
    chmodSync(host.replace('unix://', ''), 0o000);
    expect(await look(host)).toMatchObject({ state: 'permission-denied' });
  });
});

describe('elsewhere', () => {
  /** `~/.docker` with these contexts, in folders named as docker names them. */
  const contexts = (hosts: Record<string, string>, folder = (name: string) => createHash('sha256').update(name).digest('hex')) =>
    folderOf(
      Object.fromEntries(
        Object.entries(hosts).map(([name, host]) => [
          `contexts/meta/${folder(name)}/meta.json`,
          JSON.stringify({ Name: name, Endpoints: { docker: { Host: host } } }),
        ]),
      ),
    );
  const here = addressOf('unix:///here.sock', 'DOCKER_HOST', null);

  test('another engine holds the containers of the project', async () => {
    const { host, requests } = await smallEngine({ answer: json([{}, {}, {}]) });
    expect(
      await findElsewhere(
        'shop',
        here,
        { DOCKER_CONFIG: contexts({ colima: host, gone: 'unix:///gone.sock', far: 'ssh://x' }) },
        AbortSignal.timeout(3_000),
      ),
    ).toEqual({ host, source: 'context colima', containers: 3 });
    expect(decodeURIComponent(requests[0]!)).toContain('com.docker.compose.project=shop');
  });

  test('none does', async () => {
    const { host } = await smallEngine({ answer: json([]) });
    expect(await findElsewhere('shop', here, { DOCKER_CONFIG: contexts({ colima: host }) }, AbortSignal.timeout(3_000))).toBeNull();
  });

  test('one that does not answer costs a second at most', async () => {
    const { host } = await smallEngine({ answer: () => {} });
    const started = performance.now();
    expect(await findElsewhere('shop', here, { DOCKER_CONFIG: contexts({ slow: host }) }, AbortSignal.timeout(10_000))).toBeNull();
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  test('a context whose folder has another name is none', async () => {
    expect(
      await findElsewhere('shop', here, { DOCKER_CONFIG: contexts({ x: 'unix:///x.sock' }, (name) => name) }, AbortSignal.timeout(3_000)),
    ).toBeNull();
  });
});
