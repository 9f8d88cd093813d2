/** What a plugin is made of. Public: `definePlugin` of the package. */
import type { Check } from './check.ts';
import type { LogLine } from './facts.ts';
import type { Service, Stack } from './stack.ts';

/** What a plugin's gatherer may do. Everything ends at the deadline, and secrets that the doctor knows come as `***`. */
export interface PluginContext {
  /** The service that the fact is of. */
  service: Service;
  stack: Stack;
  /** Aborted at the deadline (5 seconds), or with the run. */
  signal: AbortSignal;
  /**
   * A GET request to the service, by the cheapest way that leads there. `port`: inside the container; absent: the one found for the service.
   * `body`: at most 4 KiB. Rejects where the service cannot be asked; no answer is `{ ok: false }`.
   */
  http(path: string, options?: { port?: number }): Promise<{ ok: true; status: number; body: string } | { ok: false; error: string }>;
  /** Does a port of the service take connections? With `host`: a port of that host, as seen from inside the service. */
  tcp(port: number, options?: { host?: string }): Promise<{ ok: true } | { ok: false; error: string }>;
  /** A command in the service's container; it must change nothing. Rejects where no command can be run. `ok: false`: the image lacks the program. */
  exec(command: string[]): Promise<{ ok: true; exitCode: number; stdout: string; stderr: string } | { ok: false; error: string }>;
  /** The last 200 lines since the service's start. */
  logs(): Promise<LogLine[]>;
}

export interface PluginFact {
  /** Looks, and judges nothing. Gives JSON-able data, which a recording keeps. What it throws becomes "could not look". */
  gather(context: PluginContext): Promise<unknown>;
}

/** A failing finding of the code `cause` is taken as the cause of one of the code `effect`, of the same service or one that uses it. */
export interface CausalRow {
  effect: string;
  cause: string;
}

export interface Plugin {
  /** Small letters, digits, dashes. Every check's id gets it in front: `kafka` and `lag` make `kafka-lag`, with codes `kafka-lag/…`. */
  id: string;
  /** Facts of services, by name. A check asks for the fact `broker` as `own:broker`. */
  facts?: Record<string, PluginFact>;
  /** As `defineCheck` makes them. Ids, and `own:` facts, are written without the prefix. */
  checks: readonly Check[];
  /** Codes are written in full, with the prefix: `kafka-lag/behind`. */
  causes?: readonly CausalRow[];
  /** Markdown file with a section for each code (`<!-- doctor: kafka-lag/behind -->`), relative to the plugin's own file. */
  runbook?: string;
}

/** Gives a plugin its type; it is checked when it is loaded. */
export const definePlugin = (plugin: Plugin): Plugin => plugin;
