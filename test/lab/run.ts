import { type ChildProcess, spawn } from 'node:child_process';

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd?: string;
  /** Added to the environment of this process. `undefined` takes a variable away. */
  env?: Record<string, string | undefined>;
  input?: string;
  timeoutMs?: number;
}

interface Running {
  child: ChildProcess;
  isAbandoned: boolean;
}

const running = new Set<Running>();

/** Kills every program that runs now. Who waits for one waits for ever: this process is about to end. */
export function abandonRuns(): void {
  for (const entry of running) {
    entry.isAbandoned = true;
    entry.child.kill('SIGKILL');
  }
}

/** Runs a program to its end. Rejects only when it cannot start or passes its deadline. */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<RunResult> {
  const timeoutMs = options.timeoutMs ?? 60_000;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const entry: Running = { child, isAbandoned: false };
    running.add(entry);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => {}); // EPIPE: the program ended before it read its input
    child.stdin.end(options.input ?? '');
    child.on('error', (error) => {
      clearTimeout(timer);
      running.delete(entry);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      running.delete(entry);
      if (entry.isAbandoned) return;
      const result = {
        code: code ?? (signal === 'SIGKILL' ? 137 : 1),
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      };
      if (late) reject(new Error(`${command} ${args.join(' ')}: no end after ${timeoutMs} ms: ${tail(result)}`));
      else resolve(result);
    });
  });
}

/** As {@link run}, and a non-zero exit is an error that quotes the program. Gives stdout. */
export async function must(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const result = await run(command, args, options);
  if (result.code !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${result.code}: ${tail(result)}`);
  return result.stdout;
}

function tail(result: RunResult): string {
  return (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-6).join(' | ');
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks again and again until the answer is truthy; an error of the last question is quoted when time is up. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | false | undefined | null>,
  timeoutMs = 60_000,
  everyMs = 150,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer) return answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      const why = last instanceof Error ? `: ${last.message}` : '';
      throw new Error(`waited ${timeoutMs} ms for ${what}${why}`);
    }
    await sleep(everyMs);
  }
}
