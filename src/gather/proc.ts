/**
 * A container's processes as this machine's own /proc shows them: the quickest view, where the engine runs on the same kernel.
 * Read without leaving the thread: such a read takes 20 µs, handing it to another thread ten times that.
 */
import { closeSync, openSync, read, readFileSync, readdirSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Process } from '../model/facts.ts';
import type { Container } from '../model/stack.ts';
import { parseMountinfo, type Mount } from './mountinfo.ts';

/** The container's first process, proven to be the container's. */
export interface OwnProcess {
  pid: number;
  /** `/proc/<pid>`. */
  folder: string;
  mounts: Mount[];
}

const MOST_PROCESSES = 256;

/**
 * `null` where the engine's process id means nothing here: it runs in a virtual machine or elsewhere, or /proc hides it. The same number
 * may then be some other process, so it must show the container's id: Docker mounts `…/containers/<id>/hostname`, and the cgroup is named after it.
 */
export const ownProcess = (container: Container): OwnProcess | null => {
  const known = ownProcesses.get(container);
  if (known !== undefined) return known;
  const own = findOwnProcess(container);
  ownProcesses.set(container, own);
  return own;
};

/** Many facts ask for it. A run has its own containers, and the next one looks anew. */
const ownProcesses = new WeakMap<Container, OwnProcess | null>();

const findOwnProcess = (container: Container): OwnProcess | null => {
  const { pid } = container.state;
  if (pid <= 0 || container.id === '') return null;
  const folder = `/proc/${pid}`;
  const mountinfo = readProc(`${folder}/mountinfo`);
  if (!mountinfo) return null;
  if (!mountinfo.includes(container.id) && !readProc(`${folder}/cgroup`)?.includes(container.id)) return null;
  return { pid, folder, mounts: parseMountinfo(mountinfo) };
};

/** What is mounted where on this machine. */
export const ownMounts = (): Mount[] => parseMountinfo(readProc('/proc/self/mountinfo') ?? '');

/** `null`: not there, or not for us. */
export const readProc = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
};

/**
 * `net/tcp` and `net/tcp6` as the process sees them; `null` where they are not for us to read. The kernel walks through the sockets of the
 * whole machine for each of the two, 2 to 5 ms: these alone are read on another thread.
 */
export const readTcpTables = async ({ folder }: OwnProcess): Promise<string | null> => {
  const hasIpv6 = !readProc(`${folder}/net/sockstat6`)?.includes('TCP6: inuse 0\n');
  // `tcp6` is absent where IPv6 is switched off.
  const [tcp, tcp6] = await Promise.all([readTable(`${folder}/net/tcp`), hasIpv6 ? readTable(`${folder}/net/tcp6`) : null]);
  return tcp === null ? null : `${tcp}\n${tcp6 ?? ''}`;
};

/** The kernel hands such a file out by the page; what leaves room for another line was the last. Fewer trips to the other thread than `readFile`. */
const PAGE = 4_096;
const LONGEST_LINE = 256;
const readOn = promisify(read);

const readTable = async (path: string): Promise<string | null> => {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return null;
  }
  try {
    const chunks: Buffer[] = [];
    for (;;) {
      const { bytesRead, buffer } = await readOn(file, Buffer.allocUnsafe(4 * PAGE), 0, 4 * PAGE, null);
      chunks.push(buffer.subarray(0, bytesRead));
      if (bytesRead === 0 || bytesRead + LONGEST_LINE < PAGE) return Buffer.concat(chunks).toString('latin1');
    }
  } catch {
    return null;
  } finally {
    closeSync(file);
  }
};

const trees = new WeakMap<OwnProcess, Process[]>();

/** See `processTree`; once for a run. */
export const processesOf = (own: OwnProcess): Process[] => {
  const known = trees.get(own) ?? processTree(own.pid);
  trees.set(own, known);
  return known;
};

/** The process and its descendants, parents first; empty when /proc hides them. Command lines are as the processes wrote them, words parted by NUL. */
export const processTree = (pid: number): Process[] => {
  const found: Process[] = [];
  const add = (each: number, parent: number) => {
    const command = commandOf(each);
    if (command !== null && found.length < MOST_PROCESSES) found.push({ pid: each, parent, command });
  };
  add(pid, 0);
  // The list grows while it is walked.
  for (const { pid: parent } of found) for (const child of childrenOf(parent)) add(child, parent);
  return found;
};

/** `null`: the process has ended. */
const commandOf = (pid: number): string | null => {
  const [, name = '', state = ''] = /\((.*)\) (\S) /s.exec(readProc(`/proc/${pid}/stat`) ?? '') ?? [];
  if (state === '') return null;
  // The memory of a process that is stuck in the kernel may be locked; reading its command line would hang with it.
  const line = state === 'D' ? '' : readProc(`/proc/${pid}/cmdline`);
  return line || nameOnly(name, state);
};

/** A process without a command line, as `ps` writes it: one that ended and was not waited for yet is defunct. */
export const nameOnly = (name: string, state: string): string => (state === 'Z' ? `[${name}] <defunct>` : `[${name}]`);

/** Each thread lists the children that it started. */
const childrenOf = (pid: number): number[] =>
  threadsOf(pid).flatMap((thread) => (readProc(`/proc/${pid}/task/${thread}/children`) ?? '').split(' ').filter(Boolean).map(Number));

const threadsOf = (pid: number): string[] => {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
};

export interface Identity {
  uid: number;
  groups: number[];
}

/** Who a process is when it opens files, in the numbers of this machine. `null` when /proc does not say. */
export const identityOf = (pid: number): Identity | null => {
  const status = readProc(`/proc/${pid}/status`) ?? '';
  // Real, effective, saved and file system id; the last one counts for files.
  const uid = /^Uid:(?:\s+\d+){3}\s+(\d+)/m.exec(status)?.[1];
  const gid = /^Gid:(?:\s+\d+){3}\s+(\d+)/m.exec(status)?.[1];
  if (uid === undefined || gid === undefined) return null;
  const others = /^Groups:[ \t]*(.*)$/m.exec(status)?.[1] ?? '';
  return { uid: Number(uid), groups: [Number(gid), ...others.split(' ').filter(Boolean).map(Number)] };
};
