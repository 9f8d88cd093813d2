/** Runs the built `doctor` as a person would, in the folder of a lab stack. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Report } from '../../src/model/report.ts';
import type { LabStack } from '../lab/stack.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.cjs', import.meta.url));
/** Far above what a run may take: a doctor that hangs must fail the test, not the runner. */
const LIMIT_MS = 60_000;

export interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
}

export const doctor = (stack: Pick<LabStack, 'dir' | 'env'>, args: string[], env: Record<string, string> = {}): Promise<Run> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], {
      cwd: stack.dir,
      env: { ...process.env, ...stack.env, ...env },
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    const run: Run = { code: null, stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (run.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (run.stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ ...run, code }));
  });

export const diagnosis = async (
  stack: Pick<LabStack, 'dir' | 'env'>,
  args: string[] = [],
  env: Record<string, string> = {},
): Promise<{ report: Report; code: number | null }> => {
  const run = await doctor(stack, ['--json', ...args], env);
  try {
    return { report: JSON.parse(run.stdout) as Report, code: run.code };
  } catch {
    throw new Error(`doctor --json printed no JSON (exit ${run.code}): ${run.stdout.slice(0, 500)} ${run.stderr.slice(0, 2_000)}`);
  }
};

/** What failed, in a form that a test's message can show. */
export const failures = (report: Report): string[] =>
  report.checks
    .filter(({ status }) => status === 'fail' || status === 'error')
    .map(({ id, status, code, message, reason }) => `${id} ${status} ${code ?? ''}: ${reason ?? message}`);
