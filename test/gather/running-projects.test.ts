import { expect, test } from 'vitest';
import { pickFor, runningProjects, startedHere } from '../../src/gather/running-projects.ts';
import { smallEngine } from './small-engine.ts';
import { placeIn } from './project-folder.ts';

const row = (project: string, folder: string, oneOff = false) => ({
  Labels: {
    'com.docker.compose.project': project,
    'com.docker.compose.project.working_dir': folder,
    'com.docker.compose.oneoff': oneOff ? 'True' : 'False',
  },
});
const engineWith = async (rows: object[]) => {
  const { client, requests } = await smallEngine({
    answer: (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(rows));
    },
  });
  return { client, requests };
};
const signal = new AbortController().signal;

test('projects by name, each with its folders; what `run` left is none', async () => {
  const { client } = await engineWith([row('b', '/b'), row('a', '/a'), row('a', '/a2'), row('c', '/c', true), { Labels: {} }]);
  expect(await runningProjects(client, signal)).toEqual([
    { name: 'a', folders: ['/a', '/a2'] },
    { name: 'b', folders: ['/b'] },
  ]);
});

test('the one that was started from this folder under another name', async () => {
  const { client, requests } = await engineWith([row('feature', '/src/shop')]);
  expect(await startedHere(client, placeIn('/src/shop', ['compose.yaml']), signal)).toBe('feature');
  expect(decodeURIComponent(requests[0]!)).toContain('com.docker.compose.project.working_dir=/src/shop');
  const two = await engineWith([row('feature', '/src/shop'), row('main', '/src/shop')]);
  expect(await startedHere(two.client, placeIn('/src/shop', ['compose.yaml']), signal)).toBeNull();
  expect(await startedHere(client, placeIn('/src/shop', []), signal)).toBeNull();
});

const at = (name: string, ...folders: string[]) => ({ name, folders });
test.each<[string, Parameters<typeof pickFor>, object | null]>([
  ['none', ['/src/shop', []], null],
  ['the one of this folder', ['/src/shop', [at('a', '/src/a'), at('shop', '/src/shop')]], { name: 'shop', by: 'folder' }],
  ['the one of the folder above', ['/src/shop/api', [at('a', '/src/a'), at('shop', '/src/shop')]], { name: 'shop', by: 'folder' }],
  ['the one of a folder below', ['/src/shop', [at('a', '/src/a'), at('shop', '/src/shop/deploy')]], { name: 'shop', by: 'folder' }],
  ['a name that begins alike is no folder above', ['/src/shop2', [at('a', '/src/a'), at('shop', '/src/shop')]], null],
  ['the only one', ['/home', [at('shop', '/src/shop')]], { name: 'shop', by: 'only' }],
  ['several', ['/src', [at('a', '/src/a'), at('b', '/src/b')]], null],
  ['a project of the root is near to nobody', ['/src', [at('a', '/'), at('b', '')]], null],
])('without files, %s', (_, given, expected) => expect(pickFor(...given)).toEqual(expected));
