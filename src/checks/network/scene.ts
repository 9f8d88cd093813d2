/** What the judges of a connection are given, and what they share: the trial of it, its target, its evidence. */
import type { Evidence, Finding, Known } from '../../model/check.ts';
import { isFlapping } from '../../model/crash-loop.ts';
import type { Listener, LogLine, NetworkFact, ReachFact } from '../../model/facts.ts';
import type { KnownError } from '../../model/log-signatures.ts';
import { type Connection, type Container, running, type Service, serviceNamed, type Stack } from '../../model/stack.ts';

export interface Scene {
  service: Service;
  stack: Stack;
  client: Container;
  /** Runs, and for longer than a moment. */
  up: boolean;
  reach: ReachFact | null;
  /** Of the client's own network namespace. `null`: could not look. */
  listeners: Listener[] | null;
  log: LogLine[];
  networks: NetworkFact[];
  peers: Record<string, Known<'inside'>>;
  now: string;
}

export type Judge = (connection: Connection, scene: Scene) => Finding | null;

/** No network leads to a socket file. */
export const isTried = ({ kind, to, from }: Connection): boolean => kind !== 'depends-on' && kind !== 'socket' && to !== from;

type Target = ReachFact['targets'][number];

export const trialOf = ({ host, port }: Connection, { reach }: Scene): Target | undefined =>
  reach?.targets.find((each) => each.host === host && each.port === port);

/** TCP came about: whatever fails after it is a matter of the protocol. */
export const isReached = (target: Target | undefined): boolean =>
  target !== undefined &&
  (target.trial.outcome === 'ok' || !['name', 'tcp'].includes(target.trial.layer)) &&
  target.trial.outcome !== 'no-tool';

/** Docker knows its own names at once. Others it asks of the host's DNS, which, offline, takes its time. */
export const isNameless = (target: Target | undefined): boolean =>
  target?.trial.layer === 'name' && (target.trial.outcome === 'not-found' || target.trial.outcome === 'timeout');

export const targetOf = (connection: Connection, { stack }: Scene): Service | undefined =>
  connection.to === null ? undefined : serviceNamed(stack, connection.to);

export const base = (connection: Connection, scene: Scene): Record<string, string> => {
  const variable = /^env (\S+)/.exec(connection.source)?.[1];
  return {
    client: scene.service.name,
    host: connection.host,
    port: String(connection.port),
    ...(connection.to ? { target: connection.to } : {}),
    ...(variable ? { variable } : {}),
  };
};

export const declared = (connection: Connection, scene: Scene): Evidence => ({
  source: `${scene.service.name}: ${connection.source}`,
  text: connection.url,
});

export const tried = (target: Target | undefined, scene: Scene): Evidence[] =>
  target
    ? [
        {
          source: `from inside ${scene.service.name}`,
          text: `${target.host}:${target.port}: ${`${target.trial.code} ${target.trial.text}`.trim() || target.trial.outcome}`,
        },
      ]
    : [];

export const logged = (known: KnownError | null, scene: Scene): Evidence[] =>
  known ? [{ source: `${scene.service.name} log`, text: known.line }] : [];

/** Written in a file of the service, not in its environment: nginx's upstreams. */
export const isConfigured = ({ kind, source }: Connection): boolean => kind !== 'depends-on' && !source.startsWith('env ');

/** Behind an inactive profile, or scaled to zero: it is missed only by a client that says so. */
export const isUnasked = (target: Service): boolean =>
  target.spec !== null && (!target.spec.active || target.spec.replicas === 0) && target.containers.length === 0;

export const steady = (target: Service): Container[] => running(target).filter((each) => !isFlapping(each));

export const stateOf = ({ state }: Container): string => {
  if (state.status === 'running') return 'keeps ending';
  return state.status === 'created' ? 'was never started' : `is ${state.status}`;
};

export const listenersOf = (target: Service, { peers }: Scene): Listener[] | null => {
  const inside = Object.hasOwn(peers, target.name) ? peers[target.name]!.inside : undefined;
  return inside?.ok ? inside.value.listeners : null;
};
