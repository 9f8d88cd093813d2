import { describe, expect, it } from 'vitest';
import { image } from '../../src/checks/image.ts';
import type { MakingFact, PackagesFact, ProgramFact } from '../../src/model/facts.ts';
import type { Service } from '../../src/model/stack.ts';
import { ask, fact, findingsOf, gap, inShort, makeService, makeStack } from './make.ts';

interface Given {
  making?: MakingFact | null;
  program?: ProgramFact | null;
  packages?: PackagesFact | null;
  listeners?: object[];
}

const look = (given: Given, service: Service = makeService({ containers: [{ state: { status: 'restarting', exitCode: 1 } }] })) =>
  ask(image, {
    // Somebody else runs: where nothing does, an image that is not here is only yet to be fetched.
    stack: makeStack({ services: [service, makeService({ name: 'other' })] }),
    service: service.name,
    facts: {
      making: fact(given.making ?? null),
      program: fact(given.program ?? null),
      packages: fact(given.packages ?? null),
      ...(given.listeners ? { inside: fact({ container: 'p-app-1', listeners: given.listeners }) } : {}),
    },
  });

const none = makeService({ containers: [] });

const made = (parts: Partial<MakingFact>): MakingFact => ({
  image: { ref: 'p-app', here: false },
  nameTakenBy: null,
  build: null,
  ...parts,
});
const built = (parts: Partial<NonNullable<MakingFact['build']>>): MakingFact =>
  made({ build: { context: '/src/p/api', contextExists: true, dockerfile: 'Dockerfile', dockerfileExists: true, missing: [], ...parts } });

const ran = (parts: Partial<ProgramFact>): ProgramFact => ({
  container: 'p-app-1',
  name: '/app/start.sh',
  path: '/app/start.sh',
  kind: 'script',
  interpreter: '/bin/sh',
  interpreterExists: true,
  windowsLineEnds: false,
  architecture: null,
  engineArchitecture: null,
  mount: null,
  library: null,
  ...parts,
});

const lacks = (parts: Partial<PackagesFact>): PackagesFact => ({
  container: 'p-app-1',
  language: 'node',
  name: 'sharp',
  line: "Error: Cannot find module 'sharp'",
  manifest: null,
  imageCreatedAt: '2026-11-20T10:00:00.000Z',
  volume: null,
  hiddenBy: null,
  ...parts,
});

const volume = { name: 'p_modules', destination: '/app/node_modules', anonymous: false, createdAt: '2026-11-01T10:00:00.000Z' };

describe('image: what is well, or says nothing', () => {
  it.each<[string, Given, string]>([
    ['every program began', {}, 'pass'],
    ['a script with its interpreter, that failed by itself', { program: ran({}) }, 'pass'],
    ['a program for this very machine', { program: ran({ kind: 'elf', architecture: 'amd64', engineArchitecture: 'amd64' }) }, 'pass'],
    ['another machine, where the engine does not tell its own', { program: ran({ kind: 'elf', architecture: 'arm64' }) }, 'pass'],
    ['a program that is nowhere', { program: ran({ name: 'serve', path: null, kind: 'missing' }) }, 'pass'],
    ['a package that nobody declares', { packages: lacks({}) }, 'pass'],
    [
      'a volume that is younger than the image',
      { packages: lacks({ volume: { ...volume, createdAt: '2026-11-22T10:00:00.000Z' } }) },
      'pass',
    ],
    ['a volume of an unknown age', { packages: lacks({ volume: { ...volume, createdAt: null } }) }, 'pass'],
    [
      'a list of packages that is older than the image',
      { packages: lacks({ manifest: { file: 'package.json', modifiedAt: '2026-11-19T10:00:00.000Z' } }) },
      'pass',
    ],
  ])('%s', (_, given, expected) => {
    expect(inShort(image, look(given))).toBe(expected);
  });

  it('an image that is here, and was not started', () => {
    expect(inShort(image, look({ making: made({ image: { ref: 'p-app', here: true } }) }, none))).toBe('skip');
  });

  it('a gap is no pass', () => {
    const facts = { making: fact(null), program: gap('the log could not be read'), packages: fact(null) };
    expect(inShort(image, ask(image, { stack: makeStack({ services: [makeService()] }), service: 'app', facts }))).toBe('cannot look');
  });
});

describe('image: what is not', () => {
  it.each<[string, Given, string]>([
    ['Windows line ends', { program: ran({ windowsLineEnds: true, interpreter: '/bin/bash' }) }, 'fail windows-line-ends'],
    [
      'Windows line ends in a script that bash is given',
      { program: ran({ windowsLineEnds: true, kind: 'text', interpreter: null }) },
      'fail windows-line-ends',
    ],
    ['no first line: not the architecture', { program: ran({ kind: 'text', interpreter: null }) }, 'fail no-shebang'],
    ['another machine', { program: ran({ kind: 'elf', architecture: 'arm64', engineArchitecture: 'amd64' }) }, 'fail wrong-architecture'],
    [
      'a dangling interpreter',
      { program: ran({ interpreter: '/app/.venv/bin/python', interpreterExists: false }) },
      'fail interpreter-missing',
    ],
    [
      'a mount without the script',
      { program: ran({ kind: 'missing', mount: { destination: '/app', source: '/src/p/api' } }) },
      'fail hidden-by-mount',
    ],
    [
      'a launcher that was left behind',
      { program: ran({ name: 'uvicorn', path: null, kind: 'missing', library: '/usr/local/lib/python3.12/site-packages/uvicorn' }) },
      'fail launcher-missing',
    ],
    ['a named volume older than the image', { packages: lacks({ volume }) }, 'fail stale-volume'],
    [
      'an anonymous volume older than the image',
      { packages: lacks({ volume: { ...volume, anonymous: true } }) },
      'fail stale-anonymous-volume',
    ],
    [
      'a list of packages newer than the image',
      { packages: lacks({ manifest: { file: '/src/p/package.json', modifiedAt: '2026-11-21T10:00:00.000Z' } }) },
      'fail packages-outdated',
    ],
    [
      'a mount over the packages',
      { packages: lacks({ hiddenBy: { destination: '/app', source: '/src/p', folder: '/app/node_modules' } }) },
      'fail packages-hidden',
    ],
  ])('%s', (_, given, expected) => {
    expect(inShort(image, look(given))).toBe(expected);
  });

  it.each<[string, MakingFact, string]>([
    ['an image that was never pulled', made({ image: { ref: 'registry.example/x:1', here: false } }), 'fail not-here'],
    ['an image that was never built', built({}), 'fail not-here'],
    ['a context that does not exist', built({ contextExists: false }), 'fail build-input-missing'],
    ['no Dockerfile', built({ dockerfileExists: false }), 'fail build-input-missing'],
    ['a COPY from beside the context', built({ missing: [{ line: 3, source: 'api/pyproject.toml' }] }), 'fail build-input-missing'],
  ])('%s', (_, making, expected) => {
    expect(inShort(image, look({ making }, none))).toBe(expected);
  });

  it('an app that serves all the same gets a word', () => {
    const service = makeService();
    expect(inShort(image, look({ packages: lacks({ volume }), listeners: [{ family: 4, address: '0.0.0.0', port: 80 }] }, service))).toBe(
      'warn stale-volume',
    );
  });

  it('names the line of the Dockerfile, and the file on the host', () => {
    expect(findingsOf(look({ making: built({ missing: [{ line: 3, source: 'api/x' }] }) }, none))[0].values).toMatchObject({
      file: 'Dockerfile',
      line: '3',
    });
    const program = ran({ windowsLineEnds: true, mount: { destination: '/app', source: '/src/p/api' } });
    expect(findingsOf(look({ program }))[0].values).toMatchObject({ hostPath: '/src/p/api/start.sh' });
  });
});

describe('image: before it runs', () => {
  const script = (parts: object = {}): Partial<MakingFact> => ({
    script: {
      path: '/start.sh',
      hostPath: '/src/p/api/start.sh',
      from: 'image',
      windowsLineEnds: false,
      lacksShebang: false,
      lacksPermission: false,
      at: { file: 'api/Dockerfile', line: 6 },
      ...parts,
    },
  });
  it.each<[string, MakingFact, string]>([
    ['a script as it should be', made({ image: { ref: 'p-app', here: true }, ...script() }), 'skip'],
    [
      'Windows line ends',
      made({ image: { ref: 'p-app', here: true }, ...script({ windowsLineEnds: true, lacksPermission: true }) }),
      'fail windows-line-ends',
    ],
    ['nobody may execute it', made({ image: { ref: 'p-app', here: true }, ...script({ lacksPermission: true }) }), 'fail not-executable'],
    ['no first line', made({ image: { ref: 'p-app', here: true }, ...script({ lacksShebang: true }) }), 'fail no-shebang'],
    [
      'a COPY of what is left out of the context',
      built({ missing: [{ line: 3, source: 'dist', ignoredAt: { file: 'api/.dockerignore', line: 2 } }] }),
      'fail build-input-missing',
    ],
    [
      'a COPY of nothing, and an engine that does not say whether it was ever built',
      { ...built({ missing: [{ line: 3, source: 'dist' }] }), image: { ref: 'p-app', here: null } },
      'warn build-input-missing',
    ],
    ['an image of which nobody knows', made({ image: { ref: 'p-app', here: null } }), 'skip'],
  ])('%s', (_, making, expected) => {
    expect(inShort(image, look({ making }, none))).toBe(expected);
  });

  it('names the line of both files', () => {
    const missing = [{ line: 3, source: 'dist', ignoredAt: { file: 'api/.dockerignore', line: 2 } }];
    const making = built({ missing, file: 'api/Dockerfile' });
    expect(findingsOf(look({ making }, none))[0].message).toBe(
      'app cannot be built: api/Dockerfile:3 copies dist, which api/.dockerignore:2 keeps out of the context',
    );
    expect(findingsOf(look({ making: made(script({ lacksPermission: true })) }, none))[0].message).toBe(
      'start.sh (api/Dockerfile:6) of app may not be executed',
    );
  });

  it('where nothing was ever started, nothing had to be fetched', () => {
    const facts = { making: fact(made({})), program: fact(null), packages: fact(null) };
    expect(inShort(image, ask(image, { stack: makeStack({ services: [none] }), service: 'app', facts }))).toBe('skip');
  });
});
