/** Can the client reach what it is configured for: by name and by TCP, as it is seen inside its own container? */
import type { InsideFact, ReachFact, Trial } from '../model/facts.ts';
import { isLoopback, namesFor, nameTable } from '../model/connections.ts';
import { plain } from '../model/plain.ts';
import { isSurelyFromBehind } from '../model/proxy-pages.ts';
import { isRunning, running, serviceNamed, sharedNetworks, type Container, type Service } from '../model/stack.ts';
import { CannotLook, speaker, TRY_MS, type Gathering, type ServiceGatherer } from './gathering.ts';
import { commandsFor, REACH_MS } from './reach-programs.ts';
import { runInside } from './run-inside.ts';
import { systemFailure, tryOut } from './trial.ts';
import { byAddress } from './vantage.ts';

type Target = ReachFact['targets'][number];

interface Wanted {
  host: string;
  port: number;
  /** The service that the host names. */
  to: Service | null;
}

/** What the kernel shows first, for it costs nothing: a connection that is or just was. The rest is tried by one command in the container, all at once. */
export const gatherReach: ServiceGatherer<'reach'> = async (service, given) => {
  const client = speaker(service);
  const wanted = await wantedBy(service, given);
  const shown = await Promise.all(wanted.map((target) => alreadyShown(target, service, client, given)));
  const left = wanted.filter((_, index) => shown[index] === null);
  // A name whose containers are all down tells nothing new; it is tried only where a command runs anyway.
  // Postgres as the first process adopts what an exec leaves behind, and takes its end for a crash of its own.
  const tried =
    left.some((target) => !isDown(target.to)) && service.role !== 'postgres'
      ? await tryInside(left, client, given)
      : left.map((target) => notTried(target, client));
  const seen = await Promise.all(tried.map((target, index) => withView(target, left[index]!, client, given)));
  const found = wanted.map((target, index) => shown[index] ?? seen[left.indexOf(target)]);
  return { container: client.name, targets: found.filter((target) => target !== undefined) };
};

const wantedBy = async (service: Service, given: Gathering): Promise<Wanted[]> => {
  const declared = given.stack.connections
    .filter((each) => each.from === service.name && each.kind !== 'depends-on' && each.kind !== 'socket' && each.malformed === null)
    .map(({ host, port, to }) => ({ host, port, to: (to !== null && serviceNamed(given.stack, to)) || null }));
  const upstreams = (await nginxOf(service, given))?.upstreams ?? (await haproxyOf(service, given))?.upstreams ?? [];
  const names = namesFor(service, nameTable(given.stack.services));
  const proxied = upstreams.map(({ host, port }) => ({ host, port, to: serviceNamed(given.stack, names.get(host) ?? '') ?? null }));
  return [...declared, ...proxied].filter(
    (each, index, all) =>
      // What a command can be told: no blank, no option, no variable.
      /^[\w[][\w.:[\]-]*$/.test(each.host) &&
      each.port > 0 &&
      all.findIndex((other) => other.host === each.host && other.port === each.port) === index,
  );
};

const nginxOf = async (service: Service, given: Gathering) => {
  if (service.role !== 'nginx') return null;
  const fact = await given.fact('nginx', service);
  return fact.ok ? fact.value : null;
};

const haproxyOf = async (service: Service, given: Gathering) => {
  if (service.role !== 'haproxy') return null;
  const fact = await given.fact('haproxy', service);
  return fact.ok ? fact.value : null;
};

const isDown = (service: Service | null): boolean => service !== null && service.containers.length > 0 && running(service).length === 0;

const alreadyShown = async (target: Wanted, service: Service, client: Container, given: Gathering): Promise<Target | null> => {
  if (isLoopback(target.host)) {
    const own = await insideOf(service, given);
    return own && reached(target, client, null, [target.host], ownPort(own, target));
  }
  // One container alone: of several, another may be the one that is not reached.
  const server = target.to && running(target.to).length === 1 ? running(target.to)[0] : undefined;
  if (!target.to || !server) return null;
  const [own, theirs] = await Promise.all([insideOf(service, given), insideOf(target.to, given)]);
  // It may have gone, or shut itself in, since.
  if (theirs && !theirs.listeners.some(({ address, port }) => port === target.port && !/^(127\.|::1$)/.test(address))) return null;
  const address =
    connectedAddress(target.port, { client, own }, { server, theirs }) ??
    (await answeredThroughNginx(target, service, client, server, given));
  return address === null ? null : reached(target, client, sharedNetworks(client, server)[0] ?? null, [address], OK);
};

const insideOf = async (service: Service, given: Gathering): Promise<InsideFact | null> => {
  const fact = await given.fact('inside', service);
  return fact.ok ? fact.value : null;
};

const OK: Trial = { layer: 'tcp', outcome: 'ok', code: '', text: '', ms: 0 };

/** A connect to one's own loopback does what the table of sockets says. */
const ownPort = (own: InsideFact, { host, port }: Wanted): Trial =>
  own.listeners.some((each) => each.port === port)
    ? OK
    : {
        ...OK,
        outcome: 'refused',
        code: 'ECONNREFUSED',
        text: `nothing listens on port ${port} inside this container, which is what ${host} is here`,
      };

interface ClientEnd {
  client: Container;
  own: InsideFact | null;
}
interface ServerEnd {
  server: Container;
  theirs: InsideFact | null;
}

/**
 * The server's address, if the client is connected to it, or was seconds ago since both last started. Whichever side closed first remembers.
 * A connection under way now that is not answered outweighs both.
 */
const connectedAddress = (port: number, { client, own }: ClientEnd, { server, theirs }: ServerEnd): string | null => {
  const clientAddresses = client.networks.map((end) => end.ip);
  const bothUp = Math.min(secondsUp(client), secondsUp(server));
  const address = server.networks
    .map((end) => end.ip)
    .find((ip) => {
      const isServer = (end: { address: string; port: number }) => ip !== '' && end.address === ip && end.port === port;
      if (own?.connecting?.some(isServer)) return false;
      return own?.peers.some(isServer) || own?.closed?.some((end) => isServer(end) && end.secondsAgo < bothUp);
    });
  if (address !== undefined) return address;
  const remembered = theirs?.closed?.find(
    (end) => end.localPort === port && end.secondsAgo < bothUp && clientAddresses.includes(end.address),
  );
  if (!remembered) return null;
  const network = client.networks.find((end) => end.ip === remembered.address)?.networkId;
  const end = server.networks.find((each) => each.networkId === network);
  return end && !own?.connecting?.some((each) => each.address === end.ip) ? end.ip : null;
};

const secondsUp = (container: Container): number =>
  container.state.startedAt ? (Date.now() - Date.parse(container.state.startedAt)) / 1_000 : 0;

/** nginx's connections are too short to be seen, but it has just been asked: what the app itself answered came through one. */
const answeredThroughNginx = async (
  target: Wanted,
  service: Service,
  client: Container,
  server: Container,
  given: Gathering,
): Promise<string | null> => {
  const upstream = `${target.host}:${target.port}`;
  const answers = (await nginxOf(service, given))?.proxied.filter((each) => each.upstream === upstream) ?? [];
  // nginx looked the name up when it started; a server that is younger may have another address by now.
  if (secondsUp(client) > secondsUp(server)) return null;
  return answers.length > 0 && answers.every((each) => isSurelyFromBehind(each.http.answer?.status)) ? sharedAddress(client, server) : null;
};

const sharedAddress = (client: Container, server: Container): string | null =>
  server.networks.find((end) => end.ip !== '' && client.networks.some((own) => own.networkId === end.networkId))?.ip ?? null;

const reached = ({ host, port }: Wanted, client: Container, network: string | null, addresses: string[] | null, trial: Trial): Target => ({
  host,
  port,
  addresses,
  trial,
  view: { kind: 'inside', service: client.service, network },
});

const notTried = ({ host, port, to }: Wanted, client: Container): Target => ({
  host,
  port,
  addresses: null,
  trial: { layer: 'name', outcome: 'failed', code: '', text: `not tried: ${to?.name ?? host} is not running`, ms: 0 },
  view: { kind: 'inside', service: client.service, network: null },
});

/** Errors: `CannotLook`. */
const tryInside = async (wanted: Wanted[], client: Container, given: Gathering): Promise<Target[]> => {
  const began = performance.now();
  const pairs = wanted.flatMap(({ host, port }) => [host.replace(/^\[|\]$/g, ''), String(port)]);
  const said = await runFirst(commandsFor(pairs), client, given);
  const ms = Math.round(performance.now() - began);
  const lines = said?.split('\n').map((line) => line.split('\t'));
  return wanted.map((target, index) => {
    if (!lines) return reached(target, client, null, null, { ...NO_TOOL, ms });
    const [, addresses = '', layer, code = '', text = ''] = lines.findLast(([number]) => number === String(index)) ?? [];
    const found = [...new Set(addresses.split(',').filter(Boolean).map(plain))];
    const trial = { ...readOutcome(layer, code, plain(given.vault.maskText(text)).slice(0, 300)), ms };
    return reached(target, client, networkOf(found, client, target.to), found.length > 0 ? found : null, trial);
  });
};

/** Silence between two containers: is it the server that is silent, or is the road closed? The host stands on another road to it. */
const withView = async (found: Target, { to }: Wanted, client: Container, given: Gathering): Promise<Target> => {
  const server = to && running(to)[0];
  const silent = found.trial.layer === 'tcp' && ['timeout', 'unreachable'].includes(found.trial.outcome);
  const vantage = silent && server ? byAddress(given.engine, given.stack, server, found.port, client) : null;
  if (!vantage) return found;
  const fromHost = await tryOut({ ms: TRY_MS, signal: given.signal, vault: given.vault }, async (at, limit) => {
    await vantage.dial(at, limit);
    at.layer = 'done';
  });
  return { ...found, fromHost };
};

const NO_TOOL = {
  layer: 'name',
  outcome: 'no-tool',
  code: '',
  text: 'the image has nothing that could try it (python3, node, bash, nc)',
} as const;

/** What the first program that the image has prints; `null` when it has none. Errors: `CannotLook`. */
const runFirst = async (commands: string[][], client: Container, given: Gathering): Promise<string | null> => {
  for (const command of commands) {
    const result = await runInside(client, command, given, REACH_MS);
    if (result === null) continue;
    if (result.exitCode !== 0) {
      throw new CannotLook(
        `the try from inside ${client.service} ended with exit code ${result.exitCode}: ${plain(given.vault.maskText(result.stderr)).slice(0, 200)}`,
      );
    }
    return result.stdout.startsWith('no-tool') ? null : result.stdout;
  }
  return null;
};

/** The network of the client on which the service has one of these addresses. */
const networkOf = (addresses: string[], client: Container, service: Service | null): string | null => {
  const ends = (service?.containers.filter(isRunning) ?? []).flatMap((container) => container.networks);
  const end = ends.find((each) => addresses.includes(each.ip) && client.networks.some((own) => own.networkId === each.networkId));
  return end?.network ?? null;
};

const readOutcome = (layer: string | undefined, code: string, text: string): Omit<Trial, 'ms'> => {
  if (layer === 'done') return { layer: 'tcp', outcome: 'ok', code: '', text: '' };
  const at = layer === 'tcp' ? 'tcp' : 'name';
  const known = code === 'words' ? codeOf(text) : code;
  if (known === '' && text === '') {
    return {
      layer: at,
      outcome: 'timeout',
      code: 'ETIMEDOUT',
      text: at === 'tcp' ? 'no connection was made in time' : 'the name was not resolved in time',
    };
  }
  // Every way in which a resolver says no; the code differs with the resolver and with the host's own network.
  if (at === 'name') return { layer: 'name', outcome: 'not-found', code: known, text };
  const { layer: where, outcome } = systemFailure({ code: known, message: text }, 'tcp');
  return { layer: where === 'name' ? 'name' : 'tcp', outcome, code: known, text };
};

/** The words of bash, and of busybox', OpenBSD's and Nmap's `nc`. */
const WORDS: [RegExp, string][] = [
  [/refused/i, 'ECONNREFUSED'],
  [/bad address|not known|name resolution|could not resolve|getaddrinfo|lookup failed|no address/i, 'ENOTFOUND'],
  [/timed? ?out|in progress/i, 'ETIMEDOUT'],
  [/no route to host/i, 'EHOSTUNREACH'],
  [/unreachable/i, 'ENETUNREACH'],
  [/reset/i, 'ECONNRESET'],
];

const codeOf = (text: string): string => WORDS.find(([words]) => words.test(text))?.[1] ?? '';
