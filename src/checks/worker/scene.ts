/** What the judges of a worker are given, and what they share: its brokers, their queues and sessions. */
import { addressesOf, withoutPort } from '../../model/addresses.ts';
import { accepted, listed } from '../../model/attempt.ts';
import type { Evidence } from '../../model/check.ts';
import type { Fact, LogFact, RedisFact } from '../../model/facts.ts';
import { knownErrorIn } from '../../model/log-signatures.ts';
import { type Connection, connectionsFrom, running, type Service, type Stack } from '../../model/stack.ts';

type Server = NonNullable<RedisFact['server']>;
type Session = Server['sessions'][number];
type Queue = Server['queues'][number];

/** A Redis of the stack that the worker connects to, and that let the doctor look. */
export interface Broker {
  name: string;
  server: Server;
  /** Databases that the worker's URLs name. */
  configured: number[];
  sessions: Session[];
  /** Where others put their keys: `backend` on database 0. */
  producers: { service: string; database: number; source: string }[];
}

export interface Given {
  service: Service;
  stack: Stack;
  logs: Fact<LogFact>;
  links: Connection[];
}

/** Said on the way in, by watchers, and by pools that keep a connection warm; who takes work says more. */
const IDLE_COMMANDS = /^(null|hello|auth|select|ping|info|client(\|.*)?|command(\|.*)?|config(\|.*)?|p?subscribe|ssubscribe|)$/i;
/** Blocked in one of these, it waits for an item that only it will get. */
const WORK_WAITS = /^(b[lr](pop|move|mpop|poplpush)|bz(m?pop|popmin|popmax)|xreadgroup)/i;
export const waitsForWork = ({ blocked, command }: Session): boolean => blocked && WORK_WAITS.test(command);
export const redisLinks = ({ name }: Service, stack: Stack): Connection[] =>
  connectionsFrom(stack, name).filter((each) => each.kind === 'redis' && each.to !== null);

/** Or the reason why it could not be looked at. */
export const brokerOf = (name: string, { service, stack, links }: Given, redis: Fact<RedisFact> | undefined): Broker | string => {
  if (!redis) return `${name} was not asked`;
  if (!redis.ok) return redis.reason;
  const { server, attempts } = redis.value;
  // Without an accepted login, or where CLIENT LIST is denied, nobody seems to be connected.
  if (!server || !attempts.some(accepted) || (server.sessions.length === 0 && server.clients > 2))
    return `${name} does not show its sessions`;
  const addresses = addressesOf(service);
  return {
    name,
    server,
    configured: unique(links.filter((each) => each.to === name).map(databaseOf)),
    sessions: server.sessions.filter((each) => addresses.includes(withoutPort(each.address))),
    producers: producersOf(name, service, stack),
  };
};

export const unique = <T>(items: T[]): T[] => [...new Set(items)];

export const databaseOf = ({ database }: Connection): number => {
  const index = Number(database ?? 0);
  return Number.isInteger(index) && index >= 0 ? index : 0;
};

const producersOf = (redis: string, service: Service, stack: Stack): Broker['producers'] =>
  stack.connections
    .filter((each) => each.kind === 'redis' && each.to === redis && each.from !== service.name)
    .map((each) => ({ service: each.from, database: databaseOf(each), source: each.source }));

/** A stream keeps what was read; only what a group has not read yet waits. */
export const waits = ({ type, length, lengthLater, groups }: Queue): boolean =>
  type === 'list' ? length > 0 && lengthLater >= length : groups.some(({ lag }) => lag !== null && lag > 0);

export const lengthOf = ({ type, lengthLater, groups }: Queue): number =>
  type === 'list' ? lengthLater : Math.max(...groups.map(({ lag }) => lag ?? 0));

export const databasesOf = ({ sessions, configured }: Broker): number[] =>
  unique(sessions.length > 0 ? sessions.map((each) => each.database) : configured);

export const takesWork = (session: Session): boolean => !IDLE_COMMANDS.test(session.command);

export const queueEvidence = (broker: Broker, queue: Queue): Evidence => ({
  source: `${broker.name}, database ${queue.database}`,
  text: `${queue.type} ${queue.key}: ${lengthOf(queue)} waiting`,
});

export const sessionEvidence = (broker: Broker, service: Service): Evidence => ({
  source: `CLIENT LIST of ${broker.name}`,
  text:
    broker.sessions.length === 0
      ? `no session from ${service.name} (${listed(addressesOf(service))})`
      : listed(
          broker.sessions.slice(0, 5).map((each) => `${each.address} on database ${each.database}, last command ${each.command || 'none'}`),
        ),
});

export const logEvidence = ({ service, logs }: Given): Evidence[] => {
  const known = logs.ok ? knownErrorIn(logs.value.lines, service.role) : null;
  return known ? [{ source: `${service.name} log`, text: known.line }] : [];
};

export const isUp = (name: string, stack: Stack): boolean => stack.services.some((each) => each.name === name && running(each).length > 0);
