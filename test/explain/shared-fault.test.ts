import { describe, expect, it } from 'vitest';
import { explain } from '../../src/explain/explain.ts';
import type { SharedValue } from '../../src/model/facts.ts';
import { makeService, makeStack } from '../checks/make.ts';
import { located, outcomesOf } from './cases.ts';

const services = (second: string) =>
  makeStack({
    services: [
      makeService({ name: 'api', containers: [{ imageId: 'sha256:one' }] }),
      makeService({ name: 'jobs', containers: [{ imageId: second }] }),
    ],
  });

const unknown = (service: string) =>
  located(`${service} network/unknown-host`, {
    message: `${service} looks for "stroe"`,
    values: { variable: 'DATABASE_URL', host: 'stroe' },
  });
const broken = (service: string, file = '/app/settings.py:3') =>
  located(`${service} startup/code-error`, { message: `${service} ends: KeyError`, values: { file } });

const LINE: SharedValue = { file: 'common.env', line: 2, variable: 'DATABASE_URL', services: ['api', 'jobs'] };

const roots = (found: ReturnType<typeof located>[], second: string, shared: SharedValue[] = []) =>
  explain(found, outcomesOf(found), services(second), shared).roots.map(({ located: root, explains, shared: of }) => [
    root.id,
    explains,
    of,
  ]);

describe('one line for several services', () => {
  it('is one root, with the line and all whom it breaks', () =>
    expect(roots([unknown('api'), unknown('jobs')], 'sha256:two', [LINE])).toEqual([
      ['api/network', ['jobs/network'], { at: 'common.env:2', variable: 'DATABASE_URL', services: ['api', 'jobs'] }],
    ]));

  it('is two where each has a line of its own', () => expect(roots([unknown('api'), unknown('jobs')], 'sha256:two')).toHaveLength(2));

  it('is two where another variable is shared', () =>
    expect(roots([unknown('api'), unknown('jobs')], 'sha256:two', [{ ...LINE, variable: 'CACHE_URL' }])).toHaveLength(2));
});

describe('one piece of code for several services', () => {
  it('is one root where they are made of one image', () =>
    expect(roots([broken('api'), broken('jobs')], 'sha256:one')).toEqual([
      ['api/startup', ['jobs/startup'], { at: '/app/settings.py:3', variable: null, services: ['api', 'jobs'] }],
    ]));

  it('is two where another image has a file of that name', () =>
    expect(roots([broken('api'), broken('jobs')], 'sha256:two')).toHaveLength(2));

  it('is two where the lines differ', () => expect(roots([broken('api'), broken('jobs', '/app/jobs.py:3')], 'sha256:one')).toHaveLength(2));
});
