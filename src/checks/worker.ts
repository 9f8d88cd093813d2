/** Is the queue consumed? Redis itself lists who is connected, from which address, on which database, and what waits. */
import { addressesOf, withoutPort } from '../model/addresses.ts';
import { secondsUp } from '../model/age.ts';
import { listed } from '../model/attempt.ts';
import { defineCheck, type Known, type Verdict } from '../model/check.ts';
import { commandLine, connectionsFrom, running } from '../model/stack.ts';
import { brokerNotSet, taskErrors, unknownTask } from './worker/log.ts';
import {
  growingQueue,
  notOnItsLine,
  otherDatabase,
  otherName,
  otherServer,
  unconnected,
  unconsumed,
  waitsElsewhere,
} from './worker/place.ts';
import { type Broker, brokerOf, type Given, redisLinks, unique, waitsForWork } from './worker/scene.ts';

/** It connects when it has loaded its code. */
const START_SECONDS = 5;
/** These make work, or show it. */
const NO_CONSUMER_ITSELF = /\b(taskiq scheduler|celery\b.*\b(beat|flower|events)|rqscheduler|rq-dashboard|flower)\b/;

export const worker = defineCheck({
  id: 'worker',
  title: 'The queue is consumed',
  question: 'Is the worker connected to the Redis and the database where the work waits, and does it take any?',
  aliases: ['queue-worker'],
  needs: ['logs'],
  peerNeeds: ['redis'],
  after: ['engine', 'container'],
  // Nobody calls every worker a worker: one that no name tells is known by how it waits in Redis.
  appliesTo: (service, stack) =>
    service.role === 'worker' ||
    (service.role === 'unknown' && connectionsFrom(stack, service.name).some(({ kind, to }) => kind === 'redis' && to !== null)),
  // Work may wait in a Redis that the worker does not know of.
  peersOf: (_, stack) => stack.services.filter(({ role }) => role === 'redis').map(({ name }) => name),
  findings: {
    'other-queue': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      means: 'The worker reads another Redis, another database of it or another queue than the one where the work is put.',
      proof:
        'Items wait in a database where another service works and the worker has no session, or in a queue that a variable names otherwise for the worker; a warning where the configuration alone says so.',
    },
    'no-consumer': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      passes: true,
      means: 'Work waits in the queue, and the worker does not take it.',
      proof: 'A list or a stream group that does not shrink, and no session of the worker that ever asked for work.',
    },
    'not-connected': {
      severity: 'fail',
      layer: 'app',
      kind: 'symptom',
      means: 'The worker runs, and has no connection to the Redis of its queue.',
      proof: "CLIENT LIST has no session from any of the worker's addresses.",
    },
    'task-unknown': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      means: 'The worker took a task that its code does not have, and dropped it: the module of the task was not imported.',
      proof: "The worker's own words within the last minutes; a warning where they are older.",
    },
    'task-error': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      ofCode: true,
      means: "The worker's own code fails again and again, in the same line; the worker goes on, and the work is lost.",
      proof:
        'The same exception with the same line of the app in several tracebacks of the last minutes; a warning where it is one, or older.',
    },
    'broker-not-set': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      means: 'No broker is set, so the worker tries the default one of its library, on its own loopback.',
      proof: 'The log says that a broker on loopback cannot be reached, and no variable of the worker names one.',
    },
    'backlog-growing': {
      severity: 'warn',
      layer: 'app',
      kind: 'cause',
      means: 'The queue grows although the worker is connected.',
      proof: 'Two looks at the length of a queue that the worker has a session for.',
    },
  },
  evaluate({ service, stack, facts: { logs }, peers, now }): Verdict {
    const container = running(service)[0];
    if (!container) return { cannotLook: `${service.name} has no running container` };
    if (NO_CONSUMER_ITSELF.test(commandLine(container))) return { skip: `${service.name} plans work and takes none` };
    const told = [...brokerNotSet(service, stack, logs), ...unknownTask(service, logs, now), ...taskErrors(service, logs, now)];
    const verdict = judgeQueue({ service, stack, logs, links: redisLinks(service, stack) }, peers, now);
    return told.length === 0 ? verdict : { findings: [...('findings' in verdict ? verdict.findings : []), ...told] };
  },
});

const judgeQueue = (given: Given, peers: Record<string, Known<'redis'>>, now: string): Verdict => {
  const { service, stack, links } = given;
  if (links.length === 0) return { skip: `${service.name} names no Redis of this stack` };
  if (connectionsFrom(stack, service.name).some((each) => each.kind === 'amqp'))
    return { skip: `the queue of ${service.name} is not in Redis` };
  const looked = unique(links.map((each) => each.to!)).map((name) => brokerOf(name, given, peers[name]?.redis));
  const brokers = looked.filter((each) => typeof each !== 'string');
  if (service.role !== 'worker' && !brokers.some(({ sessions }) => sessions.some(waitsForWork)))
    return { skip: `nothing says that ${service.name} takes work` };
  if (brokers.length === 0 || addressesOf(service).length === 0) {
    return {
      cannotLook: looked.find((each) => typeof each === 'string') ?? `${service.name} has no address of its own to know its sessions by`,
    };
  }
  const others = stack.services.filter(({ role, name }) => role === 'redis' && !links.some(({ to }) => to === name));
  const elsewhere = others.map(({ name }) => brokerOf(name, given, peers[name]?.redis)).filter((each) => typeof each !== 'string');
  return judge(brokers, elsewhere, given, secondsUp(service, now));
};

const judge = (brokers: Broker[], elsewhere: Broker[], given: Given, up: number): Verdict => {
  const { service } = given;
  const other = brokers.flatMap((broker) => otherDatabase(broker, given));
  if (other.length > 0) return { findings: other };
  const connected = brokers.filter((each) => each.sessions.length > 0);
  if (connected.length === 0) {
    if (up < START_SECONDS) return { findings: [], note: `${service.name} started ${Math.round(up)} s ago and has not connected yet` };
    // Sessions over IPv6 come from addresses that the engine's facts do not hold.
    if (brokers.some(({ server }) => server.sessions.some((each) => withoutPort(each.address).includes(':'))))
      return { cannotLook: `${brokers[0]!.name} has sessions from addresses of which the service is not known` };
    return { findings: [unconnected(brokers[0]!, given)] };
  }
  const idle = brokers.flatMap((broker) => unconsumed(broker, given));
  if (idle.length > 0) return { findings: idle };
  const named = brokers.flatMap((broker) => [...otherName(broker, given), ...notOnItsLine(broker, given)].slice(0, 1));
  if (named.length > 0) return { findings: named };
  const apart = waitsElsewhere(brokers, elsewhere, given) ?? otherServer(brokers, given);
  if (apart) return { findings: [apart] };
  const growing = connected.flatMap((broker) => growingQueue(broker, service));
  if (growing.length > 0) return { findings: growing };
  return { findings: [], note: `connected to ${listed(connected.map(({ name }) => name))}` };
};
