/** What can be told of this folder and its stack without a diagnosis: the checks that apply, the graph, a first configuration, what the files say. */
import type { ConfigFile } from './config/find.ts';
import type { Loaded } from './config/load.ts';
import type { ProjectOptions, ProjectPlace } from './gather/compose-files.ts';
import type { Check } from './model/check.ts';
import type { EngineFact, Fact, FactSource, ProjectFact } from './model/facts.ts';
import { graphOf, type Graph } from './model/graph.ts';
import { instancesOf } from './model/selection.ts';
import type { ServiceSpec, Stack } from './model/stack.ts';
import { ConfigError, UsageError } from './model/usage-error.ts';
import { checksWith, configIn, openSource, refuseContradicting, refuseEmpty, type DoctorOptions, type Hooks, type Opened } from './open.ts';
import type { RunbookChoice } from './runbook/prescribe.ts';
import { timeLimit } from './time-limit.ts';

export interface Listing {
  checks: { id: string; title: string; question: string; findings: string[]; appliesTo: string[] }[];
  services: { name: string; role: string; reason: string }[];
  /** Why the list knows no services, when it does not. */
  note: string | null;
}

/** Every check, and where it applies here. Works without an engine, and then says so. Errors: `UsageError` for a wrong configuration. */
export const listChecks = async (options: DoctorOptions, hooks: Hooks): Promise<Listing> => {
  const { stack, note, loaded } = await stackHere(options, hooks);
  const checks = checksWith(loaded, (await import('./checks/index.ts')).checks);
  const instances = stack ? instancesOf(stack, checks) : [];
  const ids = [...new Set(checks.map((check) => check.id))];
  return {
    checks: ids.map((id) => {
      const same = checks.filter((check) => check.id === id);
      return {
        id,
        title: same[0]!.title,
        question: same[0]!.question,
        findings: same.flatMap((check) => Object.keys(check.findings).map((reason) => `${id}/${reason}`)),
        appliesTo: [...new Set(instances.filter(({ check }) => check.id === id).flatMap(({ service }) => service?.name ?? []))],
      };
    }),
    services: stack?.services.map(({ name, role, roleReason }) => ({ name, role, reason: roleReason })) ?? [],
    note,
  };
};

export interface FilesHere {
  /** The project's folder; without a project, the current one. */
  folder: string;
  /** The project's name; `''` without a project. */
  name: string;
  /** `null`: there are no compose files, or they do not load. */
  services: ServiceSpec[] | null;
  /** Relative to the folder. */
  composeFiles: string[];
  /** Why there are no services. */
  note: string | null;
}

type PlaceOptions = Pick<DoctorOptions, keyof ProjectOptions>;

/** `null`: there is no project here. Errors: `UsageError` for files or folders that the user named. */
const placeHere = async (options: PlaceOptions): Promise<ProjectPlace | null> => {
  const { findProject } = await import('./gather/compose-files.ts');
  return findProject(options).catch((error: unknown) => {
    if (options.files.length > 0 || options.projectDirectory !== null || !(error instanceof UsageError)) throw error;
    return null;
  });
};

/** What the compose files of this folder say. No engine is asked. Errors: `UsageError` for files or folders that the user named. */
export const filesHere = async (options: PlaceOptions, signal: AbortSignal): Promise<FilesHere> => {
  const place = await placeHere(options);
  if (place === null) return { folder: options.cwd, name: '', services: null, composeFiles: [], note: 'there is no compose file here' };
  const { gatherProjectAlone } = await import('./gather/project.ts');
  const { name, services, files, error } = await gatherProjectAlone(place, options.env, signal);
  const said = error ? `the compose files do not load: ${error.message}` : 'there is no compose file here';
  return { folder: place.workingDir, name, services, composeFiles: files, note: services ? null : said };
};

export interface Drawing {
  stack: Pick<Stack, 'project' | 'workingDir' | 'composeFiles'>;
  graph: Graph;
  /** What could not be looked at, so that connections may be missing. */
  notes: string[];
}

/** Every connection of the stack, with no check asked. Errors: `UsageError` for no project, and for an empty one. */
export const drawGraph = async (options: DoctorOptions, hooks: Hooks): Promise<Drawing> => {
  const { source } = await openSource(options, timeLimit(options.timeoutMs, hooks.signal));
  try {
    const stack = await source.stack();
    await refuseEmpty(stack, source);
    const [engine, containers, project] = (await Promise.all([
      source.fact('engine'),
      source.fact('containers'),
      source.fact('project'),
    ])) as [Fact<EngineFact>, Fact<unknown>, Fact<ProjectFact>];
    const up = engine.ok && engine.value.state === 'ok';
    const notes = [
      ...(up ? [] : ['the Docker Engine does not answer: only what the compose files declare is known']),
      ...(up && !containers.ok ? [`the containers could not be looked at: ${containers.reason}`] : []),
      ...(project.ok ? [] : [`the compose files could not be read: ${project.reason}`]),
      ...(project.ok && project.value.error ? [`the compose files do not load: ${project.value.error.message}`] : []),
    ];
    const { project: name, workingDir, composeFiles } = stack;
    return { stack: { project: name, workingDir, composeFiles }, graph: graphOf(stack), notes };
  } finally {
    source.close();
  }
};

const whyUnseen = async (source: FactSource): Promise<string> => {
  const project = (await source.fact('project')) as Fact<ProjectFact>;
  const why = project.ok ? (project.value.error?.message ?? 'they declare no service') : project.reason;
  return `no service of this stack can be seen: the compose files do not tell (${why}), and no container of it was found`;
};

/** A `doctor.yaml` to begin with, and where it belongs. Errors: `UsageError` for no project, an empty one, and a configuration that is there. */
export const draftConfig = async (options: DoctorOptions, hooks: Hooks): Promise<{ file: ConfigFile; text: string; services: number }> => {
  const { openLive } = await import('./gather/live.ts');
  let found: ConfigFile | null = null;
  const source = await openLive(options, timeLimit(options.timeoutMs, hooks.signal), async (folder) => {
    found = await (await import('./config/find.ts')).newConfig(options.config, options.cwd, folder);
    return { settings: {}, own: {} };
  });
  try {
    const stack = await source.stack();
    await refuseEmpty(stack, source);
    if (stack.services.length === 0) throw new UsageError(await whyUnseen(source));
    const nextYear = String(Number(source.startedAt.slice(0, 4)) + 1);
    const { draftOf } = await import('./config/draft.ts');
    return { file: found!, text: draftOf(stack, nextYear), services: stack.services.length };
  } finally {
    source.close();
  }
};

const stackHere = async (
  options: DoctorOptions,
  hooks: Hooks,
): Promise<{ stack: Stack | null; note: string | null; loaded: Loaded | null }> => {
  let opened: Opened | null = null;
  try {
    opened = await openSource(options, timeLimit(options.timeoutMs, hooks.signal));
    const { source, loaded } = opened;
    const stack = await source.stack();
    if (loaded) await refuseContradicting(loaded, stack, source);
    const engine = (await source.fact('engine')) as Fact<EngineFact>;
    const up = engine.ok && engine.value.state === 'ok';
    return {
      stack: stack.services.length > 0 ? stack : null,
      note: up ? null : 'the Docker Engine does not answer: only what the compose files declare is known',
      loaded,
    };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    return { stack: null, note: (error as Error).message, loaded: null };
  } finally {
    opened?.source.close();
  }
};

/** Every check that a run here would have, and the runbooks that it would take. */
export interface Reference {
  checks: Check[];
  choice: RunbookChoice;
}

/** Looks at no stack. Errors: `UsageError`. */
export const checksHere = async (options: DoctorOptions): Promise<Reference> => {
  const folder = (await placeHere(options))?.workingDir ?? options.cwd;
  const loaded = await configIn(options, folder);
  return {
    // Of ignores there is something to explain, whether there are any or not.
    checks: [...(await import('./checks/index.ts')).checks, ...(loaded?.checks ?? [])],
    choice: {
      runbook: options.runbook ?? loaded?.config.runbook ?? null,
      plugins: loaded?.runbooks ?? [],
      shippedRunbook: options.shippedRunbook,
      project: folder,
    },
  };
};
