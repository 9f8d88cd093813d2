/** MongoDB, asked with the user, password and database that each client service really has. */
import { isStarting, secondsUp, WHILE_STARTING } from '../model/age.ts';
import { accepted, couldNotAsk, deciding, guests, listed, seenFrom } from '../model/attempt.ts';
import { defineCheck, type Evidence, type Finding, type Verdict } from '../model/check.ts';
import type { MongodbAttempt, MongodbFact } from '../model/facts.ts';
import { declaredRoot, mongodbReason, rejectionLine, settingUp, type DeclaredLogin } from '../model/mongodb-answer.ts';
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
import { running, toldTo, type Service } from '../model/stack.ts';

interface Known {
  service: Service;
  fact: MongodbFact;
  declared: DeclaredLogin | null;
  tries: MongodbAttempt[];
  secondsUp: number;
  /** It may still take its time. */
  isStarting: boolean;
}

export const mongodb = defineCheck({
  id: 'mongodb',
  title: "MongoDB accepts the app's connection",
  question: 'Does MongoDB accept the connection that each client service really makes, and may it write there?',
  aliases: ['db', 'mongo'],
  needs: ['mongodb'],
  after: ['engine', 'container'],
  appliesTo: (service) => service.role === 'mongodb',
  findings: {
    'password-volume-mismatch': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means:
        'The data volume was initialised with other credentials than those declared now; MONGO_INITDB_ROOT_USERNAME and MONGO_INITDB_ROOT_PASSWORD count only at the first start.',
      proof: 'Error 18 in database admin for the user and password of the server container itself.',
      answers: true,
    },
    'auth-source': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means:
        'User and password are right, and the client has the wrong database asked for them: the user is kept in another one (authSource).',
      proof: 'Error 18 with the database of the client, and a login with the same user and password in another database.',
      answers: true,
    },
    'user-missing': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The user that the client names does not exist in the database that is asked for it.',
      proof: 'Error 18, and the server log says `UserNotFound` of this user.',
      answers: true,
    },
    'auth-rejected': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: "The server rejects the client's user name or password.",
      proof: 'Error 18 for the credentials of the client.',
      answers: true,
    },
    'credentials-missing': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The server lets nobody in without a login, and the client has none.',
      proof: 'Error 13 for a plain question without credentials, as the client would ask it.',
      answers: true,
    },
    'database-denied': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The user may log in and has no right at all on the database that the client names.',
      proof: "Error 13 for a plain question, and the server's list of the user's rights has none for the database.",
      answers: true,
    },
    'replica-set-uninitiated': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The server was started as a member of a replica set that nobody has made: it takes no writes.',
      proof: 'The greeting says `isreplicaset` and names no set; or error 94.',
      answers: true,
    },
    'replica-set-name': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The client wants a replica set that this server is not a member of, and then uses no server at all.',
      proof: "`replicaSet` in the client's URL, and the name of the set in the greeting of the server, which has another or none.",
      answers: true,
    },
    'no-primary': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The replica set has no primary now, so that nobody can write.',
      proof: 'The greeting of a member of the set names no primary.',
      answers: true,
    },
    'not-primary': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The client is told to use this one member of the set, which is not its primary, and cannot write there.',
      proof: "`directConnection=true` in the client's URL, and the greeting of the server, which names another member as the primary.",
      answers: true,
    },
    'member-unreachable': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The replica set sends its clients on to a name that cannot be reached from where they are.',
      proof: "The list of members in the greeting of the server, and a try of that name from the client's own container.",
      answers: true,
    },
    'tls-required': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'Client and server disagree on TLS: one demands it, the other does not speak it.',
      proof: 'A TLS handshake that fails; or a connection that is closed without TLS and answered with it.',
      answers: true,
    },
    'not-mongodb': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'Something listens on the port that does not speak the protocol of MongoDB.',
      proof: 'The first bytes of the answer are no message of MongoDB.',
      answers: true,
    },
    error: {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The server refuses the login or the question for another reason.',
      proof: "The server's own error, with its number.",
      answers: true,
    },
    'starting-up': {
      severity: 'warn',
      layer: 'data',
      kind: 'symptom',
      means: 'The server is setting up its data, starting or stopping, and takes no connections yet.',
      proof: 'Refused, while its log has begun a start and not ended it; or error 91 or 11600.',
    },
    refused: {
      severity: 'fail',
      layer: 'data',
      kind: 'symptom',
      means: 'Nothing listens where the clients look for MongoDB.',
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
  evaluate({ service, facts, now }): Verdict {
    if (!facts.mongodb.ok) return { cannotLook: facts.mongodb.reason };
    const fact = facts.mongodb.value;
    const known: Known = {
      service,
      fact,
      tries: deciding(fact.attempts, service.name),
      declared: declaredRoot(toldTo(running(service)[0])),
      secondsUp: secondsUp(service, now),
      isStarting: isStarting(service, now),
    };
    const findings = [...rejections(known), ...unreachableMembers(known)];
    if (findings.length > 0) return { findings };
    const unseen = couldNotAsk(fact.attempts, known.tries, service.name);
    if (unseen !== null) return { cannotLook: unseen };
    if (known.tries.every((each) => each.trial.layer === 'protocol'))
      return { findings, note: 'speaks MongoDB; no credentials to try are known' };
    return { findings, note: `accepts ${listed(guests(known.tries, service.name))}` };
  },
});

/** What the server said to each client, one finding for all clients that were told the same. */
const rejections = (known: Known): Finding[] =>
  rejectionsOf(known.tries, known.service.name, (attempt) => reasonOf(attempt, known), subjectOf).map((rejection) => {
    const finding = findingOf(
      rejection,
      known.tries,
      { reason: 'starting-up', isOver: !known.isStarting },
      {
        message: messageOf(rejection, known),
        evidence: evidenceOf(rejection, known),
        values: valuesOf(rejection),
      },
    );
    // Sets are often made by a script or a healthcheck some seconds after the start.
    return known.isStarting && OF_THE_SET.has(rejection.reason) ? { ...finding, ...WHILE_STARTING } : finding;
  });

const OF_THE_SET = new Set(['replica-set-uninitiated', 'no-primary']);

const subjectOf = (reason: string, { user, database, authSources, options, trial }: MongodbAttempt): string => {
  if (reason === 'database-denied') return database;
  if (reason === 'auth-source') return authSources.join();
  if (reason === 'replica-set-name') return options['replicaSet'] ?? '';
  return reason === 'error' ? trial.code : /^(auth|user|password)-/.test(reason) ? (user ?? '') : '';
};

const reasonOf = (attempt: MongodbAttempt, known: Known): string | null => {
  const { node, options, trial } = attempt;
  // What the set lacks is why all else fails, a login too.
  if (node?.kind === 'uninitiated') return 'replica-set-uninitiated';
  const reason = mongodbReason(attempt, known.fact.serverLog);
  if (reason === 'no-answer' && speaksElsewhere(attempt, known.tries)) return 'not-mongodb';
  if ((reason === 'auth-rejected' || reason === 'user-missing') && isOwn(attempt, known)) return 'password-volume-mismatch';
  if (reason !== null || !node || trial.outcome !== 'ok') return reason;
  if (wantsAnotherSet(attempt)) return 'replica-set-name';
  if ((node.kind === 'secondary' || node.kind === 'other') && node.setName !== null && node.primary === null) return 'no-primary';
  if (node.kind === 'secondary' && options['directConnection'] === 'true' && (options['readPreference'] ?? 'primary') === 'primary')
    return 'not-primary';
  return attempt.hasRights === false ? 'database-denied' : null;
};

/** A router has no set of its own to be a member of. */
const wantsAnotherSet = ({ node, options }: MongodbAttempt): boolean => {
  const wanted = options['replicaSet'];
  return wanted !== undefined && node !== null && node.kind !== 'router' && node.setName !== wanted;
};

/** Those variables count only while the data folder is empty, and make a user in database admin. */
const isOwn = ({ user, password, authSources }: MongodbAttempt, { declared }: Known): boolean =>
  declared !== null && user === declared.user && password === declared.password && authSources.includes('admin');

const messageOf = (rejection: Rejection<MongodbAttempt>, known: Known): string => {
  const { reason, server: db, clients, attempts } = rejection;
  const { user, database, authSources, acceptedIn, node, options } = attempts[0]!;
  const uses = saidBy(rejection, 'uses', 'use');
  switch (reason) {
    case 'password-volume-mismatch':
      return `${db} rejects its own declared password for user "${user}"${clients.length > 0 ? `, which ${uses}` : ''}; its data was initialised with other credentials`;
    case 'auth-source':
      return `${db} knows user "${user}" in database "${acceptedIn}", and ${saidBy(rejection, 'asks', 'ask')} "${authSources.join('", "')}" for it`;
    case 'user-missing':
      return `${db} has no user "${user}" in database "${authSources.join('" or "')}", which ${uses}${ownUser(attempts, known)}`;
    case 'auth-rejected':
      return `${db} rejects user "${user}" with the password that ${uses}${comparedWithOwn(attempts, known)}`;
    case 'credentials-missing':
      return `${db} wants a login, and ${saidBy(rejection, 'comes', 'come')} without user and password`;
    case 'database-denied':
      return `${db} gives user "${user}" no rights on database "${database}", which ${uses}`;
    case 'replica-set-uninitiated':
      return `${db} was started as a member of a replica set that was never initiated; it takes no writes`;
    case 'replica-set-name':
      return `${saidBy(rejection, 'wants', 'want')} replica set "${options['replicaSet']}", and ${db} is ${node?.setName ? `a member of "${node.setName}"` : 'a member of none'}`;
    case 'no-primary':
      return `the replica set${node?.setName ? ` "${node.setName}"` : ''} of ${db} has no primary: nobody can write`;
    case 'not-primary':
      return `${saidBy(rejection, 'is', 'are')} told to use ${db} alone, which is a secondary: the primary is ${node?.primary}`;
    case 'not-mongodb':
      return foreignMessage(rejection, known.tries, 'MongoDB');
    case 'tls-required':
    case 'starting-up':
    case 'refused':
    case 'no-answer':
    default:
      return commonMessage(rejection, known);
  }
};

const ownUser = (attempts: MongodbAttempt[], { declared, service }: Known): string =>
  declared && attempts.every(({ user }) => user !== declared.user) ? `; ${service.name} declares "${declared.user}" in "admin"` : '';

const comparedWithOwn = (attempts: MongodbAttempt[], known: Known): string => {
  const { declared, service } = known;
  if (declared === null) return '';
  return attempts.every(({ user }) => user === declared.user)
    ? `; it differs from ${declared.variable} of ${service.name}`
    : ownUser(attempts, known);
};

const valuesOf = ({ reason, first }: Rejection<MongodbAttempt>): Record<string, string> => ({
  authSource: (reason === 'auth-source' ? first.acceptedIn : first.authSources[0]) ?? 'admin',
});

const evidenceOf = (rejection: Rejection<MongodbAttempt>, known: Known): Evidence[] => {
  const said = rejection.attempts.filter((each) => !accepted(each)).map((each) => spoken('mongodb', each));
  return [...said, ...detailsOf(rejection, known)];
};

const detailsOf = ({ reason, attempts }: Rejection<MongodbAttempt>, { service, fact, declared }: Known): Evidence[] => {
  const { name } = service;
  const [first] = attempts;
  if (reason === 'starting-up') {
    const line = settingUp(fact.serverLog);
    return line ? [{ source: `${name} log`, text: line.text }] : [];
  }
  if (reason === 'password-volume-mismatch')
    return [
      ...logged(first!, fact, name),
      { source: `docker inspect ${running(service)[0]?.name ?? name}: ${declared?.variable}`, text: 'the very password that is rejected' },
    ];
  if (/^(replica-set-|no-primary|not-primary)/.test(reason)) return [greeting(first!, name), ...attempts.flatMap(wanted)];
  if (reason === 'auth-source')
    return [
      { source: `mongodb ${seenFrom(first!)}`, text: `the same user and password are accepted with authSource=${first!.acceptedIn}` },
      ...attempts.map(named),
    ];
  if (!/^(auth-rejected|user-missing|credentials-missing|database-denied)$/.test(reason)) return [];
  return [
    ...(reason === 'database-denied'
      ? [{ source: `connectionStatus of ${name}`, text: `no privilege on database "${first!.database}"` }]
      : logged(first!, fact, name)),
    ...attempts.map(named),
  ];
};

const logged = (attempt: MongodbAttempt, { serverLog }: MongodbFact, name: string): Evidence[] => {
  const line = rejectionLine(attempt, serverLog);
  return line ? [{ source: `${name} log`, text: line.text }] : [];
};

const named = ({ client, source, host, port, user, database, authSources }: MongodbAttempt): Evidence => ({
  source: `${client}: ${source}`,
  text: `${host}:${port}, ${user === null ? 'no user' : `user "${user}" of database "${authSources.join('" or "')}"`}${database && `, database "${database}"`}`,
});

const greeting = (attempt: MongodbAttempt, name: string): Evidence => {
  const { kind, setName, primary } = attempt.node ?? { kind: 'other', setName: null, primary: null };
  const words = { standalone: 'a server of no replica set', uninitiated: 'isreplicaset = true, no setName' } as Record<string, string>;
  return {
    source: `hello of ${name} ${seenFrom(attempt)}`,
    text:
      words[kind] ??
      `setName = ${setName ?? 'none'}, ${kind === 'other' ? 'neither primary nor secondary' : kind}, primary = ${primary ?? 'none'}`,
  };
};

const wanted = ({ client, source, options }: MongodbAttempt): Evidence[] => {
  const text = ['replicaSet', 'directConnection'].flatMap((name) => (options[name] ? [`${name}=${options[name]}`] : [])).join(', ');
  return text === '' ? [] : [{ source: `${client}: ${source}`, text }];
};

/** Who names the set is sent on by every driver; without the name, by most of them (Java's alone stays). */
const unreachableMembers = ({ service, fact, tries }: Known): Finding[] => {
  const failed = fact.members.filter(({ trial }) => trial.outcome === 'not-found' || trial.outcome === 'refused');
  const [first] = failed;
  if (!first) return [];
  const clients = [...new Set(failed.map(({ client }) => client))];
  const isCertain = tries.some(({ client, options }) => clients.includes(client) && options['replicaSet'] !== undefined);
  const why = first.trial.outcome === 'refused' ? 'refused there' : 'no name there';
  return [
    {
      reason: 'member-unreachable',
      ...(isCertain ? {} : { severity: 'warn' }),
      message: `the replica set of ${service.name} sends ${listed(clients)} on to ${first.host}:${first.port}, which is ${why}`,
      evidence: failed.slice(0, 3).map(({ client, host, port, trial }) => ({
        source: `${host}:${port} from ${client}`,
        text: trial.text || trial.outcome,
      })),
      values: { client: first.client, target: service.name, host: first.host, port: String(first.port) },
    },
  ];
};
