/** Can each client reach what it depends on? Name, network, port, in this order: the first that fails is the finding. */
import { grouped, listed } from '../model/attempt.ts';
import { defineCheck, type Finding, type FindingSpec, mayPass } from '../model/check.ts';
import { isFlapping } from '../model/crash-loop.ts';
import { type Connection, connectionsFrom, isRunning, running } from '../model/stack.ts';
import { dnsFault, duplicateAlias, hostMode, localhost, malformed, unknownHost } from './network/name.ts';
import { hostPortInside, refused } from './network/port.ts';
import { dependencyStopped, noCommonNetwork, timeout, trafficDropped } from './network/road.ts';
import { isNameless, isReached, isTried, isUnasked, type Judge, type Scene, targetOf, trialOf } from './network/scene.ts';

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
