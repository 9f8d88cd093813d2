/** A pooler before Postgres (pgbouncer and its kin), asked with the credentials that each client service really has. */
import { serviceAt } from '../model/addresses.ts';
import { isRecent } from '../model/age.ts';
import { alteredSuspects, couldNotAsk, deciding, guests, isSocketOnly, listed } from '../model/attempt.ts';
import { defineCheck, type Evidence, type Finding, type Suspect, type Verdict } from '../model/check.ts';
import type { Fact, InsideFact, LogLine, PoolerFact, PostgresAttempt, Trial } from '../model/facts.ts';
import { poolerReason, refusedParameter, serverTrouble, serverSays } from '../model/pooler-answer.ts';
import { entryFor } from '../model/pooler-setup.ts';
import { findingOf, rejectionsOf, saidBy, spoken, unreachedMessage, type Rejection } from '../model/rejection.ts';
import { connectionsFrom, running, type Service, type Stack } from '../model/stack.ts';

interface Known {
  service: Service;
  stack: Stack;
  fact: PoolerFact;
  tries: PostgresAttempt[];
  inside: Fact<InsideFact>;
}

export const pooler = defineCheck({
  id: 'pooler',
  title: "The pooler lets the app's connection through",
  question: 'Does the pooler before Postgres let each client service through with the words that it really has?',
  aliases: ['db'],
  needs: ['pooler', 'logs', 'inside'],
  after: ['engine', 'container'],
  appliesTo: (service) => service.role === 'pooler',
  findings: {
    'user-missing': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: "The user that the client names is not in the pooler's list of users.",
      proof: '`no such user` from the pooler, or a rejected login of a user that its list does not have.',
      answers: true,
    },
    'auth-rejected': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The pooler knows the user and rejects the password. What the server behind says to the same words tells whose fault it is.',
      proof: "The pooler's own rejection of the client's credentials, beside a try of the same straight at the server.",
      answers: true,
    },
    'database-missing': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The pooler, or the server behind it, has no database of the name that the client asks for.',
      proof:
        "`no such database` from the pooler, or SQLSTATE 3D000 through it, beside a try straight at the server and the pooler's own list.",
      answers: true,
    },
    'server-rejects': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The pooler knows the client, and is itself turned away by the server behind it.',
      proof: '`server login failed`, or the words of the server, through the pooler.',
      // It tries the server again and again, and lets its clients wait meanwhile.
    },
    'startup-parameter': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The client sends a start-up parameter that the pooler does not know, and is turned away for it.',
      proof:
        "`unsupported startup parameter` as an answer to the client's own options, or in the pooler's log for the address of a service.",
      answers: true,
    },
    'too-many-clients': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'The pooler takes no more clients.',
      proof: '`no more connections allowed (max_client_conn)` from the pooler.',
    },
    'pool-exhausted': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      passes: true,
      means: 'Every connection of the pool to the server is in use: clients wait for one.',
      proof: 'Silence, or `query_wait_timeout`, after a login through the pooler, while the server answers the same words straight.',
    },
    'tls-required': {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'Client and pooler disagree on TLS: one demands it, the other does not speak it.',
      proof: 'The try ended at the TLS layer, or the pooler asks for TLS.',
      answers: true,
    },
    error: {
      severity: 'fail',
      layer: 'data',
      kind: 'cause',
      means: 'The pooler refuses the login or the query for another reason.',
      proof: 'The SQLSTATE and the message of the pooler.',
      answers: true,
    },
    'server-unreachable': {
      severity: 'fail',
      layer: 'data',
      kind: 'symptom',
      means: 'The pooler runs, and has no connection to the server behind it.',
      proof: "`connect failed`, `DNS lookup failed` or `client_login_timeout` from the pooler, or in its log at the client's try.",
    },
    refused: {
      severity: 'fail',
      layer: 'data',
      kind: 'symptom',
      means: 'Nothing listens where the clients look for the pooler.',
      proof: 'Every try ended with a refused connection.',
    },
    'no-answer': {
      severity: 'fail',
      layer: 'data',
      kind: 'symptom',
      means: 'The pooler does not answer in time.',
      proof: 'The try timed out, or was cut off, before an answer came.',
    },
  },
  evaluate({ service, stack, facts, now }): Verdict {
    if (!facts.pooler.ok) return { cannotLook: facts.pooler.reason };
    const fact = facts.pooler.value;
    const tries = deciding(fact.attempts, service.name);
    if (isSocketOnly(tries, service.name, running(service)[0], facts.inside))
      return { skip: `${service.name} listens on no port: its clients use its socket file` };
    const known: Known = { service, stack, fact, tries, inside: facts.inside };
    const told = rejections(known);
    const logged = facts.logs.ok ? refusedParameters(known, facts.logs.value.lines, now) : [];
    const findings = [...told, ...logged.filter(({ reason }) => !told.some((each) => each.reason === reason))];
    if (findings.length > 0) return { findings };
    const unseen = couldNotAsk(fact.attempts, tries, service.name);
    if (unseen !== null) return { cannotLook: unseen };
    if (tries.every(({ trial }) => trial.layer === 'protocol'))
      return { findings: [], note: 'speaks Postgres; no credentials to try are known' };
    return { findings: [], note: `lets ${listed(guests(tries, service.name))} through` };
  },
});

const rejections = (known: Known): Finding[] =>
  rejectionsOf(
    known.tries,
    known.service.name,
    (attempt) => poolerReason(attempt, known.fact.poolerLog, straightOf(attempt, known)?.trial, known.fact.setup?.users ?? null),
    subjectOf,
  ).map((rejection) => {
    const { reason, attempts, clients } = rejection;
    return findingOf(
      rejection,
      known.tries,
      { reason: '', isOver: true },
      {
        message: messageOf(rejection, known),
        evidence: [...attempts.map((each) => spoken('pooler', each)), ...besides(rejection, known)],
        ...(BEHIND.has(reason) && { suspects: behindSuspects(rejection, known) }),
        ...(LOGIN.has(reason) && { suspects: [...alteredSuspects(known.service.name, clients), ...ofPooler(rejection, known)] }),
      },
    );
  });

const LOGIN = new Set(['auth-rejected', 'user-missing', 'database-missing']);
/** What is wrong with the server, or with the way to it, is seen there. */
const BEHIND = new Set(['server-rejects', 'server-unreachable', 'pool-exhausted']);

const UNREACHED = new Set(['refused', 'no-answer']);

const subjectOf = (reason: string, attempt: PostgresAttempt): string => {
  if (reason === 'database-missing') return attempt.database;
  if (reason === 'auth-rejected' || reason === 'user-missing') return attempt.user;
  return reason === 'error' ? attempt.trial.text : '';
};

const straightOf = ({ client, source }: PostgresAttempt, { fact }: Known): PoolerFact['straight'][number] | undefined =>
  fact.straight.find((each) => each.client === client && each.source === source);

/** The service that the pooler goes to for these clients, as far as the stack has one. */
const behind = ({ attempts }: Rejection<PostgresAttempt>, known: Known): string | null => {
  const tried = attempts.map((each) => straightOf(each, known)).find((each) => each !== undefined);
  return tried?.server ?? servers(known)[0] ?? null;
};

const servers = ({ service, stack }: Known): string[] =>
  connectionsFrom(stack, service.name).flatMap(({ kind, to }) => (kind === 'postgres' && to !== null ? [to] : []));

const behindSuspects = (rejection: Rejection<PostgresAttempt>, known: Known): Suspect[] => {
  const { reason } = rejection;
  const { service } = known;
  const at = [...new Set([behind(rejection, known) ?? [], ...servers(known)].flat())];
  const asked = at.map((name) => ({ service: name, check: 'postgres' }));
  if (reason !== 'server-unreachable') return asked;
  return [
    { service: service.name, check: 'network' },
    ...at.map((name) => ({ service: name, check: 'container' })),
    ...asked,
    { service: service.name, check: 'address' },
    { service: service.name, check: 'compose' },
  ];
};

/** The server takes the client's words: then the pooler has others, which the server turns away as well. */
const ofPooler = ({ attempts }: Rejection<PostgresAttempt>, known: Known): Suspect[] => {
  const straight = straightOf(attempts[0]!, known);
  return straight?.trial.outcome === 'ok'
    ? ['auth-rejected', 'database-missing'].map((reason) => ({ service: straight.server, code: `postgres/${reason}` }))
    : [];
};

const messageOf = (rejection: Rejection<PostgresAttempt>, known: Known): string => {
  const { reason, server: name, attempts, names } = rejection;
  const { user, database, trial } = attempts[0]!;
  const uses = saidBy(rejection, 'uses', 'use');
  const target = behind(rejection, known) ?? 'its server';
  switch (reason) {
    case 'user-missing':
      return `${name} knows no user "${user}", which ${uses}${compared(rejection, known)}`;
    case 'auth-rejected':
      return `${name} rejects the password that ${uses} for user "${user}"${compared(rejection, known)}`;
    case 'database-missing':
      return `${trial.code === '3D000' && !/no such/.test(trial.text) ? target : name} has no database "${database}", which ${saidBy(rejection, 'asks', 'ask')} ${name} for${compared(rejection, known)}`;
    case 'server-rejects':
      return `${target} turns ${name} away, through which ${saidBy(rejection, 'comes', 'come')}: ${whyRejected(trial, known)}`;
    case 'startup-parameter':
      return `${name} turns ${listed(names)} away for a start-up parameter: ${trial.text}`;
    case 'too-many-clients':
      return `${name} takes no more clients, such as ${listed(names)}: ${trial.text}`;
    case 'pool-exhausted':
      return `${name} has no connection to ${target} left for ${listed(names)}, while ${target} answers straight`;
    case 'tls-required':
      return `${name} and ${listed(names)} do not agree on TLS: ${trial.text || 'the TLS handshake failed'}`;
    case 'server-unreachable':
      return `${name} runs and has no connection to ${target}, for which ${saidBy(rejection, 'waits', 'wait')}`;
    case 'refused':
    case 'no-answer':
      return unreachedMessage(rejection, known.inside);
    default:
      return `${name} answers ${listed(names)} with ${trial.code || 'an error'}: ${trial.text}`;
  }
};

const whyRejected = ({ text, outcome }: Trial, { fact }: Known): string => {
  const said = outcome === 'timeout' ? (serverTrouble(fact.poolerLog)?.text ?? '') : text;
  return serverSays(said) ?? said.replace(/^.*@\S+:\d+ (?:closing because: )?/, '').replace(/ \(age=\d+s\)$/, '');
};

/** The same words, straight at the server: where they are right, it is the pooler that is told otherwise. */
const compared = ({ attempts }: Rejection<PostgresAttempt>, known: Known): string => {
  const straight = straightOf(attempts[0]!, known);
  if (!straight) return '';
  const { trial, server } = straight;
  if (trial.outcome === 'ok') return `; ${server} takes the same words, so it is the configuration of ${known.service.name} that is wrong`;
  return trial.outcome === 'rejected' ? `; ${server} rejects the same words as well` : '';
};

const besides = ({ reason, attempts }: Rejection<PostgresAttempt>, known: Known): Evidence[] => {
  const { service, fact } = known;
  const line = BEHIND.has(reason) ? serverTrouble(fact.poolerLog) : null;
  // Where nobody got as far as its words, they say nothing.
  const straight = UNREACHED.has(reason) ? [] : attempts.flatMap((each) => straightOf(each, known) ?? []);
  return [
    ...straight.map(({ client, server, database, trial }) => ({
      source: `postgres${trial.code && ` ${trial.code}`} straight at ${server} as ${client}`,
      text: trial.outcome === 'ok' ? `accepts the same words for database "${database}"` : trial.text || trial.outcome,
    })),
    ...configured(reason, attempts, known),
    ...(line ? [{ source: `${service.name} log`, text: line.text }] : []),
    ...(UNREACHED.has(reason)
      ? []
      : attempts.map((each) => ({ source: `${each.client}: ${each.source}`, text: `user "${each.user}", database "${each.database}"` }))),
  ];
};

const configured = (reason: string, attempts: PostgresAttempt[], { fact: { setup } }: Known): Evidence[] => {
  if (!setup) return [];
  if (reason === 'database-missing')
    return [{ source: setup.file, text: `databases: ${setup.databases.map(({ name }) => name).join(', ') || 'none'}` }];
  if (reason === 'user-missing' && setup.users) return [{ source: setup.file, text: `its users: ${setup.users.join(', ') || 'none'}` }];
  if (!BEHIND.has(reason)) return [];
  const entries = attempts.flatMap(({ database }) => entryFor(setup, database) ?? []);
  return [...new Set(entries)].map(({ at, name, hosts, port }) => ({
    source: at,
    text: `${name} = host=${hosts.join(',')} port=${port}`,
  }));
};

/** What drivers send beside the words of the login is theirs alone: only the log tells that it was refused, and to whom. */
const refusedParameters = ({ service, stack }: Known, lines: readonly LogLine[], now: string): Finding[] => {
  const seen = lines.flatMap((line) => {
    const refused = refusedParameter(line.text);
    // Who asks from outside the stack, the doctor among them, is not its client.
    const client = refused ? serviceAt(stack, refused.address) : undefined;
    const isOfThisRun = client?.containers.some(({ state }) => line.time === null || (state.startedAt ?? '') <= line.time);
    return refused && client && isOfThisRun && isRecent(line.time, now)
      ? [{ line, client: client.name, parameter: refused.parameter }]
      : [];
  });
  const parameters = [...new Set(seen.map(({ parameter }) => parameter))];
  return parameters.map((parameter) => {
    const own = seen.filter((each) => each.parameter === parameter);
    const clients = [...new Set(own.map(({ client }) => client))];
    return {
      reason: 'startup-parameter',
      message: `${service.name} turns ${listed(clients)} away: ${parameter} is a start-up parameter that it does not know`,
      evidence: [{ source: `${service.name} log`, text: own.at(-1)!.line.text }],
      values: { client: clients[0]!, target: service.name },
    };
  });
};
