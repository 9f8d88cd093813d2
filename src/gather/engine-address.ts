/** Which engine to talk to, as the docker CLI decides it. dockerode knows nothing of contexts. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../model/usage-error.ts';

export interface EngineAddress {
  /** As people write it: `unix:///var/run/docker.sock`, `tcp://host:2376`. */
  host: string;
  /** What decided: `DOCKER_HOST`, `context colima`, `default socket`. */
  source: string;
  socketPath: string | null;
  hostname: string | null;
  port: number | null;
  tls: { ca?: Buffer; cert?: Buffer; key?: Buffer; verify: boolean } | null;
}

type Environment = Record<string, string | undefined>;

export const configFolder = (env: Environment): string => env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker');

const DEFAULT_SOCKET = process.platform === 'win32' ? 'npipe:////./pipe/docker_engine' : 'unix:///var/run/docker.sock';

/** `--context` beats `DOCKER_HOST`, which beats `DOCKER_CONTEXT`, which beats the context in use. */
export const findEngine = async (context: string | null, env: Environment): Promise<EngineAddress> => {
  // Of the name `default`, docker means what it would use without contexts.
  if ((!context || context === 'default') && env['DOCKER_HOST'])
    return addressOf(env['DOCKER_HOST'], 'DOCKER_HOST', await tlsFromEnvironment(env));
  const name = context ?? (env['DOCKER_CONTEXT'] || (await currentContext(env)));
  if (!name || name === 'default') return addressOf(DEFAULT_SOCKET, 'default socket', null);
  return contextNamed(name, env);
};

/** Where engines of one's own listen that need no context: Docker Desktop, OrbStack, Colima, Rancher Desktop, rootless Docker, Podman. */
const usualSockets = (env: Environment): string[] => {
  const home = env['HOME'];
  const run = env['XDG_RUNTIME_DIR'];
  return [
    ...(home
      ? ['.docker/run/docker.sock', '.orbstack/run/docker.sock', '.colima/default/docker.sock', '.rd/docker.sock'].map((path) =>
          join(home, path),
        )
      : []),
    ...(run ? [join(run, 'docker.sock'), join(run, 'podman/podman.sock')] : []),
    ...(process.platform === 'linux' ? ['/run/podman/podman.sock'] : []),
  ];
};

/** Other engines of this machine: every context but the one in use, the default socket, and the usual sockets that exist. */
export const otherEngines = async (used: EngineAddress, env: Environment): Promise<EngineAddress[]> => {
  const { readdir, stat } = await import('node:fs/promises');
  const metas = join(configFolder(env), 'contexts', 'meta');
  const folders = await readdir(metas).catch(() => []);
  const names = await Promise.all(folders.map((folder) => readJson<ContextMeta>(join(metas, folder, 'meta.json'))));
  const contexts = await Promise.all(names.flatMap((meta) => (meta?.Name ? [contextNamed(meta.Name, env).catch(() => null)] : [])));
  const sockets = await Promise.all(
    usualSockets(env).map(async (path) =>
      (await stat(path).catch(() => null))?.isSocket() ? addressOf(`unix://${path}`, `socket ${path}`, null) : null,
    ),
  );
  const all = [addressOf(DEFAULT_SOCKET, 'default socket', null), ...[...contexts, ...sockets].filter((each) => each !== null)];
  return all.filter((each, index) => each.host !== used.host && all.findIndex((other) => other.host === each.host) === index);
};

interface ContextMeta {
  Name?: string;
  Endpoints?: { docker?: { Host?: string; SkipTLSVerify?: boolean } };
}

const currentContext = async (env: Environment): Promise<string | null> => {
  const config = await readJson<{ currentContext?: unknown }>(join(configFolder(env), 'config.json'));
  return typeof config?.currentContext === 'string' ? config.currentContext : null;
};

const contextNamed = async (name: string, env: Environment): Promise<EngineAddress> => {
  const id = createHash('sha256').update(name).digest('hex');
  const folder = join(configFolder(env), 'contexts');
  const meta = await readJson<ContextMeta>(join(folder, 'meta', id, 'meta.json'));
  const endpoint = meta?.Endpoints?.docker;
  if (!endpoint?.Host) throw new UsageError(`context "${name}" is not known to docker: see \`docker context ls\``);
  const read = (file: string) => readFile(join(folder, 'tls', id, 'docker', file)).catch(() => undefined);
  const [ca, cert, key] = await Promise.all([read('ca.pem'), read('cert.pem'), read('key.pem')]);
  const tls = ca || cert || key ? { verify: !endpoint.SkipTLSVerify, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) } : null;
  return addressOf(endpoint.Host, `context ${name}`, tls);
};

const tlsFromEnvironment = async (env: Environment): Promise<EngineAddress['tls']> => {
  const folder = env['DOCKER_CERT_PATH'];
  if (!env['DOCKER_TLS_VERIFY'] && !folder) return null;
  const read = (file: string) => readFile(join(folder ?? configFolder(env), file)).catch(() => undefined);
  const [ca, cert, key] = await Promise.all([read('ca.pem'), read('cert.pem'), read('key.pem')]);
  return { verify: Boolean(env['DOCKER_TLS_VERIFY']), ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
};

/** Errors: `UsageError` for an address that is none. */
export const addressOf = (host: string, source: string, tls: EngineAddress['tls']): EngineAddress => {
  const none = { host: withoutPassword(host), source, socketPath: null, hostname: null, port: null, tls };
  const pipe = /^(?:unix|npipe):\/\/(.+)$/.exec(host);
  if (pipe) return { ...none, socketPath: pipe[1]!, tls: null };
  const written = host.includes('://') || /^(unix|npipe|fd|tcp|ssh|https?):/.test(host) ? host : `tcp://${host}`;
  const url = URL.canParse(written) ? new URL(written) : null;
  if (!url || !['tcp:', 'http:', 'https:', 'ssh:'].includes(url.protocol) || !url.hostname) {
    throw new UsageError(`${source} is "${withoutPassword(host)}": expected unix:///path, tcp://host:port or ssh://host`);
  }
  if (url.protocol === 'ssh:') return { ...none, hostname: url.hostname };
  const secure = tls ?? (url.protocol === 'https:' || url.port === '2376' ? { verify: true } : null);
  // `URL` drops the port that is the default of HTTP.
  const port = Number(/:(\d+)\/?$/.exec(written)?.[1] ?? (secure ? 2376 : 2375));
  return { ...none, hostname: url.hostname.replace(/^\[|\]$/g, ''), port, tls: secure };
};

const withoutPassword = (host: string): string => host.replace(/(:\/\/[^:@/]*):[^@/]*@/, '$1@');

const readJson = async <T>(path: string): Promise<T | null> => {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch {
    return null;
  }
};
