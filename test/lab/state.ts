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

/** One for each engine: the older one's stack is no business of a call to the newer one. */
const stateFile = ({ owned }: LabEngine): string => join(cacheDir(), `current-stack-${owned ?? 'machine'}.json`);

export function currentStack(engine: LabEngine): { stack: LabStack; faults: string[] } | undefined {
  if (!existsSync(stateFile(engine))) return undefined;
  const state = JSON.parse(readFileSync(stateFile(engine), 'utf8')) as Partial<State>;
  // Written by an older lab, or of a stack that is gone.
  if (!state.root || !state.faults || !existsSync(join(state.root, 'lab.json'))) return undefined;
  try {
    return { stack: attachStack(engine, state.root), faults: state.faults };
  } catch {
    return undefined;
  }
}

export function remember(stack: LabStack, faults: string[]): void {
  writeFileSync(stateFile(stack.engine), JSON.stringify({ root: dirname(stack.dir), faults } satisfies State));
}

export function forgetCurrent(engine: LabEngine): void {
  rmSync(stateFile(engine), { force: true });
}
