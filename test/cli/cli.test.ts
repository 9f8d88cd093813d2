/** The program as it is built, run as people run it. No Docker is needed: the engine is absent, silent, or a recording. */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Metafile } from 'esbuild';
import { buildCli } from '../../scripts/build.ts';
import { createRecording, recordingText } from '../../src/recording/recording.ts';
import type { Report } from '../../src/model/report.ts';

const root = join(import.meta.dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'doctor-cli-'));
const cli = join(folder, 'dist', 'cli.cjs');
const project = join(folder, 'compose.yaml');
const silentSocket = join(folder, 'silent.sock');
const noSocket = join(folder, 'none.sock');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

let metafile: Metafile;
let silent: Server;

beforeAll(async () => {
  metafile = await buildCli(join(folder, 'dist'));
  copyFileSync(join(root, 'RUNBOOK.md'), join(folder, 'RUNBOOK.md'));
  writeFileSync(project, 'name: orchard\nservices:\n  web:\n    image: nginx:alpine\n');
  // Takes every connection and never says a word.
  silent = createServer((socket) => socket.on('error', () => undefined)).listen(silentSocket);
}, 60_000);

afterAll(() => {
  silent.close();
  rmSync(folder, { recursive: true, force: true });
});

const environment = (more: Record<string, string> = {}): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  HOME: folder,
  LANG: 'C.UTF-8',
  DOCKER_HOST: `unix://${noSocket}`,
  ...more,
});

const doctor = (args: string[], env: Record<string, string> = {}) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    cwd: folder,
    env: environment(env),
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { code: status, stdout, stderr };
};

/** Lets a test act while it runs. */
const begin = (args: string[], env: Record<string, string>) => {
  const child = spawn(process.execPath, [cli, ...args], { cwd: folder, env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, stdout, stderr })),
  );
  return { child, ended };
};

const shell = (line: string, env: Record<string, string> = {}) =>
  spawnSync('bash', ['-c', line], { cwd: folder, env: environment(env), encoding: 'utf8', timeout: 30_000 });
const quoted = (...words: string[]): string => words.map((word) => `'${word}'`).join(' ');
const call = (...args: string[]): string => quoted(process.execPath, cli, ...args);

const recordingOf = (facts: Parameters<typeof createRecording>[0]): string => {
  const path = join(folder, `recording-${Object.keys(facts).length}.json`);
  writeFileSync(
    path,
    recordingText(createRecording(facts, { tool: { name: 'stack-doctor', version }, recordedAt: '2026-03-01T09:30:00.000Z' })),
  );
  return path;
};

const noEngine = () =>
  recordingOf({
    engine: {
      ok: true,
      ms: 1,
      value: {
        host: 'unix:///var/run/docker.sock',
        source: 'default socket',
        state: 'socket-missing',
        detail: 'connect ENOENT',
        version: null,
        apiVersion: null,
        elsewhere: null,
      },
    },
  });

describe('answered at once', () => {
  test('--version', () => {
    expect(doctor(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('--help', () => {
    const { code, stdout, stderr } = doctor(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Usage: doctor');
  });

  test('a wrong call: one line, exit 2, nothing on stdout', () => {
    expect(doctor(['--jsn'])).toEqual({ code: 2, stdout: '', stderr: 'doctor: unknown option --jsn; did you mean --json?\n' });
  });

  test('what was typed cannot steer the terminal from the error', () => {
    expect(doctor(['check', '--\u001b[31m']).stderr).not.toContain('\u001b');
    expect(doctor(['\u001b]0;x\u0007lst']).stderr).not.toContain('\u001b');
  });

  /** The files that a call loads, and the packages in them. */
  const loaded = (args: string[]): { bytes: number; packages: string[] } => {
    const spy = join(folder, 'spy.cjs');
    const out = join(folder, 'loaded.json');
    writeFileSync(
      spy,
      `process.on('exit', () => require('fs').writeFileSync(${JSON.stringify(out)}, JSON.stringify(Object.keys(require.cache))));`,
    );
    doctor(args, { NODE_OPTIONS: `--require=${spy}` });
    const files = (JSON.parse(readFileSync(out, 'utf8')) as string[]).filter((file) => file !== spy);
    const inputs = Object.entries(metafile.outputs)
      .filter(([path]) => files.some((file) => basename(file) === basename(path)))
      .flatMap(([, output]) => Object.keys(output.inputs));
    const packages = inputs.flatMap((input) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? []);
    return { bytes: files.reduce((sum, file) => sum + statSync(file).size, 0), packages: [...new Set(packages)] };
  };

  test.each([[['--version']], [['--help']], [['--jsn']], [['chekc']]])('%j loads no package, and little else', (args) => {
    const { bytes, packages } = loaded(args);
    expect(packages).toEqual([]);
    expect(bytes).toBeGreaterThan(1_000);
    expect(bytes).toBeLessThan(40_000);
  });

  test('--replay and explain load no driver', () => {
    const drivers = ['dockerode', 'docker-modem', 'pg', 'ioredis', 'mysql2', 'amqplib', 'mongodb', 'bson', 'undici', 'ora'];
    for (const args of [
      ['--replay', noEngine()],
      ['explain', 'postgres/auth-rejected'],
    ]) {
      const { bytes, packages } = loaded(args);
      expect(bytes).toBeGreaterThan(40_000);
      expect(packages.filter((name) => drivers.includes(name))).toEqual([]);
    }
  });

  test('a package gives the program the same names that it gives its sources', async () => {
    const parts = Object.entries(metafile.outputs).filter(([, { entryPoint }]) => entryPoint?.includes('node_modules/'));
    expect(parts.length).toBeGreaterThan(4);
    for (const [path, { entryPoint }] of parts) {
      const namesIn = (code: string): string[] =>
        (JSON.parse(spawnSync(process.execPath, ['-e', code], { cwd: root, encoding: 'utf8' }).stdout) as string[]).filter(
          (name) => !['default', 'module.exports', '__esModule'].includes(name),
        );
      const there = namesIn(
        `import(${JSON.stringify(join(root, entryPoint!))}).then((all) => console.log(JSON.stringify(Object.keys(all))))`,
      );
      const here = namesIn(
        `console.log(JSON.stringify(Object.keys(require(${JSON.stringify(join(folder, 'dist', 'parts', basename(path)))}))))`,
      );
      expect({ entryPoint, missing: there.filter((name) => !here.includes(name)) }).toEqual({ entryPoint, missing: [] });
    }
  });

  test('what dockerode alone would bring along is not in the program', () => {
    const inputs = Object.keys(metafile.inputs);
    expect(inputs.some((input) => input.includes('node_modules/dockerode/'))).toBe(true);
    expect(inputs.filter((input) => /node_modules\/(@grpc|protobufjs|ssh2|tar-fs)\//.test(input))).toEqual([]);
  });

  test("of MongoDB's driver there is one connection and its login, in parts of their own", () => {
    const inputs = Object.keys(metafile.inputs).filter((input) => input.includes('node_modules/mongodb/'));
    expect(inputs).toContain('node_modules/mongodb/lib/cmap/connection.js');
    expect(
      inputs.filter((input) => /\/(index|mongo_client|sessions|gssapi|encrypter|mongodb_aws|topology|collection)\.js$/.test(input)),
    ).toEqual([]);
    const parts = Object.values(metafile.outputs).flatMap(({ entryPoint }) =>
      entryPoint?.includes('node_modules/mongodb/') ? entryPoint : [],
    );
    expect(parts.toSorted()).toEqual(
      ['auth/mongo_credentials.js', 'auth/scram.js', 'connect.js'].map((name) => `node_modules/mongodb/lib/cmap/${name}`),
    );
  });
});

describe('a diagnosis', () => {
  test('from a recording: exit 1, the cause first, and its fix', () => {
    const { code, stdout, stderr } = doctor(['--replay', noEngine()]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout.split('\n')[0]).toMatch(/^✖ .*1 root cause/);
    expect(stdout).toContain('✖ engine: ');
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('recorded at 2026-03-01T09:30:00.000Z');
    expect(stdout).toMatch(/Fix, from RUNBOOK\.md:\d+/);
  });

  test('--json: one document on stdout, nothing else anywhere', () => {
    const { code, stdout, stderr } = doctor(['--json', '--replay', noEngine()]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    const report = JSON.parse(stdout) as Report;
    expect(report).toMatchObject({ schemaVersion: 1, status: 'fail', tool: { name: 'stack-doctor', version } });
    expect(report.rootCauses.map(({ code: found }) => found)).toEqual(['engine/socket-missing']);
  });

  test('of a stack whose engine is not there: exit 1', () => {
    const { code, stdout } = doctor(['--json']);
    expect(code).toBe(1);
    expect((JSON.parse(stdout) as Report).rootCauses.map(({ code: found }) => found)).toEqual(['engine/socket-missing']);
  });

  test('a terminal without UTF-8 gets ASCII; colours come when they are asked for', () => {
    // oxlint-disable-next-line no-control-regex -- the range is meant
    expect(doctor(['--replay', noEngine()], { LANG: 'C' }).stdout).toMatch(/^[\x00-\x7f]*$/);
    expect(doctor(['--replay', noEngine()], { FORCE_COLOR: '1' }).stdout).toContain('\u001b[31m');
    expect(doctor(['--replay', noEngine(), '--no-color'], { FORCE_COLOR: '1' }).stdout).not.toContain('\u001b');
  });

  test('-v says on stderr what is done, where stderr is no terminal', () => {
    expect(doctor(['-v', '--replay', noEngine()]).stderr).toMatch(/^doctor: engine: fail$/m);
  });
});

describe('bad input: one line, exit 2', () => {
  test.each<[string, string[], RegExp]>([
    ['no such recording', ['--replay', 'none.json'], /^doctor: cannot read recording none\.json: no such file\n$/],
    ['no recording', ['--replay', 'compose.yaml'], /^doctor: compose\.yaml is not a recording of the doctor: it is not JSON\n$/],
    ['a folder as runbook', ['runbook', 'verify', '--runbook', 'dist'], /^doctor: runbook dist: it is a folder, not a file\n$/],
    ['no such runbook', ['--runbook', 'none.md', '--replay', 'R'], /^doctor: runbook none\.md: .*no such file\n$/],
    ['no such check', ['check', 'engin', '--replay', 'R'], /^doctor: .*engin.*did you mean engine.*\n$/],
    [
      'no such code',
      ['explain', 'postgres/auth-rejectd'],
      /^doctor: no finding has the code "postgres\/auth-rejectd"; did you mean postgres\/auth-rejected\?\n$/,
    ],
    ['a recording over something else', ['record', 'compose.yaml'], /^doctor: compose\.yaml exists and is not a recording; .*\n$/],
    ['a recording into no folder', ['record', 'nowhere/a.json'], /^doctor: cannot write nowhere\/a\.json: there is no folder nowhere\n$/],
  ])('%s', (_, args, message) => {
    const { code, stdout, stderr } = doctor(args.map((arg) => (arg === 'R' ? noEngine() : arg)));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});

describe('explain, list, runbook, record', () => {
  test('explain tells meaning, proof and steps', () => {
    const { code, stdout } = doctor(['explain', 'postgres/auth-rejected']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^postgres\/auth-rejected\n/);
    expect(stdout).toMatch(/^ {2}Proof +\S/m);
    expect(stdout).toMatch(/^ {2}Steps, from RUNBOOK\.md:\d+/m);
  });

  test('explain of a check lists its findings', () => {
    expect(doctor(['explain', 'postgres']).stdout).toContain('✖ postgres/auth-rejected\n');
  });

  test('list without an engine shows the checks, and says what it does not know', () => {
    const { code, stdout } = doctor(['list']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^postgres +\S/m);
    expect(stdout).toMatch(/^Note: /m);
  });

  test('list --json is one document', () => {
    const { code, stdout } = doctor(['list', '--json']);
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { checks: { id: string }[] }).checks.map(({ id }) => id)).toContain('static-files');
  });

  test('graph without an engine draws what is declared, says so, and is not green', () => {
    const { code, stdout } = doctor(['graph']);
    expect(code).toBe(3);
    expect(stdout).toMatch(/^orchard: 1 service/);
    expect(stdout).toMatch(/^Note: the Docker Engine does not answer/m);
    expect((JSON.parse(doctor(['graph', '--json']).stdout) as { services: { name: string }[] }).services[0]!.name).toBe('web');
  });

  test('graph of a recording', () => {
    const { code, stdout, stderr } = doctor(['graph', '--replay', join(root, 'fixtures/recordings/redis-stopped.json.gz')]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^ {2}→ db +postgres +\S+:\*\*\*@db:5432\/\S+ · env DATABASE_URL$/m);
  });

  test('runbook names the section of every code; verify finds the shipped one in order', () => {
    const { stdout } = doctor(['runbook']);
    expect(stdout).toMatch(/^postgres\/auth-rejected +RUNBOOK\.md:\d+ "/m);
    expect(stdout).not.toContain('no section');
    const verified = doctor(['runbook', 'verify']);
    expect(verified.stdout).toMatch(/^✔ RUNBOOK\.md: \d+ codes, each with its section\n/);
    expect(verified.code).toBe(0);
  });

  test("verify fails on a team's runbook that names what there is not", () => {
    writeFileSync(
      join(folder, 'team.md'),
      '# Trouble\n\n## Database\n\n<!-- doctor: postgres/auth-rejectd -->\n\n1. Look\n\n   ```sh\n   docker compose logs {servce}\n   ```\n',
    );
    const { code, stdout } = doctor(['runbook', 'verify', '--runbook', 'team.md']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/team\.md:5: no finding has the code postgres\/auth-rejectd/);
    expect(stdout).toMatch(/team\.md:\d+: nothing fills the placeholder \{servce\}/);
    const asJson = doctor(['runbook', 'verify', '--runbook', 'team.md', '--json']);
    expect(asJson.code).toBe(1);
    const { schemaVersion, remarks, codes } = JSON.parse(asJson.stdout) as {
      schemaVersion: number;
      remarks: { file: string; line: number | null; grade: string; text: string }[];
      codes: { code: string; source: object | null }[];
    };
    expect(schemaVersion).toBe(1);
    expect(remarks[0]).toEqual({
      file: 'team.md',
      line: 5,
      grade: 'problem',
      text: expect.stringMatching(/^no finding has the code postgres\/auth-rejectd/),
    });
    // What a person is told with -v, line by line.
    const { stdout: said } = doctor(['runbook', 'verify', '--runbook', 'team.md', '-v']);
    for (const { file, line, text } of remarks) expect(said).toContain(`${file}${line === null ? '' : `:${line}`}: ${text}`);
    expect(codes.every(({ source }) => source !== null)).toBe(true);
    expect(doctor(['runbook', 'verify', '--json']).code).toBe(0);
    expect(JSON.parse(doctor(['runbook', '--json']).stdout)).not.toHaveProperty('remarks');
  });

  test("a team's runbook is found, named from the project, and never spoils a run", () => {
    mkdirSync(join(folder, 'docs'));
    writeFileSync(
      join(folder, 'docs', 'runbook.md'),
      '# Us\n\n## Troubleshooting\n\n### Cannot connect to the Docker daemon\n\n1. Wake it: `docker context ls`\n',
    );
    writeFileSync(join(folder, 'TROUBLESHOOTING.md'), Buffer.from('# na\xefve\n', 'latin1'));
    const { code, stdout } = doctor(['--json', '--timeout', '5s']);
    expect(code).toBe(1);
    const { rootCauses, notes } = JSON.parse(stdout) as Report;
    expect(rootCauses[0]!.remedy).toMatchObject({
      source: { file: 'docs/runbook.md', heading: 'Cannot connect to the Docker daemon', lines: [5, 7] },
      why: 'its heading is about engine',
    });
    expect(notes.join()).not.toContain('TROUBLESHOOTING');
    const verbose = doctor(['-v']).stdout;
    expect(verbose).toMatch(/Why that section: its heading is about engine/);
    expect(verbose).toMatch(/Note: runbook TROUBLESHOOTING\.md:1: it is not UTF-8 text/);
    expect(doctor(['runbook']).stdout).toMatch(
      /^Runbook: docs\/runbook\.md \(3 sections; its name is that of a runbook\)\nthen: stack-doctor\/RUNBOOK\.md/,
    );
    rmSync(join(folder, 'docs'), { recursive: true });
    rmSync(join(folder, 'TROUBLESHOOTING.md'));
  });

  test('record, then replay, gives the same causes', () => {
    const file = join(folder, 'absent.json');
    const recorded = doctor(['record', file]);
    expect(recorded.code).toBe(0);
    expect(recorded.stdout).toContain(`doctor --replay ${file}`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((JSON.parse(doctor(['--json', '--replay', file]).stdout) as Report).rootCauses.map(({ code }) => code)).toEqual([
      'engine/socket-missing',
    ]);
  });
});

describe('an engine that says nothing', () => {
  const silently = { DOCKER_HOST: `unix://${silentSocket}` };

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s ends the run with what was found, exit %i', async (signal, expected) => {
    const { child, ended } = begin(['--json'], silently);
    setTimeout(() => child.kill(signal), 800);
    const begun = performance.now();
    const { code, stdout } = await ended;
    expect(code).toBe(expected);
    expect((JSON.parse(stdout) as Report).notes.join()).toMatch(/stopped/);
    expect(performance.now() - begun).toBeLessThan(4_000);
  });

  test('--timeout holds', () => {
    const begun = performance.now();
    const { code, stdout } = doctor(['--json', '--timeout', '1s'], silently);
    expect([1, 3]).toContain(code);
    expect((JSON.parse(stdout) as Report).status).not.toBe('pass');
    expect(performance.now() - begun).toBeLessThan(4_000);
  });

  test('--wait looks again, says on what it waits, and ends', () => {
    const begun = performance.now();
    const { code, stdout, stderr } = doctor(['--json', '--wait', '3s']);
    expect(code).toBe(1);
    expect(stderr).toBe('doctor: waiting for engine\n');
    const { waited } = JSON.parse(stdout) as Report;
    expect(waited!.looks).toBeGreaterThanOrEqual(2);
    expect(waited!.looks).toBeLessThanOrEqual(4);
    expect(performance.now() - begun).toBeLessThan(8_000);
  });

  test('an error that nothing catches is told in one line, after what was found; never exit 0', () => {
    const bomb = join(folder, 'bomb.cjs');
    writeFileSync(bomb, "setTimeout(() => { throw new Error('boom'); }, 500);");
    const { code, stdout, stderr } = doctor(['--json'], { ...silently, NODE_OPTIONS: `--require=${bomb}` });
    expect([1, 3]).toContain(code);
    expect((JSON.parse(stdout) as Report).status).not.toBe('pass');
    expect(stderr).toMatch(/^doctor: internal error: boom; .*please report it.*\n$/);
  });

  const inTerminal = (columns: number, args: string[]) =>
    spawnSync('script', ['-qec', `stty cols ${columns} rows 24; exec ${call(...args)}`, '/dev/null'], {
      cwd: folder,
      env: environment({ ...silently, TERM: 'xterm' }),
      encoding: 'utf8',
      timeout: 20_000,
    });
  const hasScript = existsSync('/usr/bin/script');

  test.runIf(hasScript)('on a terminal a spinner says what is awaited, and goes away', () => {
    const { stdout } = inTerminal(80, ['--timeout', '1500ms']);
    expect(stdout).toContain('Looking at the stack');
    expect(stdout.lastIndexOf('\u001b[?25h')).toBeGreaterThan(stdout.lastIndexOf('\u001b[?25l'));
    expect(stdout).toMatch(/root cause|could not look/);
  });

  test.runIf(hasScript)('a terminal of no columns does not hold it up', () => {
    const { stdout, signal } = inTerminal(0, ['--timeout', '1500ms']);
    expect(signal).toBe(null);
    expect(stdout).not.toContain('Looking at the stack');
    expect(stdout).toMatch(/root cause|could not look/);
  });

  test.runIf(hasScript)('no spinner with --json in CI', () => {
    const { stdout } = spawnSync('script', ['-qec', call('--json', '--timeout', '1s'), '/dev/null'], {
      cwd: folder,
      env: environment({ ...silently, TERM: 'xterm', CI: 'true' }),
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect(stdout).not.toContain('Looking');
  });
});

describe('doctor.yaml', () => {
  const recording = join(root, 'fixtures/recordings/db-stopped.json.gz');
  const team = join(folder, 'team');
  const inTeam = (args: string[], config: string | null) => {
    mkdirSync(team, { recursive: true });
    writeFileSync(join(team, 'compose.yaml'), 'services:\n  web:\n    image: nginx:alpine\n');
    rmSync(join(team, 'doctor.yaml'), { force: true });
    if (config !== null) writeFileSync(join(team, 'doctor.yaml'), config);
    const run = spawnSync(process.execPath, [cli, ...args], { cwd: team, env: environment(), encoding: 'utf8', timeout: 30_000 });
    return { code: run.status, stdout: run.stdout, stderr: run.stderr };
  };

  test.each([['list'], ['check'], ['explain', 'postgres'], ['runbook']])('beside the compose file it is found by "doctor %s"', (...args) =>
    expect(inTeam(args, 'serivces: {}\n')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'doctor: doctor.yaml:1:1: unknown key "serivces"; did you mean services?\n',
    }),
  );

  test('a service that is not there is a mistake', () =>
    expect(inTeam(['check'], 'services: { wep: { role: http } }\n').stderr).toBe(
      'doctor: doctor.yaml:1:13: the stack has no service "wep"; did you mean web?\n',
    ));

  test('its checks and roles are listed', () => {
    const config =
      'services: { web: { role: http } }\nchecks:\n  shop-answers: { service: web, question: "Does the shop answer?", http: /shop }\n';
    const { code, stdout } = inTeam(['list'], config);
    expect(code).toBe(0);
    expect(stdout).toMatch(/shop-answers\s+Does the shop answer\?\n\s+web\n/);
    expect(stdout).toMatch(/web\s+http\s/);
  });

  test('init drafts one, and leaves one that is there as it is', () => {
    expect(inTeam(['init'], null).stdout).toMatch(/^Wrote doctor\.yaml from 1 service; all of it is a comment so far\.\n/);
    const draft = readFileSync(join(team, 'doctor.yaml'), 'utf8');
    expect(draft).toContain('#   web:');
    expect(inTeam(['init'], draft)).toMatchObject({ code: 2, stderr: 'doctor: doctor.yaml is there already; it is left as it is\n' });
    expect(inTeam(['list'], draft).code).toBe(0);
  });

  test('with a recording: ignores, and checks whose facts it has', () => {
    const ignore = (until: string) => `{ finding: container/exited, service: db, reason: known, owner: ana, until: ${until} }`;
    const config = (until: string) =>
      `ignore: [${ignore(until)}]\nchecks:\n  quiet: { service: redis, question: "Is it quiet?", log: "no such words" }\n` +
      '  orders: { service: db, question: "Are there orders?", postgres: { query: select 1, expect: 1 } }\n' +
      '  asked: { service: redis, question: "Is it there?", redis: { command: PING, expect: PONG } }\n';
    const look = (until: string) => {
      const { stdout } = inTeam(['--replay', recording, '--config', 'doctor.yaml', '--json'], config(until));
      const { checks, rootCauses } = JSON.parse(stdout) as Report;
      return { rootCauses, status: (id: string) => checks.find((each) => each.id === id) };
    };
    const borne = look('2030-01-01');
    expect(borne.status('db/container')).toMatchObject({ status: 'skip', ignored: [{ code: 'container/exited', owner: 'ana' }] });
    expect(borne.status('config')).toMatchObject({ status: 'pass' });
    expect(borne.status('redis/quiet')).toMatchObject({ status: 'pass' });
    expect(borne.status('redis/asked')).toMatchObject({ status: 'error', reason: 'the recording does not hold this fact' });
    // The app fails of it all the same.
    expect(borne.rootCauses).toMatchObject([{ id: 'db/container', summary: expect.stringContaining('(ignored by ana until 2030-01-01)') }]);
    const over = look('2026-01-01');
    expect(over.status('db/container')).toMatchObject({ status: 'fail' });
    expect(over.status('config')).toMatchObject({ status: 'warn', code: 'config/ignore-expired' });
    expect(over.status('db/orders')).toMatchObject({ status: 'blocked', blockedBy: 'db/container' });
  });
});

describe('where the output goes', () => {
  test('a reader that leaves early is no error', () => {
    const { stdout, stderr } = shell(`${call('--json', '--replay', noEngine())} | true; echo "\${PIPESTATUS[0]}"`);
    expect({ stdout, stderr }).toEqual({ stdout: '1\n', stderr: '' });
  });

  test.runIf(existsSync('/dev/full'))('what could not be written is not told as well', () => {
    const { status, stderr } = shell(`${call('explain', 'postgres')} > /dev/full`);
    expect(status).toBe(3);
    expect(stderr).toMatch(/^doctor: cannot write to stdout: ENOSPC\n$/);
  });
});
