import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, isAlive, readPid, runDir } from './cache.ts';
import { undoOnExit } from './cleanup.ts';
import { installMissing, unpackFromTesting } from './debian.ts';
import { must, run, until } from './run.ts';

const PACKAGES = ['docker.io', 'docker-cli', 'docker-compose', 'docker-buildx', 'containerd', 'tini-static'];
// Private ranges that are seldom routed; the first one this machine has no route into is used.
const POOLS = ['10.213.0.0/16', '10.187.0.0/16', '172.29.0.0/16', '192.168.240.0/20'];

export interface OwnEngine {
  socket: string;
  docker: string;
  env: Record<string, string>;
}

const socketPath = (): string => join(runDir(), 'docker.sock');
const pidFile = (): string => join(runDir(), 'dockerd.pid');
const treeDir = (): string => join(cacheDir(), 'packages');
const binDir = (): string => join(cacheDir(), 'bin');

/** How to reach the lab's own engine, whether it runs or not. */
export function ownEngine(): OwnEngine {
  return {
    socket: socketPath(),
    docker: join(binDir(), 'docker'),
    env: {
      DOCKER_HOST: `unix://${socketPath()}`,
      DOCKER_CONFIG: join(cacheDir(), 'docker-config'),
      PATH: `${binDir()}:${process.env['PATH']}`,
    },
  };
}

/** True when the lab's own engine answers. */
export async function ownEngineAnswers(): Promise<boolean> {
  const pid = readPid(pidFile());
  const { docker, env } = ownEngine();
  if (pid === undefined || !isAlive(pid) || !existsSync(docker)) return false;
  const ping = await run(docker, ['version', '--format', '{{.Server.Version}}'], { env, timeoutMs: 10_000 }).catch(() => undefined);
  return ping?.code === 0;
}

export async function startOwnEngine(onProgress: (text: string) => void): Promise<void> {
  const before = readPid(pidFile());
  if (before !== undefined) await untilGone(before);
  onProgress('packages for the engine');
  await installMissing({ iptables: 'iptables', runc: 'runc', xz: 'xz-utils' });
  await unpackFromTesting(PACKAGES, treeDir());
  linkPrograms();
  await mountCgroups();
  // dockerd would set it too, but only after it has noted that it is off, and would warn for ever.
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  onProgress('starting the engine');
  mkdirSync(runDir(), { recursive: true });
  const config = join(cacheDir(), 'daemon.json');
  writeFileSync(config, `${JSON.stringify(daemonConfig(), null, 2)}\n`);
  const logFile = join(cacheDir(), 'dockerd.log');
  const log = openSync(logFile, 'w');
  const child = spawn(join(binDir(), 'dockerd'), ['--config-file', config], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, PATH: `${binDir()}:${process.env['PATH']}:/usr/sbin:/sbin` },
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
      return ownEngineAnswers();
    },
    60_000,
  );
  forget();
  if (exit !== undefined) throw new Error(`dockerd ended at once (${exit}): ${lastLine(logFile)}`);
}

export async function stopOwnEngine(): Promise<void> {
  const pid = readPid(pidFile());
  if (pid === undefined || !isAlive(pid)) return;
  process.kill(pid, 'SIGTERM');
  await untilGone(pid);
  // dockerd leaves its data folder mounted on itself, so that nobody can delete the cache, and a network namespace.
  await run('umount', [join(cacheDir(), 'data')]);
  await run('umount', [join(runDir(), 'exec', 'netns', 'default')]);
  rmSync(join(runDir(), 'exec'), { recursive: true, force: true });
}

async function untilGone(pid: number): Promise<void> {
  await until(`the lab's engine (pid ${pid}) to stop`, async () => !isAlive(pid), 30_000);
}

function daemonConfig(): object {
  return {
    'data-root': join(cacheDir(), 'data'),
    'exec-root': join(runDir(), 'exec'),
    pidfile: pidFile(),
    hosts: [`unix://${socketPath()}`],
    group: 'root',
    bridge: 'none',
    // Firewall chains belong to the whole machine: an engine that rewrites them cuts off the networks of another one. Containers on one
    // bridge need none, and docker-proxy publishes ports without them.
    iptables: false,
    ip6tables: false,
    'default-address-pools': [{ base: freePool(), size: 24 }],
    // Were a containerd of the machine running, dockerd would use it: keep to rooms of our own in there.
    'containerd-namespace': 'stack-doctor-lab',
    'containerd-plugins-namespace': 'stack-doctor-lab-plugins',
    'userland-proxy-path': join(binDir(), 'docker-proxy'),
    'init-path': join(binDir(), 'docker-init'),
    'log-level': 'warn',
    features: { 'containerd-snapshotter': false },
  };
}

function linkPrograms(): void {
  rmSync(binDir(), { recursive: true, force: true });
  mkdirSync(binDir(), { recursive: true });
  for (const dir of ['usr/bin', 'usr/sbin']) {
    for (const program of readdirSync(join(treeDir(), dir))) symlinkSync(join(treeDir(), dir, program), join(binDir(), program));
  }
  copyFileSync(join(treeDir(), 'usr/bin/tini-static'), join(binDir(), 'docker-init'));
  const config = ownEngine().env['DOCKER_CONFIG'] as string;
  mkdirSync(config, { recursive: true });
  const plugins = join(treeDir(), 'usr/libexec/docker/cli-plugins');
  writeFileSync(join(config, 'config.json'), `${JSON.stringify({ cliPluginsExtraDirs: [plugins] })}\n`);
}

function freePool(): string {
  const routes = readFileSync('/proc/net/route', 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'));
  const taken = routes
    .map(([, dest = '', , , , , , mask = '']) => [fromHex(dest), fromHex(mask)] as const)
    .filter(([, mask]) => mask !== 0);
  const free = POOLS.find((pool) => {
    const [address = '', bits = ''] = pool.split('/');
    const base = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    const poolMask = (0xffffffff << (32 - Number(bits))) >>> 0;
    return !taken.some(([dest, mask]) => ((dest ^ base) & mask & poolMask) >>> 0 === 0);
  });
  return free ?? (POOLS[0] as string);
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
