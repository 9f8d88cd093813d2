/** Two faults at once: the findings of two recordings of the same stack, put together. Each must come out as a root of its own. */
import { describe, expect, test } from 'vitest';
import { explain } from '../../src/explain/explain.ts';
import type { Located } from '../../src/model/check.ts';
import { faults } from '../lab/faults.ts';
import { recorded, RECORDINGS, together, type Scene } from './recorded.ts';

const scenes = new Map(await Promise.all(RECORDINGS.map(async (name) => [name, await recorded(name)] as const)));
const rootsOf = ({ found, outcomes, stack }: Scene): Located[] => explain(found, outcomes, stack).roots.map(({ located }) => located);
const roots = new Map([...scenes].map(([name, scene]) => [name, rootsOf(scene)]));
const nameOf = (located: Located): string => `${located.service ?? ''} ${located.code}`.trim();

/** Where the first is there, the second cannot be told from a consequence of it. */
const HIDDEN: { root: string; by: string[]; because: string }[] = [
  {
    root: 'backend http-health/hung',
    by: ['db-paused', 'db-locked', 'db-too-many-clients', 'redis-paused', 'redis-cannot-save'],
    because: 'who waits for a server that does not answer, or is unhealthy, is silent itself',
  },
  {
    root: 'backend http-health/hung',
    by: [
      'db-stopped',
      'redis-stopped',
      'postgres-18-old-data-path',
      'backend-disconnected',
      'db-loopback',
      'db-data-version',
      'db-init-script-fails',
      'db-wal-lost',
      'redis-dump-too-new',
    ],
    because: 'many clients try again and again for a server that is away, and their callers wait',
  },
  {
    root: 'backend http-health/hung',
    by: ['backend-loopback', 'backend-syntax-error'],
    because: 'the same was asked of the same service, and something more particular says why it does not answer',
  },
  {
    root: 'worker startup/module-missing',
    by: ['backend-folder-replaced'],
    because: 'a module that is missing may well be missing from the folder that the container should no longer hold',
  },
  {
    root: 'backend container/restarting',
    by: ['dist-deleted-and-rebuilt'],
    because: 'a program may end for want of its files',
  },
  {
    root: 'redis container/exited',
    by: ['redis-cannot-save'],
    because: 'a server that may not write its data may end for that',
  },
];

const isHidden = (root: Located, by: string): boolean =>
  HIDDEN.some((each) => each.root === nameOf(root) && each.by.includes(by)) ||
  // Nobody could have asked.
  scenes.get(by)!.outcomes.some(({ id, status }) => id === root.id && (status === 'blocked' || status === 'skip'));

/** A container ends once, in one way. */
const excludeEachOther = (first: string, second: string): boolean => {
  const ended = (name: string) => scenes.get(name)!.found.filter(({ spec }) => spec.blocks);
  return ended(first).some((each) => ended(second).some((other) => each.id === other.id));
};

/** Each hides the other: a server that was stopped cannot say that it cannot save. */
const isAllHidden = (first: string, second: string): boolean =>
  roots.get(first)!.every((root) => isHidden(root, second)) && roots.get(second)!.every((root) => isHidden(root, first));

/** Of the reference stack: two recordings put together must be of the same services. */
const isOfReference = (name: string): boolean => faults.some(({ id, stack = 'shootout' }) => id === name && stack === 'shootout');
/** Those whose findings do not depend on each other's: of two faults of one container the second is often only what the first left. */
const PAIRED = new Set([
  'backend-disconnected',
  'backend-folder-replaced',
  'backend-hung',
  'backend-localhost-db',
  'backend-loopback',
  'backend-oom-killed',
  'backend-syntax-error',
  'backend-wrong-host',
  'backend-wrong-password',
  'db-data-version',
  'db-database-missing',
  'db-init-script-fails',
  'db-locked',
  'db-loopback',
  'db-password-changed-in-env',
  'db-password-volume',
  'db-paused',
  'db-read-only',
  'db-role-missing',
  'db-stopped',
  'db-too-many-clients',
  'db-wal-lost',
  'dist-deleted-and-rebuilt',
  'dist-emptied',
  'dist-half-built',
  'dist-renamed',
  'dist-unreadable',
  'entrypoint-crlf',
  'env-changed-only-restarted',
  'healthcheck-missing-binary',
  'migration-fails',
  'nginx-wrong-root',
  'postgres-18-old-data-path',
  'proxy-stale-upstream',
  'redis-cannot-save',
  'redis-dump-too-new',
  'redis-out-of-memory',
  'redis-password',
  'redis-paused',
  'redis-replica',
  'redis-stopped',
  'worker-crash-loop',
  'worker-missing',
  'worker-never-started',
  'worker-other-queue',
  'worker-stopped',
  'worker-wrong-password',
]);
const BROKEN = RECORDINGS.filter((name) => PAIRED.has(name) && isOfReference(name) && roots.get(name)!.length > 0);
const PAIRS = BROKEN.flatMap((first, index) =>
  BROKEN.slice(index + 1)
    .filter((second) => !excludeEachOther(first, second) && !isAllHidden(first, second))
    .map((second) => [first, second] as const),
);

test('there are enough of them', () => expect(PAIRS.length).toBeGreaterThan(250));

test.each(PAIRS)('%s and %s', (first, second) => {
  const both = rootsOf(together(scenes.get(first)!, scenes.get(second)!)).map(nameOf);
  const wanted = [
    ...roots.get(first)!.filter((root) => !isHidden(root, second)),
    ...roots.get(second)!.filter((root) => !isHidden(root, first)),
  ].map(nameOf);
  expect(wanted).not.toEqual([]);
  expect(both).toEqual(expect.arrayContaining(wanted));
  const known = [...roots.get(first)!, ...roots.get(second)!].map(nameOf);
  expect(both.filter((name) => !known.includes(name))).toEqual([]);
});

describe('beside what is healthy', () => {
  const healthy = RECORDINGS.filter((name) => roots.get(name)!.length === 0);
  test.each(BROKEN)('%s stays what it is', (name) => {
    for (const other of healthy)
      expect(rootsOf(together(scenes.get(name)!, scenes.get(other)!)).map(nameOf)).toEqual(roots.get(name)!.map(nameOf));
  });
});
