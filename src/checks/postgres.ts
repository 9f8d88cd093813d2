/** Postgres, asked with the credentials that each client service really has. SQLSTATEs: PostgreSQL documentation, appendix A. */
import { isRecent, secondsUp } from '../model/age.ts';
import { serviceAt } from '../model/addresses.ts';
import { alteredSuspects, couldNotAsk, deciding, guests, isSocketOnly, listed } from '../model/attempt.ts';
import { defineCheck, type Evidence, type Finding, type Verdict } from '../model/check.ts';
import type { Fact, InsideFact, LogLine, PostgresAttempt, PostgresFact } from '../model/facts.ts';
import { holderEvidence, holdersOf, mostHeld } from '../model/holders.ts';
import { declaredLogin, postgresReason, roleDetail, type DeclaredLogin } from '../model/postgres-answer.ts';
import { findingOf, rejectionsOf, saidBy, spoken, commonMessage, type Rejection } from '../model/rejection.ts';
import { running, toldTo, type Service, type Stack } from '../model/stack.ts';
import { DEFAULT_THRESHOLDS } from '../model/thresholds.ts';

/** A start takes seconds; after this, "starting up" is no longer a state to wait for. */
const START_SECONDS = 60;

interface Known {
  service: Service;
  stack: Stack;
  fact: PostgresFact;
  declared: DeclaredLogin | null;
  tries: PostgresAttempt[];
  secondsUp: number;
  /** How long sessions may wait for an idle transaction. */
  blockedSeconds: number;
  inside: Fact<InsideFact>;
}

export const postgres = defineCheck({
  id: 'postgres',
  title: "Postgres accepts the app's connection",
  question: 'Does Postgres accept the connection that each client service really makes?',
  aliases: ['db'],
  needs: ['postgres', 'logs', 'inside'],
  after: ['engine', 'container'],
  appliesTo: (service) => service.role === 'postgres',
  findings: {
    'password-volume-mismatch': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means:
        'The data volume was initialised with another password than the one declared now; POSTGRES_PASSWORD counts only at the first start.',
      proof: 'SQLSTATE 28P01 for the user and password of the server container itself, without the log saying that the role is missing.',
      answers: true,
    },
    'role-missing': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The user that the client names does not exist on this server.',
      proof: 'SQLSTATE 28P01 with DETAIL `Role "…" does not exist.` in the server log, or 28000 with these words.',
      answers: true,
    },
    'auth-rejected': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The server knows the user and rejects the password.',
      proof: 'SQLSTATE 28P01 for the credentials of the client, while the role exists.',
      answers: true,
    },
    'no-hba-entry': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: "The server's pg_hba.conf allows no login from this address for this user and database.",
      proof: 'SQLSTATE 28000 that names pg_hba.conf.',
      answers: true,
    },
    'tls-required': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'Client and server disagree on TLS: one demands it, the other does not speak it.',
      proof: 'The try ended at the TLS layer, or the server asks for TLS or a certificate.',
      answers: true,
    },
    'database-missing': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The database that the client names does not exist on this server.',
      proof: 'SQLSTATE 3D000.',
      answers: true,
    },
    'too-many-clients': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'Every connection slot that the client may use is taken.',
      proof: 'SQLSTATE 53300; the holders are counted in pg_stat_activity where a reserved slot let the doctor in.',
    },
    'disk-full': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The server cannot write: its disk, or its shared memory, is full.',
      proof: 'SQLSTATE 53100, or `No space left on device` from the server.',
      answers: true,
    },
    'shared-memory-full': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: "The container's /dev/shm is full, which the disk has nothing to do with: queries that work in parallel fail.",
      proof: "`could not resize shared memory segment` in the server's log within the last minutes; a warning where it is older.",
    },
    'collation-version': {
      severity: 'warn',
      layer: 'data',
      kind: 'cause',
      means: 'The image brings other rules of sorting than those that the indexes were built with.',
      proof: "`collation version mismatch` in the server's log of this start.",
    },
    'in-recovery': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The only Postgres of the stack is a standby, which takes no writes.',
      proof: 'pg_is_in_recovery() is true, and the stack has no other Postgres to follow.',
    },
    'read-only': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'Transactions are read-only by default on this server.',
      proof: 'default_transaction_read_only is on, and the server is not in recovery.',
      answers: true,
    },
    'blocked-sessions': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'A session that idles inside a transaction holds a lock for which others wait.',
      proof: 'pg_blocking_pids() leads to a session that nobody blocks and whose state is idle in transaction.',
    },
    'not-postgres': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'Something listens on the port that does not speak the Postgres protocol.',
      proof: "The answer to the start-up message is not Postgres'.",
      answers: true,
    },
    error: {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The server refuses the login or the query for another reason.',
      proof: 'The SQLSTATE and the message of the server.',
      answers: true,
    },
    'starting-up': {
      severity: 'warn',
      layer: 'data',
      kind: 'symptom',
      means: 'The server is starting, recovering or stopping, and takes no connections yet.',
      proof: 'SQLSTATE 57P03, or 57P01 and 57P02 around a restart.',
    },
    refused: {
      severity: 'fail',
      layer: 'data',
      kind: 'symptom',
      means: 'Nothing listens where the clients look for Postgres.',
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
  evaluate({ service, stack, facts, now, thresholds = DEFAULT_THRESHOLDS }): Verdict {
    if (!facts.postgres.ok) return { cannotLook: facts.postgres.reason };
    const fact = facts.postgres.value;
    const tries = deciding(fact.attempts, service.name);
    if (isSocketOnly(tries, service.name, running(service)[0], facts.inside))
      return { skip: `${service.name} listens on no port: its clients use its socket file` };
    const known: Known = {
      service,
      stack,
      fact,
      tries,
      declared: declaredLogin(toldTo(running(service)[0])),
      secondsUp: secondsUp(service, now),
      blockedSeconds: thresholds.blockedFor / 1_000,
      inside: facts.inside,
    };
    const told = rejections(known);
    const logged = facts.logs.ok ? ownWords(service, facts.logs.value.lines, now) : [];
    const findings = [...told, ...stateOfServer(known), ...logged.filter((each) => !told.some(({ reason }) => reason === each.reason))];
    if (findings.length > 0) return { findings };
    return passOrUnseen(known);
  },
});

const passOrUnseen = ({ service, stack, fact, tries }: Known): Verdict => {
  const unseen = couldNotAsk(fact.attempts, tries, service.name);
  if (unseen !== null) return { cannotLook: unseen };
  if (fact.server?.inRecovery && hasOtherPostgres(stack, service))
    return { findings: [], note: `${service.name} is a standby: it takes no writes` };
  if (tries.every((each) => each.trial.layer === 'protocol'))
    return { findings: [], note: 'speaks Postgres; no credentials to try are known' };
  return { findings: [], note: `accepts ${listed(guests(tries, service.name))}` };
};

/** What the server said to each client, one finding for all clients that were told the same. */
const rejections = (known: Known): Finding[] =>
  rejectionsOf(known.tries, known.service.name, (attempt) => reasonOf(attempt, known), subjectOf).map((rejection) =>
    findingOf(
      rejection,
      known.tries,
      { reason: 'starting-up', isOver: known.secondsUp > START_SECONDS },
      {
        message: messageOf(rejection, known),
        evidence: [...rejection.attempts.map((each) => spoken('postgres', each)), ...detailsOf(rejection, known)],
        values: holderValues(rejection.reason, known),
        ...(LOGIN.has(rejection.reason) && { suspects: alteredSuspects(known.service.name, rejection.clients) }),
      },
    ),
  );

const LOGIN = new Set(['auth-rejected', 'password-volume-mismatch', 'role-missing']);

const subjectOf = (reason: string, attempt: PostgresAttempt): string => {
  if (reason === 'database-missing') return attempt.database;
  if (reason === 'auth-rejected' || reason === 'role-missing' || reason === 'no-hba-entry') return attempt.user;
  return reason === 'error' ? attempt.trial.code : '';
};

/** `null`: nothing is wrong with the server. */
const reasonOf = (attempt: PostgresAttempt, known: Known): string | null => {
  const reason = postgresReason(attempt, known.fact.serverLog);
  return reason === 'auth-rejected' && sharesOwnCredentials(attempt, known) ? 'password-volume-mismatch' : reason;
};

/** POSTGRES_PASSWORD counts only while the data folder is empty. */
const sharesOwnCredentials = (attempt: PostgresAttempt, { declared }: Known): boolean =>
  declared !== null && attempt.user === declared.user && attempt.password === declared.password;

const messageOf = (rejection: Rejection<PostgresAttempt>, known: Known): string => {
  const { reason, server: db, attempts, names, clients } = rejection;
  const { user, database, port, trial } = attempts[0]!;
  const uses = saidBy(rejection, 'uses', 'use');
  switch (reason) {
    case 'password-volume-mismatch':
      return `${db} rejects its own declared password for user "${user}"${clients.length > 0 ? `, which ${uses}` : ''}; its data was initialised with another one`;
    case 'auth-rejected':
      return `${db} rejects the password that ${uses} for user "${user}"${comparedWithOwn(attempts, known)}`;
    case 'role-missing':
      return `${db} has no role "${user}", which ${uses}${ownUser(user, known)}`;
    case 'no-hba-entry':
      return `pg_hba.conf of ${db} has no entry that lets ${listed(names)} in as "${user}" to database "${database}"`;
    case 'database-missing':
      return `${db} has no database "${database}", which ${uses}`;
    case 'too-many-clients':
      return `${db} has no connection left for ${listed(names)}${mostHeld(known.fact.server, known.stack)}`;
    case 'disk-full':
      return `${db} cannot write: ${trial.text}`;
    case 'shared-memory-full':
      return `/dev/shm of ${db} is full, not its disk: ${trial.text}`;
    case 'read-only':
      return `${db} takes no writes from ${listed(names)}: ${trial.text}`;
    case 'starting-up':
      return `${db} takes no connections yet, ${Math.round(known.secondsUp)} s after its start: ${trial.text}`;
    case 'not-postgres':
      return `what answers on port ${port} of ${db} does not speak the Postgres protocol`;
    case 'tls-required':
    case 'refused':
    case 'no-answer':
    default:
      return commonMessage(rejection, known);
  }
};

const comparedWithOwn = (attempts: PostgresAttempt[], { declared, service }: Known): string => {
  if (attempts.every(({ password }) => !password)) return '; none is given';
  const comparable = declared !== null && attempts.every(({ user, password }) => user === declared.user && password !== declared.password);
  return comparable ? `; it differs from ${declared.variable} of ${service.name}` : '';
};

const ownUser = (user: string, { declared, service }: Known): string =>
  declared && declared.user !== user ? `; ${service.name} declares "${declared.user}"` : '';

const detailsOf = ({ reason, attempts }: Rejection<PostgresAttempt>, known: Known): Evidence[] => {
  const db = known.service.name;
  if (reason === 'too-many-clients') return holderEvidence(known.fact.server, known.stack, `pg_stat_activity of ${known.service.name}`);
  if (reason === 'password-volume-mismatch')
    return [
      {
        source: `docker inspect ${running(known.service)[0]?.name ?? db}: ${known.declared?.variable}`,
        text: 'the very password that is rejected',
      },
    ];
  const named = attempts.map((each) => ({
    source: `${each.client}: ${each.source}`,
    text: `user "${each.user}", database "${each.database}"`,
  }));
  if (reason !== 'role-missing') return reason === 'auth-rejected' || reason === 'database-missing' ? named : [];
  const details = attempts.flatMap((each) => roleDetail(each, known.fact.serverLog) ?? []);
  return [...[...new Set(details.map((line) => line.text))].map((text) => ({ source: `${db} log`, text })), ...named];
};

const holderValues = (reason: string, { fact, stack }: Known): Record<string, string> => {
  const most = reason === 'too-many-clients' ? holdersOf(fact.server, stack)[0] : undefined;
  return most ? { owner: most.holder } : {};
};

const stateOfServer = (known: Known): Finding[] => {
  const { service, stack, fact } = known;
  const { server } = fact;
  if (!server) return [];
  const findings: Finding[] = [];
  if (server.inRecovery && !hasOtherPostgres(stack, service)) {
    findings.push({
      reason: 'in-recovery',
      message: `${service.name} is in recovery and takes no writes, and no other Postgres of the stack does`,
      evidence: [{ source: `postgres of ${service.name}`, text: 'pg_is_in_recovery() = true' }],
    });
  }
  if (server.readOnly && !server.inRecovery) {
    findings.push({
      reason: 'read-only',
      message: `${service.name} takes no writes: its transactions are read-only by default`,
      evidence: [{ source: `postgres of ${service.name}`, text: 'default_transaction_read_only = on' }],
    });
  }
  const root = server.blockers.find(
    (each) => each.state.startsWith('idle in transaction') && each.blocked > 0 && each.seconds > known.blockedSeconds,
  );
  if (root) findings.push(blocking(root, service, stack));
  return findings;
};

const blocking = (root: NonNullable<PostgresFact['server']>['blockers'][number], service: Service, stack: Stack): Finding => {
  const holder = (root.address && serviceAt(stack, root.address)?.name) || root.application || root.address || 'a local session';
  return {
    reason: 'blocked-sessions',
    message: `${root.blocked} sessions of ${service.name} wait for a lock that ${holder} holds in a transaction idle for ${Math.round(root.seconds)} s`,
    evidence: [
      {
        source: `pg_stat_activity of ${service.name}`,
        text: `pid ${root.pid}, ${root.state}, ${root.application || 'no application name'}, from ${root.address ?? 'the socket'}`,
      },
    ],
    values: { owner: holder, pid: String(root.pid) },
  };
};

const NO_ROOM = /(?:ERROR|FATAL|PANIC): .*No space left on device/;
const SHARED_MEMORY = /could not resize shared memory segment "[^"]*" to (\d+) bytes/;
const COLLATION = /database "([^"]*)" has a collation version mismatch/;

/** What no question of ours would show: it fails those who write, or who ask for much. */
const ownWords = (service: Service, lines: readonly LogLine[], now: string): Finding[] => {
  const say = (reason: string, pattern: RegExp, message: (found: RegExpExecArray) => string, unless?: RegExp): Finding[] => {
    const line = lines.findLast(({ text }) => pattern.test(text) && !unless?.test(text));
    if (!line) return [];
    const old = !isRecent(line.time, now) ? { severity: 'warn' as const } : {};
    return [{ reason, ...old, message: message(pattern.exec(line.text)!), evidence: [{ source: `${service.name} log`, text: line.text }] }];
  };
  const shm = running(service)[0]?.shmSize ?? 0;
  return [
    ...say(
      'shared-memory-full',
      SHARED_MEMORY,
      ([, bytes]) =>
        `/dev/shm of ${service.name}${shm > 0 ? ` (${Math.round(shm / 1024 / 1024)} MiB)` : ''} is full, not its disk: a query wanted ${bytes} bytes of it`,
    ),
    ...say('disk-full', NO_ROOM, ([text]) => `${service.name} cannot write: ${text}`, SHARED_MEMORY),
    ...say(
      'collation-version',
      COLLATION,
      ([, database]) => `the indexes of database "${database}" of ${service.name} were built with another version of its collation`,
    ),
  ];
};

/** A standby beside a primary is as it should be. */
const hasOtherPostgres = (stack: Stack, service: Service): boolean =>
  stack.services.some((each) => each.role === 'postgres' && each.name !== service.name);
