/** nginx' configuration, one request for each location that it proxies, and what its log says of them. */
import { setTimeout as delay } from 'node:timers/promises';
import type { LogLine, NginxFact } from '../model/facts.ts';
import { socketPath } from '../model/socket-file.ts';
import { isRunning, type Container, type Service } from '../model/stack.ts';
import { EngineError } from './engine-client.ts';
import { CannotLook, type Gathering, type ServiceGatherer } from './gathering.ts';
import { readLog } from './logs.ts';
import { calledSince, callsOf } from './nginx-called.ts';
import { locationFor, scriptFor, type NginxConfig, type NginxLocation, type NginxServer, type NginxUpstream } from './nginx-config.ts';
import { readUpstreamError } from './nginx-log.ts';
import { askNginx, doorOf, readNginxSetup, type NginxSetup } from './nginx-setup.ts';
import { runInside } from './run-inside.ts';
import { scriptsBehind } from './scripts.ts';
import { lookAtSockets, withHolders } from './socket-files.ts';

const MOST_REQUESTS = 12;
/** Where each request costs an exec. */
const MOST_FROM_INSIDE = 3;
const LOG_LINES = 200;
const MOST_ERRORS = 20;

/** A container that does not run has a configuration all the same; then only that is told. */
export const gatherNginx: ServiceGatherer<'nginx'> = async (service, given) => {
  const container = service.containers.find(isRunning) ?? service.containers[0];
  if (!container) throw new CannotLook(`${service.name} has no container`);
  const setup = await readNginxSetup(container, given);
  const { config, files, show } = setup;
  const up = isRunning(container);
  const upstreams = withHolders(upstreamsOf(config, show), service, given);
  const ask = async () => askProxied(await listening(config, service, given), container, given);
  const proxied = up ? await withCalled(ask, upstreams, container, given) : [];
  const [test, upstreamErrors] = up
    ? await Promise.all([
        worthTesting(service, container, setup, proxied, given).then((worth) => (worth ? testConfig(container, setup, given) : null)),
        errorsOf(service, container, proxied, given),
      ])
    : [null, []];
  return {
    container: container.name,
    files,
    roots: rootsOf(config, show),
    listens: [...new Set(config.servers.flatMap((server) => server.listens.map(({ port }) => port)))],
    upstreams,
    test,
    proxied,
    upstreamErrors,
    ...(await socketsBehind(service, container, proxied, given)),
    ...(await scriptsBehind(service, proxied, upstreams, given)),
  };
};

/** Looked at only where nginx got no answer by it. */
const socketsBehind = async (
  service: Service,
  container: Container,
  proxied: NginxFact['proxied'],
  given: Gathering,
): Promise<Pick<NginxFact, 'sockets'>> => {
  const failing = proxied.filter(({ http }) => http.answer === null || http.answer.status === 502 || http.answer.status === 504);
  const paths = failing.flatMap(({ upstream }) => upstream.split(', ').flatMap((each) => socketPath(each) ?? []));
  return paths.length > 0 ? { sockets: await lookAtSockets([...new Set(paths)], service, container, given) } : {};
};

/** Whom the configuration names, without asking anybody. */
export const readUpstreams = async (service: Service, given: Gathering): Promise<NginxFact['upstreams']> => {
  const container = service.containers.find(isRunning) ?? service.containers[0];
  if (!container) return [];
  const { config, show } = await readNginxSetup(container, given);
  return withHolders(upstreamsOf(config, show), service, given);
};

/** As the configuration spells it: `= /health`, `/api/`; `''` at the level of the server. */
const nameOf = ({ modifier, path }: NginxLocation): string => (modifier === '' || modifier === '@' ? path : `${modifier} ${path}`);

const titleOf = (server: NginxServer): string =>
  server.names.join(' ') || server.listens.map(({ address, port }) => (address === '' ? `${port}` : `${address}:${port}`)).join(' ');

/** Each `root` and `alias` once, where it is written. */
const rootsOf = (config: NginxConfig, show: NginxSetup['show']): NginxFact['roots'] =>
  distinct(
    config.servers.flatMap((server) =>
      server.locations.flatMap((location) =>
        location.folder
          ? [{ path: location.folder.path, server: titleOf(server), location: nameOf(location), at: show(location.folder.at) }]
          : [],
      ),
    ),
    ({ at, path }) => `${at} ${path}`,
  );

const upstreamsOf = (config: NginxConfig, show: NginxSetup['show']): NginxFact['upstreams'] => {
  const of = (location: string) => (each: NginxUpstream) => ({ ...each, location, at: show(each.at) });
  const all = config.servers.flatMap((server) => server.locations.flatMap((location) => location.upstreams.map(of(nameOf(location)))));
  return distinct([...all, ...config.streams.map(of(''))], (each) => `${each.location} ${each.host} ${each.port} ${each.at}`);
};

/** The first of each key. */
const distinct = <T>(all: T[], key: (each: T) => string): T[] => {
  const seen = new Set<string>();
  return all.filter((each) => !seen.has(key(each)) && seen.add(key(each)));
};

interface Question extends Way {
  server: NginxServer;
  location: NginxLocation;
  upstream: string;
}

interface Way {
  /** What is asked for. */
  path: string;
  /** What nginx makes of it: the last argument of `try_files`. */
  uri: string;
}

/** Without the servers of a configuration that nginx has not loaded: nothing listens on their ports, while it does on others. */
const listening = async (config: NginxConfig, service: Service, given: Gathering): Promise<NginxConfig> => {
  const inside = await given.fact('inside', service);
  const open = inside.ok ? inside.value.listeners.map(({ port }) => port) : [];
  const servers = config.servers.filter(({ listens }) => listens.some(({ port }) => open.includes(port)));
  return servers.length > 0
    ? { ...config, servers: servers.map((each) => ({ ...each, listens: each.listens.filter(({ port }) => open.includes(port)) })) }
    : config;
};

const askProxied = async (config: NginxConfig, container: Container, given: Gathering): Promise<NginxFact['proxied']> => {
  const questions = distinct(
    config.servers.flatMap(questionsFor),
    ({ path, upstream, server }) => `${upstream} ${path} ${titleOf(server)}`,
  );
  // Every upstream once before any of them twice.
  const first = distinct(questions, ({ upstream }) => upstream);
  const inTurn = [...first, ...questions.filter((each) => !first.includes(each))].slice(0, MOST_REQUESTS);
  const doors = inTurn.flatMap((question) => {
    const door = doorOf(question.server, container, given);
    return door ? [{ ...question, door }] : [];
  });
  const askable = doors.filter(({ door }, index) => door.vantage.view.kind !== 'inside' || index < MOST_FROM_INSIDE);
  const answers = await Promise.all(askable.map(({ door, path }) => askNginx(door, path, 'location', given)));
  return askable
    .map(({ location, upstream, uri }, index) => {
      const script = scriptFor(location, uri);
      return { location: nameOf(location), upstream, http: answers[index]!, ...(script ? { script } : {}) };
    })
    .toSorted(
      (a, b) =>
        questions.findIndex((each) => nameOf(each.location) === a.location) -
        questions.findIndex((each) => nameOf(each.location) === b.location),
    );
};

const questionsFor = (server: NginxServer): Question[] =>
  server.answersItself
    ? []
    : server.locations.flatMap((location) => {
        const way = location.upstreams.length > 0 && !location.returns ? wayInto(server, location) : null;
        const upstream = [...new Set(location.upstreams.map(({ host, port }) => (port > 0 ? `${host}:${port}` : host)))].join(', ');
        return way === null ? [] : [{ server, location, ...way, upstream }];
      });

/** A path that nginx hands to this very location; `null` where none is sure to. */
const wayInto = (server: NginxServer, location: NginxLocation): Way | null => {
  if (location.modifier !== '@' && !location.internal) {
    const path = [pathOf(location), '/index.php', '/'].find((each) => each.startsWith('/') && locationFor(server, each) === location);
    if (path !== undefined) return { path, uri: path };
  }
  // Whatever is no file goes there; `/` is none as long as folders are not tried.
  for (const from of server.locations) {
    const last = from.tryFiles.at(-1)?.replace(/\?.*$|\$is_args.*$/, '') ?? '';
    const leads = location.modifier === '@' ? last === location.path : last.startsWith('/') && locationFor(server, last) === location;
    const path = pathOf(from);
    if (path.startsWith('/') && leads && from.tryFiles.slice(0, -1).every((each) => each === '$uri') && locationFor(server, path) === from)
      return { path, uri: last };
  }
  return null;
};

/** Of a pattern, the part before anything that is one: `^/(api|v1)/` → `/`. */
const pathOf = ({ modifier, path }: NginxLocation): string =>
  modifier === '~' || modifier === '~*' ? (/^\^?(\/[\w/-]*)(?![\w/-]*[*+?{])/.exec(path)?.[1] ?? '') : path === '' ? '/' : encodeURI(path);

const CLOSING_MS = 30;

/** Whom nginx calls to answer us is looked at only where a service behind a name was made after nginx looked the name up. */
const withCalled = async (
  ask: () => Promise<NginxFact['proxied']>,
  upstreams: NginxFact['upstreams'],
  nginx: Container,
  given: Gathering,
): Promise<NginxFact['proxied']> => {
  const doubtful = new Set(
    upstreams.filter(({ literal, host }) => literal && isYounger(host, nginx, given)).map(({ location }) => location),
  );
  // What is there already is of others: of users, of a run a moment ago.
  const before = doubtful.size > 0 ? await callsOf(nginx, given) : null;
  const proxied = await ask();
  if (before === null) return proxied;
  // The answer may be here before the other side has closed.
  await delay(CLOSING_MS);
  const now = (await callsOf(nginx, given)) ?? [];
  return proxied.map((each) => {
    const port = Number(/:(\d+)$/.exec(each.upstream)?.[1]);
    const isOne = each.http.answer !== null && !each.upstream.includes(',') && port > 0 && doubtful.has(each.location);
    return isOne ? { ...each, called: calledSince(before, now, port) } : each;
  });
};

const isYounger = (host: string, nginx: Container, { stack }: Gathering): boolean => {
  const started = nginx.state.startedAt;
  const behind = stack.services
    .flatMap(({ containers }) => containers)
    .filter((each) => isRunning(each) && each.networks.some(({ names }) => names.includes(host)));
  return started !== null && behind.length > 0 && behind.every(({ createdAt }) => createdAt > started);
};

const worthTesting = async (
  service: Service,
  container: Container,
  { config, files }: NginxSetup,
  proxied: NginxFact['proxied'],
  given: Gathering,
): Promise<boolean> => {
  const { startedAt } = container.state;
  if (
    config.problems.length > 0 ||
    files.some(({ modifiedAt }) => modifiedAt !== null && startedAt !== null && Date.parse(modifiedAt) > Date.parse(startedAt))
  )
    return true;
  if (proxied.some(({ http }) => http.answer !== null)) return false;
  const inside = await given.fact('inside', service);
  return (
    inside.ok &&
    !config.servers.some(({ listens }) => listens.some(({ port }) => inside.value.listeners.some((each) => each.port === port)))
  );
};

/** `null`: not to be had. */
const testConfig = async (container: Container, { command }: NginxSetup, given: Gathering): Promise<NginxFact['test']> => {
  const result = await runInside(container, [...command, '-t'], given).catch((error: unknown) => {
    if (error instanceof CannotLook) return null;
    throw error;
  });
  return result && { ok: result.exitCode === 0, text: given.vault.maskText(`${result.stderr}${result.stdout}`.trim()).slice(0, 2_000) };
};

const errorsOf = async (
  service: Service,
  container: Container,
  proxied: NginxFact['proxied'],
  given: Gathering,
): Promise<NginxFact['upstreamErrors']> =>
  (await linesOf(service, container, proxied, given))
    .flatMap(({ time, text }) => {
      const error = readUpstreamError(text);
      return error ? [{ time, text, ...error }] : [];
    })
    .slice(-MOST_ERRORS);

/** After requests that failed it is read again, so that what they met is in it. No log that can be read is no error. */
const linesOf = async (service: Service, container: Container, proxied: NginxFact['proxied'], given: Gathering): Promise<LogLine[]> => {
  const before = proxied.every(({ http, script }) => http.answer !== null && http.answer.status < (script ? 400 : 500))
    ? await given.fact('logs', service)
    : null;
  if (before?.ok && before.value.container === container.name) return before.value.lines;
  return readLog(given.engine, given.vault, container, container.state.startedAt, LOG_LINES, given.signal).catch((error: unknown) => {
    if (error instanceof EngineError) return [];
    throw error;
  });
};
