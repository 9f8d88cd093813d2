import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { addressOf, configFolder, findEngine, otherEngines } from '../../src/gather/engine-address.ts';
import { UsageError } from '../../src/model/usage-error.ts';
import { folderOf } from './project-folder.ts';

const id = (name: string) => createHash('sha256').update(name).digest('hex');

/** A `~/.docker` with these contexts. */
const config = (contexts: Record<string, { host: string; skip?: boolean; tls?: Record<string, string> }>, current?: string) =>
  folderOf({
    keep: '',
    ...(current !== undefined && { 'config.json': JSON.stringify({ currentContext: current }) }),
    ...Object.fromEntries(
      Object.entries(contexts).flatMap(([name, { host, skip = false, tls = {} }]) => [
        [
          `contexts/meta/${id(name)}/meta.json`,
          JSON.stringify({ Name: name, Metadata: {}, Endpoints: { docker: { Host: host, SkipTLSVerify: skip } } }),
        ],
        ...Object.entries(tls).map(([file, text]) => [`contexts/tls/${id(name)}/docker/${file}`, text]),
      ]),
    ),
  });

describe('addresses', () => {
  test.each([
    ['unix:///var/run/docker.sock', { socketPath: '/var/run/docker.sock', tls: null }],
    ['npipe:////./pipe/docker_engine', { socketPath: '//./pipe/docker_engine' }],
    ['tcp://10.0.0.5:2375', { hostname: '10.0.0.5', port: 2375, tls: null }],
    ['tcp://10.0.0.5:2376', { hostname: '10.0.0.5', port: 2376, tls: { verify: true } }],
    ['tcp://engine', { hostname: 'engine', port: 2375, tls: null }],
    ['tcp://[fd00::5]:2375', { hostname: 'fd00::5', port: 2375 }],
    ['engine:2375', { hostname: 'engine', port: 2375 }],
    ['http://engine:80', { hostname: 'engine', port: 80 }],
    ['https://engine', { hostname: 'engine', tls: { verify: true } }],
    ['ssh://me@engine', { hostname: 'engine', socketPath: null, port: null }],
  ])('%s', (host, expected) => expect(addressOf(host, 'test', null)).toMatchObject({ host, source: 'test', ...expected }));

  test.each([
    'unix://',
    'unix:/var/run/docker.sock',
    '/var/run/docker.sock',
    'ftp://engine',
    'tcp://',
    'tcp://engine:99999',
    'fd://',
    ' ',
    'a b',
    'javascript:alert(1)',
  ])('%j is none', (host) => {
    expect(() => addressOf(host, 'DOCKER_HOST', null)).toThrow(UsageError);
    expect(() => addressOf(host, 'DOCKER_HOST', null)).toThrow(/^DOCKER_HOST is "/);
  });

  test('a password in an address is not told', () => {
    expect(addressOf('ssh://me:hunter2@engine', 'test', null).host).toBe('ssh://me@engine');
    expect(() => addressOf('ftp://me:hunter2@engine', 'test', null)).toThrow(/^(?!.*hunter2)/);
  });
});

describe('which one', () => {
  const contexts = { colima: { host: 'unix:///c.sock' }, remote: { host: 'tcp://10.0.0.5:2376' } };
  test.each([
    ['nothing said', null, {}, undefined, 'unix:///var/run/docker.sock', 'default socket'],
    ['the context in use', null, {}, 'colima', 'unix:///c.sock', 'context colima'],
    ['the context called default', null, {}, 'default', 'unix:///var/run/docker.sock', 'default socket'],
    ['DOCKER_CONTEXT beats it', null, { DOCKER_CONTEXT: 'remote' }, 'colima', 'tcp://10.0.0.5:2376', 'context remote'],
    [
      'DOCKER_HOST beats both',
      null,
      { DOCKER_HOST: 'unix:///h.sock', DOCKER_CONTEXT: 'remote' },
      'colima',
      'unix:///h.sock',
      'DOCKER_HOST',
    ],
    ['an empty DOCKER_HOST is none', null, { DOCKER_HOST: '' }, 'colima', 'unix:///c.sock', 'context colima'],
    [
      '--context beats all',
      'colima',
      { DOCKER_HOST: 'unix:///h.sock', DOCKER_CONTEXT: 'remote' },
      'remote',
      'unix:///c.sock',
      'context colima',
    ],
    ['--context default is what DOCKER_HOST says', 'default', { DOCKER_HOST: 'unix:///h.sock' }, 'colima', 'unix:///h.sock', 'DOCKER_HOST'],
    ['--context default', 'default', {}, 'colima', 'unix:///var/run/docker.sock', 'default socket'],
  ] as const)('%s', async (_, context, env, current, host, source) => {
    expect(await findEngine(context, { DOCKER_CONFIG: config(contexts, current), ...env })).toMatchObject({ host, source });
  });

  test('a context that is not known is one line', async () => {
    await expect(findEngine('gone', { DOCKER_CONFIG: config(contexts) })).rejects.toThrow(
      new UsageError('context "gone" is not known to docker: see `docker context ls`'),
    );
    await expect(findEngine(null, { DOCKER_CONFIG: config(contexts), DOCKER_CONTEXT: 'gone' })).rejects.toThrow(UsageError);
  });

  test.each(['{', '[]', 'null', '""', '{"currentContext": 5}'])('a config.json of %s is no crash', async (text) => {
    await findEngine(null, { DOCKER_CONFIG: folderOf({ 'config.json': text }) }).catch((error: unknown) =>
      expect(error).toBeInstanceOf(UsageError),
    );
  });

  test('where the configuration lies', () => {
    expect(configFolder({ DOCKER_CONFIG: '/x' })).toBe('/x');
    expect(configFolder({ HOME: '/home/me' })).toBe('/home/me/.docker');
  });
});

describe('TLS', () => {
  test('of a context', async () => {
    const folder = config({
      remote: { host: 'tcp://10.0.0.5:2376', skip: true, tls: { 'ca.pem': 'CA', 'cert.pem': 'CERT', 'key.pem': 'KEY' } },
    });
    const { tls } = await findEngine('remote', { DOCKER_CONFIG: folder });
    expect({ ...tls, ca: String(tls?.ca), cert: String(tls?.cert), key: String(tls?.key) }).toEqual({
      verify: false,
      ca: 'CA',
      cert: 'CERT',
      key: 'KEY',
    });
  });

  test.each([
    ['verified', { DOCKER_TLS_VERIFY: '1' }, true],
    ['not verified', {}, false],
  ])('of the environment: %s', async (_, env, verify) => {
    const folder = folderOf({ 'ca.pem': 'CA' });
    const { tls } = await findEngine(null, { DOCKER_HOST: 'tcp://10.0.0.5:2376', DOCKER_CERT_PATH: folder, ...env });
    expect(tls).toMatchObject({ verify });
    expect(String(tls?.ca)).toBe('CA');
  });

  test('a socket has none', async () => {
    expect((await findEngine(null, { DOCKER_HOST: 'unix:///x.sock', DOCKER_TLS_VERIFY: '1' })).tls).toBeNull();
  });
});

test('other engines: every context and the default socket, each once, but not the one in use', async () => {
  const folder = config({
    colima: { host: 'unix:///c.sock' },
    again: { host: 'unix:///c.sock' },
    broken: { host: 'nonsense://' },
    used: { host: 'unix:///u.sock' },
  });
  const found = await otherEngines(addressOf('unix:///u.sock', 'context used', null), { DOCKER_CONFIG: folder });
  expect(found.map((each) => each.host).toSorted()).toEqual(['unix:///c.sock', 'unix:///var/run/docker.sock']);
  expect(await otherEngines(addressOf('unix:///var/run/docker.sock', 'default socket', null), { DOCKER_CONFIG: '/nowhere' })).toEqual([]);
});

test('an engine that no context names is known by its usual socket', async () => {
  const home = folderOf({ '.orbstack/run/docker.sock': 'no socket' });
  mkdirSync(join(home, '.colima/default'), { recursive: true });
  const server = createServer();
  await new Promise<void>((done) => server.listen(join(home, '.colima/default/docker.sock'), done));
  onTestFinished(() => void server.close());
  const found = await otherEngines(addressOf('unix:///var/run/docker.sock', 'default socket', null), {
    DOCKER_CONFIG: '/nowhere',
    HOME: home,
  });
  const own = found.filter(({ host }) => host.includes(home));
  expect(own.map(({ host, source }) => ({ host, source }))).toEqual([
    { host: `unix://${home}/.colima/default/docker.sock`, source: `socket ${home}/.colima/default/docker.sock` },
  ]);
});
