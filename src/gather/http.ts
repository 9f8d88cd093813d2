/** What a service says on its health path: by its address and by its published port, as a browser and a proxy would meet it. */
import type { HttpTry } from '../model/facts.ts';
import { connectionsTo, running, serviceNamed, type Container, type Service } from '../model/stack.ts';
import { askPath } from './ask-http.ts';
import { askBehind } from './behind.ts';
import { dialTcp } from './dial.ts';
import { CannotLook, speaker, type Gathering, type ServiceGatherer } from './gathering.ts';
import { couldBeHttp, healthcheckUrl, httpPorts, schemeOf, usualFirst } from './health-path.ts';
import { isBelowProtocol } from './trial.ts';
import { byAddress, byPublishedPort, fromInside, type Vantage } from './vantage.ts';

/** As a service is configured: where this machine reaches it. */
const asTold = (url: string): { vantage: Vantage; url: URL } => {
  const at = new URL(url);
  const host = at.hostname.replace(/^\[|\]$/g, '');
  const port = Number(at.port) || (at.protocol === 'https:' ? 443 : 80);
  return { vantage: { view: { kind: 'published', address: at.host }, host, port, dial: dialTcp(host, port) }, url: at };
};

const GUESSES = ['/health', '/healthz', '/api/health', '/'];

export const gatherHttp: ServiceGatherer<'http'> = async (service, given) => {
  const container = speaker(service);
  const setting = Object.hasOwn(given.settings, service.name) ? given.settings[service.name] : undefined;
  const told = setting?.url ? asTold(setting.url) : null;
  const known = healthcheckUrl(container);
  const port = told?.vantage.port ?? known?.port ?? (await findPort(service, container, given));
  const scheme = told?.url.protocol.slice(0, -1) ?? known?.scheme ?? schemeOf(given.stack, service, port);
  const address = told ? told.vantage : byAddress(given.engine, given.stack, container, port);
  const published = told ? null : byPublishedPort(given.engine, container, port);

  const ask = async (vantage: Vantage, path: string, pathFrom: string): Promise<HttpTry> => {
    // A name that every framework's list of allowed hosts takes; the container's address is on none.
    const host = told ? told.url.host : `localhost:${vantage.port}`;
    return { ...(await askPath(vantage, { scheme, path, host }, given)), pathFrom };
  };

  // A proxy passes on what it does not serve, so that its own health is only in its root.
  const toldPath = setting?.healthPath ?? (told && told.url.pathname !== '/' ? told.url.pathname + told.url.search : null);
  const paths: [string, string][] = toldPath
    ? [[toldPath, 'doctor.yaml']]
    : known
      ? [[known.path, 'healthcheck']]
      : (service.role === 'nginx' ? ['/'] : GUESSES).map((path) => [path, path === '/' ? 'root' : 'guess']);

  /** The first path that is there; the last one where none is. */
  const settle = async (vantage: Vantage): Promise<HttpTry & { path: string }> => {
    let last: (HttpTry & { path: string }) | null = null;
    for (const [path, pathFrom] of paths) {
      last = { ...(await ask(vantage, path, pathFrom)), path };
      if (last.answer?.status !== 404) break;
    }
    return last!;
  };

  const main = address ?? published;
  // Both at once: a service that hangs costs one limit. Asked again where the first guess was not the path.
  const [first, early] = await Promise.all([main && settle(main), address && published && ask(published, ...paths[0]!)]);
  const second = early && first && first.path !== paths[0]![0] ? await ask(published!, first.path, first.pathFrom) : early;
  const tries = [first, second].filter((each) => each !== null);
  const inside = !told && tries.every((each) => isBelowProtocol(each.trial)) ? tunnel(service, container, port, given) : null;
  const third = inside && (await settle(inside).catch(unlessOver(given)));
  if (third && !(tries.length > 0 && third.trial.outcome === 'no-tool')) tries.push(third);
  const settled = first ?? third;
  if (!settled)
    throw new CannotLook(`${service.name} can be reached neither by address nor by a published port nor from inside a container`);
  const failed = service.role === 'http' && (tries[0]?.answer?.status ?? 0) >= 500;
  const behind = failed ? await askBehind(service, tries[0]!, given) : [];
  const base = { path: settled.path, pathFrom: settled.pathFrom, port, tries: tries.map(withoutPath) };
  return behind.length > 0 ? { ...base, behind } : base;
};

const withoutPath = ({ url, pathFrom, view, trial, answer }: HttpTry): HttpTry => ({ url, pathFrom, view, trial, answer });

/** A tunnel that cannot be had leaves the other tries as they are. */
const unlessOver = (given: Gathering) => (error: unknown) => {
  if (!(error instanceof CannotLook) || given.signal.aborted) throw error;
  return null;
};

/** From a client of the service, a proxy first, as that spells it; else from the container itself. */
const tunnel = (service: Service, container: Container, port: number, given: Gathering): Vantage => {
  const connections = connectionsTo(given.stack, service.name).filter((each) => each.from !== service.name);
  for (const { from, host } of connections.toSorted((a, b) => Number(b.kind === 'http') - Number(a.kind === 'http'))) {
    const client = serviceNamed(given.stack, from);
    const end = client && running(client)[0];
    const shared = end?.networks.find((each) => container.networks.some((other) => other.networkId === each.networkId));
    if (end && shared) return fromInside(given.engine, end, host, port, shared.network);
  }
  return fromInside(given.engine, container, '127.0.0.1', port, null);
};

/** What is declared, else what listens. Errors: `CannotLook`. */
export const findPort = async (service: Service, container: Container, given: Gathering): Promise<number> => {
  const { told, guessed } = httpPorts(given.stack, service, container);
  if (told[0] !== undefined) return told[0];
  const inside = await given.fact('inside', service);
  const listening = inside.ok ? usualFirst(inside.value.listeners.map((each) => each.port)).filter(couldBeHttp) : [];
  const best = guessed.find((port) => listening.includes(port)) ?? listening[0] ?? guessed[0];
  if (best === undefined) throw new CannotLook(`${service.name} declares no port that could speak HTTP`);
  return best;
};
