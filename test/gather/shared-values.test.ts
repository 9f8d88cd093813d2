/** Which line gives a variable to several services. */
import { expect, test } from 'vitest';
import { gatherShared } from '../../src/gather/shared-values.ts';
import type { ProjectFact } from '../../src/model/facts.ts';
import { makeSpec } from '../checks/make.ts';
import { folderOf, placeIn } from './project-folder.ts';

/** Services with these variables, as Compose would have loaded them. */
const project = (variables: Record<string, string[]>): ProjectFact =>
  ({
    services: Object.entries(variables).map(([name, keys]) =>
      makeSpec({ name, environment: Object.fromEntries(keys.map((key) => [key, 'x'])) }),
    ),
  }) as ProjectFact;

const shared = async (files: Record<string, string>, variables: Record<string, string[]>): Promise<string[]> => {
  const folder = folderOf(files);
  const found = await gatherShared(project(variables), placeIn(folder, ['compose.yaml']));
  return found.map(({ file, line, variable, services }) => `${file}:${line} ${variable} ${services.join(' ')}`);
};

const BOTH = { api: ['DATABASE_URL'], jobs: ['DATABASE_URL'] };

test('an env file of both: the last line of the name counts', async () =>
  expect(
    await shared(
      {
        'compose.yaml': 'services:\n  api:\n    env_file: common.env\n  jobs:\n    env_file: [common.env]\n',
        'common.env': '# DATABASE_URL=old\nDATABASE_URL=one\nOTHER=x\nexport DATABASE_URL=two\n',
      },
      BOTH,
    ),
  ).toEqual(['common.env:4 DATABASE_URL api jobs']));

test('an anchor', async () =>
  expect(
    await shared(
      {
        'compose.yaml':
          'x-env: &env\n  DATABASE_URL: one\nservices:\n  api:\n    environment: *env\n  jobs:\n    environment:\n      <<: *env\n      OTHER: x\n',
      },
      BOTH,
    ),
  ).toEqual(['compose.yaml:2 DATABASE_URL api jobs']));

test("a variable of the project, in each service's own line", async () =>
  expect(
    await shared(
      {
        'compose.yaml':
          'services:\n  api:\n    environment:\n      DATABASE_URL: ${DB_URL}\n  jobs:\n    environment:\n      DATABASE_URL: ${DB_URL:?say where}\n',
        '.env': 'OTHER=x\nDB_URL=one\n',
      },
      BOTH,
    ),
  ).toEqual(['.env:2 DATABASE_URL api jobs']));

test('lines of their own, though they say the same, are no common one', async () =>
  expect(
    await shared(
      {
        'compose.yaml': 'services:\n  api:\n    environment:\n      DATABASE_URL: one\n  jobs:\n    env_file: jobs.env\n',
        'jobs.env': 'DATABASE_URL=one\n',
      },
      BOTH,
    ),
  ).toEqual([]));

test("an env file that one of the two overrides is the other's alone", async () =>
  expect(
    await shared(
      {
        'compose.yaml':
          'services:\n  api:\n    env_file: common.env\n  jobs:\n    env_file: common.env\n    environment:\n      DATABASE_URL: mine\n',
        'common.env': 'DATABASE_URL=one\n',
      },
      BOTH,
    ),
  ).toEqual([]));

test('files that are not there, or that nobody can read, share nothing', async () =>
  expect(await shared({ 'compose.yaml': 'services:\n  api:\n    env_file: gone.env\n  jobs:\n    env_file: gone.env\n' }, BOTH)).toEqual(
    [],
  ));
