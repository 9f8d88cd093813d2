/** HAProxy's configuration as its container has it, read once in a run. */
import type { HaproxyFact } from '../model/facts.ts';
import { commandsOf } from '../model/command-line.ts';
import { isRunning, type Container } from '../model/stack.ts';
import { EngineError, type EngineClient } from './engine-client.ts';
import type { Gathering } from './gathering.ts';
import { parseHaproxy, type HaproxyBackend, type HaproxyConfig, type HaproxyServer, type Place } from './haproxy-config.ts';
import { hostPathOf, sharesFiles } from './host-files.ts';
import { runInside } from './run-inside.ts';

export interface HaproxySetup {
  config: HaproxyConfig;
  files: HaproxyFact['files'];
  /** Where something stands, for people: the file of the project where there is one. */
  show(at: Place): string;
}

export const USUAL_FILES = ['/usr/local/etc/haproxy/haproxy.cfg', '/etc/haproxy/haproxy.cfg', '/bitnami/haproxy/conf/haproxy.cfg'];
/** Lists of addresses and certificates beside it are not ours. */
const FILE_BYTES = 512 * 1024;

/** Who gets requests while all is well: without servers that are switched off, and those that only stand in for others. */
export const inUse = ({ servers }: HaproxyBackend): HaproxyServer[] => {
  const on = servers.filter(({ disabled }) => !disabled);
  const first = on.filter(({ backup }) => !backup);
  return first.length > 0 ? first : on;
};

const known = new WeakMap<EngineClient, Map<string, Promise<HaproxySetup>>>();

/** Once for each run, which has a client of its own. */
export const readHaproxySetup = (container: Container, given: Gathering): Promise<HaproxySetup> => {
  const ofRun = known.get(given.engine) ?? new Map<string, Promise<HaproxySetup>>();
  known.set(given.engine, ofRun);
  const found = ofRun.get(container.id) ?? read(container, given);
  ofRun.set(container.id, found);
  return found;
};

const read = async (container: Container, given: Gathering): Promise<HaproxySetup> => {
  const files = await readFiles(container, given);
  const shared = await sharesFiles(given.engine, given.stack, container);
  const hostPaths = new Map([...files.keys()].map((file) => [file, shared ? hostPathOf(container, file) : null]));
  return {
    config: parseHaproxy(files, container.env),
    files: [...hostPaths].map(([path, hostPath]) => ({ path, hostPath })),
    show: ({ file, line }) => {
      const path = hostPaths.get(file) ?? file;
      const folder = `${given.stack.workingDir}/`;
      return `${path.startsWith(folder) ? path.slice(folder.length) : path}:${line}`;
    },
  };
};

/** `-f a.cfg -f /etc/haproxy/conf.d`, `-- a.cfg b.cfg`, also in one line of a shell. */
export const configPathsOf = (words: readonly string[]): string[] => {
  const main = commandsOf(words).find(([program]) => program === 'haproxy') ?? words;
  const end = main.indexOf('--');
  const given = main.flatMap((word, index) => (main[index - 1] === '-f' ? [word] : []));
  return [...given, ...(end >= 0 ? main.slice(end + 1) : [])].flatMap((path) =>
    path.startsWith('/') ? [path.replace(/(?<=.)\/+$/, '')] : [],
  );
};

const readFiles = async (container: Container, given: Gathering): Promise<Map<string, string>> => {
  const told = configPathsOf([...container.entrypoint, ...container.command]);
  for (const paths of told.length > 0 ? [told] : USUAL_FILES.map((path) => [path])) {
    const found = await Promise.all(paths.map((path) => readAt(path, container, given)));
    const files = new Map(found.flatMap((each) => [...each]));
    if (files.size > 0) return files;
  }
  return new Map();
};

/** A file, or the files of a folder that HAProxy takes, in its order. */
const readAt = async (path: string, container: Container, given: Gathering): Promise<Map<string, string>> => {
  try {
    const tree = await given.engine.readTree(container.id, path, { signal: given.signal });
    return new Map(
      [...(tree ?? [])]
        .filter(([file, content]) => (file === path || isPartOf(file, path)) && content.length <= FILE_BYTES && !content.includes(0))
        .map(([file, content]) => [file, content.toString('utf8')] as const)
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  } catch (error) {
    // A mount whose target is a symbolic link in the image is not to be had this way.
    if (!(error instanceof EngineError) || given.signal.aborted) throw error;
    const printed = isRunning(container) ? await runInside(container, ['cat', path], given) : null;
    return new Map(printed?.exitCode === 0 ? [[path, printed.stdout]] : []);
  }
};

/** In the folder itself, named `*.cfg`, not hidden. */
export const isPartOf = (file: string, folder: string): boolean =>
  file.startsWith(`${folder}/`) && /^[^./][^/]*\.cfg$/.test(file.slice(folder.length + 1));

/** `null`: not there, or not to be had. */
export const readErrorFile = async (path: string, container: Container, given: Gathering): Promise<string | null> => {
  if (!path.startsWith('/')) return null;
  const content = await given.engine.readFile(container.id, path, { cut: true, signal: given.signal }).catch((error: unknown) => {
    if (error instanceof EngineError && !given.signal.aborted) return null;
    throw error;
  });
  return content?.toString('utf8') ?? null;
};
