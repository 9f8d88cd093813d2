/** What the recordings of real stacks find, for the explainer: the same findings as a replay gives it. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checks } from '../../src/checks/index.ts';
import { evaluate, locate } from '../../src/evaluate.ts';
import type { Located, Outcome } from '../../src/model/check.ts';
import { instancesOf } from '../../src/model/selection.ts';
import type { Stack } from '../../src/model/stack.ts';
import { readRecording } from '../../src/recording/recording.ts';
import { replayFacts } from '../../src/recording/replay.ts';

const FOLDER = fileURLToPath(new URL('../../fixtures/recordings/', import.meta.url));

export const RECORDINGS = readdirSync(FOLDER).flatMap((file) => /^(.+)\.expected\.json$/.exec(file)?.[1] ?? []);

export interface Scene {
  outcomes: Outcome[];
  found: Located[];
  stack: Stack;
}

export const recorded = async (name: string): Promise<Scene> => {
  const { facts, recordedAt } = await readRecording(`${FOLDER}${name}.json.gz`);
  const source = replayFacts(facts, recordedAt);
  const stack = await source.stack();
  const instances = instancesOf(stack, checks);
  const outcomes = await evaluate(instances, instances, stack, source, () => undefined);
  return { outcomes, found: locate(outcomes, checks), stack };
};

const BADNESS = ['pass', 'skip', 'warn', 'error', 'blocked', 'fail'];

/** Both at once: every finding of either. The stack is that of the first. */
export const together = (a: Scene, b: Scene): Scene => {
  const others = new Map(b.outcomes.map((outcome) => [outcome.id, outcome]));
  const worse = (one: Outcome, other: Outcome | undefined): Outcome =>
    other && BADNESS.indexOf(other.status) > BADNESS.indexOf(one.status) ? other : one;
  const known = new Set(a.outcomes.map(({ id }) => id));
  return {
    outcomes: [...a.outcomes.map((one) => worse(one, others.get(one.id))), ...b.outcomes.filter(({ id }) => !known.has(id))],
    found: [...a.found, ...b.found],
    stack: a.stack,
  };
};
