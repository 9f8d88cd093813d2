/** Which cases a run takes. */
import { createHash } from 'node:crypto';
import type { StackShape } from '../lab/shapes.ts';

export interface Choice {
  /** Ids of faults, variants or pairs; `null`: all. */
  only: string[] | null;
  stack: string | null;
  /** 1, 2 or 3: one third of the set, always the same one. */
  third: number | null;
}

const everything: Choice = { only: null, stack: null, third: null };

export const shapeOf = (case_: { stack?: StackShape }): StackShape => case_.stack ?? 'shootout';

/** By a hash of the id: a new fault moves no other one to another third. */
export const thirdOf = (id: string): number => (createHash('sha256').update(id).digest().readUInt32BE() % 3) + 1;

export const isChosen = (id: string, shape: string, { only, stack, third }: Choice): boolean =>
  (only === null || only.includes(id)) && (stack === null || stack === shape) && (third === null || thirdOf(id) === third);

/** What `npm test` takes, so that it stays short: a third, unless ids are wished for, or `all`. */
export const wished = (ids: string | undefined): Choice => {
  if (!ids) return { ...everything, third: 1 };
  return ids === 'all' ? everything : { ...everything, only: ids.split(',') };
};
