/** One row of the results: what was broken, what was said, what that is worth. Plain JSON, so that a run can be kept and told anew. */
import type { Baseline } from './baselines.ts';
import type { Verdict } from './score.ts';

export interface Case {
  kind: 'fault' | 'noise' | 'pair' | 'healthy';
  id: string;
  title: string;
  stack: string;
  /** Of the true cause. */
  layer: string | null;
  expected: string[];
  /** Expected by nobody: hidden by the others. */
  hidden?: string[];
  /** The causes that the doctor named, the likeliest first. */
  said: string[];
  /** What failed, was blocked or could not be looked at, each with what it leads to. */
  red: string[];
  verdict: Verdict | null;
  baselines: Partial<Record<Baseline, { said: string | null; service: boolean; reason: boolean }>>;
  /** From the start of the process to its end. */
  ms: number;
  /** Of the machine, per core: above 1, things take longer than they should, and apps miss their own deadlines. */
  load: number;
  /** Why there is no diagnosis: it could not be staged, or the doctor printed none. */
  problem?: string;
}

export const keyOf = ({ kind, id }: Pick<Case, 'kind' | 'id'>): string => `${kind} ${id}`;

export interface Results {
  startedAt: string;
  versions: Record<string, string>;
  /** How many cases of each kind there are; a run may have measured fewer. */
  set: Record<Case['kind'], number>;
  cases: Case[];
}
