/** Who holds the host ports that a container of the stack could not get. Looked for only when a start failed over a port. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import type { PortOwner } from '../model/facts.ts';
import type { Container } from '../model/stack.ts';
import type { EngineClient } from './engine-client.ts';
import type { Vault } from './vault.ts';

/** Engine 20 to 28 word it differently: the owner may be a process (`address already in use`) or a container (`already allocated`). */
export const PORT_TAKEN = /port is already allocated|address already in use|ports are not available/i;

export const gatherPortOwners = async (
  engine: EngineClient,
  containers: Container[],
  vault: Vault,
  signal: AbortSignal,
): Promise<PortOwner[]> => {
  const wanted = containers
    .filter((container) => container.state.status !== 'running' && PORT_TAKEN.test(container.state.error))
    .flatMap((container) =>
      container.portBindings.filter((binding) => binding.hostPort > 0 && container.state.error.includes(`:${binding.hostPort}`)),
    );
  if (wanted.length === 0) return [];
  const rows = await engine.get<{ Names: string[]; Labels?: Record<string, string>; Ports?: { IP?: string; PublicPort?: number }[] }[]>(
    '/containers/json',
    {},
    signal,
  );
  return Promise.all(
    wanted.map(async (binding): Promise<PortOwner> => {
      const base = { port: binding.hostPort, hostIp: binding.hostIp, container: null, project: null, pid: null, command: null };
      const row = rows.find((each) => each.Ports?.some((port) => port.PublicPort === binding.hostPort));
      if (row) {
        return {
          ...base,
          kind: 'container',
          container: (row.Names[0] ?? '').replace(/^\//, ''),
          project: row.Labels?.['com.docker.compose.project'] ?? null,
        };
      }
      const inodes = await listenersOn(binding.hostPort);
      if (inodes === null) return { ...base, kind: 'unknown' };
      if (inodes.length === 0) return { ...base, kind: 'nobody' };
      const owner = await processWith(inodes);
      return owner ? { ...base, kind: 'process', pid: owner.pid, command: vault.maskText(owner.command) } : { ...base, kind: 'unknown' };
    }),
  );
};

const LISTEN = '0A';

/** Socket inodes that listen on a port of this host; `null` where the host does not tell. */
const listenersOn = async (port: number): Promise<string[] | null> => {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => null)));
  if (tables.every((table) => table === null)) return null;
  return tables
    .flatMap((table) => (table ?? '').split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(suffix) && columns[3] === LISTEN)
    .map((columns) => columns[9]!);
};

const processWith = async (inodes: string[]): Promise<{ pid: number; command: string } | null> => {
  const wanted = new Set(inodes.map((inode) => `socket:[${inode}]`));
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const fd of fds) {
      if (!wanted.has(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''))) continue;
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return { pid: Number(pid), command: command.replaceAll('\0', ' ').trim().slice(0, 200) };
    }
  }
  return null;
};
