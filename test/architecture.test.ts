/** Who may import whom (ARCHITECTURE.md). An unknown folder, or a file that nobody placed, fails: this test cannot go silent. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const SRC = join(ROOT, 'src');

const filesIn = (folder: string): string[] =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesIn(path) : path.endsWith('.ts') ? [path] : [];
  });

interface Import {
  file: string;
  /** Path below `src`, or the package. */
  what: string;
  kind: 'own' | 'node' | 'package';
  /** Types are gone at run time; `later` is an `await import()`. */
  how: 'type' | 'now' | 'later';
}

/** Comments out, so that a word in one is no import. */
const code = (path: string): string =>
  readFileSync(path, 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '');

const importsOf = (path: string): Import[] => {
  const text = code(path);
  const file = relative(SRC, path);
  const found = [
    ...[...text.matchAll(/^\s*(import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm)].map(
      ([, , type, from]) => [type ? 'type' : 'now', from!] as const,
    ),
    ...[...text.matchAll(/(typeof\s+)?\bimport\(\s*['"]([^'"]+)['"]/g)].map(([, type, from]) => [type ? 'type' : 'later', from!] as const),
  ];
  return found.map(([how, from]): Import => {
    if (from.startsWith('.')) return { file, what: relative(SRC, resolve(dirname(path), from)), kind: 'own', how };
    return { file, what: from, kind: isBuiltin(from) ? 'node' : 'package', how };
  });
};

const FILES = filesIn(SRC).filter((path) => !path.endsWith('.d.ts'));
const IMPORTS = FILES.flatMap(importsOf);
const roomOf = (path: string): string => (path.includes('/') ? path.split('/')[0]! : path);

interface Law {
  rooms: readonly string[];
  node: (what: string) => boolean;
  packages: (what: string, how: Import['how']) => boolean;
}

const nothing = () => false;
const anything = () => true;
const PURE: Omit<Law, 'rooms'> = { node: nothing, packages: nothing };
/** Drivers are loaded by `await import()`, only when a stack has something for them. */
const DRIVERS = /^(dockerode|pg|ioredis|mysql2|amqplib|mongodb|undici|tar-stream)(\/|$)/;

const LAWS: Record<string, Law> = {
  model: { rooms: ['model'], ...PURE },
  checks: { rooms: ['model', 'checks'], ...PURE },
  explain: { rooms: ['model', 'explain'], ...PURE },
  render: { rooms: ['model', 'render'], node: (what) => what === 'node:util', packages: nothing },
  runbook: {
    rooms: ['model', 'runbook'],
    node: (what) => /^node:(fs|path)/.test(what),
    packages: (what) => what === 'marked' || what === 'yaml',
  },
  recording: { rooms: ['model', 'recording'], node: (what) => /^node:(fs|path|crypto|zlib)/.test(what), packages: nothing },
  gather: {
    rooms: ['model', 'gather', 'time-limit.ts'],
    node: anything,
    packages: (what, how) => what === 'yaml' || (DRIVERS.test(what) && how !== 'now'),
  },
  config: { rooms: ['model', 'config'], node: (what) => /^node:(fs|path|url|module|vm)/.test(what), packages: (what) => what === 'yaml' },
  'evaluate.ts': { rooms: ['model'], ...PURE },
  'time-limit.ts': { rooms: [], node: (what) => what === 'node:events', packages: nothing },
  'open.ts': { rooms: ['model', 'checks', 'recording', 'gather', 'config'], ...PURE },
  'doctor.ts': { rooms: ['model', 'checks', 'explain', 'runbook', 'config', 'evaluate.ts', 'open.ts', 'time-limit.ts'], ...PURE },
  'here.ts': { rooms: ['model', 'checks', 'runbook', 'gather', 'config', 'open.ts', 'time-limit.ts'], ...PURE },
  'reference.ts': { rooms: ['model', 'runbook', 'here.ts'], ...PURE },
  'args.ts': { rooms: ['model'], node: (what) => /^node:(path|util)$/.test(what), packages: nothing },
  'progress.ts': { rooms: ['model', 'open.ts', 'render'], node: nothing, packages: (what, how) => what === 'ora' && how !== 'now' },
  'wait.ts': { rooms: ['model', 'render'], ...PURE },
  'quick-start.ts': { rooms: [], node: (what) => /^node:(fs|path|module|os|v8|vm|zlib)$/.test(what), packages: nothing },
  'cli.ts': {
    rooms: [
      'model',
      'args.ts',
      'open.ts',
      'doctor.ts',
      'here.ts',
      'reference.ts',
      'progress.ts',
      'quick-start.ts',
      'wait.ts',
      'render',
      'runbook',
      'recording',
    ],
    node: anything,
    packages: nothing,
  },
  'index.ts': { rooms: ['model', 'open.ts', 'doctor.ts'], node: (what) => what === 'node:url', packages: nothing },
};

test('every folder and file of src has a law', () => {
  expect(readdirSync(SRC).filter((name) => !(name in LAWS))).toEqual([]);
});

test('every law is of something that is there, and the imports were read', () => {
  expect(Object.keys(LAWS).filter((name) => !readdirSync(SRC).includes(name))).toEqual([]);
  expect(IMPORTS.length).toBeGreaterThan(200);
});

describe.each(Object.entries(LAWS))('%s', (room, law) => {
  const own = IMPORTS.filter((each) => roomOf(each.file) === room);
  test('imports only what it may', () => {
    const broken = own.filter(({ what, kind, how }) => {
      if (kind === 'own') return !law.rooms.includes(roomOf(what)) && roomOf(what) !== room;
      return kind === 'node' ? !law.node(what) : !law.packages(what, how);
    });
    expect(broken).toEqual([]);
  });
});

test('imports end in .ts, and lead to a file', () => {
  const paths = new Set(filesIn(SRC).map((path) => relative(SRC, path)));
  expect(IMPORTS.filter(({ kind, what }) => kind === 'own' && !paths.has(what))).toEqual([]);
});

/** `checks/proxy.ts` and what lies in `checks/proxy/` are one check. */
const checkOf = (path: string): string | null => /^checks\/(?!index\.ts)([^/.]+)/.exec(path)?.[1] ?? null;

test('checks do not know each other: only the list imports them', () =>
  expect(
    IMPORTS.filter(({ file, what }) => {
      const [importer, imported] = [checkOf(file), checkOf(what)];
      return imported !== null && imported !== importer && file !== 'checks/index.ts';
    }),
  ).toEqual([]));

test('nobody imports a check but the list, and no part of one stands without it', () => {
  const heads = FILES.map((path) => relative(SRC, path)).filter((path) => /^checks\/[^/]+\.ts$/.test(path));
  expect(IMPORTS.filter(({ file, what }) => heads.includes(what) && what !== 'checks/index.ts' && file !== 'checks/index.ts')).toEqual([]);
  const parts = FILES.map((path) => relative(SRC, path)).filter((path) => /^checks\/[^/]+\//.test(path));
  expect(parts.filter((path) => !heads.includes(`checks/${checkOf(path)}.ts`))).toEqual([]);
});

test('nobody imports the command line', () => expect(IMPORTS.filter(({ what }) => what === 'cli.ts')).toEqual([]));

test('only gatherers hold the vault', () =>
  expect(IMPORTS.filter(({ file, what }) => what === 'gather/vault.ts' && !file.startsWith('gather/'))).toEqual([]));

/** They hold programs that run inside containers. */
const INSIDE = new Set(['gather/reach-programs.ts', 'gather/tunnel.ts']);

describe('words that belong in one place', () => {
  const uses = (pattern: RegExp, but: (file: string) => boolean) =>
    FILES.map((path) => ({ file: relative(SRC, path), found: pattern.exec(code(path))?.[0] })).filter(
      ({ file, found }) => found && !but(file),
    );
  test('the console and the streams of the process: the command line and its progress', () => {
    expect(
      uses(
        /\bconsole\.\w+\(|\bprocess\.(stdout|stderr|stdin|exit|argv)\b/,
        (file) => ['cli.ts', 'progress.ts'].includes(file) || INSIDE.has(file),
      ),
    ).toEqual([]);
  });
  test('the clock: not in pure rooms', () => {
    expect(
      uses(
        /\bDate\.now\(|new Date\(\)|performance\.now\(|Math\.random\(|setTimeout\(/,
        (file) => !/^(model|checks|explain|render|runbook)\//.test(file),
      ),
    ).toEqual([]);
  });
  test('the makings of a deadline: in one place, since those of Node 20 may be forgotten', () => {
    expect(uses(/\bAbortSignal\.(any|timeout)\(/, () => false)).toEqual([]);
  });
  test('a secret is turned back only where a client is configured', () => {
    expect(uses(/\.reveal\(/, (file) => /^gather\/(postgres|redis|mysql|rabbitmq|mongodb|pooler|vault)/.test(file))).toEqual([]);
  });
  test('no class but an error', () => expect(uses(/\bclass \w+(?! extends \w*Error\b)\b/, () => false)).toEqual([]));
  test('no file of odds and ends', () =>
    expect(
      FILES.map((path) => relative(SRC, path)).filter((file) => /(utils?|helpers?|common|misc)\.ts$/.test(file) || /[A-Z_]/.test(file)),
    ).toEqual([]));
});
