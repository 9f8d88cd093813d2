/** Redis, asked with the URL that each client service really has: PING and INFO. */
import { secondsUp } from '../model/age.ts';
import { alteredSuspects, couldNotAsk, deciding, guests, isSocketOnly, listed } from '../model/attempt.ts';
import { defineCheck, type Evidence, type Finding, type Verdict } from '../model/check.ts';
import type { Fact, InsideFact, LogFact, RedisAttempt, RedisFact } from '../model/facts.ts';
import { redisReason } from '../model/redis-answer.ts';
import { findingOf, rejectionsOf, saidBy, spoken, unreachedMessage, type Rejection } from '../model/rejection.ts';
import { running, type Service, type Stack } from '../model/stack.ts';

/** Loading takes seconds on a developer's machine; after this, clients have given up. */
const START_SECONDS = 60;

type Server = NonNullable<RedisFact['server']>;

interface Known {
  service: Service;
  tries: RedisAttempt[];
  secondsUp: number;
  inside: Fact<InsideFact>;
}

export const redis = defineCheck({
  id: 'redis',
  title: 'Redis answers and takes work',
  question: 'Does Redis answer each client service with its own URL, and may it write?',
  aliases: ['cache', 'queue'],
  needs: ['redis', 'logs', 'inside'],
  after: ['engine', 'container'],
  appliesTo: (service) => service.role === 'redis',
  findings: {
    'auth-required': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The server wants a password, and the client gives none.',
      proof: 'The reply NOAUTH.',
      answers: true,
    },
    'wrong-password': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: "The server rejects the client's user name or password.",
      proof: 'The reply WRONGPASS.',
      answers: true,
    },
    'unexpected-password': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The client gives a password to a server that has none; most client libraries take the error for a failed login.',
      proof: 'The reply that AUTH was called without any password configured.',
      answers: true,
    },
    'protected-mode': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The server runs in protected mode: with no password set, it serves its own loopback alone.',
      proof: 'The reply DENIED.',
      answers: true,
    },
    'read-only-replica': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The server is a replica of another one, and refuses writes.',
      proof: 'INFO replication: role slave with a master that is no service of this stack, or the reply READONLY.',
      answers: true,
    },
    'cannot-persist': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The server cannot save its data to disk, and therefore refuses writes.',
      proof: 'The reply MISCONF, or INFO persistence with a failed append; a failed snapshot alone is a warning while writes are taken.',
      answers: true,
    },
    'out-of-memory': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The server is at its memory limit and may evict nothing, so it refuses writes.',
      proof: 'The reply OOM, or INFO memory: used_memory at maxmemory with policy noeviction.',
      answers: true,
    },
    'max-clients': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'Every connection that the server allows is taken.',
      proof: 'The reply `max number of clients reached`.',
      answers: true,
    },
    'database-out-of-range': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The client asks for a database index that the server does not have.',
      proof: 'The reply `DB index is out of range`.',
      answers: true,
    },
    'tls-mismatch': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The client demands TLS (`rediss://`), and the server speaks plain Redis on that port.',
      proof: 'The TLS handshake ends, or waits in vain, on a port that takes connections.',
    },
    'not-redis': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'Something listens on the port that does not speak the Redis protocol.',
      proof: "The answer to the first command is not Redis'.",
      answers: true,
    },
    error: {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The server refuses the client for another reason.',
      proof: 'The error reply of the server.',
      answers: true,
    },
    loading: {
      severity: 'warn',
      layer: 'data',
      kind: 'symptom',
      means: 'The server is loading its data set into memory.',
      proof: 'The reply LOADING.',
    },
    refused: {
      severity: 'fail',
      layer: 'data',
      kind: 'symptom',
      means: 'Nothing listens where the clients look for Redis.',
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
    if (!facts.redis.ok) return { cannotLook: facts.redis.reason };
    const fact = facts.redis.value;
    const tries = deciding(fact.attempts, service.name).filter((each) => !isGuess(each, service));
    if (isSocketOnly(tries, service.name, running(service)[0], facts.inside))
      return { skip: `${service.name} listens on no port: its clients use its socket file` };
    const told = rejections({ service, tries, secondsUp: secondsUp(service, now), inside: facts.inside });
    const measured = fact.server ? stateOfServer(service, fact.server, stack) : [];
    const findings = [...told, ...measured.filter((each) => !told.some((other) => other.reason === each.reason))].map((finding) =>
      finding.reason === 'cannot-persist' ? withObstacle(finding, facts.logs) : finding,
    );
    if (findings.length > 0) return { findings };
    return passOrUnseen(service, fact, tries);
  },
});

/** Where no password of the server is known (a file, an ACL), asking without one proves nothing but that it has one. */
const isGuess = (attempt: RedisAttempt, service: Service): boolean =>
  attempt.client === service.name && !attempt.password && redisReason(attempt) === 'auth-required';

const passOrUnseen = (service: Service, fact: RedisFact, tries: RedisAttempt[]): Verdict => {
  const unseen = couldNotAsk(fact.attempts, tries, service.name);
  if (unseen !== null) return { cannotLook: unseen };
  if (fact.server && isReplica(fact.server))
    return { findings: [], note: `${service.name} is a replica of ${fact.server.masterHost}: it takes no writes` };
  return { findings: [], note: `answers ${listed(guests(tries, service.name))}` };
};

/** What the server said to each client, one finding for all clients that were told the same. */
const rejections = (known: Known): Finding[] =>
  rejectionsOf(known.tries, known.service.name, redisReason, subjectOf).map((rejection) =>
    findingOf(
      rejection,
      known.tries,
      { reason: 'loading', isOver: known.secondsUp > START_SECONDS },
      {
        message: messageOf(rejection, known),
        evidence: rejection.attempts.flatMap((each) => evidenceOf(rejection.reason, each)),
        values: { user: rejection.first.user ?? 'default' },
        ...(LOGIN.has(rejection.reason) && { suspects: alteredSuspects(known.service.name, rejection.clients) }),
      },
    ),
  );

const LOGIN = new Set(['wrong-password', 'auth-required']);

const subjectOf = (reason: string, { database }: RedisAttempt): string | number => (reason === 'database-out-of-range' ? database : '');

const messageOf = (rejection: Rejection<RedisAttempt>, { secondsUp: up, inside }: Known): string => {
  const { reason, server: redisName, attempts, names } = rejection;
  const { database, port, trial } = attempts[0]!;
  const say = (one: string, many: string): string => saidBy(rejection, one, many);
  switch (reason) {
    case 'auth-required':
      return `${redisName} wants a password, and ${say('gives', 'give')} none`;
    case 'wrong-password':
      return `${redisName} rejects the password that ${say('uses', 'use')}`;
    case 'unexpected-password':
      return `${redisName} has no password, and ${say('gives', 'give')} one`;
    case 'protected-mode':
      return `${redisName} runs in protected mode and denies ${listed(names)}`;
    case 'read-only-replica':
      return `${redisName} is a replica and takes no writes from ${listed(names)}`;
    case 'cannot-persist':
      return `${redisName} cannot save its data and refuses writes`;
    case 'out-of-memory':
      return `${redisName} is at its memory limit and refuses writes`;
    case 'max-clients':
      return `${redisName} has no connection left for ${listed(names)}`;
    case 'database-out-of-range':
      return `${redisName} has no database ${database}, which ${say('uses', 'use')}`;
    case 'not-redis':
      return `what answers on port ${port} of ${redisName} does not speak the Redis protocol`;
    case 'loading':
      return `${redisName} is still loading its data, ${Math.round(up)} s after its start`;
    case 'refused':
    case 'no-answer':
      return unreachedMessage(rejection, inside);
    case 'tls-mismatch':
      return `${redisName} does not speak TLS on port ${port}, which ${say('demands', 'demand')} (rediss://)`;
    default:
      return `${redisName} answers ${listed(names)} with an error: ${trial.text || trial.code}`;
  }
};

const evidenceOf = (reason: string, attempt: RedisAttempt): Evidence[] => {
  const said = spoken('redis', attempt);
  const isWritten = /password|auth|database|error|tls/.test(reason);
  return isWritten
    ? [
        said,
        {
          source: `${attempt.client}: ${attempt.source}`,
          text: `${attempt.host}:${attempt.port}, database ${attempt.database}, ${attempt.password ? 'a password' : 'no password'}`,
        },
      ]
    : [said];
};

const stateOfServer = (service: Service, server: Server, stack: Stack): Finding[] => [
  ...replication(service, server, stack),
  ...persistence(service, server),
  ...memory(service, server),
];

const isReplica = (server: Server): boolean => server.role === 'slave' || server.role === 'replica';

/** A replica of a service of this stack is as it should be. A foreign master is what a hijacked open port looks like. */
const replication = (service: Service, server: Server, stack: Stack): Finding[] => {
  const master = server.masterHost;
  if (!isReplica(server)) return [];
  const own = stack.services.some((each) => each.name !== service.name && master !== null && answersTo(each, master));
  if (own && server.masterLinkUp !== false) return [];
  return [
    {
      reason: 'read-only-replica',
      ...(own ? { severity: 'warn' as const } : {}),
      message: `${service.name} is a replica of ${master ?? 'an unknown master'}${own ? ', and its link to it is down' : ', which is no service of this stack, and takes no writes'}`,
      evidence: [
        {
          source: `INFO replication of ${service.name}`,
          text: `role:${server.role}, master_host:${master ?? ''}, master_link_status:${server.masterLinkUp ? 'up' : 'down'}`,
        },
      ],
      values: { host: master ?? '' },
    },
  ];
};

const answersTo = (service: Service, host: string): boolean =>
  service.name === host ||
  service.containers.some(
    (container) => container.name === host || container.networks.some((each) => each.ip === host || each.names.includes(host)),
  );

const persistence = (service: Service, server: Server): Finding[] => {
  if (server.lastSaveOk && server.lastAofWriteOk) return [];
  // While snapshots stop writes, PING itself is refused with MISCONF: an answer means that writes are still taken.
  const severity = server.lastAofWriteOk ? 'warn' : 'fail';
  const what = server.lastAofWriteOk ? 'snapshot' : 'append to its file';
  const field = server.lastAofWriteOk ? 'rdb_last_bgsave_status:err' : 'aof_last_write_status:err';
  return [
    {
      reason: 'cannot-persist',
      severity,
      message: `the last ${what} of ${service.name} failed${severity === 'fail' ? '; it refuses writes' : '; its data would not survive a restart'}`,
      evidence: [{ source: `INFO persistence of ${service.name}`, text: field }],
    },
  ];
};

const SAVE_FAILED =
  /(?:Failed opening|Write error|Error (?:moving|trying to)|Can't (?:open|create)|Failed trying).*?: (Permission denied|No space left on device|Read-only file system|Disk quota exceeded)/;

/** The reply does not say why; the server's log does. */
const withObstacle = (finding: Finding, logs: Fact<LogFact>): Finding => {
  const line = logs.ok ? logs.value.lines.findLast(({ text }) => SAVE_FAILED.test(text)) : undefined;
  if (!line || !logs.ok) return finding;
  return {
    ...finding,
    message: `${finding.message} (${SAVE_FAILED.exec(line.text)![1]!.toLowerCase()})`,
    evidence: [...finding.evidence, { source: `log of ${logs.value.container}`, text: line.text }],
  };
};

const memory = (service: Service, server: Server): Finding[] =>
  server.maxMemory > 0 && server.usedMemory >= server.maxMemory && server.maxMemoryPolicy === 'noeviction'
    ? [
        {
          reason: 'out-of-memory',
          message: `${service.name} uses ${server.usedMemory} of ${server.maxMemory} bytes and may evict nothing, so it refuses writes`,
          evidence: [
            {
              source: `INFO memory of ${service.name}`,
              text: `used_memory:${server.usedMemory}, maxmemory:${server.maxMemory}, maxmemory_policy:noeviction`,
            },
          ],
        },
      ]
    : [];
