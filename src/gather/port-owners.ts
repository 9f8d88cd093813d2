/** Who holds the host ports that a container of the stack could not get. Looked for only when a start failed over a port, or nothing runs. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { meets } from '../model/addresses.ts';
import type { EngineFact, Fact, PortOwner, ProjectFact } from '../model/facts.ts';
import type { Container, PortMapping } from '../model/stack.ts';
import type { EngineClient } from './engine-client.ts';
import { parseTcpTable } from './proc-net.ts';
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
  const rows = await publishing(engine, signal);
  return Promise.all(
    wanted.map(async (binding): Promise<PortOwner> => {
      const base = nobodyOf(binding);
      const row = rows.find((each) => each.Ports?.some((port) => port.PublicPort === binding.hostPort));
      if (row) return { ...base, ...ownerOf(row) };
      const listeners = await listenersOn(binding.hostPort);
      if (listeners === null) return { ...base, kind: 'unknown' };
      if (listeners.length === 0) return base;
      const owner = await processWith(listeners.map(({ inode }) => inode));
      return owner ? { ...base, kind: 'process', pid: owner.pid, command: vault.maskText(owner.command) } : { ...base, kind: 'unknown' };
    }),
  );
};

interface Row {
  Names: string[];
  Labels?: Record<string, string>;
  Ports?: { IP?: string; PublicPort?: number; Type?: string }[];
}

const publishing = (engine: EngineClient, signal: AbortSignal): Promise<Row[]> => engine.get<Row[]>('/containers/json', {}, signal);

const nobodyOf = ({ hostPort, hostIp }: PortMapping): PortOwner => ({
  port: hostPort,
  hostIp,
  kind: 'nobody',
  container: null,
  project: null,
  pid: null,
  command: null,
});

const ownerOf = (row: Row): Pick<PortOwner, 'kind' | 'container' | 'project'> => ({
  kind: 'container',
  container: (row.Names[0] ?? '').replace(/^\//, ''),
  project: row.Labels?.['com.docker.compose.project'] ?? null,
});

/** They hold a port for a container of some engine. */
const FORWARDERS =
  /docker-proxy|dockerd|com\.docker|vpnkit|rootlesskit|slirp4netns|pasta|rootlessport|gvproxy|limactl|lima|colima|orbstack|ssh|conmon|podman/i;

/** Of a project without containers: who holds the ports that its files declare. Those that are free, or held by nobody knows whom, are left out. */
export const ownersOfDeclared = async (
  { engine, project }: { engine: Fact<EngineFact>; project: Fact<ProjectFact> },
  client: EngineClient,
  vault: Vault,
  signal: AbortSignal,
): Promise<PortOwner[]> => {
  if (!engine.ok || !project.ok || !/^(unix|npipe):/.test(client.host) || engine.value.elsewhere) return [];
  const isUp = engine.value.state === 'ok';
  // Whoever does not let us look may run these very containers.
  if (!isUp && engine.value.state !== 'refused' && engine.value.state !== 'socket-missing') return [];
  const wanted = (project.value.services ?? [])
    .filter(({ active, replicas, networkMode }) => active && replicas > 0 && !/^(host|none|container:|service:)/.test(networkMode ?? ''))
    .flatMap(({ ports }) => ports.filter((port) => port.protocol === 'tcp' && port.hostPort > 0 && port.hostPortLast === undefined));
  if (wanted.length === 0) return [];
  // Whoever listens is seen before the list of containers is asked for: what this very project starts in between is in it.
  const seen = await Promise.all(
    wanted.map(async (port) => {
      const held = (await listenersOn(port.hostPort))?.filter(({ address }) => meets(port.hostIp, address)) ?? [];
      return { port, owner: held.length > 0 ? await processWith(held.map(({ inode }) => inode)) : null };
    }),
  );
  const rows = isUp ? await publishing(client, signal) : [];
  return seen.flatMap(({ port, owner }): PortOwner[] => {
    const publishes = (each: { IP?: string; PublicPort?: number; Type?: string }) =>
      each.PublicPort === port.hostPort && each.Type !== 'udp' && meets(port.hostIp, each.IP ?? '');
    const row = rows.find((each) => each.Ports?.some(publishes));
    if (row) {
      const held = ownerOf(row);
      return held.project === project.value.name ? [] : [{ ...nobodyOf(port), ...held }];
    }
    if (!owner || owner.command === '' || FORWARDERS.test(owner.command)) return [];
    return [{ ...nobodyOf(port), kind: 'process', pid: owner.pid, command: vault.maskText(owner.command) }];
  });
};

/** Sockets that listen on a port of this host; `null` where the host does not tell. */
const listenersOn = async (port: number): Promise<{ inode: string; address: string }[] | null> => {
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => null)));
  if (tables.every((table) => table === null)) return null;
  return tables
    .flatMap((table) => (table ?? '').split('\n').slice(1))
    .flatMap((line) => {
      const [socket] = parseTcpTable(line);
      const inode = line.trim().split(/\s+/)[9];
      return socket?.state === 'listening' && socket.local.port === port && inode ? [{ inode, address: socket.local.address }] : [];
    });
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
