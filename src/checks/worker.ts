/** Is the queue consumed? Redis itself lists who is connected, from which address, on which database, and what waits. */
import { isRecent, secondsUp } from '../model/age.ts';
import { addressesOf, serviceAt, withoutPort } from '../model/addresses.ts';
import { accepted, grouped, listed } from '../model/attempt.ts';
import { defineCheck, type Evidence, type Finding, type Known, type Verdict } from '../model/check.ts';
import type { Fact, LogFact, RedisFact } from '../model/facts.ts';
import { isUnreachedPeer, raisedIn, sinceLastReload } from '../model/crash.ts';
import { knownErrorIn, type KnownError } from '../model/log-signatures.ts';
import { startupReason } from '../model/startup-reason.ts';
import { commandLine, connectionsFrom, running, serviceNamed, toldTo, type Connection, type Service, type Stack } from '../model/stack.ts';

type Server = NonNullable<RedisFact['server']>;
type Session = Server['sessions'][number];
type Queue = Server['queues'][number];

/** A Redis of the stack that the worker connects to, and that let the doctor look. */
interface Broker {
  name: string;
  server: Server;
  /** Databases that the worker's URLs name. */
  configured: number[];
  sessions: Session[];
  /** Where others put their keys: `backend` on database 0. */
  producers: { service: string; database: number; source: string }[];
}

interface Given {
  service: Service;
  stack: Stack;
  logs: Fact<LogFact>;
  links: Connection[];
}

/** It connects when it has loaded its code. */
const START_SECONDS = 5;
/** Said on the way in, by watchers, and by pools that keep a connection warm; who takes work says more. */
const IDLE_COMMANDS = /^(null|hello|auth|select|ping|info|client(\|.*)?|command(\|.*)?|config(\|.*)?|p?subscribe|ssubscribe|)$/i;
/** Blocked in one of these, it waits for an item that only it will get. */
const WORK_WAITS = /^(b[lr](pop|move|mpop|poplpush)|bz(m?pop|popmin|popmax)|xreadgroup)/i;
const waitsForWork = ({ blocked, command }: Session): boolean => blocked && WORK_WAITS.test(command);
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

/** What it met at another service is that service's business, and what a known line says that of another check. */
const taskErrors = (service: Service, logs: Fact<LogFact>, now: string): Finding[] => {
  if (!logs.ok || service.role !== 'worker') return [];
  const own = raisedIn(logs.value.lines).filter(({ error }) => !isUnreachedPeer(error) && isOfCode(knownErrorIn([{ text: error }])));
  return grouped(own, ({ error, at }) => `${at}\n${error.split(':')[0]}`).map((same): Finding => {
    const last = same.at(-1)!;
    const lasts = same.length > 1 && isRecent(last.time, now);
    return {
      reason: 'task-error',
      ...(lasts ? {} : { severity: 'warn' as const }),
      message: `${service.name} fails in its own code: ${last.error} (${last.at})`,
      evidence: [
        { source: `${service.name} log`, text: `${last.error}, ${last.at}${last.task ? `, in task ${last.task}` : ''}` },
        { source: `${service.name} log`, text: same.length === 1 ? 'once' : `${same.length} times` },
      ],
      values: { file: last.at },
    };
  });
};

const isOfCode = (known: KnownError | null): boolean =>
  known === null || ['code-error', 'setting-missing', 'module-missing'].includes(startupReason(known) ?? '');

const redisLinks = ({ name }: Service, stack: Stack): Connection[] =>
  connectionsFrom(stack, name).filter((each) => each.kind === 'redis' && each.to !== null);

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

const UNKNOWN_TASK = /\btask "([^"]{1,200})" is not found|Received unregistered task of type '([^']{1,200})'/i;

/** The message is consumed and lost, so that the queue shows nothing. */
const unknownTask = (service: Service, logs: Fact<LogFact>, now: string): Finding[] => {
  const line = logs.ok ? sinceLastReload(logs.value.lines).findLast(({ text }) => UNKNOWN_TASK.test(text)) : undefined;
  if (!line) return [];
  const [, one, other] = UNKNOWN_TASK.exec(line.text)!;
  return [
    {
      reason: 'task-unknown',
      ...(isRecent(line.time, now) ? {} : { severity: 'warn' as const }),
      message: `${service.name} received the task "${one ?? other}", which its code does not have, and dropped it`,
      evidence: [{ source: `${service.name} log`, text: line.text }],
    },
  ];
};

const LOOPBACK_BROKER = /Cannot connect to (?:amqp|redis)s?:\/\/(?:[^@\s]{0,200}@)?(?:127\.0\.0\.1|localhost)\b/;

/** Celery and its kin try their own machine where nobody names another. */
const brokerNotSet = (service: Service, stack: Stack, logs: Fact<LogFact>): Finding[] => {
  const line = logs.ok ? logs.value.lines.findLast(({ text }) => LOOPBACK_BROKER.test(text)) : undefined;
  if (!line || connectionsFrom(stack, service.name).some(({ kind }) => kind === 'redis' || kind === 'amqp')) return [];
  return [
    {
      reason: 'broker-not-set',
      message: `${service.name} tries a broker on its own loopback, because its environment names none`,
      evidence: [{ source: `${service.name} log`, text: line.text }],
    },
  ];
};

/** Or the reason why it could not be looked at. */
const brokerOf = (name: string, { service, stack, links }: Given, redis: Fact<RedisFact> | undefined): Broker | string => {
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

const unique = <T>(items: T[]): T[] => [...new Set(items)];

const databaseOf = ({ database }: Connection): number => {
  const index = Number(database ?? 0);
  return Number.isInteger(index) && index >= 0 ? index : 0;
};

const producersOf = (redis: string, service: Service, stack: Stack): Broker['producers'] =>
  stack.connections
    .filter((each) => each.kind === 'redis' && each.to === redis && each.from !== service.name)
    .map((each) => ({ service: each.from, database: databaseOf(each), source: each.source }));

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

/** A stream keeps what was read; only what a group has not read yet waits. */
const waits = ({ type, length, lengthLater, groups }: Queue): boolean =>
  type === 'list' ? length > 0 && lengthLater >= length : groups.some(({ lag }) => lag !== null && lag > 0);

const lengthOf = ({ type, lengthLater, groups }: Queue): number =>
  type === 'list' ? lengthLater : Math.max(...groups.map(({ lag }) => lag ?? 0));

const databasesOf = ({ sessions, configured }: Broker): number[] =>
  unique(sessions.length > 0 ? sessions.map((each) => each.database) : configured);

const takesWork = (session: Session): boolean => !IDLE_COMMANDS.test(session.command);

const queueEvidence = (broker: Broker, queue: Queue): Evidence => ({
  source: `${broker.name}, database ${queue.database}`,
  text: `${queue.type} ${queue.key}: ${lengthOf(queue)} waiting`,
});

const sessionEvidence = (broker: Broker, service: Service): Evidence => ({
  source: `CLIENT LIST of ${broker.name}`,
  text:
    broker.sessions.length === 0
      ? `no session from ${service.name} (${listed(addressesOf(service))})`
      : listed(
          broker.sessions.slice(0, 5).map((each) => `${each.address} on database ${each.database}, last command ${each.command || 'none'}`),
        ),
});

const logEvidence = ({ service, logs }: Given): Evidence[] => {
  const known = logs.ok ? knownErrorIn(logs.value.lines, service.role) : null;
  return known ? [{ source: `${service.name} log`, text: known.line }] : [];
};

/** Somebody of another service takes from this database: then it is that one's queue. */
const isServedByOthers = ({ server }: Broker, database: number, { service, stack }: Given): boolean =>
  server.sessions.some((each) => {
    const from = serviceAt(stack, withoutPort(each.address));
    return each.database === database && each.blocked && from?.name !== service.name;
  });

const otherDatabase = (broker: Broker, given: Given): Finding[] => {
  const { service } = given;
  const mine = databasesOf(broker);
  const foreign = broker.server.queues.find(
    (queue) =>
      waits(queue) &&
      !mine.includes(queue.database) &&
      !broker.configured.includes(queue.database) &&
      !isServedByOthers(broker, queue.database, given) &&
      broker.producers.some((each) => each.database === queue.database),
  );
  // With somebody else on the worker's own database, the other one may hold anything.
  if (foreign && !isSharedPlace(broker, given)) {
    const producer = broker.producers.find((each) => each.database === foreign.database)!;
    return [
      {
        reason: 'other-queue',
        message: `${lengthOf(foreign)} items wait in "${foreign.key}" in database ${foreign.database} of ${broker.name}, where ${producer.service} puts them; ${service.name} reads database ${listed(mine.map(String))}`,
        evidence: [
          queueEvidence(broker, foreign),
          sessionEvidence(broker, service),
          { source: `${producer.service}: ${producer.source}`, text: `database ${producer.database} of ${broker.name}` },
        ],
        values: { client: producer.service, target: broker.name, database: String(foreign.database) },
      },
    ];
  }
  return [];
};

/** Another service is configured for a database that the worker reads, or has a session there. The doctor's own sessions are of no service. */
const isSharedPlace = (broker: Broker, { service, stack }: Given): boolean => {
  const mine = databasesOf(broker);
  const guests = broker.server.sessions.filter(
    (each) => (serviceAt(stack, withoutPort(each.address))?.name ?? service.name) !== service.name,
  );
  return [...broker.producers, ...guests].some((each) => mine.includes(each.database));
};

const isEmpty = (broker: Broker): boolean => databasesOf(broker).every((database) => (broker.server.keyspace[String(database)] ?? 0) === 0);

const isUp = (name: string, stack: Stack): boolean => stack.services.some((each) => each.name === name && running(each).length > 0);

/** Work that nobody takes waits at another server, and nobody puts any where the worker reads. */
const waitsElsewhere = (brokers: Broker[], elsewhere: Broker[], given: Given): Finding | null => {
  const { service, stack } = given;
  if (brokers.some((each) => isSharedPlace(each, given))) return null;
  for (const other of elsewhere) {
    const queue = other.server.queues.find((each) => waits(each) && !isServedByOthers(other, each.database, given));
    const producer = queue && other.producers.find((each) => each.database === queue.database && isUp(each.service, stack));
    if (!queue || !producer) continue;
    const own = brokers[0]!;
    return {
      reason: 'other-queue',
      message: `${lengthOf(queue)} items wait in "${queue.key}" of ${other.name}, where ${producer.service} puts them; ${service.name} reads ${own.name}`,
      evidence: [
        queueEvidence(other, queue),
        sessionEvidence(own, service),
        { source: `${producer.service}: ${producer.source}`, text: `database ${producer.database} of ${other.name}` },
      ],
      values: { client: producer.service, target: other.name, database: String(queue.database) },
    };
  }
  return null;
};

/** By configuration alone: nobody else uses what the worker reads, and all others use something else. */
const otherServer = (brokers: Broker[], given: Given): Finding | null => {
  const { service, stack } = given;
  const elsewhere = stack.connections.filter(
    (each) => each.kind === 'redis' && each.to !== null && each.from !== service.name && isUp(each.from, stack),
  );
  const [first] = elsewhere;
  const [broker] = brokers;
  if (!first || !broker || brokers.some((each) => isSharedPlace(each, given) || !isEmpty(each))) return null;
  const place = (name: string, database: number): string => `database ${database} of ${name}`;
  return {
    reason: 'other-queue',
    severity: 'warn',
    message: `${service.name} reads ${place(broker.name, databasesOf(broker)[0] ?? 0)}, which no other service uses; ${first.from} uses ${place(first.to!, databaseOf(first))}`,
    evidence: [sessionEvidence(broker, service), { source: `${first.from}: ${first.source}`, text: place(first.to!, databaseOf(first)) }],
    values: { client: first.from, target: broker.name, database: String(databaseOf(first)) },
  };
};

const unconnected = (broker: Broker, given: Given): Finding => {
  const { service } = given;
  const queue = broker.server.queues.find(
    (each) => waits(each) && broker.configured.includes(each.database) && !isServedByOthers(broker, each.database, given),
  );
  const rest = {
    evidence: [...(queue ? [queueEvidence(broker, queue)] : []), sessionEvidence(broker, service), ...logEvidence(given)],
    values: { target: broker.name, ...(queue ? { database: String(queue.database) } : {}) },
  };
  return queue
    ? {
        reason: 'no-consumer',
        message: `${lengthOf(queue)} items wait in "${queue.key}" of ${broker.name}, and ${service.name} is not connected to take them`,
        ...rest,
      }
    : {
        reason: 'not-connected',
        message: `${service.name} runs and has no connection to ${broker.name}`,
        suspects: [{ service: service.name, check: 'network' }, { service: broker.name }],
        ...rest,
      };
};

/** A worker that is busy asks for nothing: only one that never asked for work is told to take none. */
const unconsumed = (broker: Broker, given: Given): Finding[] => {
  const { service } = given;
  const queue = broker.server.queues.find(
    (each) => waits(each) && databasesOf(broker).includes(each.database) && !isServedByOthers(broker, each.database, given),
  );
  if (!queue || broker.sessions.length === 0 || broker.sessions.some(takesWork)) return [];
  return [
    {
      reason: 'no-consumer',
      message: `${lengthOf(queue)} items wait in "${queue.key}" of ${broker.name}, and ${service.name} is connected and takes none`,
      evidence: [queueEvidence(broker, queue), sessionEvidence(broker, service), ...logEvidence(given)],
      values: { target: broker.name, database: String(queue.database) },
    },
  ];
};

/** It waits, but for another key: the variable that names the queue for those who put work in says another name to this one. */
const otherName = (broker: Broker, given: Given): Finding[] => {
  const { service, stack } = given;
  const own = toldTo(running(service)[0]);
  if (!broker.sessions.some(waitsForWork)) return [];
  for (const queue of broker.server.queues) {
    if (!waits(queue) || !databasesOf(broker).includes(queue.database) || isServedByOthers(broker, queue.database, given)) continue;
    for (const each of broker.producers) {
      const told = toldTo(running(serviceNamed(stack, each.service) ?? service)[0]);
      const variable = Object.keys(told).find(
        (key) => own[key] !== undefined && own[key] !== told[key] && names(key, told[key]!, queue.key),
      );
      if (variable === undefined || names(variable, own[variable]!, queue.key)) continue;
      return [
        {
          reason: 'other-queue',
          message: `${lengthOf(queue)} items wait in "${queue.key}" of ${broker.name}, as ${variable} of ${each.service} calls the queue; ${service.name} waits for "${own[variable]}"`,
          evidence: [
            queueEvidence(broker, queue),
            sessionEvidence(broker, service),
            { source: `env ${variable}`, text: `"${told[variable]}" of ${each.service}, "${own[variable]}" of ${service.name}` },
          ],
          values: { client: each.service, target: broker.name, database: String(queue.database), queue: queue.key, variable },
        },
      ];
    }
  }
  return [];
};

/** `celery worker -Q mails,reports`; `null` where the command names none. */
const queuesOnLine = (service: Service | undefined): string[] | null => {
  const container = service && running(service)[0];
  return (container && /\s(?:-Q|--queues)[\s=]([\w.,:-]+)/.exec(commandLine(container))?.[1]?.split(',')) ?? null;
};

/** It waits for work beside a list that holds some, and its own command names other queues: who waits for a key gets what is in it at once. */
const notOnItsLine = (broker: Broker, given: Given): Finding[] => {
  const { service, stack } = given;
  const taken = queuesOnLine(service);
  if (!taken || !broker.sessions.some(waitsForWork)) return [];
  const leaves = (name: string, key: string): boolean => {
    const other = serviceNamed(stack, name);
    return other?.role !== 'worker' || queuesOnLine(other)?.includes(key) === false;
  };
  const queue = broker.server.queues.find(
    (each) =>
      each.type === 'list' &&
      waits(each) &&
      databasesOf(broker).includes(each.database) &&
      !taken.includes(each.key) &&
      !isServedByOthers(broker, each.database, given) &&
      broker.producers.every((producer) => leaves(producer.service, each.key)),
  );
  return queue
    ? [
        {
          reason: 'other-queue',
          message: `${lengthOf(queue)} items wait in "${queue.key}" of ${broker.name}; the command of ${service.name} names only ${listed(taken.map((name) => `"${name}"`))}`,
          evidence: [
            queueEvidence(broker, queue),
            sessionEvidence(broker, service),
            { source: `command of ${service.name}`, text: commandLine(running(service)[0]!) },
          ],
          values: { target: broker.name, database: String(queue.database), queue: queue.key },
        },
      ]
    : [];
};

/** Libraries put words of their own around the name: `rq:queue:mails`, `bull:mails:wait`. */
const names = (variable: string, value: string, key: string): boolean =>
  value === key || (/QUEUE|TOPIC|STREAM|CHANNEL/i.test(variable) && value !== '' && key.split(':').includes(value));

const growingQueue = (broker: Broker, service: Service): Finding[] => {
  const queue = broker.server.queues.find(
    (each) => each.type === 'list' && each.length > 0 && each.lengthLater > each.length && databasesOf(broker).includes(each.database),
  );
  if (!queue || broker.sessions.some((each) => each.blocked)) return [];
  return [
    {
      reason: 'backlog-growing',
      message: `"${queue.key}" of ${broker.name} grew from ${queue.length} to ${queue.lengthLater} items while ${service.name} was connected`,
      evidence: [queueEvidence(broker, queue), sessionEvidence(broker, service)],
      values: { target: broker.name, database: String(queue.database) },
    },
  ];
};
