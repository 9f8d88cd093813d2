/** What is still being looked at, on stderr: a spinner on a terminal, plain lines elsewhere where they are asked for. */
import type { Ora } from 'ora';
import type { ProgressEvent } from './open.ts';
import { cut } from './render/fit.ts';
import { shown } from './render/words.ts';

/** Who waits less than this needs no spinner, and ora takes its time to load. */
const PATIENCE_MS = 200;
const MOST_NAMED = 3;

export interface Progress {
  /** A further look begins (`--wait`); `failing` are the ids that made it necessary. */
  again(failing: string[]): void;
  on(event: ProgressEvent): void;
  /** Takes the spinner away. May be called again. */
  stop(): void;
}

export interface ProgressOptions {
  spinner: boolean;
  /** A line for each check that is done. */
  lines: boolean;
  /** A line when what is waited for changes. */
  waitLines: boolean;
}

export const startProgress = (stream: NodeJS.WriteStream, options: ProgressOptions): Progress => {
  let running = new Set<string>();
  let asked = 0;
  let failing: string[] = [];
  let spinner: Ora | null = null;
  let stopped = false;
  let saidWaiting = '';

  const text = (): string => {
    const names = [...running].slice(0, MOST_NAMED).map(shown);
    const more = running.size > MOST_NAMED ? ` and ${running.size - MOST_NAMED} more` : '';
    const looking =
      asked === 0
        ? 'Looking at the stack'
        : `${asked - running.size} of ${asked} checks${names.length > 0 ? `; still ${names.join(', ')}${more}` : ''}`;
    const line = failing.length > 0 ? `Waiting for ${failing.map(shown).join(', ')}; ${looking}` : looking;
    // The spinner's own sign takes two columns, and a line that wraps is not cleared whole.
    return cut(line, stream.columns - 4);
  };
  const show = (): void => {
    if (spinner) spinner.text = text();
  };
  const begin = async (): Promise<void> => {
    const { default: ora } = await import('ora');
    if (stopped) return;
    // stdin is left alone, so that Ctrl-C stays a signal.
    spinner = ora({ text: text(), stream, discardStdin: false }).start();
  };
  // A terminal of 0 columns (some wrappers make one) sends ora into an endless loop.
  const usable = options.spinner && stream.isTTY && stream.columns > 0;
  const timer = usable ? setTimeout(() => void begin().catch(() => undefined), PATIENCE_MS) : null;

  return {
    again(ids) {
      failing = ids;
      asked = 0;
      running = new Set();
      const waiting = ids.map(shown).join(', ');
      if (options.waitLines && !usable && waiting !== saidWaiting) stream.write(`doctor: waiting for ${waiting}\n`);
      saidWaiting = waiting;
      show();
    },
    on(event) {
      if (event.kind === 'checks') {
        running = new Set(event.ids);
        asked = running.size;
        if (options.lines && !usable) stream.write(`doctor: ${asked} checks\n`);
      } else {
        running.delete(event.id);
        if (options.lines && !usable) stream.write(`doctor: ${shown(event.id)}: ${event.status}\n`);
      }
      show();
    },
    stop() {
      stopped = true;
      if (timer) clearTimeout(timer);
      spinner?.stop();
      spinner = null;
    },
  };
};
