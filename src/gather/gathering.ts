/** What every gatherer is handed, and what it is. A gatherer looks; it never judges, never writes, and always ends. */
import { availableParallelism, loadavg } from 'node:os';
import type { ServiceSettings } from '../model/config.ts';
import type { Fact, ServiceFactName, ServiceFacts, StackFactName, StackFacts } from '../model/facts.ts';
import type { Container, Service, Stack } from '../model/stack.ts';
import type { EngineClient } from './engine-client.ts';
import type { Vault } from './vault.ts';

/** What a stack on an idle machine may take for one answer. */
const PATIENCE_MS = 2_000;
/** A machine with three times more to do than it has cores for makes everything slow, and nothing broken. */
const MOST_PATIENCE = 3;

/** Processes that wait for each core, averaged over the last minute; 0 where the system does not tell (Windows). */
const load = loadavg()[0]! / availableParallelism();

/** How long one try may take: connect, ask and answer together. Every gatherer's own limit. */
export const TRY_MS = Math.round(PATIENCE_MS * Math.min(MOST_PATIENCE, Math.max(1, load)));

export interface Gathering {
  engine: EngineClient;
  vault: Vault;
  /** The stack as known so far: services with containers always, those that are only declared once the files are loaded. */
  stack: Stack;
  /** Aborted at the deadline of the run, or by the user. */
  signal: AbortSignal;
  /** ISO 8601 of the start of the run. */
  startedAt: string;
  /** What the team says of services. */
  settings: ServiceSettings;
  /** Another fact; gathered once, whoever asks. */
  fact<N extends ServiceFactName>(name: N, service: Service): Promise<Fact<ServiceFacts[N]>>;
  fact<N extends StackFactName>(name: N): Promise<Fact<StackFacts[N]>>;
}

/** Thrown by a gatherer that could not look. `reason` is a sentence for people. Everything else thrown is our bug. */
export class CannotLook extends Error {
  readonly timedOut: boolean;
  constructor(reason: string, options: { timedOut?: boolean; cause?: unknown } = {}) {
    super(reason, { cause: options.cause });
    this.name = 'CannotLook';
    this.timedOut = options.timedOut ?? false;
  }
}

export type ServiceGatherer<N extends ServiceFactName> = (service: Service, given: Gathering) => Promise<ServiceFacts[N]>;

/** The container that speaks for a service: the first that runs. */
export const speaker = (service: Service): Container => {
  const container = service.containers.find((each) => each.state.status === 'running');
  if (!container) throw new CannotLook(`${service.name} has no running container`);
  return container;
};
