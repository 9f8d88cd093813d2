import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheDir } from './cache.ts';
import type { LabEngine } from './engine.ts';
import { type LabStack, attachStack } from './stack.ts';

/** What `npm run lab` remembers between two calls. */
interface State {
  root: string;
  faults: string[];
}

const stateFile = (): string => join(cacheDir(), 'current-stack.json');

export function currentStack(engine: LabEngine): { stack: LabStack; faults: string[] } | undefined {
  if (!existsSync(stateFile())) return undefined;
  const state = JSON.parse(readFileSync(stateFile(), 'utf8')) as Partial<State>;
  // Written by an older lab, or of a stack that is gone.
  if (!state.root || !state.faults || !existsSync(join(state.root, 'lab.json'))) return undefined;
  try {
    return { stack: attachStack(engine, state.root), faults: state.faults };
  } catch {
    return undefined;
  }
}

export function remember(stack: LabStack, faults: string[]): void {
  writeFileSync(stateFile(), JSON.stringify({ root: dirname(stack.dir), faults } satisfies State));
}

export function forgetCurrent(): void {
  rmSync(stateFile(), { force: true });
}
