/** Why nginx gets no answer through a socket file: what it has at that path, against where the service listens. Pure. */
import { listed } from './attempt.ts';
import type { Evidence } from './check.ts';
import type { SocketView } from './facts.ts';
import { isSamePath, isTold, mountAround, pathsTo, placeOf, runsMore } from './socket-file.ts';
import { spokenBy, type Service } from './stack.ts';

export interface SocketCase {
  path: string;
  nginx: Service;
  /** Who should listen on it, where that is known. */
  target: Service | undefined;
  view: SocketView;
  /** By its log, or where that does not tell, by the modes of files. */
  isForbidden: boolean;
  services: readonly Service[];
}

export interface SocketTrouble {
  how: 'apart' | 'elsewhere' | 'forbidden';
  message: string;
  evidence: Evidence[];
  target: Service | undefined;
}

/** By which programs are steered, not asked. */
const STEERS = /\.ctl$|control|supervisor|stats|dbus|docker\.sock|containerd|systemd/i;

/** `null`: it is what it should be, and nobody listens. */
export const socketTrouble = (given: SocketCase): SocketTrouble | null => {
  const { path, nginx, view } = given;
  if (given.isForbidden) return forbidden(given);
  if (view.isOwn) return null;
  const target = given.target ?? likelyOwner(given);
  const seen = target && view.listeners.find(({ service }) => service === target.name);
  if (!target || !seen) return target && isApart(target, given) ? notShared(target, [], given) : null;
  const place = placeOf(nginx, path);
  const there = place === null ? [] : pathsTo(place, target);
  const sockets = seen.sockets.filter((each) => !STEERS.test(each));
  if (sockets.some((each) => there.some((other) => isSamePath(each, other)))) return null;
  const inNginx = sockets.flatMap((each) => pathsTo(placeOf(target, each) ?? '', nginx));
  if (there.length === 0 && inNginx.length === 0)
    return sockets.length > 0 || isTold(target, path) ? notShared(target, sockets, given) : null;
  // What it is told to make, and has not made, is no mistake of a path.
  if (sockets.length === 0 && (seen.ports.length === 0 || there.some((each) => isTold(target, each)))) return null;
  return elsewhere(target, { sockets, ports: seen.ports, there: there[0], inNginx: inNginx[0] }, given);
};

const forbidden = ({ path, nginx, target, view: { closed } }: SocketCase): SocketTrouble => ({
  how: 'forbidden',
  message: `the workers of ${nginx.name} may not use the socket ${path}${closed ? `: they are user ${closed.worker}, and ${closed.path} of user ${closed.uid} has the mode ${closed.mode}` : ''}`,
  evidence: closed
    ? [
        {
          source: `${closed.path} in ${nginx.name}`,
          text: `mode ${closed.mode}, user ${closed.uid}; worker process of nginx: user ${closed.worker}`,
        },
      ]
    : [],
  target,
});

/** Nothing shares the folder, and one alone that nobody reaches otherwise listens on sockets: on one of that name, or at all. */
const likelyOwner = ({ path, nginx, view, services }: SocketCase): Service | undefined => {
  if (runsMore(nginx)) return undefined;
  const candidates = services.filter((service) => {
    const own = view.listeners.find((each) => each.service === service.name);
    return !spokenBy(service.role) && !isPublished(service) && own?.sockets.some((each) => !STEERS.test(each));
  });
  const sameName = candidates.filter(({ name }) =>
    view.listeners.some(({ service, sockets }) => service === name && sockets.some((each) => lastOf(each) === lastOf(path))),
  );
  return [sameName, candidates].find((each) => each.length === 1)?.[0];
};

const isPublished = ({ containers: [container] }: Service): boolean => (container?.portBindings.length ?? 0) > 0;

const lastOf = (path: string): string => path.replace(/^.*\//, '');

/** It is told to make the socket under the very path that nginx has, and nothing brings it there. */
const isApart = (target: Service, { path, nginx }: SocketCase): boolean => {
  const place = placeOf(nginx, path);
  return (place === null || pathsTo(place, target).length === 0) && isTold(target, path);
};

const notShared = (target: Service, sockets: string[], { path, nginx }: SocketCase): SocketTrouble => {
  const theirs = sockets[0] ?? path;
  return {
    how: 'apart',
    message: `${nginx.name} does not have the socket of ${target.name}: no volume holds both ${folderOf(path)} of ${nginx.name} and ${folderOf(theirs)} of ${target.name}`,
    evidence: [
      ...(sockets.length > 0 ? [{ source: `sockets of ${target.name}`, text: `listening: ${listed(sockets)}` }] : []),
      { source: 'mounts', text: `${mountWords(nginx, path)}; ${mountWords(target, theirs)}` },
    ],
    target,
  };
};

interface Elsewhere {
  sockets: string[];
  ports: number[];
  /** The path that nginx asks, as the service has it. */
  there: string | undefined;
  /** The socket of the service, as nginx has it. */
  inNginx: string | undefined;
}

const elsewhere = (target: Service, { sockets, ports, there, inNginx }: Elsewhere, { path, nginx }: SocketCase): SocketTrouble => {
  const where = sockets.length > 0 ? listed(sockets) : `port ${listed(ports.map(String))}, and on no socket`;
  return {
    how: 'elsewhere',
    message: `${nginx.name} passes requests to the socket ${path}, and ${target.name} listens on ${where}`,
    evidence: [
      {
        source: `sockets of ${target.name}`,
        text: `listening: ${listed([...sockets, ...ports.map((port) => `port ${port}`)])}`,
      },
      ...(there ? [{ source: `mounts of ${target.name}`, text: `${path} of ${nginx.name} is ${there} there` }] : []),
      ...(inNginx ? [{ source: `mounts of ${nginx.name}`, text: `${sockets[0] ?? ''} of ${target.name} is ${inNginx} there` }] : []),
    ],
    target,
  };
};

const folderOf = (path: string): string => path.replace(/\/[^/]*$/, '') || '/';

const mountWords = (service: Service, path: string): string => {
  const mount = mountAround(service, path);
  const where = mount ? `${mount.type} ${mount.source || '(no name)'} at ${mount.destination}` : 'no mount';
  return `${path} of ${service.name} lies in ${where}`;
};
