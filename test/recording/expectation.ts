/** What a recording must give: causes and statuses, without durations and wording. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Report } from '../../src/model/report.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.cjs', import.meta.url));

export interface Expectation {
  exitCode: number | null;
  rootCauses: { id: string; code: string; explains: string[]; remedy: string | null }[];
  /** Every check instance that is not simply green: `status code ← cause`. */
  checks: Record<string, string>;
}

export const expectationOf = (recording: string): Expectation => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, '--replay', recording, '--json'], { encoding: 'utf8' });
  if (!stdout) throw new Error(`no diagnosis of ${recording}: ${stderr}`);
  const report = JSON.parse(stdout) as Report;
  return {
    exitCode: status,
    rootCauses: report.rootCauses.map(({ id, code, explains, remedy }) => ({ id, code, explains, remedy: remedy?.source.heading ?? null })),
    checks: Object.fromEntries(
      report.checks
        .filter((check) => check.status !== 'pass')
        .map(({ id, status, code, causedBy, blockedBy }) => [
          id,
          [status, code, (causedBy ?? blockedBy) && `← ${causedBy ?? blockedBy}`].filter(Boolean).join(' '),
        ]),
    ),
  };
};
