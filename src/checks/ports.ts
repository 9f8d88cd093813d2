/** Is what the service publishes reachable, and is it the service that answers? */
import { secondsUp } from '../model/age.ts';
import { listed } from '../model/attempt.ts';
import { defineCheck, type Evidence, type Finding, type Suspect } from '../model/check.ts';
import { isFlapping } from '../model/crash-loop.ts';
import { meets } from '../model/addresses.ts';
import type { Listener, MakingFact, PortOwner, PublishedFact } from '../model/facts.ts';
import { onLoopback, ownListeners, writtenListeners } from '../model/listeners.ts';
import { placeOf } from '../model/project-files.ts';
import { hasLodgers } from '../model/routes.ts';
import { obstacleOf, portWanted } from '../model/start-error.ts';
import { commandLine, connectionsTo, running, type Container, type PortMapping, type Service, type Stack } from '../model/stack.ts';

export const ports = defineCheck({
  id: 'ports',
  title: 'Its ports are reachable and its own',
  question: 'Is what the service publishes reachable from the host, and is it the service that answers?',
  needs: ['published', 'inside', 'portOwners', 'making'],
  onFiles: ['portOwners', 'making'],
  // Not after `container`: a port that is taken is why a container does not start.
  after: ['engine', 'compose'],
  appliesTo: (service, stack) => asked(service).length > 0 || innerPorts(service, stack).length > 0,
  findings: {
    taken: {
      severity: 'fail',
      layer: 'host',
      kind: 'cause',
      means: 'Something else holds a host port that the service wants, so the container could not start.',
      proof: '`State.Error` that names the port, and who listens on it now.',
    },
    'published-twice': {
      severity: 'fail',
      layer: 'compose',
      kind: 'cause',
      means: 'Two services of the project publish the same port of the host, and only one of them can have it.',
      proof:
        'The ports of both in the resolved files: the same number, protocol and address; neither is behind a profile that is not active.',
    },
    'not-bound': {
      severity: 'fail',
      layer: 'host',
      kind: 'cause',
      means: 'The container runs and Docker has not bound the host port that it was created with.',
      proof: '`HostConfig.PortBindings` has the port, `NetworkSettings.Ports` has not.',
      noticed: 'on-host',
    },
    'other-server': {
      severity: 'fail',
      layer: 'host',
      kind: 'cause',
      means: 'Another server answers on the published port than the one in the container.',
      proof: 'The identity of the server, asked over the published port and over the Docker network.',
      noticed: 'on-host',
    },
    'loopback-only': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      means: 'The program listens only on the loopback of its own container, where nobody outside can reach it.',
      proof: 'The listening sockets inside the container: 127.0.0.1 or ::1 alone on that port.',
    },
    'wrong-container-port': {
      severity: 'fail',
      layer: 'compose',
      kind: 'cause',
      means: 'The port mapping leads to a container port on which nothing listens, while the program listens on another one.',
      proof: 'The listening sockets inside the container.',
      noticed: 'on-host',
    },
    'no-listener': {
      severity: 'fail',
      layer: 'app',
      kind: 'symptom',
      means: 'Nothing listens on the container port that is published.',
      proof: 'The listening sockets inside the container.',
    },
    unreachable: {
      severity: 'fail',
      layer: 'host',
      kind: 'symptom',
      means: 'The published port does not lead to the container, though it is bound.',
      proof: 'The error of connecting to the published port from the host.',
      noticed: 'on-host',
    },
  },
  evaluate({ service, stack, facts, now }) {
    const taken = takenPorts(service, facts.portOwners.ok ? facts.portOwners.value : []);
    if (taken.length > 0) return { findings: taken };
    if (service.containers.length === 0) {
      const lines = facts.making.ok ? (facts.making.value?.lines ?? {}) : null;
      const declared = lines
        ? [...publishedTwice(service, stack, lines), ...takenBefore(service, facts.portOwners.ok ? facts.portOwners.value : [], lines)]
        : [];
      if (declared.length > 0) return { findings: declared };
    }
    const container = running(service)[0];
    if (!container) return { skip: `${service.name} is not running` };
    if (isFlapping(container)) return { skip: `${service.name} keeps ending` };
    if (hasNoPorts(container)) return { skip: `network mode ${container.networkMode} publishes nothing` };
    const inside = facts.inside.ok ? facts.inside.value : null;
    const published = facts.published.ok ? facts.published.value : null;
    const scene: Scene = {
      service,
      container,
      published,
      listeners: inside && ownListeners(inside.listeners),
      young: isYoung(service, now),
      shared: hasLodgers(container, stack),
    };
    const mapped = asked(service);
    const findings = [
      ...oncePer(mapped.map((port) => judge(port, scene))),
      ...innerPorts(service, stack).flatMap((port) => loopbackOnly(port, scene) ?? []),
    ];
    if (findings.length > 0) return { findings: unique(findings) };
    if (mapped.length === 0) return inside || published ? { findings, note: 'publishes nothing' } : { skip: 'publishes nothing' };
    const unseen = mapped.filter((port) => port.protocol === 'tcp' && !answers(port, scene));
    if (unseen.length > 0 && !facts.published.ok) return { cannotLook: facts.published.reason };
    const untold = unseen.find((port) => tryOf(port, scene)?.trial.outcome === 'no-tool');
    if (untold) return { cannotLook: `port ${untold.hostPort} could not be tried: ${tryOf(untold, scene)!.trial.text}` };
    return { findings, note: `${listed(mapped.map(shown))} ${mapped.length === 1 ? 'leads' : 'lead'} to it` };
  },
});

interface Scene {
  service: Service;
  container: Container;
  published: PublishedFact | null;
  /** `null`: could not look. */
  listeners: Listener[] | null;
  /** Just started: it may not listen yet. */
  young: boolean;
  /** Others live in its network namespace, and may be the ones who listen there. */
  shared: boolean;
}

/** What the containers were created to publish; of a service with no container, what the files declare. */
const asked = (service: Service): PortMapping[] =>
  service.containers.length > 0 ? (running(service)[0] ?? service.containers[0]!).portBindings : (service.spec?.ports ?? []);

/** Ports that other services of the stack use over the Docker network. */
const innerPorts = (service: Service, stack: Stack): number[] => [
  ...new Set(
    connectionsTo(stack, service.name).flatMap((each) =>
      each.kind === 'depends-on' || each.from === service.name || each.port <= 0 ? [] : [each.port],
    ),
  ),
];

/** `host`, `none` and another container's network: Docker publishes no port of such a container. */
const hasNoPorts = (container: Container): boolean => /^(host|none|container:|service:)/.test(container.networkMode);

const shown = ({ hostIp, hostPort, containerPort }: PortMapping): string =>
  `${hostIp && hostIp !== '0.0.0.0' ? `${hostIp}:` : ''}${hostPort || 'any'}→${containerPort}`;

const YOUNG_SECONDS = 10;

const isYoung = (service: Service, now: string): boolean =>
  secondsUp(service, now) < YOUNG_SECONDS || running(service).some((each) => each.health?.status === 'starting');

const takenPorts = (service: Service, owners: readonly PortOwner[]): Finding[] =>
  service.containers
    .filter((each) => each.state.status !== 'running' && obstacleOf(each.state.error) === 'port')
    .slice(0, 1)
    .map((each) => {
      const wanted = portWanted(each.state.error);
      const owner = wanted ? ownerOf(wanted, owners) : undefined;
      const evidence: Evidence[] = [{ source: `docker inspect ${each.name}: State.Error`, text: each.state.error }];
      return {
        reason: 'taken',
        message: `port ${wanted?.port ?? 'of the host'} that ${service.name} wants ${heldBy(owner)}`,
        evidence: owner
          ? [...evidence, { source: `listeners of host port ${owner.port}`, text: owner.kind === 'nobody' ? 'nobody' : ownerName(owner) }]
          : evidence,
        values: {
          container: each.name,
          ...(wanted ? { port: String(wanted.port), hostPort: String(wanted.port) } : {}),
          owner:
            owner && (owner.container ?? owner.pid) !== null
              ? ownerName(owner)
              : owner?.kind === 'nobody'
                ? 'a program that has ended since'
                : 'another program',
          ...(owner?.project ? { project: owner.project } : {}),
          ...(owner?.pid ? { pid: String(owner.pid) } : {}),
        },
      };
    });

type Lines = NonNullable<MakingFact['lines']>;

const declaredAt = ({ hostPort }: PortMapping, lines: Lines): Evidence[] => {
  const at = lines[`ports ${hostPort}`];
  return at ? [{ source: placeOf(at), text: `publishes host port ${hostPort}` }] : [];
};

/** A range leaves Docker a choice; on the network of the host, or of another container, nothing is published. */
const fixedPorts = ({ spec }: Service): PortMapping[] =>
  spec?.active && spec.replicas > 0 && !/^(host|none|container:|service:)/.test(spec.networkMode ?? '')
    ? spec.ports.filter(({ hostPort, hostPortLast }) => hostPort > 0 && hostPortLast === undefined)
    : [];

/** Told once, of the later of the two. */
const publishedTwice = (service: Service, stack: Stack, lines: Lines): Finding[] =>
  fixedPorts(service).flatMap((port) => {
    const other = stack.services.find(
      (each) =>
        each.name < service.name &&
        fixedPorts(each).some(
          (their) => their.hostPort === port.hostPort && their.protocol === port.protocol && meets(their.hostIp, port.hostIp),
        ),
    );
    if (!other) return [];
    const evidence = declaredAt(port, lines);
    return [
      {
        reason: 'published-twice',
        message: `${other.name} and ${service.name} both publish port ${port.hostPort} of the host${evidence[0] ? ` (${evidence[0].source})` : ''}`,
        evidence: [...evidence, { source: `${other.name}: ports`, text: listed(other.spec!.ports.map(shown)) }],
        values: { port: String(port.hostPort), hostPort: String(port.hostPort), target: other.name },
      },
    ];
  });

/** Nothing of the project has a container yet, and somebody else is there already. */
const takenBefore = (service: Service, owners: readonly PortOwner[], lines: Lines): Finding[] =>
  fixedPorts(service).flatMap((port) => {
    const owner = port.protocol === 'tcp' && owners.find((each) => each.port === port.hostPort && each.hostIp === port.hostIp);
    if (!owner || (owner.kind !== 'container' && owner.kind !== 'process')) return [];
    const evidence = declaredAt(port, lines);
    return [
      {
        reason: 'taken',
        message: `port ${port.hostPort} that ${service.name} wants${evidence[0] ? ` (${evidence[0].source})` : ''} ${heldBy(owner)}`,
        evidence: [{ source: `listeners of host port ${owner.port}`, text: ownerName(owner) }, ...evidence],
        values: {
          port: String(port.hostPort),
          hostPort: String(port.hostPort),
          owner: ownerName(owner),
          ...(owner.project ? { project: owner.project } : {}),
          ...(owner.pid ? { pid: String(owner.pid) } : {}),
        },
      },
    ];
  });

/** Two listeners may hold one port on different addresses; a wildcard meets them all. */
const ownerOf = (wanted: { hostIp: string; port: number }, owners: readonly PortOwner[]): PortOwner | undefined => {
  const onPort = owners.filter((each) => each.port === wanted.port);
  return onPort.find((each) => each.hostIp === wanted.hostIp) ?? onPort[0];
};

const heldBy = (owner: PortOwner | undefined): string => {
  if (owner?.kind === 'nobody') return 'was taken when it was to start, and is free now';
  return owner && (owner.container ?? owner.pid) !== null ? `is held by ${ownerName(owner)}` : 'is held by another program';
};

const ownerName = (owner: PortOwner): string => {
  if (owner.container) return `container ${owner.container}${owner.project ? ` of project ${owner.project}` : ''}`;
  if (owner.pid !== null) return `process ${owner.command?.split(' ')[0] || 'unknown'} (pid ${owner.pid})`;
  return 'a program that the host does not name';
};

const judge = (port: PortMapping, scene: Scene): Finding | null => {
  if (port.protocol !== 'tcp') return isBound(port, scene.container) ? null : notBound(port, scene);
  const tried = tryOf(port, scene);
  if (tried?.server === 'other') return otherServer(port, tried.proof, scene);
  if (answers(port, scene)) return null;
  if (!isBound(port, scene.container)) return notBound(port, scene);
  return loopbackOnly(port.containerPort, scene, port) ?? noListener(port, scene) ?? unreachable(port, scene);
};

const sameSide = (a: PortMapping, b: PortMapping): boolean =>
  a.containerPort === b.containerPort && a.protocol === b.protocol && (a.hostPort === 0 || b.hostPort === 0 || a.hostPort === b.hostPort);

const isBound = (port: PortMapping, container: Container): boolean => container.ports.some((bound) => sameSide(port, bound));

/** One mapping is bound on IPv4 and on IPv6: the answer of either will do. */
const tryOf = (port: PortMapping, { published }: Scene): PublishedFact['ports'][number] | undefined => {
  const tries = published?.ports.filter((each) => sameSide(port, each.mapping)) ?? [];
  return tries.find((each) => each.server === 'other') ?? tries.find((each) => each.trial.outcome === 'ok') ?? tries[0];
};

/** docker-proxy accepts for everybody: a bare connection proves nothing, an answer does. */
const answers = (port: PortMapping, scene: Scene): boolean => {
  const tried = tryOf(port, scene);
  if (!tried) return false;
  const { outcome, layer } = tried.trial;
  if (outcome === 'ok') return layer === 'done' || scene.listeners === null || hasOpenListener(port.containerPort, scene.listeners);
  return outcome === 'rejected' || ((layer === 'login' || layer === 'query') && outcome === 'failed');
};

const hasOpenListener = (port: number, listeners: Listener[]): boolean => listeners.some((each) => each.port === port && !onLoopback(each));

const otherServer = (port: PortMapping, proof: string, { service }: Scene): Finding => ({
  reason: 'other-server',
  message: `port ${port.hostPort} of this machine is answered by another server than ${service.name}`,
  evidence: [{ source: `server behind port ${port.hostPort}`, text: proof }],
  values: values(port),
});

const values = (port: PortMapping, atFault: 'host' | 'container' = 'host'): Record<string, string> => ({
  port: String(atFault === 'host' ? port.hostPort : port.containerPort),
  containerPort: String(port.containerPort),
  ...(port.hostPort > 0 ? { hostPort: String(port.hostPort) } : {}),
});

const notBound = (port: PortMapping, { service, container }: Scene): Finding => ({
  reason: 'not-bound',
  message: `${service.name} runs, and port ${shown(port)} that it was created with is not bound`,
  evidence: [{ source: `docker inspect ${container.name}: NetworkSettings.Ports`, text: listed(container.ports.map(shown)) || 'empty' }],
  // One that was taken off its networks has no way for a port to lead to it.
  ...(container.networks.length === 0 ? { suspects: [{ check: 'network', code: 'network/no-common-network' }] } : {}),
  values: { ...values(port), container: container.name },
});

const listening = (listeners: Listener[], { service }: Scene): Evidence => ({
  source: `listening sockets inside ${service.name}`,
  text: writtenListeners(listeners),
});

const loopbackOnly = (port: number, scene: Scene, mapping?: PortMapping): Finding | null => {
  const onPort = scene.listeners?.filter((each) => each.port === port) ?? [];
  if (onPort.length === 0 || !onPort.every(onLoopback)) return null;
  return {
    reason: 'loopback-only',
    message: `${scene.service.name} listens on ${writtenListeners(onPort)} only, where nobody outside its container can reach it`,
    evidence: [listening(onPort, scene)],
    values: {
      ...(mapping ? values(mapping, 'container') : { port: String(port), containerPort: String(port) }),
      address: onPort[0]!.address,
    },
  };
};

/** Debuggers, live-reload helpers, Erlang's own and MySQL's second protocol listen beside a program; they are not what it serves. */
const SIDE_PORTS = new Set([4369, 5005, 5678, 9222, 9229, 9230, 15692, 24678, 25672, 33060, 35729]);

/** The command line, or a variable such as `PORT`, names the port. */
const isTold = (container: Container, port: number): boolean =>
  new RegExp(`(?:^|[\\s:=])${port}(?![\\d.])`).test(commandLine(container)) ||
  Object.entries(container.env).some(([key, value]) => /(?:^|_)PORT$/.test(key) && value === String(port));

const noListener = (port: PortMapping, scene: Scene): Finding | null => {
  const { service, listeners, young } = scene;
  if (listeners === null || listeners.some((each) => each.port === port.containerPort)) return null;
  const mapped = new Set(asked(service).map((each) => each.containerPort));
  const open = listeners.filter((each) => !mapped.has(each.port) && !SIDE_PORTS.has(each.port) && !onLoopback(each));
  const meant = open.filter((each) => isTold(scene.container, each.port));
  const others = scene.shared ? meant : open;
  // Some listen for their own ends first (Erlang's epmd, Elasticsearch's transport): of a young program only its orders prove its port.
  if (meant.length > 0 || (others.length > 0 && !young)) {
    const likely = meant.length > 0 ? meant : others;
    return {
      reason: 'wrong-container-port',
      message: `the mapping ${shown(port)} leads to port ${port.containerPort} of ${service.name}, which listens on ${listed(likely.map((each) => String(each.port)))}`,
      evidence: [listening(listeners, scene)],
      // Where the mapping should lead, and where it leads.
      values: { ...values(port, 'container'), containerPort: String(likely[0]!.port) },
    };
  }
  const served = listeners.some((each) => mapped.has(each.port) && !onLoopback(each));
  return {
    reason: 'no-listener',
    // A second port, of a debugger or of HTTPS, is often published for the day it is needed.
    ...(young || served ? { severity: 'warn' as const } : {}),
    message: `nothing listens on port ${port.containerPort} inside ${service.name}${young ? ', which has just started' : ''}`,
    evidence: [listening(listeners, scene)],
    suspects: sameService(service),
    values: values(port, 'container'),
  };
};

const sameService = ({ name }: Service): Suspect[] =>
  ['container', 'hot-reload', 'http-health', 'postgres', 'redis', 'mysql', 'rabbitmq', 'mongodb'].map((check) => ({
    service: name,
    check,
  }));

const unreachable = (port: PortMapping, scene: Scene): Finding | null => {
  const trial = tryOf(port, scene)?.trial;
  if (!trial || trial.outcome === 'no-tool') return null;
  // Whoever accepts and then keeps silent has been reached; that is another check's matter.
  const cut = trial.outcome === 'reset' || (trial.layer === 'tcp' && trial.outcome !== 'ok');
  if (!cut) return null;
  return {
    reason: 'unreachable',
    ...(scene.young ? { severity: 'warn' as const } : {}),
    message: `port ${port.hostPort} of this machine does not lead to ${scene.service.name}: ${trial.text || trial.outcome}`,
    evidence: [
      { source: `connection to host port ${port.hostPort}`, text: [trial.code, trial.text].filter(Boolean).join(' ') || trial.outcome },
      ...(scene.listeners ? [listening(scene.listeners, scene)] : []),
    ],
    suspects: sameService(scene.service),
    values: values(port),
  };
};

const oncePer = (findings: (Finding | null)[]): Finding[] => findings.filter((each) => each !== null);

/** IPv4 and IPv6 bindings of one mapping say the same. */
const unique = (findings: Finding[]): Finding[] =>
  findings.filter((each, index) => findings.findIndex((other) => other.message === each.message) === index);
