/** What a container is made of, while a service that should run has none: its image, what is built, a free name, the files that it mounts. */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative } from 'node:path';
import type { DeclaredSource, Fact, FileLine, MakingFact, ProjectFact } from '../model/facts.ts';
import { shouldRun, spokenBy, type Service, type ServiceSpec } from '../model/stack.ts';
import { shownPath } from './compose-files.ts';
import type { ComposeLines, Entry } from './compose-lines.ts';
import { copyOf, builtStages, ignoredBy, plainSources, stagesOf, type Stage } from './dockerfile.ts';
import { EngineError } from './engine-client.ts';
import type { Gathering, ServiceGatherer } from './gathering.ts';
import { onThisMachine, statNow } from './host-files.ts';
import { commandOf, probeOf, scriptOfService } from './making-program.ts';
import { isAkin, isUsed } from './mounts.ts';
import { sharersOf } from './volume-sharers.ts';

const MOST_MISSING = 10;

export const gatherMaking: ServiceGatherer<'making'> = async (service, given) => {
  if (service.containers.length > 0) return null;
  const project = await given.fact('project');
  const services = (project.ok ? project.value.services : null) ?? [];
  const spec = services.find((each) => each.name === service.name);
  if (!project.ok || !spec || !isWanted({ ...service, spec }, given)) return null;
  const engine = await given.fact('engine');
  // The containers are on another engine: what happens here is nothing to them.
  if (engine.ok && (engine.value.elsewhere?.containers ?? 0) > 0) return null;
  const isUp = engine.ok && engine.value.state === 'ok';
  const lines = await linesFor(project.value);
  const [image, nameTakenBy, made, twins, sharers] = await Promise.all([
    imageOf(spec.image ?? `${project.value.name}-${service.name}`, isUp ? given : null),
    spec.containerName && isUp ? ownerOf(spec.containerName, given) : null,
    spec.build ? buildOf(spec.build, project.value.workingDir, spec.build.inline ? inlineOf(spec, lines) : null) : null,
    isUp ? twinsOf(spec, project.value.name, given) : null,
    isUp && spokenBy(service.role) !== null ? sharersOf(spec.mounts, project.value.name, given) : [],
  ]);
  const scene = { spec, project: project.value, lines, stages: made?.stages ?? null, context: made?.build.context ?? null };
  return {
    image,
    nameTakenBy,
    build: made?.build ?? null,
    lines: linesOf(spec, lines),
    sources: isLocal(given) ? sourcesOf(spec, services, project.value, lines) : [],
    script: scriptOfService(scene, image?.here === true),
    probe: probeOf(scene, image?.here === true),
    command: masked(commandOf(scene), given),
    twins: twins?.twins ?? [],
    newVolumes: twins?.absent ?? null,
    sharers,
  };
};

const masked = (words: string[] | null, { vault }: Gathering): string[] | null => words && vault.maskArguments(words);

/** While nothing runs at all, also what runs once: `docker compose up` starts it. (The early stack knows only services with containers.) */
const isWanted = (service: Service & { spec: ServiceSpec }, { stack }: Gathering): boolean =>
  shouldRun(service) || (stack.services.length === 0 && service.spec.active && service.spec.replicas > 0);

const isLocal = ({ engine }: Gathering): boolean => /^(unix|npipe):/.test(engine.host);

/** Read once for all services. */
const read = new WeakMap<ProjectFact, Promise<ComposeLines>>();

const linesFor = (project: ProjectFact): Promise<ComposeLines> => {
  const known = read.get(project) ?? linesOfFiles(project);
  read.set(project, known);
  return known;
};

const linesOfFiles = async ({ files, workingDir }: ProjectFact): Promise<ComposeLines> => {
  const { readComposeLines } = await import('./compose-lines.ts');
  return readComposeLines(files, workingDir);
};

const linesOf = (spec: ServiceSpec, lines: ComposeLines): Record<string, FileLine> => {
  const found: Record<string, FileLine> = {};
  const note = (name: string, at: FileLine | null) => {
    if (at) found[name] = at;
  };
  for (const key of ['image', 'build', 'container_name', 'healthcheck', 'command', 'entrypoint'])
    if (lines.has(spec.name, key)) note(key, lines.find(spec.name, key));
  note('service', lines.find(spec.name, null));
  for (const { hostPort } of spec.ports) if (hostPort > 0) note(`ports ${hostPort}`, lines.find(spec.name, 'ports', publishes(hostPort)));
  for (const { destination } of spec.mounts) note(`volumes ${destination}`, lines.find(spec.name, 'volumes', mountsAt(destination)));
  for (const on of Object.keys(spec.dependsOn))
    note(
      `depends_on ${on}`,
      lines.find(spec.name, 'depends_on', ({ key, text }) => key === on || text === on),
    );
  for (const key of Object.keys(spec.environment)) {
    const isKey = (entry: Entry) =>
      entry.key === key || (entry.key === null && (entry.text === key || entry.text?.startsWith(`${key}=`) === true));
    if (lines.has(spec.name, 'environment')) note(`environment ${key}`, lines.find(spec.name, 'environment', isKey));
  }
  return found;
};

const publishes =
  (port: number) =>
  ({ text, field }: Entry): boolean =>
    field('published') === String(port) || new RegExp(`(?:^|:|-)${port}(?:-\\d+)?:\\d`).test(text ?? '');

const mountsAt =
  (destination: string) =>
  ({ text, field }: Entry): boolean =>
    field('target') === destination || text === destination || new RegExp(`:${escaped(destination)}/?(?::|$)`).test(text ?? '');

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

const imageOf = async (ref: string, given: Gathering | null): Promise<MakingFact['image']> => {
  if (given === null) return { ref, here: null };
  return given.engine
    .get(`/images/${encodeURIComponent(ref)}/json`, {}, given.signal)
    .then(() => ({ ref, here: true }))
    .catch((error: unknown) => {
      if (error instanceof EngineError && error.status === 404) return { ref, here: false };
      throw error;
    });
};

/** Names of containers are of the whole engine, not of the project. */
const ownerOf = async (name: string, { engine, signal, stack }: Gathering): Promise<MakingFact['nameTakenBy']> => {
  const rows = await engine.get<{ Names: string[]; State: string; Labels?: Record<string, string> }[]>(
    '/containers/json',
    { all: true, filters: JSON.stringify({ name: [`^/${name.replace(/[.+]/g, '\\$&')}$`] }) },
    signal,
  );
  const row = rows.find((each) => each.Names.includes(`/${name}`));
  const project = row?.Labels?.['com.docker.compose.project'] ?? null;
  return row && project !== stack.project ? { container: name, project, status: row.State } : null;
};

type Build = NonNullable<ServiceSpec['build']>;
interface Made {
  build: NonNullable<MakingFact['build']>;
  /** What the build makes, the wanted stage first; `null`: not read, or the target is not there. */
  stages: { all: Stage[]; built: Stage[]; file: string } | null;
}

interface DockerfileText {
  text: string;
  shown: string;
}

/** A Dockerfile that stands in the compose file, its lines those of that file. A variable stays one: nobody knows what it holds. */
const inlineOf = (spec: ServiceSpec, lines: ComposeLines): DockerfileText | null => {
  const entry: { found: Entry | null } = { found: null };
  const at = lines.find(spec.name, 'build', (each) => each.key === 'dockerfile_inline' && Boolean((entry.found = each)));
  const { text, begins } = entry.found ?? {};
  return at && text && begins ? { text: '\n'.repeat(begins - 1) + text.replaceAll('$$', '$'), shown: at.file } : null;
};

/** `null`: neither here to read, nor to be said to be missing. */
const buildOf = async (
  { context, dockerfile, inline, target }: Build,
  workingDir: string,
  written: DockerfileText | null,
): Promise<Made | null> => {
  // A URL, or a Dockerfile in the compose file that is not where one would look for it.
  if (!isAbsolute(context) || (inline && !written)) return null;
  const folder = onThisMachine(context);
  const file = isAbsolute(dockerfile) ? onThisMachine(dockerfile) : join(folder, dockerfile);
  const contextExists = statNow(folder)?.isDirectory() ?? false;
  const text = written?.text ?? (contextExists ? await readFile(file, 'utf8').catch(() => null) : null);
  const all = text === null ? [] : stagesOf(text);
  const built = builtStages(all, target ?? null);
  const shown = written?.shown ?? shownPath(file, workingDir);
  return {
    build: {
      context,
      contextExists,
      dockerfile,
      dockerfileExists: text !== null,
      file: shown,
      missing: built && contextExists ? await missingIn(built, folder, file, workingDir) : [],
    },
    stages: built && built.length > 0 ? { all, built, file: shown } : null,
  };
};

const missingIn = async (
  stages: readonly Stage[],
  folder: string,
  file: string,
  workingDir: string,
): Promise<NonNullable<MakingFact['build']>['missing']> => {
  const copied = stages.flatMap(({ instructions }) =>
    instructions.flatMap((each) => {
      const copy = copyOf(each);
      return copy ? plainSources(copy).map((source) => ({ line: copy.line, source })) : [];
    }),
  );
  if (copied.length === 0) return [];
  const ignore = await ignoreFileOf(folder, file);
  return copied
    .flatMap(({ line, source }) => {
      if (isMissing(folder, source)) return [{ line, source }];
      const by = ignore && ignoredBy(source, ignore.text);
      return ignore && by !== null ? [{ line, source, ignoredAt: { file: shownPath(ignore.file, workingDir), line: by } }] : [];
    })
    .toSorted((a, b) => a.line - b.line)
    .slice(0, MOST_MISSING);
};

/** One of the Dockerfile's own comes before that of the context. */
const ignoreFileOf = async (folder: string, dockerfile: string): Promise<{ file: string; text: string } | null> => {
  for (const file of [`${dockerfile}.dockerignore`, join(folder, '.dockerignore')]) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text !== null) return { file, text };
  }
  return null;
};

const isMissing = (folder: string, source: string): boolean => {
  const path = join(folder, source);
  return relative(folder, path).startsWith('..') || statNow(path) === null;
};

const sourcesOf = (spec: ServiceSpec, services: readonly ServiceSpec[], project: ProjectFact, lines: ComposeLines): DeclaredSource[] => {
  const binds = spec.mounts.filter(({ type, source }) => type === 'bind' && isAbsolute(onThisMachine(source)));
  const mounted = binds.map((mount): DeclaredSource => ({
    of: 'volume',
    source: mount.source,
    destination: mount.destination,
    ...kindOf(mount.source),
    readOnly: mount.readOnly,
    isMade: !lines.hasEntry(
      spec.name,
      'volumes',
      (entry) => mountsAt(mount.destination)(entry) && entry.field('bind', 'create_host_path') === 'false',
    ),
    near: isNear(mount.source, project.workingDir),
    writer: writerOf(mount.source, spec, services),
    at: lines.find(spec.name, 'volumes', mountsAt(mount.destination)),
  }));
  const files = (spec.files ?? []).map((each): DeclaredSource => ({
    of: each.of,
    source: each.source,
    destination: each.name,
    ...kindOf(each.source),
    readOnly: true,
    isMade: false,
    near: isNear(each.source, project.workingDir),
    writer: writerOf(each.source, spec, services),
    at: lines.top(`${each.of}s`, each.name),
  }));
  return [...mounted, ...files];
};

const kindOf = (source: string): Pick<DeclaredSource, 'kind' | 'empty'> => {
  const path = onThisMachine(source);
  const stat = statNow(path);
  if (!stat) return { kind: 'missing', empty: null };
  if (!stat.isDirectory()) return { kind: stat.isFile() ? 'file' : 'other', empty: null };
  try {
    return { kind: 'folder', empty: readdirSync(path).length === 0 };
  } catch {
    return { kind: 'folder', empty: null };
  }
};

/** Other paths may be of a virtual machine that the engine runs in. The folder above holds the project's neighbours, unless it is the root. */
const isNear = (path: string, workingDir: string): boolean => {
  const above = dirname(workingDir);
  return [workingDir, ...(dirname(above) === above ? [] : [above])].some((folder) => path.startsWith(`${folder}/`));
};

/** A service that mounts a folder above it, and may write there: it may make what is missing before this one starts. */
const writerOf = (source: string, spec: ServiceSpec, services: readonly ServiceSpec[]): string | null =>
  services.find(
    (other) =>
      other.name !== spec.name &&
      other.mounts.some((mount) => mount.type === 'bind' && !mount.readOnly && source.startsWith(`${mount.source.replace(/\/$/, '')}/`)),
  )?.name ?? null;

/** A project that was renamed begins with empty volumes; the full ones lie beside them. */
const twinsOf = async (
  { mounts }: ServiceSpec,
  project: string,
  given: Gathering,
): Promise<{ twins: NonNullable<MakingFact['twins']>; absent: string[] } | null> => {
  const named = mounts.filter(({ type, source }) => type === 'volume' && source !== '');
  if (named.length === 0) return { twins: [], absent: [] };
  const volumes: Fact<{ name: string; composeName: string | null; project: string | null; createdAt: string | null }[]> =
    await given.fact('volumes');
  if (!volumes.ok) return null;
  const absent = named.map(({ source }) => source).filter((name) => volumes.value.every((each) => each.name !== name));
  const found = absent.flatMap((volume) =>
    volumes.value.flatMap((each) =>
      each.composeName !== null &&
      volume === `${project}_${each.composeName}` &&
      each.project !== null &&
      each.createdAt !== null &&
      each.project !== project &&
      isAkin(each.project, project)
        ? [{ volume, other: each.name, project: each.project, createdAt: each.createdAt }]
        : [],
    ),
  );
  const used = await Promise.all(found.slice(0, 8).map(({ other }) => isUsed(other, given)));
  return { twins: found.filter((_, index) => used[index] === false), absent };
};
