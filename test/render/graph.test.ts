import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { graphOf } from '../../src/model/graph.ts';
import type { Connection } from '../../src/model/stack.ts';
import { renderGraph, type Drawn } from '../../src/render/graph.ts';
import { makeConnection, makeService, makeStack } from '../checks/make.ts';

const TERMINAL = { columns: 100, colour: false, unicode: true, verbose: false };
const SECRET = '‹secret:9f86d081›';

const drawn = (connections: Connection[], parts: Partial<Drawn> = {}): Drawn => {
  const names = [...new Set(connections.flatMap(({ from, to }) => (to === null ? [from] : [from, to])))];
  const stack = makeStack({
    services: names.map((name) =>
      makeService({
        name,
        role: name === 'db' ? 'postgres' : 'http',
        containers: name === 'gone' ? [{ state: { status: 'exited' } }] : [{}],
      }),
    ),
    connections,
  });
  return {
    tool: { name: 'stack-doctor', version: '1' },
    stack: { project: 'p', workingDir: '/src/p', composeFiles: ['compose.yaml'] },
    graph: graphOf(stack),
    notes: [],
    ...parts,
  };
};

const SHOP = drawn([
  makeConnection({ from: 'api', user: 'shop', password: SECRET, database: 'shop', url: `postgres://shop:${SECRET}@db:5432/shop` }),
  makeConnection({ from: 'api', to: 'db', kind: 'depends-on', port: 0, source: 'depends_on' }),
  makeConnection({ from: 'api', to: null, kind: 'tcp', host: 'fd00::1', port: 25, source: 'env SMTP_URL' }),
  makeConnection({ from: 'api', to: 'gone', kind: 'redis', host: 'gone', port: 6379, tls: true, source: 'env CACHE_URL' }),
  makeConnection({ from: 'api', to: null, host: 'localhost', malformed: 'its port is 99999' }),
]);

test('as text: by who reaches, with kind, user and place; the order of starts apart', () => {
  expect(renderGraph(SHOP, 'text', TERMINAL)).toBe(`p: 3 services · 4 connections · 1 host not of this stack

api  http, running
  → db       postgres        shop:***@db:5432/shop · env DATABASE_URL
  → fd00::1  tcp             [fd00::1]:25 · env SMTP_URL · not of this stack
  → gone     redis over TLS  gone:6379 · env CACHE_URL
  → itself   postgres        localhost:5432 (its port is 99999) · env DATABASE_URL
    starts after db

db  postgres, running

gone  http, exited
`);
});

test('for Mermaid', () => {
  expect(renderGraph(SHOP, 'mermaid', TERMINAL)).toBe(`flowchart LR
  s0["api<br>http, running"]
  s1[("db<br>postgres, running")]
  s2[("gone<br>http, exited")]
  x3(["fd00::1"])
  s0 -->|"postgres<br>env DATABASE_URL"| s1
  s0 -.->|"starts after"| s1
  s0 -->|"tcp<br>env SMTP_URL"| x3
  s0 -->|"redis over TLS<br>env CACHE_URL"| s2
  s0 -->|"postgres<br>env DATABASE_URL"| s0
  classDef down stroke:#c00,stroke-dasharray:4
  class s2 down
`);
});

test('for Graphviz', () => {
  const text = renderGraph(SHOP, 'dot', TERMINAL);
  expect(text).toContain('digraph "p" {\n');
  expect(text).toContain('  s0 -> s1 [label="postgres\\nenv DATABASE_URL"];\n');
  expect(text).toContain('  s2 [label="gone\\nhttp, exited", shape=cylinder, color=red, style=dashed];\n');
});

test('for programs: one document, with everything but secrets', () => {
  const document = JSON.parse(renderGraph(SHOP, 'json', TERMINAL)) as { connections: object[]; outside: object[]; schemaVersion: number };
  expect(document).toMatchObject({ schemaVersion: 1, outside: [{ host: 'fd00::1', from: ['api'] }], notes: [] });
  expect(document.connections[0]).toEqual({
    from: 'api',
    to: 'db',
    kind: 'postgres',
    host: 'db',
    port: 5432,
    user: 'shop',
    password: '***',
    database: 'shop',
    tls: false,
    url: 'postgres://shop:***@db:5432/shop',
    source: 'env DATABASE_URL',
    malformed: null,
    place: 'service',
  });
});

test('what could not be looked at is said in every format', () => {
  const partial = drawn([makeConnection()], { notes: ['the Docker Engine does not answer'] });
  for (const format of ['text', 'mermaid', 'dot', 'json'] as const)
    expect(renderGraph(partial, format, TERMINAL)).toContain('the Docker Engine does not answer');
});

describe('whatever the names are', () => {
  const name = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.constantFrom('end', 'a"b', 'a]b', '#quot;', '\\', 'x\ny', '<b>', SECRET),
  );
  const connection = fc
    .record({
      from: name,
      to: fc.option(name),
      host: name,
      user: fc.option(name),
      source: name,
      kind: fc.constantFrom('http', 'depends-on'),
    })
    .map((each) =>
      makeConnection({ ...each, kind: each.kind as Connection['kind'], to: each.kind === 'depends-on' ? (each.to ?? 'db') : each.to }),
    );
  const drawing = fc.array(connection, { maxLength: 6 }).map((connections) => drawn(connections));

  test('every line of Mermaid and of Graphviz is of a known form, and no mark comes out', () => {
    const mermaid =
      /^(flowchart LR| {2}[sx]\d+(\["[^"]*"\]|\[\("[^"]*"\)\]|\(\["[^"]*"\]\))| {2}[sx]\d+ -\.?->?>?\|"[^"]*"\| [sx]\d+| {2}classDef .*| {2}class .*)$/;
    const dot = /^(digraph "p" \{|\}| {2}rankdir=LR;| {2}[sx]\d+( -> [sx]\d+)? \[label="([^"\\]|\\.)*"[^"]*\];)$/;
    fc.assert(
      fc.property(drawing, (given) => {
        for (const line of renderGraph(given, 'mermaid', TERMINAL).trimEnd().split('\n')) expect(line).toMatch(mermaid);
        for (const line of renderGraph(given, 'dot', TERMINAL).trimEnd().split('\n')) expect(line).toMatch(dot);
        for (const format of ['text', 'mermaid', 'dot', 'json'] as const)
          expect(renderGraph(given, format, TERMINAL)).not.toContain('‹secret:');
      }),
    );
  });
});
