/** What a configuration or a plugin asks for. */
import type { OwnQuestion } from '../model/config.ts';
import type { Service } from '../model/stack.ts';
import type { Gathering } from './gathering.ts';
import { askOwn } from './own-question.ts';

export type OwnFact = { ask: OwnQuestion; timeoutMs: number | null };

/** Errors: `CannotLook`, `EngineError`. */
export const gatherOwn = (fact: OwnFact, service: Service | null, given: Gathering): Promise<unknown> =>
  askOwn(fact.ask, fact.timeoutMs, service, given);
