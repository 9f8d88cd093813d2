/** The file that a container should run and could not: a script with the wrong line ends, a binary for another machine, or nothing at all. */
import { posix } from 'node:path';
import type { ProgramFact } from '../model/facts.ts';
import { isFlapping } from '../model/crash-loop.ts';
import { knownErrorIn } from '../model/log-signatures.ts';
import { obstacleOf, programIn } from '../model/start-error.ts';
import type { Container, Service } from '../model/stack.ts';
import { EngineError } from './engine-client.ts';
import type { Gathering, ServiceGatherer } from './gathering.ts';
import { mountOf } from './host-files.ts';

const HEAD_BYTES = 8 * 1024;
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const gatherProgram: ServiceGatherer<'program'> = async (service, given) => {
  const failed = await failedProgram(service, given);
  if (!failed) return null;
  const { container, name, script } = failed;
  const read = (path: string) => readInside(container, path, given);
  const found = await firstFile(candidatesFor(name, container), read);
  const content = found?.content ?? null;
  // The failure names the shell, the fault lies in a script that it was given.
  const scripts = script || (content !== null && kindOf(content) !== 'script') ? await filesOf(scriptsOf(container), read) : [];
  const culprit = scripts.find((each) => hasWindowsLineEnds(each.content)) ?? found;
  const path = culprit?.path ?? (name.includes('/') ? posix.resolve(container.workingDir, name) : null);
  const kind = culprit ? kindOf(culprit.content) : 'missing';
  const interpreter = culprit && kind === 'script' ? interpreterOf(culprit.content) : null;
  const mount = path ? mountOf(container, path) : undefined;
  return {
    container: container.name,
    name: culprit?.path ?? name,
    path,
    kind,
    interpreter,
    interpreterExists: interpreter === null ? null : (await read(interpreter)) !== null,
    windowsLineEnds: culprit !== null && hasWindowsLineEnds(culprit.content),
    architecture: culprit ? elfMachine(culprit.content) : null,
    engineArchitecture: kind === 'elf' ? await engineArchitecture(given) : null,
    mount: mount?.type === 'bind' ? { destination: mount.destination, source: mount.source } : null,
    library: kind === 'missing' ? await libraryOf(name, container, given) : null,
  };
};

/** An interpreter that does not find the script which it was given: bash, dash, busybox, Python, Node. */
const NOT_OPENED =
  /^(?:\S{0,100}\/)?(?:(?:ba|da|a|z)?sh|python[\d.]*): (?:\d+: )?(?:cannot open |can't open (?:file )?)?'?(\/[^\s:']{1,200})'?: (?:\[Errno 2\] )?No such file|^Error: Cannot find module '(\/[^']{1,200}\.[cm]?js)'/i;

/** A shell that does not find a command: `sh: 1: vite: not found`, `start.sh: line 5: exec: uvicorn: not found`. */
const NOT_FOUND = /(?:^|\s)([^\s:'"]{1,200}): (?:command )?not found$/;

interface Failed {
  container: Container;
  name: string;
  /** A shell complained of what it read. */
  script: boolean;
}

/** The kernel's or the shell's own words, in the state of the container or at the end of its log. */
const failedProgram = async (service: Service, given: Gathering): Promise<Failed | null> => {
  for (const container of service.containers) {
    const obstacle = obstacleOf(container.state.error);
    if (obstacle === 'not-found' || obstacle === 'not-executable') {
      const name = programIn(container.state.error) ?? firstWord(container);
      return { container, name, script: false };
    }
  }
  const down = service.containers.find((each) => ['exited', 'restarting'].includes(each.state.status) || isFlapping(each));
  if (!down) return null;
  const logs = await given.fact('logs', service);
  if (!logs.ok || logs.value.container !== down.name) return null;
  const unread = logs.value.lines.map(({ text }) => NOT_OPENED.exec(text)).findLast((found) => found !== null);
  if (unread) return { container: down, name: (unread[1] ?? unread[2])!, script: false };
  const unknown =
    down.state.exitCode === 127
      ? logs.value.lines
          .slice(-3)
          .flatMap(({ text }) => NOT_FOUND.exec(text)?.[1] ?? [])
          .at(-1)
      : undefined;
  if (unknown) return { container: down, name: unknown, script: false };
  const known = knownErrorIn(logs.value.lines, service.role);
  switch (known?.id) {
    case 'exec-missing':
    case 'exec-format':
      return { container: down, name: /\bexec:? "?(\/[^\s":]+)/.exec(known.line)?.[1] ?? firstWord(down), script: false };
    case 'crlf':
      return { container: down, name: firstWord(down), script: true };
    default:
      return null;
  }
};

const wordsOf = ({ entrypoint, command }: Container): string[] => [...entrypoint, ...command];

const firstWord = (container: Container): string => wordsOf(container)[0] ?? '';

/** Words of the command that may be files of it, the scripts that a shell is given among them. */
const scriptsOf = (container: Container): string[] =>
  wordsOf(container)
    .flatMap((word) => word.split(/\s+/))
    .filter((word) => /^\.{0,2}\/.+|\.(sh|bash|py|rb|pl|js)$/.test(word) && !word.includes('://'))
    .map((word) => posix.resolve(container.workingDir, word))
    .slice(0, 6);

/** A name with a slash is a path; any other is looked for along PATH. */
const candidatesFor = (name: string, container: Container): string[] => {
  if (name === '') return [];
  if (name.includes('/')) return [posix.resolve(container.workingDir, name)];
  return (container.env['PATH'] ?? DEFAULT_PATH)
    .split(':')
    .filter((folder) => folder.startsWith('/'))
    .slice(0, 12)
    .map((folder) => posix.join(folder, name));
};

type Read = (path: string) => Promise<Buffer | null>;

interface FileInside {
  path: string;
  content: Buffer;
}

const filesOf = async (paths: string[], read: Read): Promise<FileInside[]> => {
  const contents = await Promise.all(paths.map(read));
  return paths.flatMap((path, index) => (contents[index] ? [{ path, content: contents[index] }] : []));
};

const firstFile = async (paths: string[], read: Read): Promise<FileInside | null> => (await filesOf(paths, read))[0] ?? null;

/** Works on a container that does not run, too. `null`: no such file, or no file. */
const readInside = async (container: Container, path: string, given: Gathering): Promise<Buffer | null> =>
  given.engine.readFile(container.id, path, { maxBytes: HEAD_BYTES, cut: true, signal: given.signal }).catch((error: unknown) => {
    if (error instanceof EngineError) return null;
    throw error;
  });

const kindOf = (content: Buffer): ProgramFact['kind'] => {
  if (content.subarray(0, 4).toString('latin1') === '\x7fELF') return 'elf';
  if (content.subarray(0, 2).toString('latin1') === '#!') return 'script';
  return content.subarray(0, 512).includes(0) ? 'unknown' : 'text';
};

const interpreterOf = (content: Buffer): string | null =>
  /^#![ \t]*([^\s\0]+)/.exec(content.subarray(0, 256).toString('latin1'))?.[1] ?? null;

const hasWindowsLineEnds = (content: Buffer): boolean => {
  const end = content.subarray(0, 4096).indexOf('\n');
  return end > 0 && content[end - 1] === 0x0d && kindOf(content) !== 'elf';
};

const MACHINES: Record<number, string> = { 3: '386', 40: 'arm', 62: 'amd64', 183: 'arm64', 21: 'ppc64le', 22: 's390x', 243: 'riscv64' };

const elfMachine = (content: Buffer): string | null => {
  if (kindOf(content) !== 'elf' || content.length < 20) return null;
  const littleEndian = content[5] === 1;
  return MACHINES[littleEndian ? content.readUInt16LE(18) : content.readUInt16BE(18)] ?? 'another machine';
};

const engineArchitecture = async (given: Gathering): Promise<string | null> =>
  given.engine
    .get<{ Arch?: string }>('/version', {}, given.signal)
    .then(({ Arch }) => Arch ?? null)
    .catch(() => null);

const PYTHONS = ['3.14', '3.13', '3.12', '3.11', '3.10', '3.9'];

/** A Python package whose launcher is not there can still be run as a module. */
const libraryOf = async (name: string, container: Container, given: Gathering): Promise<string | null> => {
  if (name.includes('/') || !/^[a-z][\w-]*$/i.test(name)) return null;
  const module = name.replaceAll('-', '_');
  const own = /^\d+\.\d+/.exec(container.env['PYTHON_VERSION'] ?? '')?.[0];
  const roots = ['/usr/local', ...(container.env['VIRTUAL_ENV'] ? [container.env['VIRTUAL_ENV']] : [])];
  const folders = [
    ...roots.flatMap((root) => (own ? [own] : PYTHONS).map((version) => `${root}/lib/python${version}/site-packages/${module}`)),
    `/usr/lib/python3/dist-packages/${module}`,
  ];
  const found = await firstFile(
    folders.map((folder) => `${folder}/__init__.py`),
    (path) => readInside(container, path, given),
  );
  return found ? posix.dirname(found.path) : null;
};
