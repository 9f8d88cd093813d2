/** The name that a connection is told: none, a wrong one, one that means somebody else. */
import { serviceAt } from '../../model/addresses.ts';
import { listed } from '../../model/attempt.ts';
import { isLoopback, nameTable } from '../../model/connections.ts';
import { keepsFailing } from '../../model/crash-loop.ts';
import { writtenListeners } from '../../model/listeners.ts';
import { knownErrorIn, lineAbout } from '../../model/log-signatures.ts';
import { nearest } from '../../model/nearest.ts';
import {
  allContainers,
  isAddress,
  isAmongItsOwn,
  isExtraHost,
  isLodger,
  namelessMode,
  networksOf,
  sharedEnds,
} from '../../model/routes.ts';
import {
  type Connection,
  type ConnectionKind,
  isRunning,
  running,
  type Service,
  serviceNamed,
  spokenBy,
  type Stack,
} from '../../model/stack.ts';
import { sameAsBefore } from './port.ts';
import { networkNames } from './road.ts';
import { base, declared, isConfigured, isNameless, type Judge, logged, type Scene, steady, targetOf, trialOf, tried } from './scene.ts';

const URL_TROUBLE = /invalid literal for int|invalid (?:url|uri|port|dsn)|could not parse|missing "=" after|port could not be cast/i;

/** Some clients read such a URL as it was meant: while this one lives, it is a warning unless its log says otherwise. */
export const malformed: Judge = (connection, scene) => {
  if (!connection.malformed || trialOf(connection, scene)?.view.kind === 'server') return null;
  const known = knownErrorIn(scene.log, scene.service.role);
  const suffers =
    ['name', 'connection', connection.kind === 'amqp' ? 'rabbitmq' : connection.kind].includes(known?.blame ?? '') ||
    scene.log.some((line) => URL_TROUBLE.test(line.text));
  return {
    reason: 'malformed-url',
    ...(scene.up && !suffers ? { severity: 'warn' as const } : {}),
    message: `${connection.source} of ${scene.service.name} cannot be read as it is meant: ${connection.malformed}`,
    evidence: [declared(connection, scene), ...logged(suffers ? known : null, scene)],
    values: { variable: connection.source, ...base(connection, scene) },
  };
};

const STORES: ConnectionKind[] = ['postgres', 'redis', 'mysql', 'mongodb', 'amqp'];

const LOOPBACKS = ['localhost', '127.0.0.1', '::1', '0.0.0.0'];

export const localhost: Judge = (connection, scene) => {
  // On the host's network, localhost is the host; nginx's own upstreams are judged by `proxy`.
  if (!isLoopback(connection.host) || scene.client.networkMode === 'host' || isConfigured(connection)) return null;
  if (connection.to !== null || scene.listeners?.some((each) => each.port === connection.port)) return null;
  const line = lineAbout(scene.log, 'connection', LOOPBACKS, connection.port);
  const refusedInside = trialOf(connection, scene)?.trial.outcome === 'refused' || (scene.up && scene.listeners !== null);
  // A web address may be meant for a browser, and a variable may be unused: then only the log proves that the client goes there.
  if (
    !line &&
    !(refusedInside && STORES.includes(connection.kind)) &&
    !(failsUnexplained(connection, scene) && isAmongItsOwn(scene.client, scene.stack, scene.networks))
  )
    return null;
  const meant = byRole(connection, scene.stack);
  return {
    reason: 'localhost-in-container',
    message: `${scene.service.name} looks for ${connection.kind} at ${connection.host}:${connection.port}, its own container, where nothing listens${meantIs(connection, meant)}`,
    evidence: [
      declared(connection, scene),
      ...tried(trialOf(connection, scene), scene),
      ...(scene.listeners ? [{ source: `listening sockets inside ${scene.service.name}`, text: writtenListeners(scene.listeners) }] : []),
      ...logged(line, scene),
    ],
    values: { ...base(connection, scene), ...(meant ? { target: meant, nearest: meant } : {}) },
  };
};

/**
 * A client that ends before it can be looked into, and whose log names no other reason: the address of its store, which cannot be
 * right, is the reason, where the stack has a store of that kind.
 */
const failsUnexplained = (connection: Connection, { client, log, service, stack }: Scene): boolean => {
  const known = knownErrorIn(log, service.role);
  return (
    keepsFailing(client) && byRole(connection, stack) !== null && (known === null || known.blame === 'name' || known.blame === 'connection')
  );
};

const meantIs = ({ kind }: Connection, meant: string | null): string =>
  meant ? `; the ${STORES.includes(kind) ? kind : 'nearest'} service is "${meant}"` : '';

const byRole = (connection: Connection, { services }: Stack): string | null => {
  const same = services.filter((each) => (spokenBy(each.role) ?? each.role) === connection.kind && each.name !== connection.from);
  return same.length === 1 ? same[0]!.name : null;
};

/** In such a mode only `/etc/hosts` and the host's DNS know names. */
export const hostMode: Judge = (connection, scene) => {
  const mode = namelessMode(scene.client);
  if (!mode || connection.to === null || isExtraHost(scene.client, connection.host)) return null;
  const target = trialOf(connection, scene);
  if (target && !isNameless(target)) return null;
  const where = mode === 'host' ? "the host's network" : "Docker's default bridge";
  return {
    reason: 'host-mode',
    message: `${scene.service.name} is on ${where}, where the name "${connection.host}" does not exist`,
    evidence: [
      { source: `docker inspect ${scene.client.name}: HostConfig.NetworkMode`, text: scene.client.networkMode },
      declared(connection, scene),
      ...tried(target, scene),
    ],
    values: { ...base(connection, scene), container: scene.client.name },
  };
};

export const unknownHost: Judge = (connection, scene) => {
  const { host } = connection;
  if (connection.to !== null || isConfigured(connection)) return null;
  if (host === '' || host.includes('.') || isLoopback(host) || isAddress(host) || isExtraHost(scene.client, host)) return null;
  const target = trialOf(connection, scene);
  const line = lineAbout(scene.log, 'name', [host], null);
  // Of a client that cannot be looked into, only its own log tells that it asked for the name in vain.
  const seen = target !== undefined && target.trial.outcome !== 'no-tool';
  const unexplained = !line && failsUnexplained(connection, scene);
  if (seen ? !isNameless(target) : !line && !(unexplained && isAmongItsOwn(scene.client, scene.stack, scene.networks))) return null;
  // Every container answers to the first 12 digits of its id as well.
  const names = [...nameTable(scene.stack.services).keys()].filter((name) => !/^[0-9a-f]{12}$/.test(name));
  const meant =
    byRole(connection, scene.stack) ??
    nearest(
      host,
      scene.stack.services.map((each) => each.name),
      1,
    )[0] ??
    null;
  const before = sameAsBefore(connection, scene, 'network/unknown-host');
  return {
    reason: 'unknown-host',
    message: `${scene.service.name} looks for "${host}", and nothing on its networks has that name${meantIs(connection, meant)}`,
    evidence: [
      declared(connection, scene),
      ...tried(target, scene),
      ...logged(line ?? (unexplained ? knownErrorIn(scene.log) : null), scene),
      { source: 'names on the networks of the stack', text: listed(names) },
    ],
    ...(before.length > 0 ? { suspects: before } : {}),
    values: { ...base(connection, scene), ...(meant ? { target: meant, nearest: meant } : {}) },
  };
};

/** Replicas share a name by right; so do like services under an alias that is nobody's own name. */
export const duplicateAlias: Judge = (connection, scene) => {
  const target = targetOf(connection, scene);
  if (!target || running(target).length === 0) return null;
  const strangers = [...sharers(connection, target, scene), ...foreignAnswers(connection, target, scene)];
  if (strangers.length === 0) return null;
  const names = [...new Set(strangers)];
  const own = running(target)[0]!;
  const addresses = trialOf(connection, scene)?.addresses ?? [];
  return {
    reason: 'duplicate-alias',
    message: `the name "${connection.host}" that ${scene.service.name} uses leads to ${own.name} and to ${listed(names)}`,
    evidence: [
      { source: `names on the networks of ${scene.service.name}`, text: `"${connection.host}": ${listed([own.name, ...names])}` },
      ...(addresses.length > 0
        ? [{ source: `from inside ${scene.service.name}`, text: `${connection.host} resolves to ${listed(addresses)}` }]
        : []),
    ],
    values: { ...base(connection, scene), container: names[0]!, network: networkNames(own, scene.stack)[0] ?? '' },
  };
};

const sharers = (connection: Connection, target: Service, { client, stack }: Scene): string[] =>
  [...allContainers(stack), ...stack.oneOffs]
    .filter(
      (each) =>
        isRunning(each) &&
        each.service !== target.name &&
        // One that lives in another's network namespace has that one's names, and none of its own.
        !isLodger(each) &&
        sharedEnds(client, each, stack).some((end) => end.names.includes(connection.host)),
    )
    .filter((each) => !isTeam(connection.host, target, serviceNamed(stack, each.service)))
    .map((each) => each.name);

const isTeam = (host: string, target: Service, other: Service | undefined): boolean =>
  other !== undefined &&
  other.role === target.role &&
  other.spec !== null &&
  target.spec !== null &&
  host !== target.name &&
  host !== other.name;

/** Containers of no service of ours are known by the network's list of members alone. */
const foreignAnswers = (connection: Connection, target: Service, scene: Scene): string[] => {
  const addresses = trialOf(connection, scene)?.addresses ?? [];
  if (addresses.length < 2 || !addresses.some((address) => serviceAt(scene.stack, address) === target)) return [];
  const own = new Set(networksOf(scene.client, scene.stack).map((each) => each.networkId));
  const members = scene.networks.filter((each) => own.has(each.id)).flatMap((each) => each.members);
  const ours = new Set([...allContainers(scene.stack), ...scene.stack.oneOffs].map((each) => each.name));
  return addresses.flatMap(
    (address) => members.find((member) => member.ip.split('/')[0] === address && !ours.has(member.container))?.container ?? [],
  );
};

export const dnsFault: Judge = (connection, scene) => {
  const target = targetOf(connection, scene);
  const found = trialOf(connection, scene);
  // The name of what keeps ending comes and goes with it.
  if (!target || !isNameless(found) || steady(target).length === 0) return null;
  const ends = steady(target).flatMap((each) => sharedEnds(scene.client, each, scene.stack));
  if (ends.length === 0) return null;
  const detached = ends.every((end) => end.ip === '');
  return {
    reason: 'dns-fault',
    message: `${target.name} runs on ${ends[0]!.network} ${detached ? 'without an address' : `as "${connection.host}"`}, which ${scene.service.name} cannot resolve`,
    evidence: [
      ...tried(found, scene),
      {
        source: `names of ${target.name} on ${ends[0]!.network}`,
        text: `${listed(ends[0]!.names) || 'none'}${ends[0]!.ip ? ` at ${ends[0]!.ip}` : ', no address'}`,
      },
    ],
    values: { ...base(connection, scene), network: ends[0]!.network },
  };
};
