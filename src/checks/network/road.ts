/** Between client and target: does it run, do the two share a network, do packets arrive? */
import { listed } from '../../model/attempt.ts';
import type { Suspect } from '../../model/check.ts';
import { lineAbout } from '../../model/log-signatures.ts';
import { isExtraHost, namelessMode, networksOf, sharedEnds } from '../../model/routes.ts';
import { type Container, running, type Service, type Stack } from '../../model/stack.ts';
import {
  base,
  declared,
  isNameless,
  isTried,
  isUnasked,
  type Judge,
  listenersOf,
  logged,
  type Scene,
  stateOf,
  steady,
  targetOf,
  trialOf,
  tried,
} from './scene.ts';

/** Of a client that does not run this tells nothing: its own container check points at the target. */
export const dependencyStopped: Judge = (connection, scene) => {
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

export const noCommonNetwork: Judge = (connection, scene) => {
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

export const networkNames = (container: Container, stack: Stack): string[] => networksOf(container, stack).map((each) => each.network);

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

/** Who should listen in the network namespace of the target, and may be cut off from it. */
export const lodgersOf = (target: Service, { stack }: Scene): Suspect[] =>
  stack.services
    .filter((each) => each.spec?.networkMode === `service:${target.name}`)
    .map(({ name }) => ({ service: name, code: 'container/network-lost' }));

export const timeout: Judge = (connection, scene) => {
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
export const trafficDropped: Judge = (connection, scene) => {
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
