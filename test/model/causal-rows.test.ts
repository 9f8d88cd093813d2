import { expect, test } from 'vitest';
import type { Outcome, Suspect } from '../../src/model/check.ts';
import { withCauses } from '../../src/model/causal-rows.ts';
import { makeConnection, makeService, makeStack } from '../checks/make.ts';

const outcome = (service: string, check: string, reason: string, suspects?: Suspect[]): Outcome => ({
  id: `${service}/${check}`,
  check,
  service,
  title: 't',
  status: 'fail',
  findings: [{ reason, message: 'm', evidence: [], ...(suspects && { suspects }) }],
  blockedBy: null,
  reason: null,
  note: null,
  durationMs: 0,
});

const stack = makeStack({
  services: ['api', 'kafka', 'other'].map((name) => makeService({ name })),
  connections: [makeConnection({ from: 'api', to: 'kafka', kind: 'tcp' })],
});
const ROWS = [{ effect: 'http-health/hung', cause: 'kafka-broker/no-answer' }];

test.each<[name: string, effect: Outcome, cause: Outcome, suspects: Suspect[] | undefined]>([
  [
    'one that it uses',
    outcome('api', 'http-health', 'hung'),
    outcome('kafka', 'kafka-broker', 'no-answer'),
    [{ code: 'kafka-broker/no-answer', service: 'kafka' }],
  ],
  ['one that it does not use', outcome('other', 'http-health', 'hung'), outcome('kafka', 'kafka-broker', 'no-answer'), undefined],
  ['another finding', outcome('api', 'http-health', 'slow'), outcome('kafka', 'kafka-broker', 'no-answer'), undefined],
  ['a cause that does not fail', outcome('api', 'http-health', 'hung'), outcome('kafka', 'kafka-broker', 'odd'), undefined],
  ['its own word is not overruled', outcome('api', 'http-health', 'hung', []), outcome('kafka', 'kafka-broker', 'no-answer'), []],
])('%s', (_, effect, cause, suspects) => expect(withCauses([effect, cause], ROWS, stack)[0]!.findings[0]!.suspects).toEqual(suspects));
