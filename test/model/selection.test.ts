import { describe, expect, test } from 'vitest';
import { checks } from '../../src/checks/index.ts';
import { instancesOf, select } from '../../src/model/selection.ts';
import { UsageError } from '../../src/model/usage-error.ts';
import { makePort, makeService, makeStack } from '../checks/make.ts';

const stack = makeStack({
  services: [
    makeService({ name: 'backend', role: 'http', containers: [{ portBindings: [makePort()] }] }),
    makeService({ name: 'store', role: 'postgres' }),
    makeService({ name: 'kv', role: 'redis' }),
    makeService({ name: 'edge', role: 'nginx' }),
    makeService({ name: 'jobs', role: 'worker' }),
  ],
});
const all = instancesOf(stack, checks);
const chosen = (...selectors: string[]) => select(all, selectors).map((each) => each.id);
const servicesOf = (ids: string[]) => [...new Set(ids.map((id) => id.split('/')[0]))];

test('every check, of every service that it applies to; in the order of the registry, then by service', () => {
  const ids = all.map((each) => each.id);
  expect(ids.slice(0, 4)).toEqual(['engine', 'host', 'compose', 'backend/compose']);
  expect(ids).toContain('store/postgres');
  expect(ids).not.toContain('backend/postgres');
  expect(new Set(ids).size).toBe(ids.length);
});

test('nothing selected is everything', () => expect(chosen()).toEqual(all.map((each) => each.id)));

describe('a selector is', () => {
  test('an instance', () => expect(chosen('store/postgres')).toEqual(['store/postgres']));
  test('a check', () => expect(chosen('postgres')).toEqual(['store/postgres']));
  test('a check of the whole stack and of services', () =>
    expect(chosen('compose')).toEqual(['compose', ...stack.services.map((each) => `${each.name}/compose`)]));
  test('a service', () => expect(servicesOf(chosen('store'))).toEqual(['store']));
  test('a role, whatever the service is called', () => {
    expect(servicesOf(chosen('db'))).toEqual(['store']);
    expect(servicesOf(chosen('cache'))).toEqual(['kv']);
    expect(servicesOf(chosen('web'))).toEqual(['backend', 'edge']);
    expect(servicesOf(chosen('workers'))).toEqual(['jobs']);
  });
  test('a glob', () => {
    expect(chosen('st*/post*')).toEqual(['store/postgres']);
    expect(servicesOf(chosen('?v'))).toEqual(['kv']);
    expect(chosen('*')).toEqual(all.map((each) => each.id));
    expect(chosen('*/http-health')).toEqual(['backend/http-health']);
  });
  test('several, each instance once, in report order', () =>
    expect(chosen('postgres', 'engine', 'store/postgres')).toEqual(['engine', 'store/postgres']));
});

test('a service of that name beats the role of that name', () => {
  const named = instancesOf(
    makeStack({ services: [makeService({ name: 'db', role: 'http' }), makeService({ name: 'pg', role: 'postgres' })] }),
    checks,
  );
  expect(servicesOf(select(named, ['db']).map((each) => each.id))).toEqual(['db']);
});

describe('an unknown selector is one line with the nearest words', () => {
  test.each([
    ['postgers', 'did you mean postgres'],
    ['stor', 'did you mean store'],
    ['bakend', 'did you mean backend'],
    ['store/postgre', 'did you mean store or store/postgres?'],
    ['chache', 'did you mean cache'],
    ['zzzzzz', 'see `doctor list`'],
    ['', 'see `doctor list`'],
    ['x*y', 'see `doctor list`'],
    ['constructor', 'see `doctor list`'],
    ['__proto__', 'see `doctor list`'],
    ['(', 'see `doctor list`'],
  ])('%s: %s', (selector, hint) => {
    expect(() => chosen(selector)).toThrow(UsageError);
    expect(() => chosen('engine', selector)).toThrow(`"${selector}" is no check and no service of this stack; ${hint}`);
  });

  test('nobody is sent to a role that this stack does not have', () => {
    const small = instancesOf(makeStack({ services: [makeService({ name: 'x', role: 'http' })] }), checks);
    expect(() => select(small, ['cache'])).toThrow(/^"cache" is no check and no service of this stack(?!.*cache\?)/);
  });
});

test('stars without end take no time', () => {
  const started = performance.now();
  expect(() => chosen(`${'*'.repeat(1_000)}!`)).toThrow(UsageError);
  expect(performance.now() - started).toBeLessThan(1_000);
});
