/** What a data store said no with: clients that were told the same share one finding. The same questions for every store. */
import { accepted, grouped, harmsNobody, listed, reached, seenFrom, spared, unreachedSuspects, withVerb } from './attempt.ts';
import type { Evidence, Finding, Suspect } from './check.ts';
import type { Fact, InsideFact, Trial, View } from './facts.ts';
import { listensElsewhere } from './listeners.ts';

interface Attempt {
  client: string;
  source: string;
  host: string;
  port: number;
  user: string | null;
  database: string | number;
  password: string | null;
  view: View;
  trial: Trial;
}

export interface Rejection<A> {
  reason: string;
  /** The server's name. */
  server: string;
  attempts: A[];
  /** The first one of a client; of the server itself where there is no other. */
  first: A;
  /** Everybody whose words were put to it, the server's own name among them. */
  names: string[];
  /** The same without the server. */
  clients: string[];
}

/** In order of first appearance. `subjectOf` tells apart what one reason says of two things (two databases that are missing). */
export const rejectionsOf = <A extends Attempt>(
  tries: readonly A[],
  server: string,
  reasonOf: (attempt: A) => string | null,
  subjectOf: (reason: string, attempt: A) => string | number,
): Rejection<A>[] => {
  const failed = tries.flatMap((attempt) => {
    // Where others came through, a port that does not answer is between the two: the business of `network`.
    const reason = attempt.trial.layer === 'tcp' && tries.some(reached) ? null : reasonOf(attempt);
    return reason === null ? [] : [{ attempt, reason }];
  });
  return grouped(failed, ({ attempt, reason }) => `${reason}\n${subjectOf(reason, attempt)}`).map((group) => {
    const attempts = group.map((each) => each.attempt);
    const names = attempts.map((each) => each.client);
    return {
      reason: group[0]!.reason,
      server,
      attempts,
      first: attempts.find((each) => each.client !== server) ?? attempts[0]!,
      names,
      clients: names.filter((name) => name !== server),
    };
  });
};

/** A reason that passes by itself, while it may. */
interface Passing {
  reason: string;
  isOver: boolean;
}

export const findingOf = <A extends Attempt>(
  rejection: Rejection<A>,
  tries: readonly A[],
  passing: Passing,
  said: { message: string; evidence: Evidence[]; values?: Record<string, string>; suspects?: Suspect[] },
): Finding => {
  const { reason, server, clients, first } = rejection;
  return {
    reason,
    message: said.message,
    evidence: said.evidence,
    ...severityOf(rejection, tries, passing),
    ...(reason === 'refused' || reason === 'no-answer' ? { suspects: unreachedSuspects(server, clients) } : {}),
    ...(said.suspects && { suspects: said.suspects }),
    ...spared(reason, clients, tries, server),
    values: {
      client: first.client,
      target: server,
      database: String(first.database),
      host: first.host,
      port: String(first.port),
      ...(first.user === null ? {} : { user: first.user }),
      ...said.values,
    },
  };
};

const severityOf = <A extends Attempt>(
  { reason, clients, server }: Rejection<A>,
  tries: readonly A[],
  passing: Passing,
): Pick<Finding, 'severity' | 'starting'> => {
  if (reason === passing.reason) return passing.isOver ? { severity: 'fail' } : { starting: true };
  return harmsNobody(clients, tries, server) ? { severity: 'warn' } : {};
};

/** `shop uses`, `shop and worker use`: the clients, or the server itself where only its own words were tried. */
export const saidBy = ({ clients, names }: Rejection<unknown>, one: string, many: string): string =>
  withVerb(clients.length > 0 ? clients : names, one, many);

/** Nobody got as far as the server's own words: the same sentence for each of them. */
export const unreachedMessage = <A extends Attempt>(
  { reason, server, names, attempts: [attempt] }: Rejection<A>,
  inside?: Fact<InsideFact>,
): string => {
  const { port, trial } = attempt!;
  if (reason === 'refused')
    return `${server} refuses connections on port ${port} (tried as ${listed(names)})${listensElsewhere(port, inside)}`;
  const how = trial.layer === 'tcp' ? 'does not answer' : 'accepts the connection and does not answer';
  return `${server} ${how} on port ${port} (tried as ${listed(names)})`;
};

/** What needs no words of the store's own: nobody came to it, it is starting, it and the client disagree on TLS, or an error as it stands. */
export const commonMessage = <A extends Attempt>(
  rejection: Rejection<A>,
  { secondsUp, inside }: { secondsUp: number; inside?: Fact<InsideFact> },
): string => {
  const { reason, server, names, attempts } = rejection;
  const { trial } = attempts[0]!;
  if (reason === 'refused' || reason === 'no-answer') return unreachedMessage(rejection, inside);
  if (reason === 'starting-up') return `${server} takes no connections yet, ${Math.round(secondsUp)} s after its start`;
  if (reason === 'tls-required') return `${server} and ${listed(names)} do not agree on TLS: ${trial.text || 'the TLS handshake failed'}`;
  return `${server} answers ${listed(names)} with ${trial.code || 'an error'}: ${trial.text}`;
};

/** Something else listens there. */
export const foreignMessage = <A extends Attempt>(rejection: Rejection<A>, tries: readonly A[], protocol: string): string => {
  const { server, first } = rejection;
  const does = saidBy(rejection, 'does', 'do');
  return `what answers on port ${first.port} of ${server} does not speak ${protocol}, as ${does} there${rightPort(rejection, tries)}`;
};

/** What was said to whom, in the words of the server. `protocol` names it: `mysql 1045 from shop`. */
export const spoken = (protocol: string, { client, view, trial }: Attempt): Evidence => ({
  source: `${protocol}${trial.code && ` ${trial.code}`} ${seenFrom({ client, view })}`,
  text: trial.text || trial.outcome,
});

/** How a try ended that never came to the server's own words; `undefined` where it did, `null` where that says nothing of the server. */
export const unreachedReason = ({ layer, outcome }: Trial): string | null | undefined => {
  if (outcome === 'ok' || outcome === 'no-tool' || layer === 'name') return null;
  if (layer === 'tcp') return outcome === 'refused' ? 'refused' : outcome === 'timeout' ? 'no-answer' : null;
  return undefined;
};

/** Connected, and then nothing: silence, or the end of the connection. */
export const fellSilent = ({ outcome }: Trial): boolean => ['timeout', 'reset', 'unreachable', 'refused'].includes(outcome);

/** It was silent here and spoke on another port: what this client was connected to waits for other words. */
export const speaksElsewhere = <A extends Attempt>({ port, trial }: A, tries: readonly A[]): boolean =>
  trial.layer === 'protocol' && tries.some((each) => each.port !== port && accepted(each));

/** Where others are understood. */
const rightPort = <A extends Attempt>({ first }: Rejection<A>, tries: readonly A[]): string => {
  const right = tries.find((each) => each.port !== first.port && accepted(each));
  return right ? `; it is understood on port ${right.port}` : '';
};
