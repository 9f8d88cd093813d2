/** The public API: run a diagnosis from code, and write checks. */
import { fileURLToPath } from 'node:url';
import { diagnose } from './doctor.ts';
import type { DoctorOptions } from './open.ts';
import type { Report } from './model/report.ts';

/** Replaced by the build. */
declare const DOCTOR_VERSION: string | undefined;

/**
 * Looks at a live stack and says what is wrong with it: the same as `doctor --json`.
 *
 * Everything may be left out: the project of the current folder, every check, 30 seconds. Rejects with a `UsageError` when there is
 * no project, no such check, or a runbook that cannot be read.
 */
export const runDoctor = async (
  options: Partial<Omit<DoctorOptions, 'version' | 'shippedRunbook'>> & { signal?: AbortSignal } = {},
): Promise<Report> => {
  const { signal, ...given } = options;
  const all: DoctorOptions = {
    files: [],
    projectName: null,
    projectDirectory: null,
    profiles: [],
    envFiles: [],
    context: null,
    selectors: [],
    runbook: null,
    config: null,
    timeoutMs: 30_000,
    cwd: process.cwd(),
    env: process.env,
    replay: null,
    ...given,
    version: typeof DOCTOR_VERSION === 'string' ? DOCTOR_VERSION : '0.0.0',
    shippedRunbook: fileURLToPath(new URL('../RUNBOOK.md', import.meta.url)),
  };
  const { report } = await diagnose(all, { signal: signal ?? new AbortController().signal, onProgress: () => {} });
  return report;
};

export { defineCheck, defineStackCheck } from './model/check.ts';
export { definePlugin } from './model/plugin.ts';
export { UsageError } from './model/usage-error.ts';
export type { Check, Evidence, Finding, FindingSpec, Outcome, Status, Verdict } from './model/check.ts';
export type { Fact, FactTypes } from './model/facts.ts';
export type { Candidate, CheckReport, Effect, Remedy, Report, RootCause, Step } from './model/report.ts';
export type { CausalRow, Plugin, PluginContext, PluginFact } from './model/plugin.ts';
export type { Connection, Container, Role, Service, Stack } from './model/stack.ts';
