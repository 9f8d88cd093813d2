import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseCaddyfile, readCaddyfiles } from '../../src/gather/caddyfile.ts';
import { makeSpec } from '../checks/make.ts';
import { folderOf } from './project-folder.ts';

const found = (text: string) =>
  parseCaddyfile(text, 'Caddyfile').map(({ host, port, tls, at }) => `${host}:${port}${tls ? ' tls' : ''} ${at}`);

test.each([
  ['an upstream', 'a.example.com {\n\treverse_proxy app:8000\n}', ['app:8000 Caddyfile:2']],
  ['several', 'reverse_proxy one:80 two:81', ['one:80 Caddyfile:1', 'two:81 Caddyfile:1']],
  [
    'after a matcher',
    'reverse_proxy @api app:1\nreverse_proxy /x/* app:2\nreverse_proxy * app:3',
    ['app:1 Caddyfile:1', 'app:2 Caddyfile:2', 'app:3 Caddyfile:3'],
  ],
  ['with a scheme', 'reverse_proxy https://app\nreverse_proxy h2c://grpc:9', ['app:443 tls Caddyfile:1', 'grpc:9 Caddyfile:2']],
  [
    'in a block',
    'reverse_proxy {\n  to one:1 two:2\n  transport http {\n    versions 1.1\n  }\n  to three:3\n}\nto nobody:4',
    ['one:1 Caddyfile:2', 'two:2 Caddyfile:2', 'three:3 Caddyfile:6'],
  ],
  ['in a comment, a placeholder, a socket', '# reverse_proxy old:1\nreverse_proxy {$UPSTREAM} unix//run/x.sock # app:2', []],
  ['no proxy at all', 'a.example.com {\n root * /srv\n file_server\n}', []],
  ['a port that is none', 'reverse_proxy app:99999', []],
  ['half a file', 'reverse_proxy {\n to', []],
])('%s', (_, text, expected) => expect(found(text)).toEqual(expected));

test('of the file and of the folder that is mounted; nothing where none is', async () => {
  const folder = folderOf({ 'web/Caddyfile': 'reverse_proxy app:8000' });
  const mount = (source: string, destination: string) => ({ type: 'bind' as const, source, destination, readOnly: true });
  const read = (...mounts: ReturnType<typeof mount>[]) => readCaddyfiles([makeSpec({ name: 'edge', mounts })]);
  const expected = { proxied: { edge: [{ host: 'app', port: 8000, tls: false, at: 'Caddyfile:1' }] } };
  expect(await read(mount(join(folder, 'web/Caddyfile'), '/etc/caddy/Caddyfile'))).toEqual(expected);
  expect(await read(mount(join(folder, 'web'), '/etc/caddy'))).toEqual(expected);
  expect(await read(mount(join(folder, 'gone'), '/etc/caddy/Caddyfile'))).toEqual({});
  expect(await read(mount(folder, '/srv'))).toEqual({});
});
