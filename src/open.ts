/** Where a call begins: the facts of a stack, live or from a recording, and the configuration that goes with them. */
import type { Loaded } from './config/load.ts';
import type { Check, Status } from './model/check.ts';
import type { EngineFact, Fact, FactSource, ProjectFact } from './model/facts.ts';
import type { Stack } from './model/stack.ts';
import type { StackOptions } from './model/stack-options.ts';
import { UsageError } from './model/usage-error.ts';
import type { Recording } from './recording/recording.ts';

export interface DoctorOptions extends StackOptions {
  /** `[]`: everything. */
  selectors: string[];
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

export interface Opened {
  source: FactSource;
  loaded: Loaded | null;
}

/** The configuration is looked for beside the compose files; a replay, which has no folder, takes only one that is named. Errors: `UsageError`. */
export const openSource = async (options: DoctorOptions, signal: AbortSignal): Promise<Opened> => {
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

export const configIn = async ({ config, cwd }: Pick<DoctorOptions, 'config' | 'cwd'>, folder: string | null): Promise<Loaded | null> => {
  const { findConfig } = await import('./config/find.ts');
  const file = await findConfig(config, cwd, folder);
  if (!file) return null;
  const [{ loadConfig }, { checks }] = await Promise.all([import('./config/load.ts'), import('./checks/index.ts')]);
  return loadConfig(file, checks);
};

/** Where it is not known what the stack has, nothing can contradict it. */
export const refuseContradicting = async ({ config }: Loaded, stack: Stack, source: FactSource): Promise<void> => {
  const project = (await source.fact('project')) as Fact<ProjectFact>;
  if (project.ok && project.value.services !== null) (await import('./config/contradict.ts')).refuseContradictions(config, stack);
};

/** Nothing declared and nothing running is no healthy stack: somebody is in the wrong folder, or has the wrong name. */
export const refuseEmpty = async (stack: Stack, source: FactSource): Promise<void> => {
  if (stack.services.length > 0) return;
  const [engine, project] = (await Promise.all([source.fact('engine'), source.fact('project')])) as [Fact<EngineFact>, Fact<ProjectFact>];
  if (!engine.ok || engine.value.state !== 'ok' || !project.ok || project.value.error) return;
  const where = project.value.files.length > 0 ? `${project.value.files.join(', ')} declares no service` : 'no compose file was found';
  throw new UsageError(`project "${stack.project}" is empty: ${where}, and ${engine.value.host} has no container of it`);
};

/** The check of the ignores: only where there are any. */
export const IGNORES = 'config';

/** The doctor's own, then those of the configuration. */
export const checksWith = (loaded: Loaded | null, builtIn: readonly Check[]): Check[] => [
  ...builtIn.filter(({ id }) => id !== IGNORES),
  ...(loaded?.checks ?? []),
  ...(loaded && loaded.config.ignore.length > 0 ? builtIn.filter(({ id }) => id === IGNORES) : []),
];
