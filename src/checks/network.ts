/** Can each client reach what it depends on? Name, network, port, in this order: the first that fails is the finding. */
import { isStarting } from '../model/age.ts';
import { serviceAt } from '../model/addresses.ts';
import { grouped, listed } from '../model/attempt.ts';
import { defineCheck, mayPass, type Evidence, type Finding, type FindingSpec, type Known, type Suspect } from '../model/check.ts';
import { isLoopback, nameTable } from '../model/connections.ts';
import { isFlapping, keepsFailing } from '../model/crash-loop.ts';
import type { Listener, LogLine, NetworkFact, ReachFact } from '../model/facts.ts';
import { listensElsewhere, writtenListeners } from '../model/listeners.ts';
import { knownErrorIn, lineAbout, type KnownError } from '../model/log-signatures.ts';
import { nearest } from '../model/nearest.ts';
import { allContainers, isAddress, isAmongItsOwn, isExtraHost, isLodger, namelessMode, networksOf, sharedEnds } from '../model/routes.ts';
import {
  connectionsFrom,
  isRunning,
  running,
  serviceNamed,
  type Connection,
  type ConnectionKind,
  type Container,
  type Service,
  type Stack,
  spokenBy,
} from '../model/stack.ts';

const cause = (means: string, proof: string, layer: FindingSpec['layer'] = 'compose'): FindingSpec => ({
  severity: 'fail',
  layer,
  kind: 'cause',
  means,
  proof,
  ofConnection: true,
});
/** Below the app: what the app says of itself comes of this. */
const symptom = (means: string, proof: string): FindingSpec => ({ severity: 'fail', layer: 'data', kind: 'symptom', means, proof });

export const network = defineCheck({
  id: 'network',
  title: 'It reaches what it depends on',
  question: 'Can the service reach each service that it connects to, by the name and port that it uses?',
  needs: ['reach', 'inside', 'logs', 'networks'],
  peerNeeds: ['inside'],
  // Not after `container`: a client that cannot reach its database is often one that keeps ending.
  after: ['engine', 'compose'],
  appliesTo: (service, stack) => connectionsFrom(stack, service.name).some(isTried),
  findings: {
    'malformed-url': cause(
      'The address that the client is given cannot be read as it was meant.',
      'A reserved character stands unescaped in the password of the URL.',
    ),
    'host-mode': cause(
      'The client uses a network mode that knows no names of services.',
      '`HostConfig.NetworkMode` is `host` or the default bridge, and the name does not resolve there.',
    ),
    'localhost-in-container': cause(
      'The client looks for another service on localhost, which inside a container is the container itself.',
      'The host of the URL is a loopback address, and nothing in the network namespace of the client listens on that port.',
    ),
    'unknown-host': mayPass(
      cause(
        'The client uses a host name that no service, container or alias has.',
        'The name is none of the names on the networks of the client, and it does not resolve inside the client.',
      ),
    ),
    'dependency-stopped': symptom(
      'The service that the client wants is not running, so its name does not resolve or nobody answers.',
      '`State.Status` of every container of the target.',
    ),
    'no-common-network': cause(
      'Client and target run, and no network joins them under that name.',
      'The ids in `NetworkSettings.Networks` of both have none in common on which the target has the name.',
    ),
    'host-port-inside': cause(
      'The client uses the port that the target has on the host; inside the network the target has its container port.',
      'The port is a published host port of the target, and the target does not listen on it inside.',
    ),
    'duplicate-alias': cause(
      'Containers of different services answer to one name on one network, so that requests reach either.',
      'The name resolves to addresses of containers of different services, or stands among the names of both on one network.',
    ),
    'dns-fault': cause(
      'The target runs on a common network under the name, and the name does not resolve inside the client all the same.',
      'The result of resolving the name inside the client, and the names of the target on the network.',
      'host',
    ),
    'traffic-dropped': cause(
      'The machine drops what passes between containers, while it lets its own connections through.',
      'Connecting from inside the client ends with no answer; the same port of the same container answers the host at once.',
      'host',
    ),
    refused: symptom(
      'The target is there and refuses connections on that port.',
      'Connecting from inside the client ends with ECONNREFUSED.',
    ),
    timeout: symptom(
      'The target is there and does not answer on that port.',
      'Connecting from inside the client ends with no answer, or with no route to the host.',
    ),
  },
  evaluate({ service, stack, facts, peers, now }) {
    const client = running(service)[0] ?? service.containers[0];
    if (!client) return { skip: `${service.name} has no container` };
    const scene: Scene = {
      service,
      stack,
      client,
      up: isRunning(client) && !isFlapping(client),
      reach: facts.reach.ok ? facts.reach.value : null,
      listeners: facts.inside.ok ? facts.inside.value.listeners : null,
      log: facts.logs.ok ? facts.logs.value.lines : [],
      networks: facts.networks.ok ? facts.networks.value : [],
      peers,
      now,
    };
    const connections = onePerAddress(connectionsFrom(stack, service.name).filter(isTried));
    const findings = joined(connections.flatMap((connection) => judge(connection, scene) ?? []));
    if (findings.length > 0) return { findings };
    if (!scene.up) return { skip: `${service.name} ${isRunning(client) ? 'keeps ending' : 'is not running'}` };
    const unseen = connections.find((connection) => isOurs(connection, scene) && !isReached(trialOf(connection, scene)));
    if (unseen) return { cannotLook: facts.reach.ok ? whyUnseen(unseen, scene) : facts.reach.reason };
    return { findings, note: noteOf(connections, scene) };
  },
});

interface Scene {
  service: Service;
  stack: Stack;
  client: Container;
  /** Runs, and for longer than a moment. */
  up: boolean;
  reach: ReachFact | null;
  /** Of the client's own network namespace. `null`: could not look. */
  listeners: Listener[] | null;
  log: LogLine[];
  networks: NetworkFact[];
  peers: Record<string, Known<'inside'>>;
  now: string;
}

type Judge = (connection: Connection, scene: Scene) => Finding | null;

/** No network leads to a socket file. */
const isTried = ({ kind, to, from }: Connection): boolean => kind !== 'depends-on' && kind !== 'socket' && to !== from;

/** External hosts are tried for the note's sake; their faults are not the stack's. Nor is what was not asked to run. */
const isOurs = (connection: Connection, scene: Scene): boolean => {
  const target = targetOf(connection, scene);
  return target !== undefined && !isUnasked(target);
};

/** Two variables with one address are one road. */
const onePerAddress = (connections: Connection[]): Connection[] =>
  connections.filter((each, index) => connections.findIndex((other) => other.host === each.host && other.port === each.port) === index);

const judge: Judge = (connection, scene) => {
  if (isReached(trialOf(connection, scene))) return malformed(connection, scene) ?? duplicateAlias(connection, scene);
  const judges = [
    malformed,
    localhost,
    hostMode,
    unknownHost,
    dependencyStopped,
    duplicateAlias,
    noCommonNetwork,
    hostPortInside,
    dnsFault,
    refused,
    trafficDropped,
    timeout,
  ];
  for (const each of judges) {
    const finding = each(connection, scene);
    if (finding) return finding;
  }
  return null;
};

/** A client that is off a network, or behind a firewall, misses everybody there: one fault. */
const OF_ALL = new Set(['host-mode', 'no-common-network', 'traffic-dropped']);

const joined = (findings: Finding[]): Finding[] =>
  grouped(findings, ({ reason, message }) => (OF_ALL.has(reason) ? reason : message)).map((alike) => {
    const [first, ...others] = alike as [Finding, ...Finding[]];
    if (others.length === 0) return first;
    const suspects = alike.flatMap((each) => each.suspects ?? []);
    return {
      ...first,
      message: `${first.message}; the same goes for ${listed(others.map((each) => each.values?.['host'] ?? ''))}`,
      evidence: grouped(
        alike.flatMap((each) => each.evidence),
        ({ source, text }) => `${source}\n${text}`,
      ).map(([evidence]) => evidence!),
      ...(suspects.length > 0 ? { suspects } : {}),
    };
  });

type Target = ReachFact['targets'][number];

const trialOf = ({ host, port }: Connection, { reach }: Scene): Target | undefined =>
  reach?.targets.find((each) => each.host === host && each.port === port);

/** TCP came about: whatever fails after it is a matter of the protocol. */
const isReached = (target: Target | undefined): boolean =>
  target !== undefined &&
  (target.trial.outcome === 'ok' || !['name', 'tcp'].includes(target.trial.layer)) &&
  target.trial.outcome !== 'no-tool';

/** Docker knows its own names at once. Others it asks of the host's DNS, which, offline, takes its time. */
const isNameless = (target: Target | undefined): boolean =>
  target?.trial.layer === 'name' && (target.trial.outcome === 'not-found' || target.trial.outcome === 'timeout');

const targetOf = (connection: Connection, { stack }: Scene): Service | undefined =>
  connection.to === null ? undefined : serviceNamed(stack, connection.to);

const base = (connection: Connection, scene: Scene): Record<string, string> => {
  const variable = /^env (\S+)/.exec(connection.source)?.[1];
  return {
    client: scene.service.name,
    host: connection.host,
    port: String(connection.port),
    ...(connection.to ? { target: connection.to } : {}),
    ...(variable ? { variable } : {}),
  };
};

const declared = (connection: Connection, scene: Scene): Evidence => ({
  source: `${scene.service.name}: ${connection.source}`,
  text: connection.url,
});

const tried = (target: Target | undefined, scene: Scene): Evidence[] =>
  target
    ? [
        {
          source: `from inside ${scene.service.name}`,
          text: `${target.host}:${target.port}: ${`${target.trial.code} ${target.trial.text}`.trim() || target.trial.outcome}`,
        },
      ]
    : [];

const logged = (known: KnownError | null, scene: Scene): Evidence[] =>
  known ? [{ source: `${scene.service.name} log`, text: known.line }] : [];

const URL_TROUBLE = /invalid literal for int|invalid (?:url|uri|port|dsn)|could not parse|missing "=" after|port could not be cast/i;

/** Some clients read such a URL as it was meant: while this one lives, it is a warning unless its log says otherwise. */
const malformed: Judge = (connection, scene) => {
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

const localhost: Judge = (connection, scene) => {
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

/** Written in a file of the service, not in its environment: nginx's upstreams. */
const isConfigured = ({ kind, source }: Connection): boolean => kind !== 'depends-on' && !source.startsWith('env ');

const meantIs = ({ kind }: Connection, meant: string | null): string =>
  meant ? `; the ${STORES.includes(kind) ? kind : 'nearest'} service is "${meant}"` : '';

const byRole = (connection: Connection, { services }: Stack): string | null => {
  const same = services.filter((each) => (spokenBy(each.role) ?? each.role) === connection.kind && each.name !== connection.from);
  return same.length === 1 ? same[0]!.name : null;
};

/** In such a mode only `/etc/hosts` and the host's DNS know names. */
const hostMode: Judge = (connection, scene) => {
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

const unknownHost: Judge = (connection, scene) => {
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

/** Behind an inactive profile, or scaled to zero: it is missed only by a client that says so. */
const isUnasked = (target: Service): boolean =>
  target.spec !== null && (!target.spec.active || target.spec.replicas === 0) && target.containers.length === 0;

const steady = (target: Service): Container[] => running(target).filter((each) => !isFlapping(each));

const stateOf = ({ state }: Container): string => {
  if (state.status === 'running') return 'keeps ending';
  return state.status === 'created' ? 'was never started' : `is ${state.status}`;
};

/** Of a client that does not run this tells nothing: its own container check points at the target. */
const dependencyStopped: Judge = (connection, scene) => {
  const target = targetOf(connection, scene);
  if (!target || !scene.up || steady(target).length > 0) return null;
  const line =
    lineAbout(scene.log, 'name', [connection.host], null) ?? lineAbout(scene.log, 'connection', [connection.host], connection.port);
  if (isUnasked(target) && !line) return null;
  const first = target.containers[0];
  const state = first ? stateOf(first) : 'has no container';
  return {
    reason: 'dependency-stopped',
    message: `${scene.service.name} cannot reach ${connection.host}:${connection.port}: ${target.name} ${state}`,
    evidence: [
      ...(first ? [{ source: `docker inspect ${first.name}: State`, text: first.state.status }] : []),
      declared(connection, scene),
      ...tried(trialOf(connection, scene), scene),
      ...logged(line, scene),
    ],
    suspects: [
      { service: target.name, check: 'container' },
      { service: target.name, code: 'ports/taken' },
      { service: target.name, check: 'compose' },
    ],
    values: base(connection, scene),
  };
};

const noCommonNetwork: Judge = (connection, scene) => {
  const target = targetOf(connection, scene);
  const found = trialOf(connection, scene);
  if (!target || running(target).length === 0 || namelessMode(scene.client) || isExtraHost(scene.client, connection.host)) return null;
  if (found && !isNameless(found)) return null;
  const ends = running(target).flatMap((each) => sharedEnds(scene.client, each, scene.stack));
  const namedThere = ends.some((end) => end.names.length === 0 || end.names.includes(connection.host));
  if (namedThere || (ends.length > 0 && !found)) return null;
  const own = networkNames(scene.client, scene.stack);
  const theirs = networkNames(running(target)[0]!, scene.stack);
  const what = ends.length > 0 ? `no network on which it is called "${connection.host}"` : 'no network';
  const [mine, other] = [listed(own) || modeOf(scene.client), listed(theirs) || modeOf(running(target)[0]!)];
  return {
    reason: 'no-common-network',
    message: `${scene.service.name} (on ${mine}) and ${target.name} (on ${other}) share ${what}`,
    evidence: [
      { source: `docker inspect ${scene.client.name}: Networks`, text: mine },
      { source: `docker inspect ${running(target)[0]!.name}: Networks`, text: other },
      ...tried(found, scene),
    ],
    ...(own.length > 0 ? { suspects: sameCut(target, scene) } : {}),
    values: { ...base(connection, scene), ...(theirs[0] ? { network: theirs[0] } : {}) },
  };
};

const networkNames = (container: Container, stack: Stack): string[] => networksOf(container, stack).map((each) => each.network);

const modeOf = ({ networkMode }: Container): string =>
  /^(host|none|container:|service:)/.test(networkMode) ? `network mode ${networkMode}` : 'no network';

/** One container taken off its network is missed by all its clients, and misses all that it wants itself: that is one cut. */
const sameCut = (target: Service, { service, stack }: Scene): Suspect[] => {
  const clients = [
    ...new Set(stack.connections.flatMap((each) => (each.to === target.name && isTried(each) ? [each.from] : []))),
  ].toSorted();
  return [target.name, ...clients.slice(0, clients.indexOf(service.name))].map((name) => ({
    service: name,
    code: 'network/no-common-network',
  }));
};

const hostPortInside: Judge = (connection, scene) => {
  const target = targetOf(connection, scene);
  if (!target) return null;
  const mapping = running(target)
    .flatMap((each) => [...each.ports, ...each.portBindings])
    .find((each) => each.protocol === 'tcp' && each.hostPort === connection.port && each.containerPort !== connection.port);
  const listeners = listenersOf(target, scene);
  const listens = listeners?.some((each) => each.port === connection.port);
  const wasRefused = trialOf(connection, scene)?.trial.outcome === 'refused';
  if (!mapping || listens || (!wasRefused && listeners === null)) return null;
  return {
    reason: 'host-port-inside',
    message: `${scene.service.name} uses port ${connection.port} of ${target.name}, which is the one on the host; inside it is ${mapping.containerPort}`,
    evidence: [
      declared(connection, scene),
      ...tried(trialOf(connection, scene), scene),
      { source: `published ports of ${target.name}`, text: `${mapping.hostPort}→${mapping.containerPort}` },
      ...(listeners ? [{ source: `listening sockets inside ${target.name}`, text: writtenListeners(listeners) }] : []),
    ],
    values: { ...base(connection, scene), hostPort: String(mapping.hostPort), containerPort: String(mapping.containerPort) },
  };
};

const listenersOf = (target: Service, { peers }: Scene): Listener[] | null => {
  const inside = Object.hasOwn(peers, target.name) ? peers[target.name]!.inside : undefined;
  return inside?.ok ? inside.value.listeners : null;
};

/** Replicas share a name by right; so do like services under an alias that is nobody's own name. */
const duplicateAlias: Judge = (connection, scene) => {
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

const dnsFault: Judge = (connection, scene) => {
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

const refused: Judge = (connection, scene) => {
  const found = trialOf(connection, scene);
  const target = targetOf(connection, scene);
  if (!target) return null;
  const listeners = listenersOf(target, scene);
  if (found?.trial.outcome !== 'refused' && found?.trial.outcome !== 'reset' && !refusedUnseen(connection, target, scene)) return null;
  const inside = Object.hasOwn(scene.peers, target.name) ? scene.peers[target.name]!.inside : undefined;
  return {
    reason: 'refused',
    ...(isStarting(target, scene.now) ? { severity: 'warn' as const } : {}),
    message: `${target.name} refuses ${scene.service.name} on port ${connection.port}${listensElsewhere(connection.port, inside)}`,
    evidence: [
      ...tried(found, scene),
      ...(listeners ? [{ source: `listening sockets inside ${target.name}`, text: writtenListeners(listeners) }] : []),
    ],
    suspects: [{ service: target.name }, ...lodgersOf(target, scene), ...sameAsBefore(connection, scene, 'network/refused')],
    values: base(connection, scene),
  };
};

/** A client that ends before it can be looked into, whose log says that it was refused, by a target that does not listen there. */
const refusedUnseen = (connection: Connection, target: Service, scene: Scene): boolean => {
  const listeners = listenersOf(target, scene);
  if (scene.up || !keepsFailing(scene.client) || steady(target).length === 0 || listeners === null) return false;
  return (
    listeners.length > 0 &&
    !listeners.some(({ port }) => port === connection.port) &&
    knownErrorIn(scene.log, scene.service.role)?.blame === 'connection'
  );
};

/** One mistake in what several services are told (a shared env file): the first of them stands for all. */
const sameAsBefore = ({ host, port, source }: Connection, { service, stack }: Scene, code: string): Suspect[] => {
  const alike = stack.connections.filter(
    (each) => each.host === host && each.port === port && each.source === source && each.kind !== 'depends-on',
  );
  const names = [...new Set(alike.map(({ from }) => from))].toSorted();
  return names.slice(0, names.indexOf(service.name)).map((name) => ({ service: name, code }));
};

/** Who should listen in the network namespace of the target, and may be cut off from it. */
const lodgersOf = (target: Service, { stack }: Scene): Suspect[] =>
  stack.services
    .filter((each) => each.spec?.networkMode === `service:${target.name}`)
    .map(({ name }) => ({ service: name, code: 'container/network-lost' }));

const timeout: Judge = (connection, scene) => {
  const found = trialOf(connection, scene);
  const target = targetOf(connection, scene);
  if (!target || found?.trial.layer !== 'tcp' || (found.trial.outcome !== 'timeout' && found.trial.outcome !== 'unreachable')) return null;
  return {
    reason: 'timeout',
    message: `${target.name} does not answer ${scene.service.name} on port ${connection.port}`,
    evidence: tried(found, scene),
    suspects: [{ service: target.name }],
    values: base(connection, scene),
  };
};

/** The rules of the firewall are of the machine: the first client that suffers stands for all. */
const trafficDropped: Judge = (connection, scene) => {
  const found = trialOf(connection, scene);
  const target = targetOf(connection, scene);
  if (!target || found?.trial.layer !== 'tcp' || found.fromHost?.outcome !== 'ok') return null;
  if (found.trial.outcome !== 'timeout' && found.trial.outcome !== 'unreachable') return null;
  // The kernel turns new connections away, now this one and now that, from a program that leaves them waiting.
  if (listenersOf(target, scene)?.some(({ port, waiting = 0 }) => port === connection.port && waiting > 0)) return null;
  const clients = [
    ...new Set(scene.stack.connections.flatMap((each) => (each.to !== null && isTried(each) ? [each.from] : []))),
  ].toSorted();
  const before = clients.slice(0, clients.indexOf(scene.service.name));
  return {
    reason: 'traffic-dropped',
    message: `what ${scene.service.name} sends to ${connection.host}:${connection.port} is dropped on the way; the host reaches the same port of ${target.name}`,
    evidence: [
      ...tried(found, scene),
      { source: `from the host to ${target.name}`, text: `port ${connection.port}: connected within ${found.fromHost.ms} ms` },
    ],
    suspects: before.map((service) => ({ service, code: 'network/traffic-dropped' })),
    values: base(connection, scene),
  };
};

const whyUnseen = (connection: Connection, scene: Scene): string => {
  const trial = trialOf(connection, scene)?.trial;
  const why = trial?.text || trial?.outcome || 'no try was made';
  return `the way from ${scene.service.name} to ${connection.host}:${connection.port} could not be tried: ${why}`;
};

const noteOf = (connections: Connection[], scene: Scene): string => {
  const reached = connections.filter((each) => isReached(trialOf(each, scene)));
  const outside = connections.filter((each) => each.to === null && isNameless(trialOf(each, scene)));
  const unasked = connections.filter((each) => !isReached(trialOf(each, scene)) && each.to !== null && !isOurs(each, scene));
  return [
    ...(reached.length > 0 ? [`reaches ${listed(reached.map((each) => `${each.host}:${each.port}`))}`] : []),
    ...(outside.length > 0
      ? [`${listed(outside.map((each) => each.host))}, outside the stack, ${outside.length === 1 ? 'does' : 'do'} not resolve`]
      : []),
    ...(unasked.length > 0 ? [`${listed(unasked.map((each) => each.host))} ${unasked.length === 1 ? 'is' : 'are'} not active`] : []),
  ].join('; ');
};
