import { type LabEngine, LabUnavailable, openEngine } from './engine.ts';
import type { Release } from './releases.ts';
import { removeLostStacks } from './sweep.ts';

/** The engine for a live test, or nothing with a loud word about why. Under `CI=true` nothing is not an answer. */
export async function labForTests(release?: Release): Promise<LabEngine | undefined> {
  const onProgress = (text: string): void => void process.stderr.write(`lab: ${text}\n`);
  try {
    const engine = await openEngine({ onProgress, ...(release && { release }) });
    await removeLostStacks(engine);
    return engine;
  } catch (error) {
    if (!(error instanceof LabUnavailable) || process.env['CI'] === 'true') throw error;
    process.stderr.write(`\n*** LIVE TESTS SKIPPED${release ? ` (${release} engine)` : ''}: ${error.message} ***\n\n`);
    return undefined;
  }
}
