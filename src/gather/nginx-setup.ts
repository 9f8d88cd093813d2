/** nginx's configuration as its container has it, read once in a run, and the way to ask this nginx. */
import type { HttpTry, NginxFact } from '../model/facts.ts';
import type { Container } from '../model/stack.ts';
import { askPath } from './ask-http.ts';
import { EngineError, type EngineClient } from './engine-client.ts';
import { CannotLook, type Gathering } from './gathering.ts';
import { hostPathOf, modifiedAt, sharesFiles } from './host-files.ts';
import { isGlob, parseNginx, type NginxConfig, type NginxServer, type Place } from './nginx-config.ts';
import { identityOf, processesOf, type Identity, type OwnProcess } from './proc.ts';
import { runInside } from './run-inside.ts';
import { byAddress, byPublishedPort, fromItself, type Vantage } from './vantage.ts';

export interface NginxSetup {
  config: NginxConfig;
  files: NginxFact['files'];
  /** `nginx`, or the name of a relative of it; with its options for the configuration. */
  command: string[];
  /** Where something stands, for people: the file of the project where there is one. */
  show(at: Place): string;
}

const PROGRAM = /(^|\/)(nginx|openresty|angie|tengine|freenginx)(-debug)?$/;
const USUAL_FILES = [
  '/etc/nginx/nginx.conf',
  '/usr/local/openresty/nginx/conf/nginx.conf',
  '/opt/bitnami/nginx/conf/nginx.conf',
  '/usr/local/nginx/conf/nginx.conf',
  '/etc/angie/angie.conf',
];
/** A configuration is text of a few kilobytes; lists of addresses and certificates beside it are not ours. */
const FILE_BYTES = 512 * 1024;
const INCLUDE_ROUNDS = 3;

const known = new WeakMap<EngineClient, Map<string, Promise<NginxSetup>>>();

/** Once for each run (a run has its own client): the facts of nginx and of its web root need it both. Errors: `CannotLook`. */
export const readNginxSetup = (container: Container, given: Gathering): Promise<NginxSetup> => {
  const ofRun = known.get(given.engine) ?? new Map<string, Promise<NginxSetup>>();
  known.set(given.engine, ofRun);
  const found = ofRun.get(container.id) ?? read(container, given);
  ofRun.set(container.id, found);
  return found;
};

const read = async (container: Container, given: Gathering): Promise<NginxSetup> => {
  const { program, options, main } = commandOf(container);
  const { files, path } = await readFiles(container, main, [program, ...options], given);
  const config = parseNginx(files, path);
  const shared = await sharesFiles(given.engine, given.stack, container);
  const hostPaths = new Map(config.reached.map((file) => [file, shared ? hostPathOf(container, file) : null]));
  return {
    config,
    files: await Promise.all(
      config.reached.map(async (file) => {
        const hostPath = hostPaths.get(file) ?? null;
        return { path: file, hostPath, modifiedAt: hostPath === null ? null : await modifiedAt(hostPath) };
      }),
    ),
    command: [program, ...options],
    show: ({ file, line }) => {
      const hostPath = hostPaths.get(file) ?? file;
      const folder = `${given.stack.workingDir}/`;
      return `${hostPath.startsWith(folder) ? hostPath.slice(folder.length) : hostPath}:${line}`;
    },
  };
};

/** `nginx -c /app/nginx.conf -g 'daemon off;'`, also as one line of a shell. */
const commandOf = (container: Container): { program: string; options: string[]; main: string | null } => {
  const words = [...container.entrypoint, ...container.command].flatMap((word) => word.split(/\s+/));
  const program = words.find((word) => PROGRAM.test(word)) ?? 'nginx';
  const main = words[words.indexOf('-c') + 1];
  const given = words.includes('-c') && main?.startsWith('/') ? main : null;
  return { program, options: given === null ? [] : ['-c', given], main: given };
};

/** By the archive API, which needs no program in the image; where it fails, nginx prints its files itself. */
const readFiles = async (
  container: Container,
  main: string | null,
  command: string[],
  given: Gathering,
): Promise<{ files: Map<string, string>; path: string }> => {
  for (const path of main === null ? USUAL_FILES : [main]) {
    const folder = path.replace(/\/[^/]*$/, '') || '/';
    const files = await readFolder(container, main === null ? folder : path, given);
    if (files === 'unknown') break;
    if (!files?.has(path)) continue;
    if (main !== null) addAll(files, await readFolder(container, folder === '/' ? path : folder, given));
    await followIncludes(files, path, container, given);
    const { servers, missing } = parseNginx(files, path);
    // Debian's way to switch a site on is a symbolic link, which an archive does not follow.
    const links =
      missing.some((each) => each.path.includes('/sites-enabled/')) && [...files.keys()].some((file) => file.includes('/sites-available/'));
    if (servers.length > 0 && !links) return { files, path };
    break;
  }
  return dump(container, command, given);
};

/** Text files below a folder of the container. `null`: no such folder; `unknown`: not to be had this way. */
const readFolder = async (container: Container, path: string, given: Gathering): Promise<Map<string, string> | null | 'unknown'> => {
  try {
    const tree = await given.engine.readTree(container.id, path, { signal: given.signal });
    if (tree === null) return null;
    return new Map(
      [...tree]
        .filter(([, content]) => content.length <= FILE_BYTES && !content.includes(0))
        .map(([file, content]) => [file, content.toString('utf8')]),
    );
  } catch (error) {
    // 500 `path escapes from parent`: a mount whose target is a symbolic link in the image. It says nothing about the file.
    if (error instanceof EngineError && !given.signal.aborted) return 'unknown';
    throw error;
  }
};

const addAll = (files: Map<string, string>, more: Map<string, string> | null | 'unknown'): void => {
  if (more instanceof Map) for (const [path, text] of more) files.set(path, text);
};

/** Files that lie elsewhere than beside the main one. */
const followIncludes = async (files: Map<string, string>, main: string, container: Container, given: Gathering): Promise<void> => {
  const asked = new Set<string>([main.replace(/\/[^/]*$/, '')]);
  for (let round = 0; round < INCLUDE_ROUNDS; round += 1) {
    const wanted = parseNginx(files, main).missing.map(({ path }) => (isGlob(path) ? path.replace(/\/[^/]*[*?[].*$/, '') : path));
    const left = [...new Set(wanted)].filter(
      (path) => path !== '' && ![...asked].some((folder) => path === folder || path.startsWith(`${folder}/`)),
    );
    if (left.length === 0) return;
    for (const path of left) {
      asked.add(path);
      addAll(files, await readFolder(container, path, given));
    }
  }
};

const FILE_HEADING = /^# configuration file (.+):$/m;

/** `nginx -T` prints every file of a valid configuration, each under its path. */
const dump = async (container: Container, command: string[], given: Gathering): Promise<{ files: Map<string, string>; path: string }> => {
  if (container.state.status !== 'running') throw new CannotLook(`no configuration of nginx was found in ${container.name}`);
  const printed = await runInside(container, [...command, '-T'], given);
  const [, ...parts] = (printed?.stdout ?? '').split(FILE_HEADING);
  const files = new Map<string, string>();
  // Each text begins with the line end of its heading, which is not the file's.
  for (let i = 0; i + 1 < parts.length; i += 2) files.set(parts[i]!, parts[i + 1]!.replace(/^\n/, ''));
  const [path] = files.keys();
  if (path === undefined) throw new CannotLook(`the configuration of nginx in ${container.name} could not be read`);
  return { files, path };
};

/** The master runs as root; it is the workers that open files and sockets. */
export const workerOf = (own: OwnProcess): Identity | null => {
  const processes = processesOf(own);
  return identityOf((processes.find(({ command }) => /worker process/.test(command)) ?? processes[0])?.pid ?? own.pid);
};

export interface NginxDoor {
  vantage: Vantage;
  tls: boolean;
  /** For the header: a name that the server goes by. */
  host: string;
}

/** How a server of nginx is asked: by the container's address, a published port, or at last from inside. */
export const doorOf = (server: NginxServer, container: Container, given: Gathering): NginxDoor | null => {
  const listen = server.listens.find((each) => !each.tls) ?? server.listens[0];
  if (!listen) return null;
  const { engine, stack } = given;
  const vantage =
    byAddress(engine, stack, container, listen.port) ??
    byPublishedPort(engine, container, listen.port) ??
    fromItself(engine, stack, container, listen.port);
  // A name that nginx compares as it stands, not a pattern or the `_` that stands for none; else one that the app behind it takes from everybody.
  const host = server.names.find((name) => /^[a-z0-9][a-z0-9.-]*$/i.test(name)) ?? 'localhost';
  return vantage && { vantage, tls: listen.tls, host };
};

export const askNginx = async ({ vantage, tls, host }: NginxDoor, path: string, pathFrom: string, given: Gathering): Promise<HttpTry> => ({
  ...(await askPath(vantage, { scheme: tls ? 'https' : 'http', path, host, headers: { 'accept-encoding': 'identity' } }, given)),
  pathFrom,
});
