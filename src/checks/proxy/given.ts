/** What the judges of nginx are given, and whom they speak of: upstreams, servers, the services meant, and what nginx' log says of them. */
import { serviceAt, withoutPort } from '../../model/addresses.ts';
import { loadedAt, secondsSince, startOf } from '../../model/age.ts';
import type { Evidence, Known } from '../../model/check.ts';
import type { Fact, InsideFact, LogFact, NginxFact } from '../../model/facts.ts';
import { isSamePath, socketPath } from '../../model/socket-file.ts';
import { connectionsFrom, type Service, serviceNamed, type Stack } from '../../model/stack.ts';

type Upstream = NginxFact['upstreams'][number];
export type UpstreamError = NginxFact['upstreamErrors'][number];
export type Proxied = NginxFact['proxied'][number];

export interface Given {
  service: Service;
  stack: Stack;
  nginx: NginxFact;
  inside: Fact<InsideFact>;
  logs: Fact<LogFact>;
  peers: Record<string, Known<'http' | 'logs'>>;
  /** When the run began. */
  now: string;
}

/** The log's clock and ours may differ a little. */
export const OWN_SECONDS = 1;

/** What is wrong with one proxied location. */
export interface Trouble {
  reason: string;
  message: string;
  evidence: Evidence[];
  /** `api:8000`; of a group of servers, `a:8000, b:8000`. */
  upstream: string;
  /** The service that is meant; of a group, the first. */
  target: Service | undefined;
  targets: Service[];
  location: string;
  /** A file that it is about, other than a socket. */
  path?: string;
  severity?: 'warn';
  starting?: true;
}

export const serversOf = (upstream: string): string[] => upstream.split(/,\s*/).map(authority);

/** `http://api:8000/x` → `api:8000`. */
const authority = (url: string): string => {
  const rest = url.replace(/^[a-z]+:\/\//i, '');
  const socket = socketPath(rest);
  return socket === null ? rest.replace(/\/.*$/, '') : `unix:${socket}`;
};
export const hostOf = (upstream: string): string => withoutPort(serversOf(upstream)[0] ?? '');
export const portOf = (upstream: string): string => /:(\d+)$/.exec(serversOf(upstream)[0] ?? '')?.[1] ?? '80';
export const socketOf = (upstream: string): string | null => socketPath(serversOf(upstream)[0] ?? '');

/** Does an address in the log speak of this server? Its name was an address by then, so the port must do. */
const isMeant = (logged: string, server: string): boolean => {
  const [path, named] = [socketOf(server), socketOf(logged)];
  return path === null || named === null ? path === named && portOf(logged) === portOf(server) : isSamePath(path, named);
};

export const targetOf = (upstream: string, { service, stack }: Given): Service | undefined => {
  const host = hostOf(upstream);
  const known = connectionsFrom(stack, service.name).find((each) => each.host === host && each.to !== null)?.to;
  return serviceNamed(stack, known ?? host) ?? stack.services.find((each) => namesOf(each).includes(host)) ?? serviceAt(stack, host);
};

const namesOf = (service: Service): string[] =>
  service.containers.flatMap((each) => [each.name, ...each.networks.flatMap((end) => end.names)]);

export type Base = Omit<Trouble, 'reason' | 'message'>;

/**
 * The newest error about this location's upstream: one that our own request met. A request that nginx still waits for has met none, and the log may
 * not tell of ours: then an earlier one counts, if the service is well now, and neither it nor nginx was started or reloaded since.
 */
export const errorOf = ({ upstream, target }: Base, answered: boolean, given: Given): UpstreamError | undefined => {
  const servers = serversOf(upstream);
  const about = given.nginx.upstreamErrors.filter(
    ({ upstream: logged }) => logged !== null && servers.some((each) => isMeant(logged, each)),
  );
  const own = answered ? about.findLast(({ time }) => time === null || secondsSince(time, given.now) <= OWN_SECONDS) : undefined;
  if (own || !target || !isWell(target, given)) return own;
  const since =
    [startOf(target), resolvedAt(given)]
      .filter((each) => each !== null)
      .toSorted()
      .at(-1) ?? '';
  return about.findLast(({ time }) => time !== null && time >= since);
};

/** A name in a variable is asked for anew by the `resolver`. */
export const isResolvedPerRequest = ({ location }: Base, { nginx }: Given): boolean =>
  nginx.upstreams.some((each: Upstream) => each.location === location && !each.literal);

/** When nginx last loaded its configuration, and with it looked up the names. */
export const resolvedAt = ({ service, logs }: Given): string | null => loadedAt(service, logs, RELOADED);

export const isWell = (target: Service, { peers }: Given): boolean => {
  const http = peers[target.name]?.http;
  return http?.ok === true && http.value.tries.some((each) => each.answer !== null && each.answer.status < 500);
};

export const loggedBy = ({ name }: Service, error: UpstreamError | undefined): Evidence[] =>
  error ? [{ source: `${name} log`, text: error.text }] : [];

export const RELOADED = /signal 1 \(SIGHUP\)|\breconfiguring\b/;
