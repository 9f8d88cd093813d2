/** Does the worker look where the work is: the server, the database, the queue? */
import { serviceAt, withoutPort } from '../../model/addresses.ts';
import { listed } from '../../model/attempt.ts';
import type { Finding } from '../../model/check.ts';
import { commandLine, running, type Service, serviceNamed, toldTo } from '../../model/stack.ts';
import {
  type Broker,
  databaseOf,
  databasesOf,
  type Given,
  isUp,
  lengthOf,
  logEvidence,
  queueEvidence,
  sessionEvidence,
  takesWork,
  waits,
  waitsForWork,
} from './scene.ts';

/** Somebody of another service takes from this database: then it is that one's queue. */
const isServedByOthers = ({ server }: Broker, database: number, { service, stack }: Given): boolean =>
  server.sessions.some((each) => {
    const from = serviceAt(stack, withoutPort(each.address));
    return each.database === database && each.blocked && from?.name !== service.name;
  });

export const otherDatabase = (broker: Broker, given: Given): Finding[] => {
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

/** Work that nobody takes waits at another server, and nobody puts any where the worker reads. */
export const waitsElsewhere = (brokers: Broker[], elsewhere: Broker[], given: Given): Finding | null => {
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
export const otherServer = (brokers: Broker[], given: Given): Finding | null => {
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

export const unconnected = (broker: Broker, given: Given): Finding => {
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
export const unconsumed = (broker: Broker, given: Given): Finding[] => {
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
export const otherName = (broker: Broker, given: Given): Finding[] => {
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
export const notOnItsLine = (broker: Broker, given: Given): Finding[] => {
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
export const names = (variable: string, value: string, key: string): boolean =>
  value === key || (/QUEUE|TOPIC|STREAM|CHANNEL/i.test(variable) && value !== '' && key.split(':').includes(value));

export const growingQueue = (broker: Broker, service: Service): Finding[] => {
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
