/** Report → exit code, as the contract has it. */
import type { Report } from '../model/report.ts';

export const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143 } as const;
export type Ending = keyof typeof SIGNAL_CODES;

export const exitCode = (report: Pick<Report, 'status' | 'counts'>, given: { strict: boolean; signal: Ending | null }): number => {
  const { status, counts } = report;
  if (given.signal !== null) return SIGNAL_CODES[given.signal];
  if (status === 'fail' || counts.fail > 0) return 1;
  if (given.strict && (status === 'warn' || counts.warn > 0)) return 1;
  // A check that was not asked is not green either.
  if (status === 'error' || counts.error > 0 || counts.blocked > 0) return 3;
  return 0;
};
