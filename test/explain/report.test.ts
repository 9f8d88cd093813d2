import { describe, expect, test } from 'vitest';
import { explain } from '../../src/explain/explain.ts';
import { reportOf, type Told } from '../../src/explain/report.ts';
import type { Located, Outcome, Status } from '../../src/model/check.ts';
import { makeService, makeStack } from '../checks/make.ts';
import { located, outcomesOf, stackOf } from './cases.ts';

const remedyFor = (each: Located) => ({ source: { file: 'RUNBOOK.md', heading: each.code, lines: [1, 2] as [number, number] }, steps: [] });

const told = (found: Located[], parts: Partial<Told> = {}): Told => {
  const outcomes = parts.outcomes ?? outcomesOf(found);
  const stack = parts.stack ?? stackOf(['backend>db']);
  return {
    tool: { name: 'stack-doctor', version: '1.2.3' },
    startedAt: '2026-11-23T07:00:00.000Z',
    durationMs: 12,
    engine: { host: 'unix:///x.sock', version: '28.5.2', apiVersion: '1.51' },
    found,
    explanation: explain(found, outcomes, stack),
    remedyFor,
    notes: ['a note'],
    ...parts,
    outcomes,
    stack,
  };
};

const outcome = (status: Status): Outcome => ({
  id: `x/${status}`,
  check: status,
  service: 'x',
  title: 't',
  status,
  findings: [],
  blockedBy: null,
  reason: null,
  note: null,
  durationMs: 0,
});

describe('the status of the whole', () => {
  test.each([
    [['pass', 'skip'], 'pass'],
    [['pass', 'warn'], 'warn'],
    [['warn', 'error'], 'error'],
    [['error', 'fail', 'warn'], 'fail'],
    [[], 'pass'],
    [['blocked'], 'pass'],
  ] as [Status[], string][])('of %j is %s', (statuses, expected) => {
    const report = reportOf(told([], { outcomes: statuses.map(outcome) }));
    expect(report.status).toBe(expected);
    expect(Object.values(report.counts).reduce((sum, count) => sum + count, 0)).toBe(statuses.length);
    for (const status of statuses) expect(report.counts[status]).toBe(1);
  });
});

test('what the evidence leaves open is told, with the look that would decide', () => {
  const report = reportOf(told([located('backend compose/env-drift'), located('backend http-health/server-error')]));
  expect(report.rootCauses[0]).toMatchObject({
    code: 'compose/env-drift',
    candidates: [
      { id: 'backend/compose', service: 'backend', code: 'compose/env-drift', summary: 'backend compose/env-drift was seen' },
      { id: 'backend/http-health', service: 'backend', code: 'http-health/server-error' },
    ],
    decide: { command: 'docker compose logs --tail 50 backend' },
  });
});

test('a name that came from a label is no command', () => {
  const report = reportOf(told([located("$(id)'s compose/env-drift"), located("$(id)'s http-health/server-error")]));
  expect(report.rootCauses[0]!.decide!.command).toBe(`docker compose logs --tail 50 '$(id)'\\''s'`);
});

test('what is decided says nothing of candidates', () => {
  const report = reportOf(told([located('db postgres/auth-rejected'), located('backend http-health/server-error')]));
  expect(report.rootCauses[0]).not.toHaveProperty('candidates');
  expect(report.rootCauses[0]).not.toHaveProperty('decide');
});

test('a root, its consequence, and what both say', () => {
  const report = reportOf(told([located('db postgres/auth-rejected'), located('backend http-health/server-error')]));
  expect(report.rootCauses).toEqual([
    {
      id: 'db/postgres',
      check: 'postgres',
      service: 'db',
      code: 'postgres/auth-rejected',
      summary: 'db postgres/auth-rejected was seen',
      evidence: [],
      explains: ['backend/http-health'],
      lasting: true,
      remedy: expect.objectContaining({ steps: [] }),
    },
  ]);
  expect(report.checks.map(({ id, status, code, causedBy, message }) => ({ id, status, code, causedBy, message }))).toEqual([
    { id: 'db/postgres', status: 'fail', code: 'postgres/auth-rejected', causedBy: null, message: 'db postgres/auth-rejected was seen' },
    {
      id: 'backend/http-health',
      status: 'fail',
      code: 'http-health/server-error',
      causedBy: 'db/postgres',
      message: 'backend http-health/server-error was seen',
    },
  ]);
});

test('further findings of one instance stand beside the first, each with its own cause', () => {
  const found = [
    located('db container/paused'),
    located('backend network/unknown-host', { message: 'looks for postgres' }),
    located('backend network/dependency-stopped', { message: 'db is paused', suspects: [{ service: 'db' }] }),
  ];
  const [, network] = reportOf(told(found)).checks;
  expect(network).toMatchObject({
    code: 'network/unknown-host',
    causedBy: null,
    alsoFound: [{ code: 'network/dependency-stopped', severity: 'fail', message: 'db is paused', causedBy: 'db/container' }],
  });
});

test('what a check says when it finds nothing: its note, its reason, its title', () => {
  const outcomes: Outcome[] = [
    { ...outcome('pass'), note: '3 of 3' },
    { ...outcome('skip'), reason: 'profile dev' },
    { ...outcome('pass'), title: 'All is well' },
    { ...outcome('blocked'), blockedBy: 'engine', reason: 'not asked: engine fails' },
  ];
  expect(reportOf(told([], { outcomes })).checks.map(({ message, blockedBy, code, remedy }) => [message, blockedBy, code, remedy])).toEqual(
    [
      ['3 of 3', null, null, null],
      ['profile dev', null, null, null],
      ['All is well', null, null, null],
      ['not asked: engine fails', 'engine', null, null],
    ],
  );
});

test('services: the replica that runs speaks; a declared one is missing', () => {
  const stack = makeStack({
    services: [
      makeService({
        name: 'api',
        role: 'http',
        containers: [
          { image: 'old', state: { status: 'exited' } },
          { image: 'new', health: { status: 'healthy', failingStreak: 0, log: [] } },
        ],
      }),
      makeService({ name: 'gone', spec: { image: 'redis:7' }, containers: [] }),
      makeService({
        name: 'dead',
        containers: [{ image: 'x', state: { status: 'exited' }, health: { status: 'unhealthy', failingStreak: 0, log: [] } }],
      }),
    ],
  });
  expect(reportOf(told([], { stack })).stack.services).toEqual([
    { name: 'api', role: 'http', image: 'new', state: 'running', health: 'healthy', replicas: 2 },
    // Health says nothing of a container that does not run.
    { name: 'dead', role: 'unknown', image: 'x', state: 'exited', health: null, replicas: 1 },
    { name: 'gone', role: 'unknown', image: 'redis:7', state: 'missing', health: null, replicas: 0 },
  ]);
});

test('the document is the one that was promised', () => {
  const report = reportOf(told([located('db postgres/auth-rejected')]));
  expect(report).toMatchObject({
    schemaVersion: 1,
    tool: { name: 'stack-doctor', version: '1.2.3' },
    startedAt: '2026-11-23T07:00:00.000Z',
    durationMs: 12,
    notes: ['a note'],
  });
  expect(report.stack).toMatchObject({
    project: 'p',
    workingDir: '/src/p',
    composeFiles: ['docker-compose.yml'],
    engine: { host: 'unix:///x.sock', version: '28.5.2', apiVersion: '1.51' },
    connections: [{ from: 'backend', to: 'db', kind: 'http', source: 'env DATABASE_URL' }],
  });
  expect(Object.keys(report.counts)).toEqual(['pass', 'warn', 'fail', 'blocked', 'skip', 'error']);
});
