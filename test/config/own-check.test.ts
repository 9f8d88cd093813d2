import { describe, expect, test } from 'vitest';
import { checkOf } from '../../src/config/own-check.ts';
import { parseConfig } from '../../src/config/read.ts';
import type { OwnAnswer } from '../../src/model/config.ts';
import type { Fact } from '../../src/model/facts.ts';
import { ask, fact, gap, inShort, makeService, makeStack } from '../checks/make.ts';

const checkFrom = (body: string) =>
  checkOf(parseConfig(`checks:\n  it:\n    service: app\n    question: Is it?\n    ${body}\n`, 'doctor.yaml', '/').checks[0]!);

const stackOf = (env: Record<string, string> = {}) => makeStack({ services: [makeService({ containers: [{ env }] })] });

const look = (body: string, facts: Record<string, Fact<unknown>>, env: Record<string, string> = {}) => {
  const check = checkFrom(body);
  return inShort(check, ask(check, { stack: stackOf(env), service: 'app', facts }));
};

const answered = (answer: Partial<OwnAnswer>) => ({
  'own:it': fact({ asked: 'it', failure: null, code: null, text: null, cut: false, ms: 1, ...answer }),
});

describe('an answer is held to what is expected', () => {
  test.each<[body: string, answer: Partial<OwnAnswer>, wanted: string]>([
    ['http: /a', { code: 204, text: '' }, 'pass'],
    ['http: /a', { code: 302, text: '' }, 'pass'],
    ['http: /a', { code: 404, text: '' }, 'fail unexpected'],
    ['http: { path: /a, status: 404 }', { code: 404, text: '' }, 'pass'],
    ['http: { path: /a, contains: "\\"items\\"" }', { code: 200, text: '{"items":[]}' }, 'pass'],
    ['http: { path: /a, contains: items }', { code: 200, text: '{}' }, 'fail unexpected'],
    // What was not read may hold it.
    ['http: { path: /a, contains: items }', { code: 200, text: '{}', cut: true }, 'cannot look'],
    ['http: /a', { failure: 'connect ECONNREFUSED' }, 'fail no-answer'],
    ['severity: warn\n    http: /a', { failure: 'connect ECONNREFUSED' }, 'warn no-answer'],
    ['tcp: 25', {}, 'pass'],
    ['tcp: 25', { failure: 'timeout' }, 'fail no-answer'],
    ['postgres: { query: q, expect: "> 0" }', { text: '3' }, 'pass'],
    ['postgres: { query: q, expect: "> 0" }', { text: '0' }, 'fail unexpected'],
    ['postgres: { query: q, expect: "> 0" }', { text: 'null' }, 'fail unexpected'],
    ['postgres: { query: q, expect: "> 0" }', { text: null }, 'fail unexpected'],
    ['postgres: { query: q, expect: true }', { text: 'true' }, 'pass'],
    ['postgres: { query: q, expect: "<= -1.5" }', { text: '-2' }, 'pass'],
    ['postgres: { query: q, expect: "!= 2" }', { text: '2' }, 'fail unexpected'],
    ['postgres: { query: q, expect: "= 2" }', { text: '2.0' }, 'pass'],
    ['redis: { command: GET a, expect: on }', { text: 'on' }, 'pass'],
    ['redis: { command: GET a, expect: on }', { text: 'once' }, 'fail unexpected'],
    ['exec: true', { code: 0, text: '' }, 'pass'],
    ['exec: false', { code: 1, text: '' }, 'fail unexpected'],
    ['exec: { command: a, exit_code: 3 }', { code: 3, text: '' }, 'pass'],
    ['exec: { command: a, matches: "^v\\\\d+" }', { code: 0, text: 'x\nv20\n' }, 'pass'],
    ['file: /a', { text: '' }, 'pass'],
    ['file: /a', { text: null }, 'fail unexpected'],
    ['file: { path: /a, exists: false }', { text: null }, 'pass'],
    ['file: { path: /a, exists: false }', { text: 'x' }, 'fail unexpected'],
    ['file: { path: /a, contains: yes }', { text: 'no' }, 'fail unexpected'],
  ])('%s: %j', (body, answer, wanted) => expect(look(body, answered(answer))).toBe(wanted));

  test.each<[body: string, answer: Partial<OwnAnswer>, note: string]>([
    ['tcp: 25', {}, 'it'],
    ['http: /a', { code: 204, text: '' }, 'it: 204'],
    ['exec: a', { code: 0, text: 'v20\n' }, 'it: 0 v20'],
    ['file: /a', { text: 'a key' }, 'it'],
  ])('what was seen where all is well, in one line: %s, %j', (body, answer, note) => {
    const check = checkFrom(body);
    expect(ask(check, { stack: stackOf(), service: 'app', facts: answered(answer) })).toMatchObject({ findings: [], note });
  });

  test('what a file holds is told only where its content is the question', () => {
    const evidenceOf = (body: string) =>
      JSON.stringify(ask(checkFrom(body), { stack: stackOf(), service: 'app', facts: answered({ text: 'a key' }) }));
    expect(evidenceOf('file: { path: /a, exists: false }')).not.toContain('a key');
    expect(evidenceOf('file: { path: /a, contains: lock }')).toContain('a key');
  });

  test('what could not be looked at is no failure', () => expect(look('tcp: 1', { 'own:it': gap('no engine') })).toBe('cannot look'));

  test.each<[body: string, lines: string[], wanted: string]>([
    ['log: panic', ['all is well'], 'pass'],
    ['log: panic', ['a panic'], 'fail unexpected'],
    ['log: { pattern: ready, present: true }', ['ready'], 'pass'],
    ['log: { pattern: ready, present: true }', [], 'fail unexpected'],
  ])('%s in %j', (body, lines, wanted) =>
    expect(
      look(body, {
        logs: fact({ container: 'p-app-1', since: null, lines: lines.map((text) => ({ time: null, stream: 'stdout', text })) }),
      }),
    ).toBe(wanted),
  );

  test.each<[body: string, env: Record<string, string>, wanted: string]>([
    ['env: MODE', { MODE: '' }, 'pass'],
    ['env: MODE', {}, 'fail unexpected'],
    ['env: { name: MODE, expect: on }', { MODE: 'on' }, 'pass'],
    ['env: { name: MODE, expect: on }', { MODE: 'off' }, 'fail unexpected'],
    ['env: { name: MODE, exists: false }', { MODE: 'on' }, 'fail unexpected'],
    ['env: API_KEY', { API_KEY: '‹secret:0123abcd›' }, 'pass'],
    // Its mark is no value.
    ['env: { name: API_KEY, matches: "^sk" }', { API_KEY: '‹secret:0123abcd›' }, 'cannot look'],
  ])('%s in %j', (body, env, wanted) => expect(look(body, {}, env)).toBe(wanted));

  test('a finding says the question, what was seen, and what was expected', () => {
    const verdict = ask(checkFrom('postgres: { query: q, expect: "> 0" }'), {
      stack: stackOf(),
      service: 'app',
      facts: answered({ text: '0' }),
    });
    expect(verdict).toMatchObject({ findings: [{ message: 'app: Is it? "0", expected > 0', evidence: [{ source: 'it', text: '0' }] }] });
  });
});

test('a failure may come of another one, but for what is as it was given', () => {
  const specOf = (body: string) => checkFrom(body).findings['unexpected'];
  expect(specOf('tcp: 1')).toMatchObject({ kind: 'symptom', layer: 'own' });
  expect(specOf('env: MODE')).toMatchObject({ kind: 'cause', drift: 'value' });
  expect(specOf('kind: cause\n    tcp: 1')).toMatchObject({ kind: 'cause', layer: 'app' });
});
