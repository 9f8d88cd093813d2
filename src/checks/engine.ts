/** The Docker Engine: without it nothing else can be asked. */
import { defineStackCheck, type Finding, type FindingSpec } from '../model/check.ts';
import type { EngineFact } from '../model/facts.ts';

const blocking = (means: string, proof: string): FindingSpec => ({
  severity: 'fail',
  layer: 'engine',
  kind: 'cause',
  blocks: true,
  passes: true,
  means,
  proof,
});

export const engine = defineStackCheck({
  id: 'engine',
  title: 'The Docker Engine answers',
  question: 'Can we talk to Docker at all, and to the engine that has the stack?',
  needs: ['engine'],
  after: [],
  findings: {
    'socket-missing': blocking('There is no socket where the Docker Engine should listen.', 'Connecting to the socket ends with ENOENT.'),
    'not-running': blocking('The address of the Docker Engine exists and nothing answers on it.', 'Connecting ends with ECONNREFUSED.'),
    'permission-denied': blocking(
      'The Docker Engine is there and this user may not open its socket.',
      'Connecting to the socket ends with EACCES.',
    ),
    'wrong-context': blocking(
      "The stack's containers are on another engine of this machine than the one that was asked.",
      'The asked engine has no container of the project; another one has.',
    ),
    'too-old': blocking('The Docker Engine speaks only API versions that are too old.', 'The API version in the answer to `GET /version`.'),
    'no-answer': blocking('The Docker Engine accepts the connection and does not answer.', 'No answer to `GET /_ping` within the time.'),
    unreachable: blocking(
      'The Docker Engine cannot be reached at its address.',
      'The error of the TCP, SSH or TLS connection, or an answer that is not of Docker.',
    ),
  },
  evaluate({ facts }) {
    if (!facts.engine.ok) return { cannotLook: facts.engine.reason };
    const fact = facts.engine.value;
    if (fact.elsewhere && fact.elsewhere.containers > 0) return { findings: [onAnotherEngine(fact, fact.elsewhere)] };
    if (fact.state === 'ok')
      return { findings: [], note: [`${fact.product ?? 'Docker'} ${fact.version ?? ''}`.trim(), `at ${fact.host}`].join(' ') };
    const [reason, message] = PROBLEMS[fact.state];
    return { findings: [{ reason, message: message(fact), evidence: [detail(fact)], values: { socket: fact.host } }] };
  },
});

const at = (fact: EngineFact): string => `${fact.host} (from ${fact.source})`;

const PROBLEMS: Record<Exclude<EngineFact['state'], 'ok'>, [string, (fact: EngineFact) => string]> = {
  'socket-missing': ['socket-missing', (fact) => `there is no Docker socket at ${at(fact)}`],
  refused: ['not-running', (fact) => `no Docker Engine runs behind ${at(fact)}: the connection is refused`],
  'permission-denied': ['permission-denied', (fact) => `this user may not open the Docker socket ${at(fact)}`],
  'no-answer': ['no-answer', (fact) => `the Docker Engine at ${at(fact)} accepts connections and does not answer`],
  'not-docker': ['unreachable', (fact) => `what answers at ${at(fact)} is not a Docker Engine`],
  'too-old': [
    'too-old',
    (fact) => `the Docker Engine at ${at(fact)} speaks API ${fact.apiVersion ?? 'of an unknown version'}, which is too old`,
  ],
  unreachable: ['unreachable', (fact) => `the Docker Engine at ${at(fact)} cannot be reached`],
  tls: ['unreachable', (fact) => `TLS with the Docker Engine at ${at(fact)} fails`],
};

const detail = (fact: EngineFact) => ({ source: `connection to ${fact.host}`, text: fact.detail || fact.state });

const onAnotherEngine = (fact: EngineFact, other: NonNullable<EngineFact['elsewhere']>): Finding => ({
  reason: 'wrong-context',
  message: `${at(fact)} ${here(fact)}; ${count(other.containers)} on ${other.host} (${other.source})`,
  evidence: [...(fact.state === 'ok' ? [] : [detail(fact)]), { source: other.host, text: `${other.containers} containers of the project` }],
  // One that no context names is chosen by its address.
  values: other.source.startsWith('socket ') ? { socket: other.host } : { socket: other.host, context: contextName(other.source) },
});

const here = ({ state }: EngineFact): string => (state === 'ok' ? "has none of the stack's containers" : 'does not answer');

const count = (containers: number): string => (containers === 1 ? 'one is' : `${containers} are`);

/** `context colima` → `colima`; the default socket is the context `default`. */
const contextName = (source: string): string => /^context (\S+)/.exec(source)?.[1] ?? 'default';
