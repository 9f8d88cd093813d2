/** What is published of the configuration is held to what the doctor takes. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { checks } from '../../src/checks/index.ts';
import { draftOf } from '../../src/config/draft.ts';
import { schemaText } from '../../src/config/json-schema.ts';
import { loadConfig } from '../../src/config/load.ts';
import { refuseContradictions } from '../../src/config/contradict.ts';
import { parseConfig } from '../../src/config/read.ts';
import { mistakesOf } from '../../src/config/plugin-mistakes.ts';
import type { Role } from '../../src/model/stack.ts';
import { makeService, makeStack } from '../checks/make.ts';

const root = join(import.meta.dirname, '../..');
const page = (path: string) => readFileSync(join(root, path), 'utf8');
const blocks = (path: string, language: string) =>
  [...page(path).matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, text]) => text!);

test('doctor.schema.json is made of the table: npm run docs renews it', () => expect(page('doctor.schema.json')).toBe(schemaText()));

describe('docs/configuration.md', () => {
  test('has an example that the doctor takes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'doctor-page-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const [example] = blocks('docs/configuration.md', 'yaml');
    const path = join(folder, 'doctor.yaml');
    writeFileSync(path, example!.replace(/^plugins:\n(?: .*\n)+/m, ''));
    const loaded = await loadConfig({ path, shownAs: 'doctor.yaml' }, checks);
    expect(loaded.checks).toHaveLength(8);
    expect(Object.keys(loaded.own)).toHaveLength(6);
    const services = (['http', 'postgres', 'redis', 'worker'] as const).map((role) =>
      makeService({ name: { http: 'backend', postgres: 'db', redis: 'redis', worker: 'worker' }[role], role }),
    );
    expect(() => refuseContradictions(loaded.config, makeStack({ services }))).not.toThrow();
  });

  test('names every kind, every threshold and every key of a service', () => {
    const schema = JSON.parse(schemaText()) as {
      properties: Record<string, { properties: object; additionalProperties: { properties: object; oneOf: { required: string[] }[] } }>;
    };
    const { services, thresholds, checks: own } = schema.properties;
    const words = [
      ...Object.keys(schema.properties),
      ...Object.keys(services!.additionalProperties.properties),
      ...Object.keys(thresholds!.properties),
      ...own!.additionalProperties.oneOf.flatMap(({ required }) => required),
    ];
    expect(words.filter((word) => !page('docs/configuration.md').includes(`\`${word}\``))).toEqual([]);
  });
});

test('docs/plugins.md has an example that the doctor takes', async () => {
  const [example] = blocks('docs/plugins.md', 'js');
  const text = example!.replace("'stack-doctor'", JSON.stringify(new URL('../../src/index.ts', import.meta.url).pathname));
  const folder = mkdtempSync(join(tmpdir(), 'doctor-page-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'plugin.mjs'), text);
  const { default: plugin } = (await import(join(folder, 'plugin.mjs'))) as { default: unknown };
  expect(
    mistakesOf(
      plugin,
      checks.map(({ id }) => id),
    ),
  ).toEqual([]);
});

describe('doctor init', () => {
  const names: [string, Role][] = [
    ['api', 'http'],
    ['db', 'postgres'],
    ['cache', 'redis'],
    ['jobs', 'worker'],
    ['yes', 'unknown'],
    ['2fa', 'nginx'],
  ];
  const stack = makeStack({ services: names.map(([name, role]) => makeService({ name, role, roleReason: 'a\nb: #c' })) });
  const draft = draftOf(stack, '2027');

  test('says nothing yet', () => {
    expect(draft.split('\n').every((line) => line === '' || line.startsWith('#'))).toBe(true);
    expect(parseConfig(draft, 'doctor.yaml', '/')).toMatchObject({ services: {}, checks: [], ignore: [] });
  });

  test('is right once the marks are taken away', () => {
    const bare = draft
      .split('\n')
      .filter((line) => !line.startsWith('##') && !line.includes('yaml-language-server'))
      .map((line) => line.replace(/^# /, ''))
      .join('\n');
    const config = parseConfig(bare, 'doctor.yaml', '/');
    expect(Object.keys(config.services)).toEqual(stack.services.map(({ name }) => name));
    expect(config.checks.map(({ ask }) => ask.kind)).toEqual(['http', 'postgres', 'redis', 'log']);
    expect(() => refuseContradictions(config, stack)).not.toThrow();
  });
});
