import { readFileSync } from 'node:fs';
import { isAlive } from './cache.ts';

/** On all that belongs to a stack: the process that must take it away, `kept by` one that has left it to a person. */
export const OWNER = 'stack-doctor.lab.owner';

/** On all the lab puts beside a stack: the project it belongs to. */
export const EXTRA = 'stack-doctor.lab.project';

const KEPT = 'kept by ';

/** The owner that a stack of this process has: its id and when it began, because ids are used again. */
export const ownerOf = ({ keep }: { keep: boolean }): string => `${keep ? KEPT : ''}${process.pid}@${startOf(process.pid)}`;

/** A stack that is being started has a living owner, kept or not. */
export function isOwnerAlive(owner: string): boolean {
  const [pid, start] = owner.replace(KEPT, '').split('@');
  return isAlive(Number(pid)) && (!start || start === startOf(Number(pid)));
}

export const isKept = (owner: string): boolean => owner.startsWith('kept');

/** Arguments for `docker … create` or `run`: what is made is no part of the stack, and goes with it all the same. */
export const beside = (stack: { project: string; owner: string }): string[] => [
  '--label',
  `${EXTRA}=${stack.project}`,
  '--label',
  `${OWNER}=${stack.owner}`,
];

/** In clock ticks since the machine started; empty where there is no `/proc`. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
