/** What a recording must give: causes and statuses, without durations and wording. */
import { runDoctor } from '../../src/index.ts';
import { readRecording } from '../../src/recording/recording.ts';
import { exitCode } from '../../src/render/exit-code.ts';

export interface Expectation {
  exitCode: number;
  rootCauses: { id: string; code: string; explains: string[]; remedy: string | null }[];
  /** Every check instance that is not simply green: `status code ← cause`. */
  checks: Record<string, string>;
}

/** In this process, not as a program: a hundred of them are to take seconds. */
export const expectationOf = async (recording: string): Promise<Expectation> => {
  const report = await runDoctor({ replay: await readRecording(recording), env: {} });
  return {
    exitCode: exitCode(report, { strict: false, signal: null }),
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
