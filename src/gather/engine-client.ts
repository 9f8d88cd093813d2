/** The Docker Engine API as gatherers use it: read-only calls, each with a deadline, over one pool of kept connections. */
import type { Duplex } from 'node:stream';

export interface ExecResult {
  /** `null` when it did not end in time (and its stream was closed). */
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface EngineEvent {
  Action: string;
  Actor?: { Attributes?: Record<string, string> };
}

export interface EngineClient {
  host: string;
  /** Engine calls made so far, for `-v`. */
  calls(): number;
  /** `/_ping`: the cheapest sign of life; its headers tell the versions (`/version` runs programs and costs 10 ms). */
  ping(signal?: AbortSignal): Promise<{ server: string | null; apiVersion: string | null; date: string | null }>;
  /** `GET` on the API, JSON. Rejects with `EngineError`. */
  get<T>(path: string, query?: Record<string, string | string[] | number | boolean>, signal?: AbortSignal): Promise<T>;
  /** What happened between two times that have passed, oldest first. Rejects with `EngineError`. */
  events(query: Record<string, string>, signal?: AbortSignal): Promise<EngineEvent[]>;
  /** Log lines since a time, demultiplexed; at most `maxBytes` (default 1 MiB) are read, the newest kept. */
  logs(
    id: string,
    options: { tty: boolean; since?: string | null; tail?: number; signal?: AbortSignal; maxBytes?: number },
  ): Promise<{ time: string | null; stream: 'stdout' | 'stderr'; text: string }[]>;
  /** Runs a read-only command in a container. Output over `maxBytes` (default 1 MiB) is cut. Times out at `timeoutMs` (default 2 s). */
  exec(
    id: string,
    command: string[],
    options?: { timeoutMs?: number; signal?: AbortSignal; maxBytes?: number; user?: string },
  ): Promise<ExecResult>;
  /** A two-way stream to a command in a container: what is written goes to its stdin, what is read is its stdout. stderr text is passed on. Destroy it to end. */
  execStream(id: string, command: string[], options?: { signal?: AbortSignal; onStderr?: (text: string) => void }): Promise<Duplex>;
  /** A file from inside a container by the archive API (sees mounts afresh, never a stale one); at most `maxBytes`, or with `cut` its first ones. `null` when there is none. */
  readFile(id: string, path: string, options?: { maxBytes?: number; cut?: boolean; signal?: AbortSignal }): Promise<Buffer | null>;
  /** Files below a folder, by the archive API: path → content. At most `maxBytes` in all. `null` when there is none. */
  readTree(
    id: string,
    path: string,
    options?: { maxBytes?: number; cut?: boolean; signal?: AbortSignal },
  ): Promise<Map<string, Buffer> | null>;
  /** Closes idle connections and everything still open. */
  close(): void;
}

/** The engine answered with an error, or could not be reached. */
export class EngineError extends Error {
  /** HTTP status, or `null` when no answer came. */
  readonly status: number | null;
  /** errno such as `ECONNREFUSED`, `''` otherwise. */
  readonly code: string;
  constructor(message: string, status: number | null, code: string) {
    super(message);
    this.name = 'EngineError';
    this.status = status;
    this.code = code;
  }
}
