/** The port that a connection is told, and who listens there. */
import { isStarting, WHILE_STARTING } from '../../model/age.ts';
import type { Suspect } from '../../model/check.ts';
import { keepsFailing } from '../../model/crash-loop.ts';
import { listensElsewhere, writtenListeners } from '../../model/listeners.ts';
import { knownErrorIn } from '../../model/log-signatures.ts';
import { type Connection, running, type Service } from '../../model/stack.ts';
import { lodgersOf } from './road.ts';
import { base, declared, type Judge, listenersOf, type Scene, steady, targetOf, trialOf, tried } from './scene.ts';

export const hostPortInside: Judge = (connection, scene) => {
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

export const refused: Judge = (connection, scene) => {
  const found = trialOf(connection, scene);
  const target = targetOf(connection, scene);
  if (!target) return null;
  const listeners = listenersOf(target, scene);
  if (found?.trial.outcome !== 'refused' && found?.trial.outcome !== 'reset' && !refusedUnseen(connection, target, scene)) return null;
  const inside = Object.hasOwn(scene.peers, target.name) ? scene.peers[target.name]!.inside : undefined;
  return {
    reason: 'refused',
    ...(isStarting(target, scene.now) ? WHILE_STARTING : {}),
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
export const sameAsBefore = ({ host, port, source }: Connection, { service, stack }: Scene, code: string): Suspect[] => {
  const alike = stack.connections.filter(
    (each) => each.host === host && each.port === port && each.source === source && each.kind !== 'depends-on',
  );
  const names = [...new Set(alike.map(({ from }) => from))].toSorted();
  return names.slice(0, names.indexOf(service.name)).map((name) => ({ service: name, code }));
};
