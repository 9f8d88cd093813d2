/** The whole story on one screen: facts → outcomes → root causes → report. */
import type { Loaded } from './config/load.ts';
import { evaluate, locate } from './evaluate.ts';
import { explain, type Explanation } from './explain/explain.ts';
import { withoutIdle } from './explain/idle.ts';
import { reportOf } from './explain/report.ts';
import { mayShareValue } from './explain/shared-fault.ts';
import { withCauses } from './model/causal-rows.ts';
import type { Check, Located, Outcome } from './model/check.ts';
import {
  isStackFact,
  turnOf,
  type EngineFact,
  type Fact,
  type FactName,
  type FactSource,
  type HostFact,
  type ProjectFact,
  type SharedValue,
} from './model/facts.ts';
import { applyIgnores } from './model/ignores.ts';
import type { Report } from './model/report.ts';
import { instancesOf, select, type Instance } from './model/selection.ts';
import { running, type Stack } from './model/stack.ts';
import { checksWith, IGNORES, openSource, refuseContradicting, refuseEmpty, type DoctorOptions, type Hooks } from './open.ts';
import type { RunbookChoice } from './runbook/prescribe.ts';
import { readText } from './runbook/read.ts';
import { letOthersIn, timeLimit } from './time-limit.ts';

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
  const signal = timeLimit(options.timeoutMs, hooks.signal);
  const { source, loaded } = await openSource(options, signal);
  const runbook = options.runbook ?? loaded?.config.runbook ?? null;
  // A runbook that cannot be read is told at once; no runbook is parsed before there is something to look up in it.
  const readable = runbook === null ? null : readText(runbook);
  readable?.catch(() => undefined);
  try {
    // The checks are loaded while the engine answers.
    const early = source.early();
    early.catch(() => undefined);
    await letOthersIn();
    const checks = checksWith(loaded, (await import('./checks/index.ts')).checks);
    await startLooking(instancesOf(await early, checks), source, options.selectors);
    await readable;
    const stack = await source.stack();
    await refuseEmpty(stack, source);
    if (loaded) await refuseContradicting(loaded, stack, source);
    const instances = instancesOf(stack, checks);
    const chosen = select(instances, options.selectors);
    hooks.onProgress({ kind: 'checks', ids: chosen.map(({ id }) => id) });
    const { seen, outcomes } = await ask({ chosen, instances, checks, stack, source, loaded }, hooks);
    const found = locate(outcomes, checks);
    // What is ignored may still be the reason of what is not.
    const explanation = withoutIdle(await explained(locate(seen, checks), outcomes, stack, source), outcomes);
    const choice: RunbookChoice = {
      runbook,
      plugins: loaded?.runbooks ?? [],
      shippedRunbook: options.shippedRunbook,
      // The folder of a recording is one of another machine, or of another day.
      project: options.replay ? null : stack.workingDir,
    };
    const prescriber = found.length > 0 ? await (await import('./runbook/prescribe.ts')).prescriber(choice) : null;
    const project = (await source.fact('project')) as Fact<ProjectFact>;
    const facts = await source.recorded();
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
      notes: [...pickedNote(project), ...filesNote(project), ...engineNote(facts), ...(signal.aborted ? [cutNote(hooks, options)] : [])],
    });
    return { report, facts, stats: { ...statsOf(facts, source), asides: prescriber?.notes ?? [] }, cut: signal.aborted };
  } finally {
    source.close();
  }
};

/** Where several services fail alike, their files are asked whether one line is behind it: never for a stack that is well. */
const explained = async (
  found: readonly Located[],
  outcomes: readonly Outcome[],
  stack: Stack,
  source: FactSource,
): Promise<Explanation> => {
  const first = explain(found, outcomes, stack);
  if (!mayShareValue(found)) return first;
  const shared = (await source.fact('shared')) as Fact<SharedValue[]>;
  return shared.ok && shared.value.length > 0 ? explain(found, outcomes, stack, shared.value) : first;
};

interface Asked {
  chosen: Instance[];
  instances: Instance[];
  checks: readonly Check[];
  stack: Stack;
  source: FactSource;
  loaded: Loaded | null;
}

const isOfIgnores = ({ check }: Instance): boolean => check.id === IGNORES;

/** `seen`: with what the team ignores; `outcomes`: without. The check of the ignores is asked last, of what the others found. */
const ask = async ({ chosen, instances, checks, stack, source, loaded }: Asked, hooks: Hooks) => {
  const onDone = ({ id, status }: Outcome) => hooks.onProgress({ kind: 'done', id, status });
  const [ofIgnores, others] = [chosen.filter(isOfIgnores), chosen.filter((each) => !isOfIgnores(each))];
  const asked = await evaluate(others, instances, stack, source, onDone, loaded?.config.thresholds);
  const seen = withCauses(asked, loaded?.causes ?? [], stack);
  const { outcomes: borne, judged } = applyIgnores(seen, loaded?.config.ignore ?? [], checks, source.startedAt);
  if (ofIgnores.length === 0) return { seen, outcomes: borne };
  const last = await evaluate(ofIgnores, instances, stack, withFact(source, 'own:ignores', judged), onDone, loaded?.config.thresholds);
  return { seen: [...seen, ...last], outcomes: [...borne, ...last.filter(({ check }) => check === IGNORES)] };
};

const withFact = (source: FactSource, name: FactName, value: unknown): FactSource => ({
  ...source,
  fact: async (asked, service) => (asked === name ? { ok: true, value, ms: 0 } : source.fact(asked, service)),
});

/** Looks begin as soon as the containers are known, with what takes longest to answer; judging waits for the compose files. */
const startLooking = async (instances: Instance[], source: FactSource, selectors: readonly string[]): Promise<void> => {
  let chosen: Instance[] = instances;
  try {
    chosen = select(instances, selectors);
  } catch {
    return; // May yet be a service that is only declared.
  }
  const asked = chosen.filter(({ check, service }) => check.id !== IGNORES && !(service && running(service).length === 0));
  const needs = asked.flatMap(({ check, service }) =>
    check.needs.map((name) => ({ name, service: isStackFact(name) || !service ? undefined : service })),
  );
  const once = [...new Map(needs.map((need) => [`${need.name} ${need.service?.name}`, need])).values()];
  for (const { name, service } of once.toSorted((a, b) => turnOf(a.name) - turnOf(b.name))) {
    await letOthersIn();
    void source.fact(name, service);
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

/** What nobody can look at from here; said once, and no check's fault. */
const engineNote = (facts: Record<string, Fact<unknown>>): string[] => {
  const host = facts['host'] as Fact<HostFact> | undefined;
  return host?.ok && host.value.elsewhere
    ? ['the engine runs on another kernel than this command: the room on its disk and the routes of its machine were not looked at']
    : [];
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
