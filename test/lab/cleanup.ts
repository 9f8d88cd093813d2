import { abandonRuns } from './run.ts';

/** What this process must undo before it ends: newest first, also on Ctrl-C. */
type Undo = () => Promise<void>;

const pending = new Map<symbol, Undo>();
let listening = false;

/** Registers an undo. Call the answer once it has been done in the ordinary way. */
export function undoOnExit(undo: Undo): () => void {
  listen();
  const key = Symbol('undo');
  pending.set(key, undo);
  return () => pending.delete(key);
}

function listen(): void {
  if (listening) return;
  listening = true;
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => {
      void undoAll().finally(() => process.exit(code));
    });
  }
}

async function undoAll(): Promise<void> {
  abandonRuns();
  for (const [key, undo] of [...pending].reverse()) {
    pending.delete(key);
    try {
      await undo();
    } catch (error) {
      process.stderr.write(`lab: clean-up: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
}
