/** The whole story on one screen: facts → outcomes → root causes → report. */
import { evaluate, locate } from './evaluate.ts';
import { explain, type Explanation } from './explain/explain.ts';
import { reportOf } from './explain/report.ts';
import type { ConfigFile } from './config/find.ts';
import type { Loaded } from './config/load.ts';
import type { Check, Located, Outcome, Status } from './model/check.ts';
import { withCauses } from './model/causal-rows.ts';
import { applyIgnores } from './model/ignores.ts';
import { isStackFact, type EngineFact, type Fact, type FactName, type FactSource, type ProjectFact } from './model/facts.ts';
import { graphOf, type Graph } from './model/graph.ts';
import type { Report } from './model/report.ts';
import { instancesOf, select, type Instance } from './model/selection.ts';
import { running, type ServiceSpec, type Stack } from './model/stack.ts';
import { ConfigError, UsageError } from './model/usage-error.ts';
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
  /** A configuration; `null`: `doctor.yaml` beside the compose file, if there is one. */
  config: string | null;
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

/** Errors: `UsageError` for a wrong selector, runbook, configuration or project. */
export const diagnose = async (options: DoctorOptions, hooks: Hooks): Promise<Diagnosis> => {
  const begun = performance.now();
  const signal = AbortSignal.any([hooks.signal, AbortSignal.timeout(options.timeoutMs)]);
  const { source, loaded } = await openSource(options, signal);
  const runbook = options.runbook ?? loaded?.config.runbook ?? null;
  // A runbook that cannot be read is told at once; no runbook is parsed before there is something to look up in it.
  const readable = runbook === null ? null : readText(runbook);
  readable?.catch(() => undefined);
  try {
    // The checks are loaded while the engine answers.
    const early = source.early();
    early.catch(() => undefined);
    const checks = checksWith(loaded, (await import('./checks/index.ts')).checks);
    startLooking(instancesOf(await early, checks), source, options.selectors);
    await readable;
    const stack = await source.stack();
    await refuseEmpty(stack, source);
    if (loaded) await refuseContradicting(loaded, stack, source);
    const instances = instancesOf(stack, checks);
    const chosen = select(instances, options.selectors);
    hooks.onProgress({ kind: 'checks', ids: chosen.map(({ id }) => id) });
    const onDone = ({ id, status }: Outcome) => hooks.onProgress({ kind: 'done', id, status });
    const thresholds = loaded?.config.thresholds;
    const asked = await evaluate(
      chosen.filter((each) => !isOfIgnores(each)),
      instances,
      stack,
      source,
      onDone,
      thresholds,
    );
    const seen = withCauses(asked, loaded?.causes ?? [], stack);
    const { outcomes: borne, judged } = applyIgnores(seen, loaded?.config.ignore ?? [], checks, source.startedAt);
    // Asked when all the others have been: of what they found.
    const ofIgnores = chosen.filter(isOfIgnores);
    const judging = withFact(source, 'own:ignores', judged);
    const last = ofIgnores.length > 0 ? await evaluate(ofIgnores, instances, stack, judging, onDone, thresholds) : [];
    const outcomes = [...borne, ...last.filter(({ check }) => check === IGNORES)];
    const found = locate(outcomes, checks);
    // What is ignored may still be the reason of what is not.
    const explanation = withoutIdle(explain([...locate(seen, checks), ...locate(last, checks)], outcomes, stack), outcomes);
    const choice: RunbookChoice = {
      runbook,
      plugins: loaded?.runbooks ?? [],
      shippedRunbook: options.shippedRunbook,
      // The folder of a recording is one of another machine, or of another day.
      project: options.replay ? null : stack.workingDir,
    };
    const prescriber = found.length > 0 ? await (await import('./runbook/prescribe.ts')).prescriber(choice) : null;
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

/** The check of the ignores: only where there are any. */
const IGNORES = 'config';
const isOfIgnores = ({ check }: Instance): boolean => check.id === IGNORES;

/** The doctor's own, then those of the configuration. */
const checksWith = (loaded: Loaded | null, builtIn: readonly Check[]): Check[] => [
  ...builtIn.filter(({ id }) => id !== IGNORES),
  ...(loaded?.checks ?? []),
  ...(loaded && loaded.config.ignore.length > 0 ? builtIn.filter(({ id }) => id === IGNORES) : []),
];

/** An ignored finding is a root cause only while something else fails of it. */
const withoutIdle = ({ roots, causes }: Explanation, outcomes: readonly Outcome[]): Explanation => {
  const ignored = new Map(outcomes.flatMap(({ id, ignored: each = [] }) => each.map((one) => [one.finding, { id, ...one }] as const)));
  const failing = new Set(outcomes.filter(({ status }) => status === 'fail').map(({ id }) => id));
  const marked = (located: Located): Located => {
    const { owner, until } = ignored.get(located.finding)!;
    return { ...located, finding: { ...located.finding, message: `${located.finding.message} (ignored by ${owner} until ${until})` } };
  };
  return {
    causes,
    roots: roots.flatMap((root) => {
      if (!ignored.has(root.located.finding)) return [root];
      return root.explains.some((id) => failing.has(id)) ? [{ ...root, located: marked(root.located) }] : [];
    }),
  };
};

const withFact = (source: FactSource, name: FactName, value: unknown): FactSource => ({
  ...source,
  fact: async (asked, service) => (asked === name ? { ok: true, value, ms: 0 } : source.fact(asked, service)),
});

/** Where it is not known what the stack has, nothing can contradict it. */
const refuseContradicting = async ({ config }: Loaded, stack: Stack, source: FactSource): Promise<void> => {
  const project = (await source.fact('project')) as Fact<ProjectFact>;
  if (project.ok && project.value.services !== null) (await import('./config/contradict.ts')).refuseContradictions(config, stack);
};

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
  const { source } = await openSource(options, AbortSignal.any([hooks.signal, AbortSignal.timeout(options.timeoutMs)]));
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
  const source = await openLive(options, AbortSignal.any([hooks.signal, AbortSignal.timeout(options.timeoutMs)]), async (folder) => {
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
    opened = await openSource(options, AbortSignal.any([hooks.signal, AbortSignal.timeout(options.timeoutMs)]));
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

interface Opened {
  source: FactSource;
  loaded: Loaded | null;
}

/** The configuration is looked for beside the compose files; a replay, which has no folder, takes only one that is named. Errors: `UsageError`. */
const openSource = async (options: DoctorOptions, signal: AbortSignal): Promise<Opened> => {
  if (options.replay) {
    const loaded = await configIn(options, null);
    const { replayFacts } = await import('./recording/replay.ts');
    return { source: replayFacts(options.replay.facts, options.replay.recordedAt, loaded?.config.services), loaded };
  }
  let loaded: Loaded | null = null;
  const { openLive } = await import('./gather/live.ts');
  const source = await openLive(options, signal, async (folder) => {
    loaded = await configIn(options, folder);
    return { settings: loaded?.config.services ?? {}, own: loaded?.own ?? {} };
  });
  return { source, loaded };
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

const configIn = async ({ config, cwd }: Pick<DoctorOptions, 'config' | 'cwd'>, folder: string | null): Promise<Loaded | null> => {
  const { findConfig } = await import('./config/find.ts');
  const file = await findConfig(config, cwd, folder);
  if (!file) return null;
  const [{ loadConfig }, { checks }] = await Promise.all([import('./config/load.ts'), import('./checks/index.ts')]);
  return loadConfig(file, checks);
};

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
    if (check.id === IGNORES) continue;
    for (const need of check.needs) void (isStackFact(need) || !service ? source.fact(need) : source.fact(need, service));
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
