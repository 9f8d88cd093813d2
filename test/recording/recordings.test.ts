/** Real stacks, recorded: the diagnosis of each must stay what it was. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { expectationOf, type Expectation } from './expectation.ts';

const FOLDER = fileURLToPath(new URL('../../fixtures/recordings/', import.meta.url));
const names = readdirSync(FOLDER).flatMap((file) => /^(.+)\.expected\.json$/.exec(file)?.[1] ?? []);

describe('a recording', () => {
  test('of at least 12 broken and 3 healthy stacks exists', () => {
    const healthy = names.filter((name) => name.startsWith('healthy-'));
    expect(healthy.length).toBeGreaterThanOrEqual(3);
    expect(names.length - healthy.length).toBeGreaterThanOrEqual(12);
  });

  test.for(names)('%s gives its diagnosis', async (name) => {
    const wanted = JSON.parse(readFileSync(`${FOLDER}${name}.expected.json`, 'utf8')) as Expectation;
    expect(await expectationOf(`${FOLDER}${name}.json.gz`)).toEqual(wanted);
  });
});
