/** HAProxy's configuration, one request for each backend, and after an error the same questions to the servers behind it. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { HaproxyAsked, HaproxyFact, HaproxyUpstream, HttpTry } from '../model/facts.ts';
import { nameTable } from '../model/connections.ts';
import { isRunning, running, serviceNamed, type Container, type Service } from '../model/stack.ts';
import { askPath } from './ask-http.ts';
import { tryBare } from './bare-tcp.ts';
import { CannotLook, TRY_MS, type Gathering, type ServiceGatherer } from './gathering.ts';
import {
  questionFor,
  type HaproxyBackend,
  type HaproxyConfig,
  type HaproxyEntry,
  type HaproxyHealthCheck,
  type HaproxyQuestion,
  type HaproxyServer,
} from './haproxy-config.ts';
import { inUse, readErrorFile, readHaproxySetup, type HaproxySetup } from './haproxy-setup.ts';
import { calledSince, callsOf } from './nginx-called.ts';
import { tryOut } from './trial.ts';
import { byAddress, byPublishedPort, fromInside, fromItself, type Vantage } from './vantage.ts';

const MOST_REQUESTS = 12;
/** Where each request costs an exec. */
const MOST_FROM_INSIDE = 3;
/** Servers of one backend are much alike. */
const MOST_SERVERS = 3;

/** A container that does not run has a configuration all the same; then only that is told. */
export const gatherHaproxy: ServiceGatherer<'haproxy'> = async (service, given) => {
  const container = service.containers.find(isRunning) ?? service.containers[0];
  if (!container) throw new CannotLook(`${service.name} has no container`);
  const setup = await readHaproxySetup(container, given);
  const base = { container: container.name, files: setup.files, upstreams: upstreamsOf(setup) };
  if (!isRunning(container)) return { ...base, asked: [], taken: [] };
  const scene: Scene = { service, container, setup, given, config: await listening(setup.config, service, given) };
  const [asked, taken] = await Promise.all([askBackends(scene, base.upstreams), tryPorts(scene)]);
  return { ...base, asked, taken };
};

/** Whom the configuration names, without asking anybody. */
export const readHaproxyUpstreams = async (service: Service, given: Gathering): Promise<HaproxyUpstream[]> => {
  const container = service.containers.find(isRunning) ?? service.containers[0];
  return container ? upstreamsOf(await readHaproxySetup(container, given)) : [];
};

interface Scene {
  service: Service;
  container: Container;
  setup: HaproxySetup;
  given: Gathering;
  config: HaproxyConfig;
}

const upstreamsOf = ({ config, show }: HaproxySetup): HaproxyUpstream[] =>
  config.backends.flatMap((backend) =>
    inUse(backend).map(({ name, host, port, scheme, tls, resolvedLater, at }) => ({
      host,
      port,
      scheme,
      tls,
      backend: backend.name,
      server: name,
      at: show(at),
      literal: !resolvedLater,
    })),
  );

/** Without what HAProxy has not loaded: nothing listens there, while something does elsewhere. */
const listening = async (config: HaproxyConfig, service: Service, given: Gathering): Promise<HaproxyConfig> => {
  const inside = await given.fact('inside', service);
  const open = inside.ok ? inside.value.listeners.map(({ port }) => port) : [];
  const entries = config.entries.map((entry) => ({ ...entry, binds: entry.binds.filter(({ port }) => open.includes(port)) }));
  return entries.some(({ binds }) => binds.length > 0) ? { ...config, entries } : config;
};

type Bind = HaproxyEntry['binds'][number];

/** How an entry is asked; not on the container's own loopback. */
const doorOf = ({ binds }: HaproxyEntry, { container, given }: Scene): { vantage: Vantage; bind: Bind } | null => {
  const outward = binds.filter(({ address }) => !/^(127\.|::1$|localhost$)/.test(address));
  const bind = outward.find(({ tls }) => !tls) ?? outward[0];
  if (!bind) return null;
  const { engine, stack } = given;
  const vantage =
    byAddress(engine, stack, container, bind.port) ??
    byPublishedPort(engine, container, bind.port) ??
    fromItself(engine, stack, container, bind.port);
  return vantage && { vantage, bind };
};

interface Question extends HaproxyQuestion {
  entry: HaproxyEntry;
  backend: HaproxyBackend;
  vantage: Vantage;
  scheme: 'http' | 'https';
}

const questionsFor = (scene: Scene): Question[] =>
  scene.config.entries
    .filter(({ mode }) => mode === 'http')
    .flatMap((entry) => {
      const door = doorOf(entry, scene);
      if (!door) return [];
      return scene.config.backends.flatMap((backend): Question[] => {
        const question = inUse(backend).length > 0 ? questionFor(entry, backend.name) : null;
        return question ? [{ ...question, entry, backend, vantage: door.vantage, scheme: door.bind.tls ? 'https' : 'http' }] : [];
      });
    })
    .slice(0, MOST_REQUESTS)
    .filter(({ vantage }, index) => vantage.view.kind !== 'inside' || index < MOST_FROM_INSIDE);

const askBackends = async (scene: Scene, upstreams: readonly HaproxyUpstream[]): Promise<HaproxyAsked[]> => {
  const questions = questionsFor(scene);
  const doubtful = upstreams.some((each) => each.literal && isYounger(each.host, scene));
  const before = doubtful ? await callsOf(scene.container, scene.given) : null;
  const answers = await Promise.all(questions.map((question) => ask(question, scene)));
  // The answer may be here before the other side has closed.
  if (before) await delay(CLOSING_MS);
  const now = before && (await callsOf(scene.container, scene.given));
  return Promise.all(
    questions.map(async (question, index): Promise<HaproxyAsked> => {
      const http = answers[index]!;
      const { entry, backend, host, path } = question;
      const status = http.answer?.status ?? null;
      const failed = status === null || status >= 500;
      const errorFile = failed && status !== null ? await ownPage(backend, status, http.answer!.body, scene) : null;
      const [only, ...others] = inUse(backend);
      const called =
        before && now && only && others.length === 0 && isYounger(only.host, scene) ? calledSince(before, now, only.port) : null;
      return {
        entry: entry.name,
        backend: backend.name,
        route: host === 'localhost' ? path : `${host}${path}`,
        http,
        onPurpose: status !== null && [...entry.answers, ...backend.answers].includes(status),
        ...(errorFile === null ? {} : { errorFile }),
        direct: failed ? await askServers(question, scene) : [],
        checks: failed ? await checkServers(question, scene) : [],
        ...(called ? { called } : {}),
      };
    }),
  );
};

const CLOSING_MS = 30;

const ask = async ({ vantage, scheme, path, host }: Question, { given }: Scene): Promise<HttpTry> => ({
  ...(await askPath(vantage, { scheme, path, host }, given)),
  pathFrom: 'route',
});

const serviceOf = (host: string, { given }: Scene): Service | undefined =>
  serviceNamed(given.stack, nameTable(given.stack.services).get(host) ?? '');

/** HAProxy looked the name up before these containers had their addresses. */
const isYounger = (host: string, scene: Scene): boolean => {
  const started = scene.container.state.startedAt;
  const behind = serviceOf(host, scene);
  return (
    started !== null &&
    behind !== undefined &&
    running(behind).length > 0 &&
    running(behind).every(({ state }) => (state.startedAt ?? '') > started)
  );
};

/** The page of a file is known by its bytes: the file begins with the lines of a header. */
const ownPage = async ({ errorFiles }: HaproxyBackend, status: number, body: string, scene: Scene): Promise<string | null> => {
  const path = errorFiles[String(status)];
  const text = path === undefined ? null : await readErrorFile(path, scene.container, scene.given);
  const page = text
    ?.split(/\r?\n\r?\n/)
    .slice(1)
    .join('\n\n');
  return page !== undefined && squeezed(page).startsWith(squeezed(body)) && squeezed(body) !== '' ? path! : null;
};

const squeezed = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** The way to a server itself: by its container's address, else as HAProxy spells it from HAProxy's own container. */
const wayTo = ({ host, port }: HaproxyServer, scene: Scene): Vantage | null => {
  const { engine, stack } = scene.given;
  const container = serviceOf(host, scene)?.containers.find(isRunning);
  if (!container) return null;
  return byAddress(engine, stack, container, port, scene.container) ?? fromInside(engine, scene.container, host, port, null);
};

const askServers = async ({ backend, path, host }: Question, scene: Scene): Promise<HaproxyAsked['direct']> => {
  const servers = inUse(backend).filter(({ scheme, wantsProxyLine }) => scheme === 'http' && !wantsProxyLine);
  const found = servers.slice(0, MOST_SERVERS).flatMap((server) => {
    const vantage = wayTo(server, scene);
    return vantage ? [{ server, vantage }] : [];
  });
  return Promise.all(
    found.map(async ({ server, vantage }) => ({
      server: server.name,
      host: server.host,
      port: server.port,
      http: { ...(await askPath(vantage, { scheme: server.tls ? 'https' : 'http', path, host }, scene.given)), pathFrom: 'route' },
    })),
  );
};

const checkServers = async ({ backend }: Question, scene: Scene): Promise<HaproxyAsked['checks']> => {
  const { healthCheck } = backend;
  if (!healthCheck) return [];
  const servers = inUse(backend).filter(({ checked, tls, wantsProxyLine }) => checked && !tls && !wantsProxyLine);
  const found = servers.slice(0, MOST_SERVERS).flatMap((server) => {
    const vantage = wayTo(server, scene);
    return vantage ? [{ server, vantage }] : [];
  });
  return Promise.all(
    found.map(async ({ server, vantage }) => ({
      server: server.name,
      request: `${healthCheck.method} ${healthCheck.path} ${healthCheck.version}`,
      hasHost: healthCheck.host !== null,
      expects: healthCheck.expects,
      at: scene.setup.show(healthCheck.at),
      ...(await askAsHaproxy(vantage, healthCheck, scene.given)),
    })),
  );
};

/** Byte for byte: a client library would add the very header that is missing. */
const askAsHaproxy = async (
  vantage: Vantage,
  { method, path, version, host }: HaproxyHealthCheck,
  { signal, vault }: Gathering,
): Promise<Pick<HaproxyAsked['checks'][number], 'trial' | 'status'>> => {
  let status: number | null = null;
  const trial = await tryOut({ ms: TRY_MS, signal, vault }, async (at, limit) => {
    const stream = await vantage.dial(at, limit);
    at.layer = 'protocol';
    stream.write(`${method} ${path} ${version}\r\n${host === null ? '' : `host: ${host}\r\n`}connection: close\r\n\r\n`);
    const [chunk] = (await once(stream, 'data', { signal: limit })) as [Buffer];
    const found = /^HTTP\/[\d.]+ (\d{3})/.exec(chunk.toString('latin1'))?.[1];
    status = found === undefined ? null : Number(found);
    at.layer = 'done';
  });
  return { trial, status };
};

/** A server that counts connections without a word (MySQL) is not asked so. */
const tryPorts = async (scene: Scene): Promise<HaproxyFact['taken']> => {
  const { given } = scene;
  const found = scene.config.entries
    .filter(({ mode, fallback }) => mode === 'tcp' && fallback !== null)
    .flatMap((entry) => {
      const backend = scene.config.backends.find(({ name }) => name === entry.fallback);
      const servers = backend ? inUse(backend) : [];
      const door = doorOf(entry, scene);
      const isCounted = servers.some(({ host }) => serviceOf(host, scene)?.role === 'mysql');
      return door && servers.length > 0 && !isCounted ? [{ entry, door }] : [];
    })
    .slice(0, MOST_REQUESTS);
  return Promise.all(
    found.map(async ({ entry, door }) => ({
      entry: entry.name,
      port: door.bind.port,
      backend: entry.fallback!,
      trial: await tryBare(door.vantage, { ms: TRY_MS, signal: given.signal, vault: given.vault }),
    })),
  );
};
