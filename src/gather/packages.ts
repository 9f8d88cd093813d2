/** A package that the code asked for in vain: who asks for it, and what lies over the folder in which it should be. */
import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { LogLine, PackagesFact } from '../model/facts.ts';
import { crashIn } from '../model/crash.ts';
import { keepsFailing } from '../model/crash-loop.ts';
import type { Container, Service } from '../model/stack.ts';
import { CannotLook, type Gathering, type ServiceGatherer } from './gathering.ts';
import { hostPathOf, onThisMachine, sharesFiles, statNow } from './host-files.ts';

export const gatherPackages: ServiceGatherer<'packages'> = async (service, given) => {
  if (service.containers.length === 0 || ['postgres', 'redis', 'nginx', 'haproxy', 'build-only'].includes(service.role)) return null;
  const logs = await given.fact('logs', service);
  if (!logs.ok) throw new CannotLook(logs.reason, { timedOut: logs.timedOut });
  const container = service.containers.find((each) => each.name === logs.value.container);
  const missing = container && missingIn(logs.value.lines, container);
  if (!missing) return null;
  const shared = await sharesFiles(given.engine, given.stack, container);
  if (shared && isOwnCode(missing, container)) return null;
  const folder = packageFolder(missing, container);
  const [manifest, images, volume] = await Promise.all([
    manifestOf(missing, service, given),
    given.fact('images'),
    volumeOver(folder, container, given),
  ]);
  const image = images.ok ? images.value.find((each) => each.ref === container.image && each.id === container.imageId) : undefined;
  return {
    container: container.name,
    language: missing.language,
    name: missing.name,
    line: missing.line,
    manifest,
    imageCreatedAt: image?.createdAt ?? null,
    volume,
    hiddenBy: shared && folder !== null && volume === null && isMadeThere(missing, container) ? hiddenBy(folder, container) : null,
  };
};

type Missing = Pick<PackagesFact, 'language' | 'name' | 'line'>;

const PYTHON = /No module named '?([A-Za-z_]\w*)/;
const NODE = /Cannot find (?:module|package) '((?:@[\w.-]+\/)?[\w.-]+)(?:\/[^']*)?'/;
/** A tool of the packages' own folder, called by a script of package.json. */
const NODE_TOOL = /^(?:sh: )?(?:line )?(?:\d+: )?([\w.-]+): (?:command )?not found$/;

/** Of a program that failed, at the end of its log; of one that runs, in its newest load. */
const missingIn = (lines: readonly LogLine[], container: Container): Missing | null => {
  const line = keepsFailing(container)
    ? lines.slice(-60).findLast(({ text }) => nameIn(text, container) !== null)?.text
    : crashIn(lines)?.error;
  return line === undefined ? null : nameIn(line, container);
};

const nameIn = (text: string, container: Container): Missing | null => {
  const python = /ModuleNotFoundError|ImportError|No module named/.test(text) ? PYTHON.exec(text)?.[1] : undefined;
  if (python) return { language: 'python', name: python, line: text };
  const node = NODE.exec(text)?.[1] ?? (runsNode(container) ? NODE_TOOL.exec(text)?.[1] : undefined);
  return node && !node.startsWith('.') ? { language: 'node', name: node, line: text } : null;
};

const runsNode = ({ entrypoint, command }: Container): boolean =>
  /\b(npm|npx|pnpm|yarn|bun|node)\b/.test([...entrypoint, ...command].join(' '));

/** A module of the project itself, looked for in the wrong place, is no package. */
const isOwnCode = ({ name, language }: Missing, container: Container): boolean => {
  if (language !== 'python') return false;
  const folders = [container.workingDir, ...(container.env['PYTHONPATH'] ?? '').split(':')].filter((folder) => folder.startsWith('/'));
  return folders.some((folder) => {
    const here = hostPathOf(container, folder);
    return here !== null && [name, `${name}.py`, `src/${name}`].some((entry) => statNow(join(here, entry)) !== null);
  });
};

/** Where packages of the language lie in such a container, if it says so: Python has an environment beside the code only where somebody made one. */
const packageFolder = ({ language }: Missing, { workingDir, env }: Container): string | null => {
  if (language === 'node') return posix.join(workingDir, 'node_modules');
  const beside = posix.join(workingDir, '.venv');
  const isOnPath = (env['PATH'] ?? '').split(':').includes(`${beside}/bin`);
  return env['VIRTUAL_ENV'] ?? env['UV_PROJECT_ENVIRONMENT'] ?? (isOnPath ? beside : null);
};

const SITE_PACKAGES = /\/(site-packages|dist-packages|\.?venv|node_modules)$/;

const volumeOver = async (folder: string | null, container: Container, given: Gathering): Promise<PackagesFact['volume']> => {
  const mount = container.mounts.find(
    ({ type, destination }) =>
      type === 'volume' && (destination === folder || folder?.startsWith(`${destination}/`) === true || SITE_PACKAGES.test(destination)),
  );
  if (!mount) return null;
  const volumes = await given.fact('volumes');
  const volume = volumes.ok ? volumes.value.find((each) => each.name === mount.source) : undefined;
  return {
    name: mount.source,
    destination: mount.destination,
    anonymous: volume?.anonymous ?? /^[0-9a-f]{64}$/.test(mount.source),
    createdAt: volume?.createdAt ?? null,
  };
};

/** Node looks nowhere else; a Python environment inside the app's folder is one of several ways, and its image says so. */
const isMadeThere = ({ language }: Missing, { env }: Container): boolean =>
  language === 'node' || env['VIRTUAL_ENV'] !== undefined || env['UV_PROJECT_ENVIRONMENT'] !== undefined;

/** The image's folder of packages lies under a bind mount whose source has none. */
const hiddenBy = (folder: string, container: Container): PackagesFact['hiddenBy'] => {
  const here = hostPathOf(container, folder);
  const mount = container.mounts.find(({ type, destination }) => type === 'bind' && folder.startsWith(`${destination}/`));
  return here !== null && mount && statNow(here) === null ? { destination: mount.destination, source: mount.source, folder } : null;
};

const MANIFESTS = {
  python: [
    'pyproject.toml',
    'requirements.txt',
    'requirements-dev.txt',
    'requirements/base.txt',
    'Pipfile',
    'setup.py',
    'setup.cfg',
    'uv.lock',
  ],
  node: ['package.json'],
};

const manifestOf = async ({ language, name }: Missing, service: Service, given: Gathering): Promise<PackagesFact['manifest']> => {
  const project = await given.fact('project');
  const spec = project.ok ? project.value.services?.find((each) => each.name === service.name) : undefined;
  if (!spec?.build?.context.startsWith('/')) return null;
  const folder = onThisMachine(spec.build.context);
  const asks = new RegExp(`(?<![\\w-])${name.replace(/[.+/@-]/g, '\\$&').replace(/_|\\-/g, '[-_.]')}(?![\\w-])`, 'i');
  for (const file of MANIFESTS[language]) {
    const text = await readFile(join(folder, file), 'utf8').catch(() => null);
    const stat = text !== null && asks.test(text) ? statNow(join(folder, file)) : null;
    if (stat) return { file: join(spec.build.context, file), modifiedAt: stat.mtime.toISOString() };
  }
  return null;
};
