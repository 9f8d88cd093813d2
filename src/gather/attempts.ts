/**
 * Tries of every client's own words at one server: each from where the client stands, or from a place that proves the same at less cost. By
 * the container's address where this host is on its network; else by the published port; through a stream inside the client's container
 * where neither connects, or where it was another server on the port that may have said no.
 */
import type { Trial, View } from '../model/facts.ts';
import { onLoopback, ownListeners } from '../model/listeners.ts';
import { running, serviceNamed, type Container, type Service } from '../model/stack.ts';
import type { Credentials } from './credentials.ts';
import { CannotLook, type Gathering } from './gathering.ts';
import { isBelowLogin, isBelowProtocol } from './trial.ts';
import { byAddress, byPublishedPort, fromClient, fromItself, type Vantage } from './vantage.ts';

export interface Attempt<A> {
  credentials: Credentials;
  view: View;
  trial: Trial;
  answer: A | null;
}

export interface Asking<A> {
  clients: Credentials[];
  own: Credentials | null;
  /** Whether the server's own words are tried when a client's were accepted; asked when the clients' tries are done. */
  always: boolean | (() => boolean);
  ask(vantage: Vantage, credentials: Credentials): Promise<{ trial: Trial; answer: A | null }>;
  /** A failure that other clients would meet as well, so that they need not try. */
  concernsAll(trial: Trial): boolean;
  /** A no that may be meant for the place alone: where the client stands it may be a yes. */
  dependsOnPlace?(trial: Trial): boolean;
}

/** Sessions at one server at a time. */
const MOST_SESSIONS = 2;

/** Where nobody tells the port, and nothing listens on the usual one: the one on which something does. */
export const listeningPort = async (service: Service, port: number, given: Gathering): Promise<number> => {
  const inside = await given.fact('inside', service);
  const open = inside.ok ? ownListeners(inside.value.listeners).filter((each) => !onLoopback(each)) : [];
  const ports = [...new Set(open.map((each) => each.port))];
  return ports.length === 1 && !ports.includes(port) ? ports[0]! : port;
};

/** Clients in order, then the server's own words, then the published port. Errors: `CannotLook`. */
export const askAll = async <A>(service: Service, container: Container, given: Gathering, asking: Asking<A>): Promise<Attempt<A>[]> => {
  const { engine, stack } = given;
  const slot = createSlots(MOST_SESSIONS);
  const asked = new Map<string, Promise<{ trial: Trial; answer: A | null }>>();

  const ask = async (vantage: Vantage, credentials: Credentials): Promise<Attempt<A>> => {
    const { user, password, database, tls, query } = credentials;
    const key = JSON.stringify([vantage.view, vantage.host, vantage.port, user, password, database, tls, query]);
    const answer = asked.get(key) ?? slot(() => asking.ask(vantage, credentials));
    asked.set(key, answer);
    return { credentials, view: vantage.view, ...(await answer) };
  };

  /** A tunnel that cannot be had says so in the trial; it is no fault of the stack. */
  const askThrough = async (tunnel: Vantage, credentials: Credentials): Promise<Attempt<A>> => {
    try {
      return await ask(tunnel, credentials);
    } catch (error) {
      if (!(error instanceof CannotLook) || given.signal.aborted) throw error;
      return {
        credentials,
        view: tunnel.view,
        trial: { layer: 'tcp', outcome: 'no-tool', code: '', text: error.message, ms: 0 },
        answer: null,
      };
    }
  };

  const clientOf = ({ client }: Credentials): Service | undefined => (client === service.name ? undefined : serviceNamed(stack, client));

  const outside = (credentials: Credentials): Vantage | null => {
    const client = clientOf(credentials);
    const from = client && running(client)[0];
    return byAddress(engine, stack, container, credentials.port, from) ?? byPublishedPort(engine, container, credentials.port);
  };

  const look = async (credentials: Credentials): Promise<Attempt<A>> => {
    const vantage = outside(credentials);
    const first = vantage && (await ask(vantage, credentials));
    if (first && isProof(first) && !asking.dependsOnPlace?.(first.trial)) return first;
    const tunnel =
      fromClient(engine, clientOf(credentials), credentials.host, credentials.port, container) ??
      fromItself(engine, stack, container, credentials.port);
    const second = tunnel && (await askThrough(tunnel, credentials));
    const best = second && !(first && second.trial.outcome === 'no-tool') ? second : first;
    if (!best)
      throw new CannotLook(`${service.name} can be reached neither by address nor by a published port nor from inside a container`);
    return best;
  };

  /** What a try depends on, apart from the credentials. */
  const way = (credentials: Credentials): string => {
    const inside = fromClient(engine, clientOf(credentials), credentials.host, credentials.port, container)?.view;
    const network = inside?.kind === 'inside' ? inside.network : null;
    return JSON.stringify([outside(credentials)?.view, credentials.host, credentials.port, credentials.tls, network]);
  };

  const { clients, own } = asking;
  const scout = clients[0] ?? own;
  if (!scout) return [];
  const published = byAddress(engine, stack, container, scout.port) && byPublishedPort(engine, container, scout.port);
  const asServer = (credentials: Credentials): Credentials => ({ ...credentials, client: service.name });
  const [first, atPort] = await Promise.all([look(scout), published && ask(published, asServer(scout))]);

  const follow = async (credentials: Credentials): Promise<Attempt<A>> =>
    asking.concernsAll(first.trial) && way(credentials) === way(scout) ? { ...first, credentials } : look(credentials);
  const others = await Promise.all(clients.slice(1).map(follow));
  const attempts = [first, ...others];
  const accepted = () => attempts.find((each) => each.trial.outcome === 'ok' && each.view.kind !== 'published');
  const always = () => (typeof asking.always === 'function' ? asking.always() : asking.always);
  const isHopeless = own?.port === scout.port && (first.trial.outcome === 'timeout' || isBelowLogin(first.trial));
  if (own && own !== scout && !isHopeless && (always() || !accepted()) && !attempts.some((each) => isSame(each.credentials, own))) {
    attempts.push(await look(own));
  }

  if (!published || !atPort) return attempts;
  // The words that were rejected here as well say nothing about who it is.
  const right = accepted();
  const again = atPort.trial.outcome !== 'ok' && right && right !== first ? await ask(published, asServer(right.credentials)) : null;
  return [...attempts, again ?? atPort];
};

/** By address it is this server and no other. A port of the host may belong to somebody else, so that only a yes counts there. */
const isProof = <A>({ view, trial }: Attempt<A>): boolean => (view.kind === 'published' ? trial.outcome === 'ok' : !isBelowProtocol(trial));

const isSame = (a: Credentials, b: Credentials): boolean =>
  a.port === b.port &&
  a.user === b.user &&
  a.password === b.password &&
  a.database === b.database &&
  a.tls === b.tls &&
  a.query === b.query;

const createSlots = (most: number) => {
  let free = most;
  const waiting: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
};
