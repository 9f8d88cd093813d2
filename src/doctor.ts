/** The whole story on one screen: facts → outcomes → root causes → report. */
import { evaluate, locate } from './evaluate.ts';
import { explain } from './explain/explain.ts';
import { reportOf } from './explain/report.ts';
import type { Status } from './model/check.ts';
import { isStackFact, type EngineFact, type Fact, type FactSource, type ProjectFact } from './model/facts.ts';
import { graphOf, type Graph } from './model/graph.ts';
import type { Report } from './model/report.ts';
import { instancesOf, select, type Instance } from './model/selection.ts';
import { running, type ServiceSpec, type Stack } from './model/stack.ts';
import { UsageError } from './model/usage-error.ts';
import type { ProjectOptions, ProjectPlace } from './gather/compose-files.ts';
import type { Recording } from './recording/recording.ts';
import type { RunbookChoice } from './runbook/prescribe.ts';
import { readText } from './runbook/read.ts';

export interface DoctorOptions {
  files: string[];
  projectName: string | null;
  projectDirectory: string | null;
  profiles: string[];
  envFiles: string[];
  context: string | null;
  /** `[]`: everything. */
  selectors: string[];
  /** The team's own runbook; `null`: what is found in the project, before the shipped one. */
  runbook: string | null;
  /** For the whole run, in milliseconds. */
  timeoutMs: number;
  cwd: string;
  env: Record<string, string | undefined>;
  /** Path of the RUNBOOK.md that comes with the package. */
  shippedRunbook: string;
  version: string;
  replay: Recording | null;
}

export type ProgressEvent = { kind: 'checks'; ids: string[] } | { kind: 'done'; id: string; status: Status };

export interface Hooks {
  signal: AbortSignal;
  onProgress(event: ProgressEvent): void;
}

export interface Diagnosis {
  report: Report;
  facts: Record<string, Fact<unknown>>;
  stats: { engineCalls: number; connections: number; factCount: number; slowest: { fact: string; ms: number }[]; asides: string[] };
  /** The deadline or a signal cut the run short. */
  cut: boolean;
}

/** Errors: `UsageError` for a wrong selector, runbook or project. */
export const diagnose = async (options: DoctorOptions, hooks: Hooks): Promise<Diagnosis> => {
  const begun = performance.now();
  const signal = AbortSignal.any([hooks.signal, AbortSignal.timeout(options.timeoutMs)]);
  // A runbook that cannot be read is told at once; no runbook is parsed before there is something to look up in it.
  const readable = options.runbook === null ? null : readText(options.runbook);
  readable?.catch(() => undefined);
  const source = await openSource(options, signal);
  try {
    // The checks are loaded while the engine answers.
    const early = source.early();
    early.catch(() => undefined);
    const { checks } = await import('./checks/index.ts');
    startLooking(instancesOf(await early, checks), source, options.selectors);
    await readable;
    const stack = await source.stack();
    await refuseEmpty(stack, source);
    const instances = instancesOf(stack, checks);
    const chosen = select(instances, options.selectors);
    hooks.onProgress({ kind: 'checks', ids: chosen.map(({ id }) => id) });
    const outcomes = await evaluate(chosen, instances, stack, source, (outcome) =>
      hooks.onProgress({ kind: 'done', id: outcome.id, status: outcome.status }),
    );
    const found = locate(outcomes, checks);
    const explanation = explain(found, outcomes, stack);
    const prescriber = found.length > 0 ? await (await import('./runbook/prescribe.ts')).prescriber(choiceOf(options, stack)) : null;
    const project = (await source.fact('project')) as Fact<ProjectFact>;
    const report = reportOf({
      tool: { name: 'stack-doctor', version: options.version },
      startedAt: source.startedAt,
      durationMs: Math.round(performance.now() - begun),
      stack,
      engine: await engineOf(source),
      outcomes,
      found,
      explanation,
      remedyFor: (located) => prescriber?.remedyFor(located, stack) ?? null,
      notes: [...pickedNote(project), ...filesNote(project), ...(signal.aborted ? [cutNote(hooks, options)] : [])],
    });
    const facts = await source.recorded();
    return { report, facts, stats: { ...statsOf(facts, source), asides: prescriber?.notes ?? [] }, cut: signal.aborted };
  } finally {
    source.close();
  }
};

/** The folder of a recording is one of another machine, or of another day. */
const choiceOf = ({ runbook, shippedRunbook, replay }: DoctorOptions, stack: Stack): RunbookChoice => ({
  runbook,
  shippedRunbook,
  project: replay ? null : stack.workingDir,
});

/** Nothing declared and nothing running is no healthy stack: somebody is in the wrong folder, or has the wrong name. */
const refuseEmpty = async (stack: Stack, source: FactSource): Promise<void> => {
  if (stack.services.length > 0) return;
  const [engine, project] = (await Promise.all([source.fact('engine'), source.fact('project')])) as [Fact<EngineFact>, Fact<ProjectFact>];
  if (!engine.ok || engine.value.state !== 'ok' || !project.ok || project.value.error) return;
  const where = project.value.files.length > 0 ? `${project.value.files.join(', ')} declares no service` : 'no compose file was found';
  throw new UsageError(`project "${stack.project}" is empty: ${where}, and ${engine.value.host} has no container of it`);
};

export interface Listing {
  checks: { id: string; title: string; question: string; findings: string[]; appliesTo: string[] }[];
  services: { name: string; role: string; reason: string }[];
  /** Why the list knows no services, when it does not. */
  note: string | null;
}

/** Every check, and where it applies here. Works without an engine, and then says so. */
export const listChecks = async (options: DoctorOptions, hooks: Hooks): Promise<Listing> => {
  const { checks } = await import('./checks/index.ts');
  const { stack, note } = await stackHere(options, hooks);
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

/** The project's folder; without a project, the current one. Errors: as of `filesHere`. */
export const folderHere = async (options: PlaceOptions): Promise<string> => (await placeHere(options))?.workingDir ?? options.cwd;

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
  const source = await openSource(options, AbortSignal.any([hooks.signal, AbortSignal.timeout(options.timeoutMs)]));
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

const stackHere = async (options: DoctorOptions, hooks: Hooks): Promise<{ stack: Stack | null; note: string | null }> => {
  try {
    const source = await openSource(options, AbortSignal.any([hooks.signal, AbortSignal.timeout(options.timeoutMs)]));
    try {
      const stack = await source.stack();
      const engine = (await source.fact('engine')) as Fact<EngineFact>;
      const up = engine.ok && engine.value.state === 'ok';
      return {
        stack: stack.services.length > 0 ? stack : null,
        note: up ? null : 'the Docker Engine does not answer: only what the compose files declare is known',
      };
    } finally {
      source.close();
    }
  } catch (error) {
    return { stack: null, note: (error as Error).message };
  }
};

const openSource = async (options: DoctorOptions, signal: AbortSignal): Promise<FactSource> =>
  options.replay
    ? (await import('./recording/replay.ts')).replayFacts(options.replay.facts, options.replay.recordedAt)
    : (await import('./gather/live.ts')).openLive(options, signal);

/** Looks begin as soon as the containers are known; judging waits for the compose files. */
const startLooking = (instances: Instance[], source: FactSource, selectors: readonly string[]): void => {
  let chosen: Instance[] = instances;
  try {
    chosen = select(instances, selectors);
  } catch {
    return; // May yet be a service that is only declared.
  }
  for (const { check, service } of chosen) {
    if (service && running(service).length === 0) continue;
    for (const need of check.needs) void (isStackFact(need) ? source.fact(need) : service && source.fact(need, service));
  }
};

/** Whom the answer is about, where nobody said so. */
const pickedNote = (project: Fact<ProjectFact>): string[] => {
  const picked = project.ok ? project.value.pickedBy : undefined;
  if (!project.ok || !picked) return [];
  const { name } = project.value;
  if (picked.by === 'only') return [`there is no compose file here: ${name} is the only project of this engine`];
  return picked.meant === null
    ? [`there is no compose file here: ${name} was started from this folder, or one beside it`]
    : [`no container of project ${picked.meant} exists: ${name} was started from this folder, under that name (\`-p ${name}\`)`];
};

/** What is not compared where nobody but Compose could say what the files mean. */
const filesNote = (project: Fact<ProjectFact>): string[] => {
  if (!project.ok || project.value.loadedBy === 'compose' || project.value.error) return [];
  return project.value.loadedBy === 'plain'
    ? [
        'there is no Compose CLI here: the files were read without it, and commands, entry points and values with a `$` left in them are not compared',
      ]
    : ['no compose file was read: the containers alone were looked at, and neither drift nor a service without a container can be seen'];
};

const engineOf = async (source: FactSource): Promise<Report['stack']['engine']> => {
  const fact = (await source.fact('engine')) as Fact<EngineFact>;
  return fact.ok
    ? { host: fact.value.host, version: fact.value.version, apiVersion: fact.value.apiVersion }
    : { host: '', version: null, apiVersion: null };
};

const cutNote = (hooks: Hooks, options: DoctorOptions): string =>
  hooks.signal.aborted
    ? 'stopped before everything was looked at'
    : `the time (${options.timeoutMs / 1000} s) was up before everything was looked at`;

const statsOf = (facts: Record<string, Fact<unknown>>, source: FactSource): Omit<Diagnosis['stats'], 'asides'> => {
  const slowest = Object.entries(facts)
    .map(([fact, { ms }]) => ({ fact, ms }))
    .toSorted((a, b) => b.ms - a.ms)
    .slice(0, 5);
  return { engineCalls: source.engineCalls(), connections: source.connections(), factCount: Object.keys(facts).length, slowest };
};
