/** What the container itself sees: sockets, mounts, processes. From the host's /proc where that is proven to be the same kernel, else by one exec. */
import { randomBytes } from 'node:crypto';
import type { InsideFact, Listener, Process } from '../model/facts.ts';
import { plain } from '../model/plain.ts';
import type { Container, Service } from '../model/stack.ts';
import { CannotLook, speaker, type Gathering, type ServiceGatherer } from './gathering.ts';
import { mountViews, parseMountinfo } from './mountinfo.ts';
import { nameOnly, ownProcess, processesOf, readTcpTables } from './proc.ts';
import { parseTcpTable, type Endpoint, type TcpSocket } from './proc-net.ts';
import { runInside } from './run-inside.ts';
import type { Vault } from './vault.ts';

/** Docker's DNS server listens in the container's own network namespace; it is no socket of the service. */
const DOCKER_DNS = '127.0.0.11';
const MOST_PEERS = 500;
/** Longer ago, and things may have changed since. */
const CLOSED_SECONDS = 15;
const COMMAND_LENGTH = 500;

export const gatherInside: ServiceGatherer<'inside'> = async (service, given) => {
  const container = speaker(service);
  return (await fromProc(container, given)) ?? fromExec(service, container, given);
};

const fromProc = async (container: Container, given: Gathering): Promise<InsideFact | null> => {
  const own = ownProcess(container);
  if (!own) return null;
  const tables = await readTcpTables(own);
  return tables === null
    ? null
    : toFact(container, 'proc', { sockets: parseTcpTable(tables), mounts: own.mounts, processes: processesOf(own) }, given);
};

/** Prints the parts one after another, each behind the mark that it is given. Shell built-ins and `cat` alone. */
const LOOK = `
mark=$1
cat /proc/self/mountinfo
echo "$mark"
cat /proc/net/tcp
cat /proc/net/tcp6 2>/dev/null
for folder in /proc/[0-9]*; do
  read -r stat <"$folder/stat" || continue
  echo
  echo "$mark $stat"
  cat "$folder/cmdline"
done 2>/dev/null
exit 0`;

const fromExec = async (service: Service, container: Container, given: Gathering): Promise<InsideFact> => {
  const mark = randomBytes(8).toString('hex');
  const shell = await runInside(container, ['sh', '-c', LOOK, 'sh', mark], given);
  if (!shell) return withoutShell(service, container, given);
  const [mountinfo = '', tables = '', ...processes] = shell.stdout.split(mark);
  if (!tables.includes('local_address')) {
    throw new CannotLook(`${service.name} does not show its sockets: ${plain(shell.stderr || shell.stdout).slice(0, 200)}`);
  }
  const sockets = parseTcpTable(tables);
  return toFact(container, 'exec', { sockets, mounts: parseMountinfo(mountinfo), processes: readProcesses(processes) }, given);
};

/** An image may have `cat` and no shell. */
const withoutShell = async (service: Service, container: Container, given: Gathering): Promise<InsideFact> => {
  const cat = await runInside(container, ['cat', '/proc/self/mountinfo', '/proc/net/tcp', '/proc/net/tcp6'], given);
  // Without IPv6 the last file is missing; `cat` says so after it printed the others.
  if (!cat?.stdout.includes('local_address')) {
    throw new CannotLook(`${service.name} has neither a shell nor cat in its image, and this machine's /proc does not show its processes`);
  }
  return toFact(container, 'exec', { sockets: parseTcpTable(cat.stdout), mounts: parseMountinfo(cat.stdout), processes: [] }, given);
};

/** Only PID 1 and its descendants: an exec (a healthcheck's, or our own) has no parent in the container. */
const readProcesses = (parts: string[]): Process[] => {
  const all = parts.flatMap((part) => {
    const end = part.indexOf('\n');
    // `29 (name, which may hold blanks and brackets) S 1 …`: the last bracket ends the name.
    const stat = /^ (\d+) \((.*)\) (\S) (\d+) /s.exec(part.slice(0, end));
    const command = part.slice(end + 1).replace(/\n$/, '');
    return stat ? [{ pid: Number(stat[1]), parent: Number(stat[4]), command: command || nameOnly(stat[2]!, stat[3]!) }] : [];
  });
  const tree = all.filter((each) => each.pid === 1);
  for (const { pid } of tree) tree.push(...all.filter((each) => each.parent === pid && !tree.includes(each)));
  return tree;
};

interface Seen {
  sockets: TcpSocket[];
  mounts: Parameters<typeof mountViews>[0];
  processes: Process[];
}

const toFact = (container: Container, via: InsideFact['via'], { sockets, mounts, processes }: Seen, given: Gathering): InsideFact => ({
  container: container.name,
  via,
  listeners: distinct(sockets.filter(({ state }) => state === 'listening').map(toListener)).filter(({ address }) => address !== DOCKER_DNS),
  peers: distinct(sockets.filter(({ state }) => state === 'established').map(({ remote }) => remote)).slice(0, MOST_PEERS),
  connecting: distinct(sockets.filter(({ state }) => state === 'connecting').map(({ remote }) => remote)).slice(0, MOST_PEERS),
  closed: sockets.flatMap(toClosed).slice(0, MOST_PEERS),
  mounts: mountViews(
    mounts,
    container.mounts.map((mount) => mount.destination),
  ).map((mount) => ({
    ...mount,
    destination: plain(mount.destination),
    root: plain(mount.root),
  })),
  processes: processes.map((process) => ({ ...process, command: toCommand(process.command, given.vault) })),
  processesKnown: processes.length > 0,
});

const toCommand = (cmdline: string, vault: Vault): string =>
  plain(vault.maskText(vault.maskArguments(cmdline.replace(/\0+$/, '').split('\0')).join(' '))).slice(0, COMMAND_LENGTH);

const toClosed = ({ local, remote, closedSeconds }: TcpSocket) =>
  closedSeconds !== null && closedSeconds <= CLOSED_SECONDS && !remote.address.startsWith('127.')
    ? [{ localPort: local.port, ...remote, secondsAgo: Math.round(closedSeconds) }]
    : [];

const toListener = ({ family, local, waiting }: TcpSocket): Listener => ({ family, ...local, ...(waiting > 0 && { waiting }) });

const distinct = <T extends Endpoint>(ends: T[]): T[] => [...new Map(ends.map((end) => [`${end.address} ${end.port}`, end])).values()];
