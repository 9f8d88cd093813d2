import { cpSync, existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { editFile } from '../edit-file.ts';
import { EXTRA, beside } from '../owner.ts';
import { type RunResult, run, until } from '../run.ts';
import { shapes, type StackShape } from '../shapes.ts';
import type { LabStack } from '../stack.ts';
import type { Fault } from './fault.ts';

/** Changes a file of the working copy in place: its inode, and so a bind mount of it, stays. */
export const edit = (stack: LabStack, file: string, find: string | RegExp, replacement: string): void =>
  editFile(stack.dir, file, [find, replacement]);

/** Brings files or folders back as they were, again in place. */
export function restore(stack: LabStack, ...paths: string[]): void {
  for (const path of paths) {
    const from = join(stack.pristine, path);
    const to = join(stack.dir, path);
    if (!statSync(from).isDirectory()) {
      const text = readFileSync(from);
      // Writing an unchanged file would still wake up the reloader.
      if (!existsSync(to) || !text.equals(readFileSync(to))) writeFileSync(to, text);
      continue;
    }
    if (!existsSync(to)) cpSync(from, to, { recursive: true });
    for (const name of readdirSync(to)) if (!existsSync(join(from, name))) rmSync(join(to, name), { recursive: true });
    for (const name of readdirSync(from)) restore(stack, join(path, name));
  }
}

export async function compose(stack: LabStack, ...args: string[]): Promise<string> {
  return succeed(`docker compose ${args.join(' ')}`, await stack.compose(...args));
}

export async function docker(stack: LabStack, ...args: string[]): Promise<string> {
  return succeed(`docker ${args.join(' ')}`, await stack.docker(...args));
}

function succeed(what: string, result: RunResult): string {
  if (result.code !== 0) throw new Error(`${what}: exit ${result.code}: ${(result.stderr || result.stdout).trim().slice(-600)}`);
  return result.stdout;
}

/** Makes everything run as the files say, and waits for it. */
export async function up(stack: LabStack, ...args: string[]): Promise<void> {
  let last = '';
  // Compose gives up at once on a container that is unhealthy now, though it may be on its way back.
  await until(
    'the stack to be up',
    async () => {
      const result = await stack.compose(
        'up',
        '-d',
        '--wait',
        '--wait-timeout',
        '60',
        ...(args.length > 0 ? args : shapes[stack.shape].stays),
      );
      last = result.stderr;
      return result.code === 0;
    },
    120_000,
    500,
  ).catch(() => {
    throw new Error(`the stack does not come up: ${last.trim().slice(-600)}`);
  });
  await reloadProxy(stack);
  const { front } = shapes[stack.shape];
  await until('the site to answer', async () => (await get(stack, front.path)).status === 200, 60_000);
}

/** Makes one service anew, without waiting: it may well be broken now. */
export async function recreate(stack: LabStack, service: string): Promise<void> {
  await compose(stack, 'up', '-d', '--no-deps', '--force-recreate', service);
  if (service === shapes[stack.shape].proxy?.behind) await reloadProxy(stack);
}

/** The proxy looks up its upstreams anew, lest a fault of the backend come with a stale address as well. */
export async function reloadProxy(stack: LabStack): Promise<RunResult | undefined> {
  const { proxy } = shapes[stack.shape];
  return proxy && stack.exec(proxy.service, proxy.reload);
}

export async function psql(stack: LabStack, sql: string): Promise<string> {
  const command = ['env', 'PGOPTIONS=-c default_transaction_read_only=off', 'psql', '-U', 'shootout', '-d', 'shootout', '-qtAc', sql];
  return succeed('psql', await stack.exec('db', command));
}

export async function redisCli(stack: LabStack, ...args: string[]): Promise<string> {
  return succeed('redis-cli', await stack.exec('redis', ['redis-cli', ...args]));
}

/** A container that does not belong to the stack; `down` removes it all the same. */
export async function foreign(stack: LabStack, name: string, ...args: string[]): Promise<string> {
  return (await docker(stack, 'run', '-d', '--name', `${stack.project}-${name}`, ...beside(stack), ...args)).trim();
}

interface Taking {
  service: string;
  /** The name of its host port in `stack.ports`. */
  hostPort: string;
  port: number;
  /** The service that has an image with `sleep`. */
  image: string;
}

/** Another project's container holds a service's host port. */
export const portTaken = ({ service, hostPort, port, image }: Taking): Pick<Fault, 'inject' | 'heal'> => ({
  inject: async (stack) => {
    await compose(stack, 'rm', '-sfv', service);
    const network = `${stack.project}-elsewhere`;
    await docker(stack, 'network', 'create', ...beside(stack), network);
    const published = ['--network', network, '-p', `127.0.0.1:${stack.ports[hostPort]}:${port}`];
    await foreign(stack, 'squatter', ...published, '--entrypoint', 'sleep', `${stack.project}-${image}`, '1000000');
    await stack.compose('up', '-d', service);
    await becomes(stack, service, 'refused its port', (now) => now.Error.includes('port is already allocated'));
  },
  heal: async (stack) => {
    await removeForeign(stack);
    await up(stack);
  },
});

export async function removeForeign(stack: LabStack): Promise<void> {
  const filter = ['--filter', `label=${EXTRA}=${stack.project}`];
  const ids = (await docker(stack, 'ps', '-aq', ...filter)).split('\n').filter(Boolean);
  if (ids.length > 0) await docker(stack, 'rm', '-f', '-v', ...ids);
  const networks = (await docker(stack, 'network', 'ls', '-q', ...filter)).split('\n').filter(Boolean);
  if (networks.length > 0) await docker(stack, 'network', 'rm', ...networks);
}

export interface Answer {
  /** 0: no answer within the time. */
  status: number;
  body: string;
}

export async function get(stack: LabStack, path: string, port = shapes[stack.shape].front.port, init: RequestInit = {}): Promise<Answer> {
  try {
    const url = `http://127.0.0.1:${stack.ports[port]}${path}`;
    const response = await fetch(url, { signal: AbortSignal.timeout(4_000), headers: { connection: 'close' }, ...init });
    return { status: response.status, body: await response.text() };
  } catch (error) {
    return { status: 0, body: String(error) };
  }
}

/** Waits for an answer of this status, and with this text in it. */
export async function answers(stack: LabStack, path: string, status: number, text = '', port?: string): Promise<void> {
  let last: Answer | undefined;
  await until(`${path} to answer ${status} ${text}`, async () => {
    last = await get(stack, path, port);
    return last.status === status && last.body.includes(text);
  }).catch((error: Error) => {
    throw new Error(`${error.message}; last: ${last?.status} ${last?.body.slice(0, 300)}`);
  });
}

/** A POST to the stack's front. */
export async function send(stack: LabStack, path: string, content: unknown): Promise<Answer> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(content) };
  return get(stack, path, undefined, init);
}

export const enqueue = (stack: LabStack, title = 'Take one'): Promise<Answer> => send(stack, '/api/shootouts', { title });

export interface ContainerState {
  Status: string;
  ExitCode: number;
  StartedAt: string;
  OOMKilled: boolean;
  Error: string;
  Health?: { Status: string; Log: { ExitCode: number; Output: string }[] };
}

export async function state(stack: LabStack, service: string): Promise<ContainerState & { restarts: number }> {
  const out = await docker(stack, 'inspect', '--format', '{{json .State}} {{.RestartCount}}', await stack.containerId(service));
  const cut = out.lastIndexOf(' ');
  return { ...(JSON.parse(out.slice(0, cut)) as ContainerState), restarts: Number(out.slice(cut)) };
}

/** Waits until a container's state is as asked. */
export async function becomes(
  stack: LabStack,
  service: string,
  what: string,
  is: (now: Awaited<ReturnType<typeof state>>) => boolean,
): Promise<void> {
  await until(`${service} to be ${what}`, async () => is(await state(stack, service)), 60_000);
}

/** Who has only just started is given time: the doctor waits for that to be over, and so do we. */
export const settled = (stack: LabStack, service: string, seconds = 12): Promise<void> =>
  becomes(stack, service, 'past its first seconds', (now) => Date.now() - Date.parse(now.StartedAt) > seconds * 1_000);

export const logs = async (stack: LabStack, service: string): Promise<string> => {
  const { stdout, stderr } = await run(stack.engine.docker, ['logs', '--tail', '80', await stack.containerId(service)], { env: stack.env });
  return stdout + stderr;
};

export async function removeVolume(stack: LabStack, name: string): Promise<void> {
  await docker(stack, 'volume', 'rm', `${stack.project}_${name}`);
}

interface Change {
  id: string;
  title: string;
  /** File, what is there, what comes in its place. */
  edits: [file: string, find: string | RegExp, replacement: string][];
  /** Made anew, so that they see it. */
  recreate?: string[];
  restart?: string[];
  /** Waits for the symptom. */
  until(stack: LabStack): Promise<unknown>;
  expect: Fault['expect'];
}

/** A fault that is a few changed lines; healed by the lines as they were. */
export const changed =
  (shape: StackShape) =>
  ({ id, title, edits, recreate: anew = [], restart = [], until: symptom, expect }: Change): Fault => ({
    id,
    title,
    stack: shape,
    inject: async (stack) => {
      for (const [file, find, replacement] of edits) edit(stack, file, find, replacement);
      for (const service of anew) await recreate(stack, service);
      for (const service of restart) await compose(stack, 'restart', '-t', '1', service);
      await symptom(stack);
    },
    heal: async (stack) => {
      restore(stack, ...new Set(edits.map(([file]) => file)));
      for (const service of restart) await compose(stack, 'restart', '-t', '1', service);
      await up(stack);
    },
    expect,
  });
