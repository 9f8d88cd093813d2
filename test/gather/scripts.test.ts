import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scriptsBehind } from '../../src/gather/scripts.ts';
import { httpTry } from '../checks/attempts.ts';
import { canUnshare, containerOf, engineOf, gatheringOf, serviceOf, startBox, type Box } from './namespace.ts';

describe.skipIf(!canUnshare)('a script on both sides', () => {
  let box: Box;
  beforeAll(async () => {
    box = await startBox({ src: 'code' });
    mkdirSync(join(box.folder, 'src/public'));
    writeFileSync(join(box.folder, 'src/public/index.php'), '<?php');
  });
  afterAll(() => box?.stop());

  const look = async (status: number, folder: string, byCommand = false) => {
    const php = serviceOf({ ...box.container, service: 'php', ...(byCommand ? { id: 'another' } : {}) });
    const front = serviceOf({ ...box.container, service: 'front', ...(byCommand ? { id: 'another' } : {}) }, { role: 'nginx' });
    const [root, own] = [join(box.folder, folder), join(box.folder, 'code/public')];
    const script = { file: `${root}/index.php`, root, page: `${own}/index.php`, isResolved: false };
    const proxied = [{ location: '~ \\.php$', upstream: 'php:9000', http: httpTry({ answer: { status, body: '' } }), script }];
    return scriptsBehind(front, proxied, [], gatheringOf(engineOf(box), [front, php]));
  };

  it.each([false, true])('is looked for by /proc, or by a command (%s)', async (byCommand) => {
    expect(await look(404, 'code/public', byCommand)).toMatchObject({
      scripts: [{ service: 'php', inNginx: 'file', rootInNginx: 'folder', inService: 'file', rootInService: 'folder' }],
    });
    expect(await look(404, 'elsewhere', byCommand)).toMatchObject({
      scripts: [{ inNginx: 'file', rootInNginx: 'missing', inService: 'missing', rootInService: 'missing' }],
    });
  });

  it('is not looked for where it was found', async () => expect(await look(200, 'elsewhere')).toEqual({}));

  it('is not looked for where its server is none of the stack', async () => {
    const front = serviceOf(containerOf({ service: 'front' }), { role: 'nginx' });
    const script = { file: '/a.php', root: '/', page: '/a.php', isResolved: false };
    const proxied = [{ location: '/', upstream: 'php.example:9000', http: httpTry({ answer: { status: 404, body: '' } }), script }];
    expect(await scriptsBehind(front, proxied, [], gatheringOf(engineOf(), [front]))).toEqual({});
  });
});
