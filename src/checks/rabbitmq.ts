/** RabbitMQ, asked with the user, password and virtual host that each client service really has. */
import { isStarting, secondsUp } from '../model/age.ts';
import { couldNotAsk, deciding, guests, listed } from '../model/attempt.ts';
import { defineCheck, type Evidence, type Finding, type Verdict } from '../model/check.ts';
import type { RabbitmqAttempt, RabbitmqFact } from '../model/facts.ts';
import { booting, declaredBroker, rabbitmqReason, refusalLine, type DeclaredLogin } from '../model/rabbitmq-answer.ts';
import {
  findingOf,
  rejectionsOf,
  foreignMessage,
  saidBy,
  speaksElsewhere,
  spoken,
  commonMessage,
  type Rejection,
} from '../model/rejection.ts';
import { connectionsTo, running, toldTo, serviceNamed, type Service, type Stack } from '../model/stack.ts';

interface Known {
  service: Service;
  stack: Stack;
  fact: RabbitmqFact;
  declared: DeclaredLogin | null;
  tries: RabbitmqAttempt[];
  secondsUp: number;
  /** It may still take its time. */
  isStarting: boolean;
  now: string;
}

/** A worker connects when it has loaded its code. */
const WORKER_SECONDS = 20;

export const rabbitmq = defineCheck({
  id: 'rabbitmq',
  title: 'RabbitMQ accepts its clients and moves messages',
  question: 'Does RabbitMQ accept the connection that each client service really makes, and does somebody take what waits?',
  aliases: ['queue', 'broker', 'amqp'],
  needs: ['rabbitmq'],
  after: ['engine', 'container'],
  appliesTo: (service) => service.role === 'rabbitmq',
  findings: {
    'password-volume-mismatch': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means:
        'The data volume was initialised with other credentials than those declared now; RABBITMQ_DEFAULT_USER and RABBITMQ_DEFAULT_PASS count only at the first start.',
      proof: 'Reply 403 ACCESS_REFUSED for the user and password of the server container itself.',
      answers: true,
    },
    'guest-remote': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The user guest may log in over loopback only, and the client comes from another container.',
      proof: 'Reply 403 ACCESS_REFUSED, and the server log says that the user can only connect via localhost.',
      answers: true,
    },
    'auth-rejected': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: "The server rejects the client's user name or password.",
      proof: 'Reply 403 ACCESS_REFUSED for the credentials of the client.',
      answers: true,
    },
    'vhost-missing': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The virtual host that the client names does not exist on this server.',
      proof: 'Reply 530 NOT_ALLOWED with the words `vhost … not found`.',
      answers: true,
    },
    'vhost-denied': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The user may log in and has no rights on the virtual host that the client names.',
      proof: 'Reply 530 NOT_ALLOWED with the words `access to vhost … refused`.',
      answers: true,
    },
    'too-many-connections': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The connection limit of the server, the virtual host or the user is reached.',
      proof: 'Reply 530 NOT_ALLOWED that names the limit.',
    },
    'resource-alarm': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The server is short of memory or disk, and takes no messages until that is over.',
      proof: 'The management interface names the alarm, or the log says that it was set and not that it was cleared.',
    },
    'no-consumer': {
      severity: 'fail',
      layer: 'data',
      kind: 'symptom',
      means: 'Messages wait in a queue that nobody consumes, while the stack has a worker for this server.',
      proof: 'The queue has ready messages and a consumer count of 0.',
    },
    'tls-required': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The client speaks TLS to a port that does not.',
      proof: 'The try ended in the TLS handshake.',
      answers: true,
    },
    'not-amqp': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'What answers on the port does not speak AMQP: often the management interface, which is for browsers.',
      proof: 'The first bytes of the answer are no AMQP frame.',
      answers: true,
    },
    error: {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The server refuses the client for another reason.',
      proof: 'The reply code and text of the server.',
      answers: true,
    },
    'starting-up': {
      severity: 'warn',
      layer: 'data',
      kind: 'symptom',
      means: 'The server is starting or stopping, and takes no connections yet.',
      proof: 'Refused, while its log has begun a start and not ended it.',
    },
    refused: {
      severity: 'fail',
      layer: 'data',
      kind: 'symptom',
      means: 'Nothing listens where the clients look for RabbitMQ.',
      proof: 'Every try ended with a refused connection.',
    },
    'no-answer': {
      severity: 'fail',
      layer: 'data',
      kind: 'symptom',
      means: 'The server does not answer in time.',
      proof: 'The try timed out, or was cut off, before an answer came.',
    },
  },
  evaluate({ service, stack, facts, now }): Verdict {
    if (!facts.rabbitmq.ok) return { cannotLook: facts.rabbitmq.reason };
    const fact = facts.rabbitmq.value;
    const known: Known = {
      service,
      stack,
      fact,
      tries: deciding(fact.attempts, service.name),
      declared: declaredBroker(toldTo(running(service)[0])),
      secondsUp: secondsUp(service, now),
      isStarting: isStarting(service, now),
      now,
    };
    const findings = [...rejections(known), ...alarms(known), ...unconsumed(known)];
    if (findings.length > 0) return { findings };
    const unseen = couldNotAsk(fact.attempts, known.tries, service.name);
    if (unseen !== null) return { cannotLook: unseen };
    if (known.tries.every((each) => each.trial.layer === 'protocol'))
      return { findings, note: 'speaks AMQP; no credentials to try are known' };
    return { findings, note: `accepts ${listed(guests(known.tries, service.name))}` };
  },
});

/** What the server said to each client, one finding for all clients that were told the same. */
const rejections = (known: Known): Finding[] =>
  rejectionsOf(known.tries, known.service.name, (attempt) => reasonOf(attempt, known), subjectOf).map((rejection) =>
    findingOf(
      rejection,
      known.tries,
      { reason: 'starting-up', isOver: !known.isStarting },
      {
        message: messageOf(rejection, known),
        evidence: [...rejection.attempts.map((each) => spoken('amqp', each)), ...detailsOf(rejection, known)],
        values: { vhost: rejection.first.database },
        ...assumedVhost(rejection),
      },
    ),
  );

/** `/` is what a client that names none would use: one that misses a setting of its own never came to it. */
const assumedVhost = ({ reason, first, clients }: Rejection<RabbitmqAttempt>): Pick<Finding, 'suspects'> =>
  reason === 'vhost-missing' && first.database === '/'
    ? { suspects: clients.map((service) => ({ service, code: 'startup/setting-missing' })) }
    : {};

const subjectOf = (reason: string, { user, database, port, trial }: RabbitmqAttempt): string => {
  if (reason.startsWith('vhost-')) return database;
  if (reason === 'not-amqp') return String(port);
  return reason === 'error' ? trial.code : /^(auth|password)-/.test(reason) ? user : '';
};

const reasonOf = (attempt: RabbitmqAttempt, { fact, declared, tries }: Known): string | null => {
  const reason = rabbitmqReason(attempt, fact.serverLog);
  if (reason === 'no-answer' && speaksElsewhere(attempt, tries)) return 'not-amqp';
  const isOwn = declared !== null && attempt.user === declared.user && attempt.password === declared.password;
  return reason === 'auth-rejected' && isOwn ? 'password-volume-mismatch' : reason;
};

const messageOf = (rejection: Rejection<RabbitmqAttempt>, known: Known): string => {
  const { reason, server, names, clients, attempts } = rejection;
  const { user, database, port, trial } = attempts[0]!;
  const uses = saidBy(rejection, 'uses', 'use');
  switch (reason) {
    case 'password-volume-mismatch':
      return `${server} rejects its own declared password for user "${user}"${clients.length > 0 ? `, which ${uses}` : ''}; its data was initialised with other credentials`;
    case 'guest-remote':
      return `${server} lets user "${user}" in over its own loopback only, and ${listed(names)} come${clients.length === 1 ? 's' : ''} from another container`;
    case 'auth-rejected':
      return `${server} rejects user "${user}" with the password that ${uses}${comparedWithOwn(attempts, known)}`;
    case 'vhost-missing':
      return `${server} has no virtual host "${database}", which ${uses}`;
    case 'vhost-denied':
      return `${server} gives user "${user}" no rights on virtual host "${database}", which ${uses}`;
    case 'too-many-connections':
      return `${server} takes no further connection from ${listed(names)}: ${trial.text}`;
    case 'tls-required':
      return `${server} does not speak TLS on port ${port}, which ${saidBy(rejection, 'demands', 'demand')} (amqps://)`;
    case 'not-amqp':
      return foreignMessage(rejection, known.tries, 'AMQP');
    case 'starting-up':
    case 'refused':
    case 'no-answer':
    default:
      return commonMessage(rejection, known);
  }
};

const comparedWithOwn = (attempts: RabbitmqAttempt[], { declared, service }: Known): string => {
  if (declared === null) return '';
  if (attempts.every(({ user }) => user !== declared.user)) return `; ${service.name} declares "${declared.user}"`;
  return `; the password differs from ${declared.variable} of ${service.name}`;
};

const detailsOf = ({ reason, attempts }: Rejection<RabbitmqAttempt>, { service, fact, declared }: Known): Evidence[] => {
  const { name } = service;
  if (reason === 'starting-up') {
    const line = booting(fact.serverLog);
    return line ? [{ source: `${name} log`, text: line.text }] : [];
  }
  if (reason === 'password-volume-mismatch')
    return [
      { source: `docker inspect ${running(service)[0]?.name ?? name}: ${declared?.variable}`, text: 'the very password that is rejected' },
    ];
  if (!/^(auth-rejected|guest-remote|vhost-|not-amqp)/.test(reason)) return [];
  const line = /^(auth-rejected|guest-remote)$/.test(reason) ? refusalLine(attempts[0]!.user, fact.serverLog) : undefined;
  return [
    ...(line ? [{ source: `${name} log`, text: line.text }] : []),
    ...attempts.map((each) => ({
      source: `${each.client}: ${each.source}`,
      text: `${each.host}:${each.port}, user "${each.user}", virtual host "${each.database}"`,
    })),
  ];
};

const alarms = ({ service, fact }: Known): Finding[] =>
  fact.alarms && fact.alarms.length > 0
    ? [
        {
          reason: 'resource-alarm',
          message: `${service.name} is short of ${listed(fact.alarms)} and takes no messages`,
          evidence: [{ source: fact.alarmsFrom, text: `${listed(fact.alarms)} alarm` }],
        },
      ]
    : [];

/** Without a worker in the stack a queue may wait for a consumer elsewhere: dead letters, an archive. */
const unconsumed = ({ service, stack, fact, secondsUp: up, now }: Known): Finding[] => {
  const workers = connectionsTo(stack, service.name)
    .filter(({ kind }) => kind === 'amqp')
    .flatMap(({ from }) => serviceNamed(stack, from) ?? [])
    // One that has just started has not come to it yet.
    .filter((each) => mayConsume(each) && !(secondsUp(each, now) < WORKER_SECONDS));
  const waiting = fact.queues.filter(({ messages, consumers, name }) => messages > 0 && consumers === 0 && !IS_ASIDE.test(name));
  // A queue that somebody consumes shows that the workers are there: the others wait for what they wait for.
  const isServed = fact.queues.some(({ consumers }) => consumers > 0);
  const astray = isServed ? readsAnother(waiting, workers, fact, stack) : null;
  if (workers.length === 0 || waiting.length === 0 || (isServed && !astray) || up < WORKER_SECONDS) return [];
  const names = astray ? [astray.worker] : [...new Set(workers.map(({ name }) => name))];
  const queue = astray?.queue ?? waiting.toSorted((a, b) => b.messages - a.messages)[0];
  return [
    {
      reason: 'no-consumer',
      message: `${queue!.messages} messages wait in "${queue!.name}" of ${service.name}, and nobody consumes it; ${listed(names)} should`,
      evidence: waiting
        .slice(0, 3)
        .map((each) => ({
          source: `${service.name}, virtual host ${each.vhost}`,
          text: `queue ${each.name}: ${each.messages} messages, 0 consumers`,
        }))
        .concat(astray?.evidence ?? []),
      suspects: names.map((name) => ({ service: name })),
      values: { target: names[0]!, queue: queue!.name },
    },
  ];
};

type Queue = RabbitmqFact['queues'][number];

/** One variable names the queue for both ends, and the worker has another value of it, whose queue is consumed and empty. */
const readsAnother = (waiting: Queue[], workers: Service[], { queues }: RabbitmqFact, stack: Stack) => {
  for (const queue of waiting)
    for (const { name: worker, containers } of workers)
      for (const [key, value] of Object.entries(containers[0]?.env ?? {})) {
        const other = stack.services.find(({ name, containers: [first] }) => name !== worker && first?.env[key] === queue.name);
        const own = queues.find(({ name, consumers }) => name === value && consumers > 0);
        if (!other || !own || own.messages > 0 || value === queue.name) continue;
        const evidence: Evidence[] = [
          { source: `${worker}: env ${key}`, text: value },
          { source: `${other.name}: env ${key}`, text: queue.name },
        ];
        return { queue, worker, evidence };
      }
  return null;
};

/** Not every worker is called one; who is asked over HTTP or publishes a port mostly fills queues. */
const mayConsume = (service: Service): boolean =>
  service.role === 'worker' || (service.role === 'unknown' && running(service).every(({ portBindings }) => portBindings.length === 0));

/** Queues that are meant to keep what nobody takes. */
const IS_ASIDE = /dead|dlq|dlx|delay|retry|error|fail|park|archive|audit|unroutable/i;
