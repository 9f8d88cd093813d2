/** MySQL and its kin (MariaDB, Percona), asked with the credentials that each client service really has. */
import { serviceAt } from '../model/addresses.ts';
import { isStarting, secondsUp } from '../model/age.ts';
import { couldNotAsk, deciding, guests, isSocketOnly, listed } from '../model/attempt.ts';
import { defineCheck, type Evidence, type Finding, type Verdict } from '../model/check.ts';
import type { Fact, InsideFact, MysqlAttempt, MysqlFact } from '../model/facts.ts';
import { holderEvidence, holdersOf, mostHeld } from '../model/holders.ts';
import { declaredLogins, mysqlReason, settingUp, type DeclaredLogin } from '../model/mysql-answer.ts';
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
import { running, toldTo, type Service, type Stack } from '../model/stack.ts';
import { DEFAULT_THRESHOLDS } from '../model/thresholds.ts';

interface Known {
  service: Service;
  stack: Stack;
  fact: MysqlFact;
  declared: DeclaredLogin[];
  tries: MysqlAttempt[];
  secondsUp: number;
  /** How long sessions may wait for an idle transaction. */
  blockedSeconds: number;
  inside: Fact<InsideFact>;
  /** It may still take its time. */
  isStarting: boolean;
}

export const mysql = defineCheck({
  id: 'mysql',
  title: "MySQL accepts the app's connection",
  question: 'Does MySQL or MariaDB accept the connection that each client service really makes?',
  aliases: ['db', 'mariadb'],
  needs: ['mysql', 'inside'],
  after: ['engine', 'container'],
  appliesTo: (service) => service.role === 'mysql',
  findings: {
    'password-volume-mismatch': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means:
        'The data volume was initialised with another password than the one declared now; the password variables count only at the first start.',
      proof: 'Error 1045 for a user and password of the server container itself.',
      answers: true,
    },
    'user-missing': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The user that the client names does not exist on this server.',
      proof: "Error 1045 for a user that the list of accounts, read with the server's own credentials, does not have.",
      answers: true,
    },
    'auth-rejected': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: "The server rejects the client's user name or password.",
      proof: 'Error 1045 for the credentials of the client.',
      answers: true,
    },
    'host-not-allowed': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The server has no account that lets this user in from where the client stands.',
      proof: 'Error 1130, or 1045 while every account of the user is for localhost alone.',
      answers: true,
    },
    'host-blocked': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: "The server shut the client's address out after too many broken connections.",
      proof: 'Error 1129.',
      answers: true,
    },
    'database-missing': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The database that the client names does not exist on this server.',
      proof: 'Error 1049, or 1044 for a name that is not in the list of databases.',
      answers: true,
    },
    'database-denied': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The user may log in and has no rights on the database that the client names.',
      proof: 'Error 1044.',
      answers: true,
    },
    'too-many-clients': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'Every connection that the client may use is taken.',
      proof: "Error 1040, or 1203 and 1226 for the user's own limit.",
    },
    'disk-full': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The server cannot write: its disk is full.',
      proof: 'Error 1021 or 1114, or `No space left on device` from the server.',
      answers: true,
    },
    'read-only': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The server takes no writes.',
      proof: 'The variable read_only or super_read_only is on, and the stack has no other server to follow.',
      answers: true,
    },
    'auth-plugin': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'Client and server have no way of authentication in common.',
      proof: 'Error 1251 or 1524.',
      answers: true,
    },
    'tls-required': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'Client and server disagree on TLS: one demands it, the other does not speak it.',
      proof: 'Error 3159, or a TLS handshake that fails.',
      answers: true,
    },
    'blocked-sessions': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'A session that idles inside a transaction holds a lock for which others wait.',
      proof: "The server's list of lock waits leads to a transaction that waits for nobody and whose session sleeps.",
    },
    'not-mysql': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'Something listens on the port that does not speak the MySQL protocol.',
      proof: "The first bytes of the server are no greeting of MySQL's.",
      answers: true,
    },
    error: {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The server refuses the login or the query for another reason.',
      proof: "The server's own error, with its number.",
      answers: true,
    },
    'probe-blind': {
      severity: 'warn',
      layer: 'data',
      kind: 'cause',
      means: 'The healthcheck passes whether or not anybody can log in: `mysqladmin ping` ends with 0 on a rejected password, too.',
      proof: "The container is healthy while its probe's own output says `Access denied`.",
    },
    'starting-up': {
      severity: 'warn',
      layer: 'data',
      kind: 'symptom',
      means: 'The server is setting up its data, starting or stopping, and takes no connections yet.',
      proof: 'Refused, while the newest word of its log is of the set-up; or error 1053.',
    },
    refused: {
      severity: 'fail',
      layer: 'data',
      kind: 'symptom',
      means: 'Nothing listens where the clients look for MySQL.',
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
    if (!facts.mysql.ok) return { cannotLook: facts.mysql.reason };
    const fact = facts.mysql.value;
    const known: Known = {
      service,
      stack,
      fact,
      tries: deciding(fact.attempts, service.name),
      declared: declaredLogins(toldTo(running(service)[0])),
      secondsUp: secondsUp(service, now),
      inside: facts.inside,
      isStarting: isStarting(service, now),
      blockedSeconds: thresholds.blockedFor / 1_000,
    };
    if (isSocketOnly(known.tries, service.name, running(service)[0], facts.inside))
      return { skip: `${service.name} listens on no port: its clients use its socket file` };
    const findings = [...rejections(known), ...stateOfServer(known)];
    if (findings.some((each) => each.reason !== 'probe-blind')) return { findings };
    return passOrUnseen(known, findings);
  },
});

const passOrUnseen = ({ service, stack, fact, tries }: Known, findings: Finding[]): Verdict => {
  const unseen = couldNotAsk(fact.attempts, tries, service.name);
  if (unseen !== null) return findings.length > 0 ? { findings } : { cannotLook: unseen };
  if (findings.length > 0) return { findings };
  if (fact.server?.readOnly && hasOtherMysql(stack, service))
    return { findings, note: `${service.name} is read-only, beside another server that takes the writes` };
  if (tries.every((each) => each.trial.layer === 'protocol')) return { findings, note: 'speaks MySQL; no credentials to try are known' };
  return { findings, note: `accepts ${listed(guests(tries, service.name))}` };
};

/** What the server said to each client, one finding for all clients that were told the same. */
const rejections = (known: Known): Finding[] =>
  rejectionsOf(known.tries, known.service.name, (attempt) => reasonOf(attempt, known), subjectOf).map((rejection) =>
    findingOf(
      rejection,
      known.tries,
      { reason: 'starting-up', isOver: !known.isStarting },
      {
        message: messageOf(rejection, known),
        evidence: [...rejection.attempts.map((each) => spoken('mysql', each)), ...detailsOf(rejection, known)],
        values: holderValues(rejection.reason, known),
      },
    ),
  );

const subjectOf = (reason: string, attempt: MysqlAttempt): string => {
  if (reason === 'database-missing' || reason === 'database-denied') return attempt.database;
  if (/^(auth-|user-|host-)/.test(reason)) return attempt.user;
  return reason === 'error' ? attempt.trial.code : '';
};

const reasonOf = (attempt: MysqlAttempt, known: Known): string | null => {
  const reason = mysqlReason(attempt, known.fact);
  if (reason === 'no-answer' && speaksElsewhere(attempt, known.tries)) return 'not-mysql';
  return (reason === 'auth-rejected' || reason === 'user-missing') && sharesOwnCredentials(attempt, known)
    ? 'password-volume-mismatch'
    : reason;
};

/** Those variables count only while the data folder is empty. */
const sharesOwnCredentials = (attempt: MysqlAttempt, { declared }: Known): boolean =>
  declared.some(({ user, password }) => user === attempt.user && password === attempt.password);

const messageOf = (rejection: Rejection<MysqlAttempt>, known: Known): string => {
  const { reason, server: db, names, clients, attempts } = rejection;
  const { user, database, trial } = attempts[0]!;
  const uses = saidBy(rejection, 'uses', 'use');
  switch (reason) {
    case 'password-volume-mismatch':
      return `${db} rejects its own declared ${ownOnes(attempts)}${clients.length > 0 ? `, which ${uses}` : ''}; its data was initialised with other ones`;
    case 'auth-rejected':
      return `${db} rejects the password that ${uses} for user "${user}"${comparedWithOwn(attempts, known)}`;
    case 'user-missing':
      return `${db} has no user "${user}", which ${uses}${ownUsers(user, known)}`;
    case 'host-not-allowed':
      return `${db} has no account that lets ${listed(names)} in as "${user}" from another host${accountsOf(user, known)}`;
    case 'host-blocked':
      return `${db} has shut out the address of ${listed(names)} after too many broken connections`;
    case 'auth-plugin':
      return `${db} and ${listed(names)} share no way of authentication: ${trial.text}`;
    case 'database-missing':
      return `${db} has no database "${database}", which ${uses}`;
    case 'database-denied':
      return `${db} gives user "${user}" no rights on database "${database}", which ${uses}`;
    case 'too-many-clients':
      return `${db} has no connection left for ${listed(names)}${mostHeld(known.fact.server, known.stack)}`;
    case 'disk-full':
      return `${db} cannot write: ${trial.text}`;
    case 'read-only':
      return `${db} takes no writes from ${listed(names)}: ${trial.text}`;
    case 'not-mysql':
      return foreignMessage(rejection, known.tries, 'the MySQL protocol');
    case 'tls-required':
    case 'starting-up':
    case 'refused':
    case 'no-answer':
    default:
      return commonMessage(rejection, known);
  }
};

/** Those of clients first: root is only the doctor's. */
const ownOnes = (attempts: MysqlAttempt[]): string => {
  const users = [...new Set(attempts.map(({ user }) => `"${user}"`))];
  return users.length === 1 ? `password for user ${users[0]}` : `passwords for users ${listed(users)}`;
};

const comparedWithOwn = (attempts: MysqlAttempt[], { declared, service }: Known): string => {
  if (attempts.every(({ password }) => !password)) return '; none is given';
  const own = declared.find(({ user }) => user === attempts[0]!.user);
  return own ? `; it differs from ${own.variable} of ${service.name}` : '';
};

const ownUsers = (user: string, { declared, service }: Known): string => {
  const own = declared.map((each) => each.user).filter((each) => each !== user && each !== 'root');
  return own.length > 0 ? `; ${service.name} declares ${listed(own.map((each) => `"${each}"`))}` : '';
};

const accountsOf = (user: string, { fact }: Known): string => {
  const own = (fact.accounts ?? []).filter((each) => each.user === user).map((each) => `'${each.user}'@'${each.host}'`);
  return own.length > 0 ? `; it has ${listed(own)}` : '';
};

/** The server's own. */
const IS_OWN = /^(information_schema|performance_schema|mysql|sys)$/;

const detailsOf = ({ reason, attempts }: Rejection<MysqlAttempt>, known: Known): Evidence[] => {
  const { service, fact, declared } = known;
  const db = service.name;
  const line = settingUp(fact.serverLog);
  if (reason === 'too-many-clients') return holderEvidence(known.fact.server, known.stack, `processlist of ${known.service.name}`);
  if (reason === 'starting-up') return line ? [{ source: `${db} log`, text: line.text }] : [];
  if (reason === 'password-volume-mismatch')
    return declared
      .filter(({ user }) => attempts.some((each) => each.user === user))
      .map(({ variable }) => ({
        source: `docker inspect ${running(service)[0]?.name ?? db}: ${variable}`,
        text: 'the very password that is rejected',
      }));
  const named = attempts.map((each) => ({
    source: `${each.client}: ${each.source}`,
    text: `user "${each.user}"${each.database && `, database "${each.database}"`}`,
  }));
  if (reason === 'user-missing') return [{ source: `mysql.user of ${db}`, text: `no account of user "${attempts[0]!.user}"` }, ...named];
  if (reason === 'database-missing' && fact.databases)
    return [{ source: `databases of ${db}`, text: listed(fact.databases.filter((each) => !IS_OWN.test(each))) || 'none' }, ...named];
  return /^(auth-rejected|database-|host-not-allowed)/.test(reason) ? named : [];
};

const holderValues = (reason: string, { fact, stack }: Known): Record<string, string> => {
  const most = reason === 'too-many-clients' ? holdersOf(fact.server, stack)[0] : undefined;
  return most ? { owner: most.holder } : {};
};

const stateOfServer = (known: Known): Finding[] => {
  const { service, stack, fact } = known;
  const { server } = fact;
  const findings: Finding[] = [];
  if (server?.readOnly && !hasOtherMysql(stack, service)) {
    findings.push({
      reason: 'read-only',
      message: `${service.name} takes no writes: it is set to read-only`,
      evidence: [{ source: `mysql of ${service.name}`, text: 'read_only = ON' }],
    });
  }
  const root = server?.blockers.find((each) => each.command === 'Sleep' && each.blocked > 0 && each.seconds > known.blockedSeconds);
  if (root) findings.push(blocking(root, service, stack));
  return [...findings, ...blindProbe(service)];
};

const blocking = (root: NonNullable<MysqlFact['server']>['blockers'][number], service: Service, stack: Stack): Finding => {
  const holder = (root.address && serviceAt(stack, root.address)?.name) || root.address || 'a local session';
  return {
    reason: 'blocked-sessions',
    message: `${root.blocked === 1 ? 'a session' : `${root.blocked} sessions`} of ${service.name} ${root.blocked === 1 ? 'waits' : 'wait'} for a lock that ${holder} holds in a transaction open for ${Math.round(root.seconds)} s`,
    evidence: [
      {
        source: `lock waits of ${service.name}`,
        text: `connection ${root.id}, ${root.command}, user "${root.user}", from ${root.address ?? 'the socket'}`,
      },
    ],
    values: { owner: holder, pid: String(root.id) },
  };
};

/** `mysqladmin ping` asks whether somebody answers, and calls a rejected login an answer. */
const blindProbe = (service: Service): Finding[] =>
  running(service)
    .slice(0, 1)
    .flatMap(({ name, health, healthcheck }) => {
      const denied = /Access denied for user [^\n]*/i.exec(health?.log.at(-1)?.output ?? '')?.[0];
      if (health?.status !== 'healthy' || denied === undefined) return [];
      return [
        {
          reason: 'probe-blind',
          message: `the healthcheck of ${service.name} passes although its own login is rejected`,
          evidence: [
            { source: `docker inspect ${name}: State.Health.Log`, text: denied },
            { source: `docker inspect ${name}: Config.Healthcheck`, text: healthcheck?.test.join(' ') ?? '' },
          ],
        },
      ];
    });

/** A replica beside its source is as it should be. */
const hasOtherMysql = (stack: Stack, service: Service): boolean =>
  stack.services.some((each) => each.role === 'mysql' && each.name !== service.name);
