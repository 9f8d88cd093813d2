import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, isAlive, readPid } from './cache.ts';
import { undoOnExit } from './cleanup.ts';
import { installMissing, unpackFrom } from './debian.ts';
import { binOf, cacheOf, makings, type Release, roomOf, treeOf } from './releases.ts';
import { must, run, until } from './run.ts';

export interface OwnEngine {
  socket: string;
  docker: string;
  env: Record<string, string>;
}

const socketPath = (release: Release): string => join(roomOf(release), 'docker.sock');
const pidFile = (release: Release): string => join(roomOf(release), 'dockerd.pid');

/** How to reach the lab's own engine, whether it runs or not. The command line is the newer one's for both. */
export function ownEngine(release: Release): OwnEngine {
  const socket = socketPath(release);
  return {
    socket,
    docker: join(binOf('newer'), 'docker'),
    env: {
      DOCKER_HOST: `unix://${socket}`,
      DOCKER_CONFIG: join(cacheDir(), 'docker-config'),
      PATH: `${binOf('newer')}:${process.env['PATH']}`,
    },
  };
}

/** True when the lab's own engine answers. */
export async function ownEngineAnswers(release: Release): Promise<boolean> {
  const pid = readPid(pidFile(release));
  const { docker, env } = ownEngine(release);
  if (pid === undefined || !isAlive(pid) || !existsSync(docker)) return false;
  const ping = await run(docker, ['version', '--format', '{{.Server.Version}}'], { env, timeoutMs: 10_000 }).catch(() => undefined);
  return ping?.code === 0;
}

export async function startOwnEngine(release: Release, onProgress: (text: string) => void): Promise<void> {
  const before = readPid(pidFile(release));
  if (before !== undefined) await untilGone(before);
  onProgress('packages for the engine');
  await installMissing({ iptables: 'iptables', runc: 'runc', xz: 'xz-utils' });
  await providePrograms(release);
  await mountCgroups();
  // dockerd would set it too, but only after it has noted that it is off, and would warn for ever.
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  onProgress('starting the engine');
  mkdirSync(roomOf(release), { recursive: true });
  const config = join(cacheOf(release), 'daemon.json');
  writeFileSync(config, `${JSON.stringify(daemonConfig(release), null, 2)}\n`);
  const logFile = join(cacheOf(release), 'dockerd.log');
  const log = openSync(logFile, 'w');
  const child = spawn(join(binOf(release), 'dockerd'), ['--config-file', config], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, PATH: `${binOf(release)}:${process.env['PATH']}:/usr/sbin:/sbin` },
  });
  child.unref();
  const forget = undoOnExit(async () => {
    child.kill('SIGTERM');
    if (child.pid !== undefined) await untilGone(child.pid);
  });
  let exit: number | null | undefined;
  child.once('exit', (code) => (exit = code));
  await until(
    'the engine to answer',
    async () => {
      if (exit !== undefined) return true;
      return ownEngineAnswers(release);
    },
    60_000,
  );
  forget();
  if (exit !== undefined) throw new Error(`dockerd ended at once (${exit}): ${lastLine(logFile)}`);
}

export async function stopOwnEngine(release: Release): Promise<void> {
  const pid = readPid(pidFile(release));
  if (pid === undefined || !isAlive(pid)) return;
  process.kill(pid, 'SIGTERM');
  await untilGone(pid);
  // dockerd leaves its data folder mounted on itself, so that nobody can delete the cache, and a network namespace.
  await run('umount', [join(cacheOf(release), 'data')]);
  await run('umount', [join(roomOf(release), 'exec', 'netns', 'default')]);
  rmSync(join(roomOf(release), 'exec'), { recursive: true, force: true });
}

async function untilGone(pid: number): Promise<void> {
  await until(`the lab's engine (pid ${pid}) to stop`, async () => !isAlive(pid), 30_000);
}

function daemonConfig(release: Release): object {
  return {
    'data-root': join(cacheOf(release), 'data'),
    'exec-root': join(roomOf(release), 'exec'),
    pidfile: pidFile(release),
    hosts: [`unix://${socketPath(release)}`],
    group: 'root',
    bridge: 'none',
    // Firewall chains belong to the whole machine: an engine that rewrites them cuts off the networks of another one. Containers on one
    // bridge need none, and docker-proxy publishes ports without them.
    iptables: false,
    ip6tables: false,
    'default-address-pools': [{ base: freePool(makings[release].pools), size: 24 }],
    // Were a containerd of the machine running, dockerd would use it: keep to rooms of our own in there.
    'containerd-namespace': 'stack-doctor-lab',
    'containerd-plugins-namespace': 'stack-doctor-lab-plugins',
    'userland-proxy-path': join(binOf(release), 'docker-proxy'),
    'init-path': join(binOf(release), 'docker-init'),
    'log-level': 'warn',
    features: { 'containerd-snapshotter': false },
  };
}

/** The engine's, and the command line to speak with it. */
async function providePrograms(release: Release): Promise<void> {
  // The newer engine may be at work with what is there.
  if (release !== 'newer' && !existsSync(ownEngine(release).docker)) await providePrograms('newer');
  const { suite, packages } = makings[release];
  await unpackFrom(suite, packages, treeOf(release));
  linkPrograms(treeOf(release), binOf(release));
  if (release === 'newer') tellPlugins(treeOf(release));
}

function linkPrograms(tree: string, bin: string): void {
  rmSync(bin, { recursive: true, force: true });
  mkdirSync(bin, { recursive: true });
  for (const dir of ['usr/bin', 'usr/sbin']) {
    for (const program of readdirSync(join(tree, dir))) symlinkSync(join(tree, dir, program), join(bin, program));
  }
  rmSync(join(bin, 'docker-init'), { force: true });
  copyFileSync(join(tree, 'usr/bin/tini-static'), join(bin, 'docker-init'));
}

function tellPlugins(tree: string): void {
  const config = join(cacheDir(), 'docker-config');
  mkdirSync(config, { recursive: true });
  const plugins = join(tree, 'usr/libexec/docker/cli-plugins');
  writeFileSync(join(config, 'config.json'), `${JSON.stringify({ cliPluginsExtraDirs: [plugins] })}\n`);
}

function freePool(pools: string[]): string {
  const routes = readFileSync('/proc/net/route', 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'));
  const taken = routes
    .map(([, dest = '', , , , , , mask = '']) => [fromHex(dest), fromHex(mask)] as const)
    .filter(([, mask]) => mask !== 0);
  const free = pools.find((pool) => {
    const [address = '', bits = ''] = pool.split('/');
    const base = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    const poolMask = (0xffffffff << (32 - Number(bits))) >>> 0;
    return !taken.some(([dest, mask]) => ((dest ^ base) & mask & poolMask) >>> 0 === 0);
  });
  return free ?? (pools[0] as string);
}

/** /proc/net/route writes addresses in the machine's byte order, which is little-endian wherever we run. */
function fromHex(text: string): number {
  return Number.parseInt(text.match(/../g)?.reverse().join('') ?? '0', 16);
}

/** Without systemd nobody has mounted the cgroup hierarchies; this is what cgroupfs-mount would do. */
async function mountCgroups(): Promise<void> {
  const root = '/sys/fs/cgroup';
  if (existsSync(`${root}/cgroup.controllers`) || existsSync(`${root}/memory`)) return;
  await must('mount', ['-t', 'tmpfs', '-o', 'uid=0,gid=0,mode=0755', 'cgroup', root]);
  const controllers = readFileSync('/proc/cgroups', 'utf8').trim().split('\n').slice(1);
  for (const [name, , , enabled] of controllers.map((line) => line.split('\t'))) {
    if (enabled !== '1' || !name) continue;
    mkdirSync(`${root}/${name}`, { recursive: true });
    await run('mount', ['-n', '-t', 'cgroup', '-o', name, 'cgroup', `${root}/${name}`]);
  }
}

function lastLine(file: string): string {
  return readFileSync(file, 'utf8').trim().split('\n').at(-1) ?? '';
}
