import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { evaluate } from '../../src/evaluate.ts';
import { checks } from '../../src/checks/index.ts';
import { loadConfig } from '../../src/config/load.ts';
import { mistakesOf } from '../../src/config/plugin-mistakes.ts';
import type { FactSource } from '../../src/model/facts.ts';
import { instancesOf } from '../../src/model/selection.ts';
import { fact, makeService, makeStack, NOW } from '../checks/make.ts';

const folder = mkdtempSync(join(tmpdir(), 'doctor-plugins-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const load = (plugin: string, name = './plugin.mjs', more = '') => {
  // Node keeps a module by its path.
  const file = `plugin-${Math.trunc(performance.now() * 1_000)}.mjs`;
  writeFileSync(join(folder, file), plugin);
  const path = join(folder, 'doctor.yaml');
  writeFileSync(path, `plugins: [${name === './plugin.mjs' ? `./${file}` : name}]\n${more}`);
  return loadConfig({ path, shownAs: 'doctor.yaml' }, checks);
};

const SPEC = `{ severity: 'fail', layer: 'app', kind: 'symptom', means: 'm.', proof: 'p.' }`;
const pluginOf = (evaluate: string, more = '') =>
  `export default { id: 'mine', checks: [{ id: 'one', title: 'One is well', question: 'Is it?', needs: ['logs'], after: [],
    appliesTo: ({ name }) => name === 'app', findings: { bad: ${SPEC} }, evaluate: ${evaluate}, ${more} }] };`;

const outcomesOf = async (plugin: string) => {
  const loaded = await load(plugin);
  const stack = makeStack({ services: [makeService(), makeService({ name: 'other' })] });
  const source = { startedAt: NOW, fact: async () => fact({ lines: ['a'] }) } as unknown as FactSource;
  const instances = instancesOf(stack, loaded.checks);
  return evaluate(instances, instances, stack, source, () => undefined);
};

describe('what a check of a plugin does', () => {
  test.each<[name: string, evaluate: string, wanted: object]>([
    ['passes', '({ facts }) => ({ findings: [], note: facts.logs.value.lines[0] })', { status: 'pass', note: 'a' }],
    [
      'finds',
      `() => ({ findings: [{ reason: 'bad', message: 'it \\u001b[31mis\\n bad' }] })`,
      { status: 'fail', findings: [{ message: 'it is bad', evidence: [] }] },
    ],
    ['skips', `() => ({ skip: 'not now' })`, { status: 'skip', reason: 'not now' }],
    ['throws', `() => { throw new Error('oh') }`, { status: 'error', reason: 'check mine-one of plugin mine failed: oh' }],
    ['never ends', `() => { for (;;); }`, { status: 'error', reason: 'check mine-one of plugin mine failed: it did not end within 1 s' }],
    ['says nothing', `() => undefined`, { status: 'error', reason: expect.stringContaining('it gave no verdict') }],
    ['is late', `async () => ({ findings: [] })`, { status: 'error', reason: expect.stringContaining('it gave no verdict') }],
    [
      'finds what it did not declare',
      `() => ({ findings: [{ reason: 'odd', message: 'm' }] })`,
      { status: 'error', reason: expect.stringContaining('does not declare') },
    ],
  ])('%s', async (_, evaluate, wanted) => expect(await outcomesOf(pluginOf(evaluate))).toMatchObject([{ id: 'app/mine-one', ...wanted }]));

  test('changes nothing that others see', async () => {
    const [outcome] = await outcomesOf(
      pluginOf(`({ service, stack }) => { service.name = 'x'; stack.services.length = 0; return { findings: [] } }`),
    );
    expect(outcome).toMatchObject({ id: 'app/mine-one', status: 'pass', service: 'app' });
  });
});

describe('loading', () => {
  test('ids and facts get the prefix', async () => {
    const plugin = `export default { id: 'mine', facts: { size: { gather: async () => 1 } }, causes: [{ effect: 'mine-two/bad', cause: 'mine-one/bad' }],
      checks: [['one', []], ['two', ['one']]].map(([id, after]) => ({ id, title: 't', question: 'q?', needs: ['own:size', 'logs'], after,
        appliesTo: () => true, findings: { bad: ${SPEC} }, evaluate: () => ({ findings: [] }) })) };`;
    const loaded = await load(
      plugin,
      './plugin.mjs',
      'ignore: [{ finding: mine-one/bad, service: app, reason: a, owner: b, until: 2027-01-31 }]\n',
    );
    expect(loaded.checks).toMatchObject([
      { id: 'mine-one', needs: ['own:mine.size', 'logs'], after: [], by: 'plugin mine' },
      { id: 'mine-two', needs: ['own:mine.size', 'logs'], after: ['mine-one'] },
    ]);
    expect(Object.keys(loaded.own)).toEqual(['own:mine.size']);
    expect(loaded.causes).toEqual([{ effect: 'mine-two/bad', cause: 'mine-one/bad' }]);
  });

  test.each<[name: string, plugin: string, reason: string]>([
    ['throws', `throw new Error('oh')`, 'could not be loaded: oh'],
    ['is no JavaScript', 'export default {', 'could not be loaded: '],
  ])('one that %s is an error of its own', async (_, plugin, reason) => {
    const outcomes = await outcomesOf(plugin);
    expect(outcomes).toMatchObject([{ service: null, status: 'error', reason: expect.stringContaining(reason) }]);
  });

  test.each<[name: string, message: string]>([
    ['./nowhere.mjs', 'doctor.yaml:1:11: plugin ./nowhere.mjs: there is no file ./nowhere.mjs'],
    ['no-such-package', 'doctor.yaml:1:11: plugin no-such-package: no package no-such-package is installed here'],
    ['./doctor.yaml', 'plugin ./doctor.yaml: ./doctor.yaml is no .ts, .mts, .mjs or .js file'],
  ])('%s is not there', async (name, message) => expect(load('', name)).rejects.toThrow(message));

  test('a mistake of its form ends the run, with a sentence each', async () =>
    expect(load(pluginOf('3').replace("'mine'", "'My id'"))).rejects.toThrow(
      'Its id must be small letters, digits and single dashes. The check "one" has no function evaluate.',
    ));
});

test.each<[name: string, change: object, sentence: string | RegExp]>([
  ['nothing', {}, ''],
  ['an unknown key', { chekcs: [] }, 'Unknown key "chekcs" in the plugin; did you mean checks?'],
  ['no checks', { checks: [] }, 'Its checks must be a list with at least one check.'],
  ['a fact', { facts: { a: 3 } }, 'The fact "a" has no function gather.'],
  ['a row', { causes: [{ effect: 'a/b' }] }, 'Its causes must be a list of { effect, cause }, both codes of findings.'],
  [
    'an id that is taken',
    { id: 'http', checks: ['health'] },
    'With its prefix the check "health" is "http-health", which is one of the doctor\'s own.',
  ],
  ['an id twice', { checks: ['one', 'one'] }, 'Two checks have the id "one".'],
  ['a need', { checks: [{ needs: ['logz'] }] }, 'The check "one" needs the fact "logz", which there is not; did you mean logs?'],
  ['a need of its own', { checks: [{ needs: ['own:size'] }] }, /needs the fact "own:size", which there is not/],
  ['what it stands on', { checks: [{ after: ['contaner'] }] }, /stands on "contaner", which is no check .*; did you mean container\?$/],
  ['a severity', { checks: [{ findings: { bad: { severity: 'bad' } } }] }, /finding "bad": its severity is "warn" or "fail"\./],
])('a mistake: %s', (_, change, sentence) => {
  const spec = { severity: 'fail', layer: 'app', kind: 'symptom', means: 'm', proof: 'p' };
  const check = {
    id: 'one',
    title: 't',
    question: 'q?',
    needs: [],
    appliesTo: () => true,
    findings: { bad: spec },
    evaluate: () => ({ findings: [] }),
  };
  const given = { id: 'mine', checks: [{}], ...change } as { checks: unknown[] };
  const plugin = {
    ...given,
    checks: given.checks.map((each) => (typeof each === 'string' ? { ...check, id: each } : { ...check, ...(each as object) })),
  };
  const said = mistakesOf(
    plugin,
    checks.map(({ id }) => id),
  ).join(' ');
  if (typeof sentence === 'string') expect(said).toBe(sentence);
  else expect(said).toMatch(sentence);
});
