/** The code that a service runs from bind mounts: the folder on the host, the folder that the container holds, and one file of both. */
import { readFile } from 'node:fs/promises';
import { readdirSync, readlinkSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import type { SourceFact } from '../model/facts.ts';
import { plain } from '../model/plain.ts';
import { runsSource } from '../model/reloader.ts';
import { commandLine, spokenBy, type Container, type Service } from '../model/stack.ts';
import { CannotLook, speaker, type Gathering, type ServiceGatherer } from './gathering.ts';
import { entriesOf, mayUse, onThisMachine, sharesFiles, statOf, walkFolder, type Entry, type Walk } from './host-files.ts';
import { fileThroughProc, folderThroughProc, holdsFolder, listInside } from './look-inside.ts';
import { isWithin } from './mountinfo.ts';
import { identityOf, ownProcess, processesOf, readProc, type Identity, type OwnProcess } from './proc.ts';
import { runInside } from './run-inside.ts';

type Mount = Container['mounts'][number];
type MountFact = SourceFact['mounts'][number];

const SOURCE =
  /\.(py|pyx|[cm]?[jt]sx?|vue|svelte|astro|go|rb|erb|php|java|kts?|scala|groovy|rs|cs|fs|exs?|heex|erl|cljs?|pl|pm|lua|r|jl|swift|dart|c|cc|cpp|h|hpp)$/i;
/** Made from the source, or brought beside it: never what somebody edits. */
const DERIVED = /^(node_modules|bower_components|site-packages|vendor|\.?venv|env|dist|build|out|target|coverage|__pycache__|\..+)$/;
/** Places for the system's own files. */
const SYSTEM = /^\/(etc|run|var\/run|var\/log|proc|sys|dev|tmp)(\/|$)/;
const FILE_BYTES = 512 * 1024;

interface Candidate {
  mount: Mount;
  hostPath: string;
  stat: Stats | null;
  walk: Walk | null;
}

interface Scene {
  container: Container;
  given: Gathering;
  own: OwnProcess | null;
  identity: Identity | null;
}

export const gatherSource: ServiceGatherer<'source'> = async (service, given) => {
  const container = speaker(service);
  const related = container.mounts.filter((mount) => mount.type === 'bind' && isRelated(mount, service, container));
  if (related.length === 0) return { container: container.name, mounts: [], inotify: null };
  if (!(await sharesFiles(given.engine, given.stack, container)))
    throw new CannotLook('the files that the stack mounts are not on this machine');
  const candidates = await Promise.all(related.map(lookAt));
  const code = candidates.filter((candidate) => isCode(candidate, service, container));
  const own = ownProcess(container);
  const scene: Scene = { container, given, own, identity: own && identityOf(processesOf(own).at(-1)?.pid ?? own.pid) };
  const [mounts, inotify] = await Promise.all([toFacts(code, scene), code.length > 0 ? inotifyOf(service, scene) : null]);
  return { container: container.name, mounts, inotify };
};

/** Does the mount touch where the app's code is looked for: the working folder, the command line, the interpreter's paths? */
const isRelated = ({ destination }: Mount, service: Service, container: Container): boolean => {
  // These have a working folder, too, and it holds data.
  if (spokenBy(service.role) !== null || service.role === 'nginx' || service.role === 'haproxy' || SYSTEM.test(destination)) return false;
  return touchesWorkingDir(destination, container) || isNamed(destination, container);
};

const hasWorkingDir = ({ workingDir }: Container): boolean => workingDir.startsWith('/') && workingDir !== '/';

const touchesWorkingDir = (destination: string, container: Container): boolean =>
  hasWorkingDir(container) && (isWithin(destination, container.workingDir) || isWithin(container.workingDir, destination));

const INTERPRETER_PATHS = ['PYTHONPATH', 'NODE_PATH', 'RUBYLIB', 'PERL5LIB', 'CLASSPATH'];

const isNamed = (destination: string, container: Container): boolean =>
  [commandLine(container), ...INTERPRETER_PATHS.map((name) => container.env[name] ?? '')]
    .flatMap((text) => text.split(/[\s:='",;]+/))
    .some((word) => word.startsWith('/') && isWithin(word.replace(/(.)\/+$/, '$1'), destination));

const lookAt = async (mount: Mount): Promise<Candidate> => {
  const hostPath = onThisMachine(mount.source);
  const stat = await statOf(hostPath);
  return { mount, hostPath, stat, walk: stat?.isDirectory() ? walkFolder(hostPath, (name) => DERIVED.test(name)) : null };
};

/** It holds source; or, should that be missing, it is where the app must find it. */
const isCode = ({ mount, stat, walk }: Candidate, service: Service, container: Container): boolean => {
  if (stat && !walk) return stat.isFile() && SOURCE.test(mount.destination);
  if (walk?.files.some(({ path }) => SOURCE.test(path))) return true;
  const isWhole = hasWorkingDir(container) && isWithin(container.workingDir, mount.destination);
  const runs = runsSource(commandLine(container)) || Boolean(service.spec?.build);
  return runs && (isWhole || isNamed(mount.destination, container));
};

const toFacts = async (candidates: Candidate[], scene: Scene): Promise<MountFact[]> => {
  const seen = await Promise.all(candidates.map((candidate) => withoutCommand(candidate, scene)));
  const left = candidates.filter((_, index) => seen[index] === null);
  const listed =
    left.length === 0
      ? null
      : await listInside(
          scene.container,
          left.map(({ mount }) => mount.destination),
          scene.given,
        );
  return Promise.all(
    candidates.map(async (candidate, index) => {
      const { mount, hostPath, stat, walk } = candidate;
      const inside = seen[index] ?? listed?.[left.indexOf(candidate)] ?? null;
      const shadowedBy = walk ? shadowsOf(candidate, scene.container) : [];
      return {
        hostPath,
        destination: mount.destination,
        host: {
          exists: stat !== null,
          empty: walk !== null && entriesOf(hostPath) === 0,
          inode: stat?.ino ?? null,
          bornAt: stat && stat.birthtimeMs > 0 ? stat.birthtime.toISOString() : null,
        },
        inside: inside && { inode: inside.inode, entries: inside.entries, readable: inside.readable },
        sample: await sample(candidate, shadowedBy, seen[index] !== null && seen[index]!.inode === stat?.ino, scene),
        shadowedBy,
      };
    }),
  );
};

type Inside = NonNullable<MountFact['inside']>;

/** Through /proc, for root. For others the kernel's own words are proof enough: the mount is of the very folder that has the path on the host. */
const withoutCommand = async ({ mount, hostPath, stat }: Candidate, { own, identity }: Scene): Promise<Inside | null> => {
  if (!own) return null;
  const isReadable = (folder: Stats): boolean =>
    identity === null || (mayUse(folder, identity, 'read') && (!folder.isDirectory() || mayUse(folder, identity, 'enter')));
  const found = folderThroughProc(own, mount.destination);
  if (found === 'missing') return { inode: null, entries: null, readable: true };
  if (found) return { inode: found.inode, entries: found.entries, readable: isReadable(found.stat) };
  if (!stat || !(await holdsFolder(own, mount.destination, hostPath))) return null;
  return { inode: stat.ino, entries: stat.isDirectory() ? entriesOf(hostPath) : 1, readable: isReadable(stat) };
};

/** Volumes that lie over source of the mount. Over dependencies and build output they belong. */
const shadowsOf = ({ mount, walk }: Candidate, container: Container): string[] =>
  container.mounts
    .filter((other) => other.type !== 'bind' && other !== mount && isWithin(other.destination, mount.destination))
    .filter((other) => sourceBelow(walk!, relative(other.destination, mount)).length > 0)
    .map((other) => other.destination);

const relative = (path: string, { destination }: Mount): string => path.slice(destination.length).replace(/^\//, '');

const sourceBelow = (walk: Walk, folder: string): Entry[] =>
  walk.files.filter(({ path }) => SOURCE.test(path) && (folder === '' || path.startsWith(`${folder}/`)));

/** The newest source file; of those that another mount lies over, where there are any. */
const sample = async (candidate: Candidate, shadowedBy: string[], isSameFolder: boolean, scene: Scene): Promise<MountFact['sample']> => {
  const { mount, hostPath, stat, walk } = candidate;
  if (stat?.isFile())
    return compare({ file: mount.destination, inContainer: mount.destination, hostPath, stat, isSame: isSameFolder }, scene);
  if (!walk) return null;
  const hidden = shadowedBy.flatMap((path) => sourceBelow(walk, relative(path, mount)));
  const nested = scene.container.mounts
    .filter((other) => other !== mount && isWithin(other.destination, mount.destination))
    .map((other) => relative(other.destination, mount));
  const open = sourceBelow(walk, '').filter(({ path }) => !nested.some((folder) => isWithin(path, folder)));
  const newest = (hidden.length > 0 ? hidden : open)
    .filter((file) => file.stat.size <= FILE_BYTES)
    .reduce<Entry | null>((best, each) => (best && best.stat.mtimeMs >= each.stat.mtimeMs ? best : each), null);
  if (!newest) return null;
  return compare(
    {
      file: newest.path,
      inContainer: `${mount.destination}/${newest.path}`,
      hostPath: join(hostPath, newest.path),
      stat: newest.stat,
      isSame: isSameFolder && hidden.length === 0,
    },
    scene,
  );
};

interface Pair {
  file: string;
  inContainer: string;
  hostPath: string;
  stat: Stats;
  /** Proven to be one and the same already. */
  isSame: boolean;
}

const compare = async (
  { file, inContainer, hostPath, stat, isSame }: Pair,
  { own, container, given }: Scene,
): Promise<MountFact['sample']> => {
  const result = (same: boolean | null) => ({ file: plain(file), same, hostModifiedAt: stat.mtime.toISOString() });
  if (isSame) return result(true);
  const content = await readFile(hostPath).catch(() => null);
  if (!content || content.length > FILE_BYTES) return result(null);
  const throughProc = own && fileThroughProc(own, inContainer);
  if (throughProc) return result(throughProc !== 'missing' && throughProc.equals(content));
  const printed = await runInside(container, ['cat', inContainer], given).catch((error: unknown) => {
    if (error instanceof CannotLook) return null;
    throw error;
  });
  if (printed === null) return result(null);
  if (printed.exitCode !== 0) return result(/no such file/i.test(printed.stderr) ? false : null);
  return result(printed.stdout === content.toString('utf8'));
};

const WATCHER_TROUBLE = /inotify|EMFILE|ENOSPC|too many open files|file watch/i;

/** Counting takes a look at every process of the user, so it is done only for one whose log complains. */
const inotifyOf = async (service: Service, { given, identity }: Scene): Promise<SourceFact['inotify']> => {
  const limit = Number(readProc('/proc/sys/fs/inotify/max_user_instances'));
  const logs = await given.fact('logs', service);
  if (!identity || !limit || !logs.ok || !logs.value.lines.some(({ text }) => WATCHER_TROUBLE.test(text))) return null;
  const used = countInotify(identity.uid);
  return used === null ? null : { used, limit };
};

const COUNT_MS = 100;

/** `null`: not all of them are for us to see, or there are too many. */
const countInotify = (uid: number): number | null => {
  const until = performance.now() + COUNT_MS;
  let count = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (identityOf(Number(pid))?.uid !== uid) continue;
    if (performance.now() > until) return null;
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) if (linkOf(`/proc/${pid}/fd/${fd}`) === 'anon_inode:inotify') count += 1;
    } catch (error) {
      // It may have ended meanwhile; not to be allowed is another matter.
      if ((error as NodeJS.ErrnoException).code === 'EACCES') return null;
    }
  }
  return count;
};

/** `''`: closed since it was listed. */
const linkOf = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};
