/** A client's try of a server with the client's own credentials, as the facts of Postgres and Redis hold it: pure questions. */
import type { Finding, Suspect } from './check.ts';
import { isLoopback } from './connections.ts';
import type { Fact, InsideFact, Trial, View } from './facts.ts';
import { ownListeners } from './listeners.ts';
import type { Container } from './stack.ts';

interface Attempt {
  client: string;
  source: string;
  host: string;
  user: string | null;
  database: string | number;
  password: string | null;
  view: View;
  trial: Trial;
}

const LAYERS: Trial['layer'][] = ['name', 'tcp', 'tls', 'protocol', 'login', 'query', 'done'];

const depth = (trial: Trial): number => LAYERS.indexOf(trial.layer);

export const accepted = (attempt: { trial: Trial }): boolean => attempt.trial.outcome === 'ok';

/** Did it come as far as the server's own words, or its silence? A name or a port that fails is between the two, not in the server. */
export const reached = (attempt: { trial: Trial }): boolean =>
  attempt.trial.outcome !== 'no-tool' && depth(attempt.trial) > LAYERS.indexOf('tcp');

/** Whose server answers on a published port is another question (check `ports`): it decides only where nothing else was seen. */
const preferred = <A extends Attempt>(tries: A[]): A[] => {
  const seen = tries.filter((each) => each.trial.outcome !== 'no-tool');
  const direct = seen.filter((each) => each.view.kind !== 'published');
  if (direct.length > 0) return direct;
  return seen.length > 0 ? seen : tries;
};

/** Inside the server's own container a login proves nothing: official images trust loopback. */
const provesNothing = (attempt: Attempt, server: string): boolean =>
  attempt.view.kind === 'inside' && attempt.view.service === server && isLoopback(attempt.host);

/** One try for each client and its credentials: one that was accepted, else the one that came furthest. */
export const deciding = <A extends Attempt>(attempts: readonly A[], server: string): A[] => {
  const useful = attempts.filter((each) => !provesNothing(each, server));
  const chosen = grouped(useful, ({ client, user, database, password, source }) =>
    [client, source, user, database, password].join('\n'),
  ).map((tries) => preferred(tries).toSorted((a, b) => Number(accepted(b)) - Number(accepted(a)) || depth(b.trial) - depth(a.trial))[0]!);
  // The server's port on the host, asked with a client's words, is of interest only while nothing nearer could be asked.
  const known = chosen.some((each) => each.view.kind !== 'published' && each.trial.outcome !== 'no-tool');
  const acceptedThere = chosen.some((each) => each.view.kind !== 'published' && accepted(each));
  return chosen.filter((each) => accepted(each) || each.view.kind !== 'published' || !(acceptedThere || (known && each.client === server)));
};

/** In order of first appearance. */
export const grouped = <T>(items: readonly T[], keyOf: (item: T) => string): T[][] => {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return [...groups.values()];
};

export const unique = <T>(items: Iterable<T>): T[] => [...new Set(items)];

/** `a`, `a and b`, `a, b and c`: each name once. */
export const listed = (names: readonly string[]): string => {
  const each = unique(names);
  return each.length < 2 ? (each[0] ?? '') : `${each.slice(0, -1).join(', ')} and ${each.at(-1)}`;
};

/** `backend uses`, `backend and worker use`. */
export const withVerb = (names: readonly string[], one: string, many: string): string =>
  `${listed(names)} ${unique(names).length === 1 ? one : many}`;

/** Where a try was made, for the source of an evidence: `from backend`, `at 127.0.0.1:5432 as backend`. */
export const seenFrom = (attempt: { client: string; view: View }): string => {
  if (attempt.view.kind === 'published') return `at ${attempt.view.address} as ${attempt.client}`;
  return `from ${attempt.client}`;
};

/** Why the tries tell nothing; `null` when each client's credentials were put to the server. */
export const couldNotAsk = (attempts: readonly Attempt[], tries: readonly Attempt[], server: string): string | null => {
  if (attempts.length === 0) return `no credentials for ${server} are known`;
  const blind = tries.filter((each) => each.trial.outcome === 'no-tool');
  if (blind.length > 0)
    return `${server} could not be asked as ${listed(blind.map((each) => each.client))}: ${blind[0]!.trial.text || 'no way in'}`;
  return tries.some(accepted) ? null : `no try came as far as ${server}`;
};

/** Nobody is known to reach for it over the network, and it listens on no port there: its clients use its socket file. */
export const isSocketOnly = (
  tries: readonly { client: string; trial: Trial }[],
  server: string,
  container: Container | undefined,
  inside: Fact<InsideFact>,
): boolean =>
  tries.length > 0 &&
  tries.every(({ client, trial }) => client === server && trial.outcome === 'refused') &&
  container?.health?.status !== 'unhealthy' &&
  inside.ok &&
  ownListeners(inside.value.listeners).length === 0;

/** Credentials that only the server's own container declares, while all who use it come in with others, harm nobody yet. */
export const harmsNobody = (clients: readonly string[], tries: readonly Attempt[], server: string): boolean =>
  clients.length === 0 && tries.some((each) => each.client !== server && accepted(each));

/** What the server says of a moment, not of a client: the next one may be turned away. */
const OF_THE_MOMENT = new Set([
  'too-many-clients',
  'too-many-connections',
  'max-clients',
  'starting-up',
  'loading',
  'refused',
  'no-answer',
]);

/** Whom the server lets in while it turns others away. */
export const spared = (reason: string, clients: readonly string[], tries: readonly Attempt[], server: string): Pick<Finding, 'spares'> => {
  const spares = OF_THE_MOMENT.has(reason) ? [] : guests(tries, server).filter((name) => name !== server && !clients.includes(name));
  return spares.length > 0 ? { spares: unique(spares) } : {};
};

/** Where the reason lies when a server that runs cannot be reached by anybody. */
export const unreachedSuspects = (server: string, clients: readonly string[]): Suspect[] => [
  { service: server, check: 'container' },
  { service: server, check: 'ports' },
  { service: server, check: 'compose' },
  ...clients.map((client) => ({ service: client, check: 'network' })),
];

/** A value that did not arrive as it is written is why a login fails, on whichever side it is. */
export const alteredSuspects = (server: string, clients: readonly string[]): Suspect[] =>
  unique([...clients, server]).flatMap((service) =>
    ['dollar-in-value', 'comment-in-value', 'shell-overrides'].map((reason) => ({ service, code: `compose/${reason}` })),
  );

/** Those whose tries were accepted; the server's own name only where there is nobody else. */
export const guests = (tries: readonly Attempt[], server: string): string[] => {
  const names = tries.filter(accepted).map((each) => each.client);
  const others = names.filter((name) => name !== server);
  return others.length > 0 ? others : names;
};
