import { describe, expect, it } from 'vitest';
import { isTold, pathsTo, placeOf, socketOwner, socketPath } from '../../src/model/socket-file.ts';
import type { MountSpec, Role } from '../../src/model/stack.ts';
import { makeService } from '../checks/make.ts';

const volume = (source: string, destination: string): MountSpec => ({ type: 'volume', source, destination, readOnly: false });
const bind = (source: string, destination: string): MountSpec => ({ type: 'bind', source, destination, readOnly: false });

const service = (name: string, mounts: MountSpec[], command: string[] = [], role: Role = 'http') =>
  makeService({ name, role, containers: [{ command, mounts: mounts.map((mount) => ({ ...mount, name: null })) }] });

it.each([
  ['unix:/run/app.sock', '/run/app.sock'],
  ['unix:/run/app.sock:', '/run/app.sock'],
  ['unix:app.sock', null],
  ['api', null],
])('%s is the file %s', (host, path) => expect(socketPath(host)).toBe(path));

describe('where a path lies outside of its container', () => {
  it.each<[string, MountSpec[], string, string | null]>([
    ['in a volume', [volume('v', '/run/app')], '/run/app/x.sock', 'volume v/x.sock'],
    ['in a folder of the host', [bind('/src/p/run', '/run/app')], '/run/app/a/x.sock', '/src/p/run/a/x.sock'],
    ['in the innermost of two', [bind('/src/p', '/code'), volume('v', '/code/run')], '/code/run/x.sock', 'volume v/x.sock'],
    ['in a mounted socket', [bind('/run/host.sock', '/run/x.sock')], '/run/x.sock', '/run/host.sock'],
    ['under the older name of /run', [volume('v', '/var/run/app')], '/run/app/x.sock', 'volume v/x.sock'],
    ['beside a mount of a like name', [volume('v', '/run/app')], '/run/app2/x.sock', null],
    ['in memory of its own', [{ type: 'tmpfs', source: '', destination: '/run', readOnly: false }], '/run/x.sock', null],
    ['in a volume without a name', [volume('', '/run')], '/run/x.sock', null],
  ])('%s', (_, mounts, path, expected) => expect(placeOf(service('a', mounts), path)).toBe(expected));

  it('leads back to the path of another', () => {
    expect(pathsTo('volume v/x.sock', service('a', [volume('v', '/sockets'), volume('w', '/w')]))).toEqual(['/sockets/x.sock']);
    expect(pathsTo('/src/p/run/x.sock', service('a', [bind('/src/p', '/code')]))).toEqual(['/code/run/x.sock']);
    // Another mount lies over it.
    expect(pathsTo('/src/p/run/x.sock', service('a', [bind('/src/p', '/code'), volume('v', '/code/run')]))).toEqual([]);
  });
});

it.each([
  ['gunicorn --bind unix:/run/x.sock app', true],
  ['gunicorn --bind=unix:///run/x.sock app', true],
  ['uvicorn --uds /var/run/x.sock', true],
  ['uwsgi --socket /run/x.sock,mode=666', true],
  ['sh -c "exec php-fpm -d listen=/run/x.sock"', true],
  ['gunicorn --bind unix:/run/x.sock2', false],
  ['gunicorn --bind unix:/srv/run/x.sock', false],
])('%s names it: %s', (line, expected) => expect(isTold(service('a', [], line.split(' ')), '/run/x.sock')).toBe(expected));

describe('whose socket it is', () => {
  const edge = service('edge', [volume('v', '/run/app')], [], 'nginx');
  const path = '/run/app/x.sock';
  const shared = [volume('v', '/sockets')];
  it.each<[string, ReturnType<typeof service>[], string | null]>([
    ['the only other on the volume', [service('api', shared), service('other', [])], 'api'],
    ['of two, the one that is told the path', [service('api', shared, ['--uds', '/sockets/x.sock']), service('b', shared)], 'api'],
    ['of two, not the worker', [service('api', shared), service('jobs', shared, [], 'worker')], 'api'],
    ['nobody, where two may be meant', [service('a', shared), service('b', shared)], null],
    [
      'one that the volume was forgotten at',
      [service('jobs', shared, [], 'worker'), service('api', [], ['--uds', '/sockets/x.sock'])],
      'api',
    ],
    ['one that is told the path of nginx and shares nothing', [service('api', [], ['--bind', `unix:${path}`])], 'api'],
    ['nobody, on a volume of another name', [service('api', [volume('w', '/run/app')])], null],
  ])('%s', (_, others, expected) => expect(socketOwner(path, 'edge', [edge, ...others])).toBe(expected));

  it('may be of a program beside nginx, whoever else is told such a path', () => {
    const both = service('edge', [], ['sh', '-c', 'php-fpm -D && exec nginx'], 'nginx');
    const other = service('api', [], ['--uds', path]);
    expect(socketOwner(path, 'edge', [both, other])).toBeNull();
    const alone = service('edge', [], ['/docker-entrypoint.sh', 'nginx', '-g', 'daemon off;'], 'nginx');
    expect(socketOwner(path, 'edge', [alone, other])).toBe('api');
  });

  it('is nobody else, in a folder of its own', () =>
    expect(socketOwner('/run/php/fpm.sock', 'edge', [edge, service('api', shared)])).toBeNull());
});
