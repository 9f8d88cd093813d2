/** Socket files that nginx passes requests to: who listens on them, and what stands in nginx' way. */
import { lstatSync, statSync } from 'node:fs';
import type { NginxUpstreamFact, SocketView } from '../model/facts.ts';
import { isSamePath, pathsTo, placeOf, socketOwner, socketPath } from '../model/socket-file.ts';
import { hasLodgers, isLodger } from '../model/routes.ts';
import { isRunning, serviceNamed, type Container, type Service } from '../model/stack.ts';
import type { Gathering } from './gathering.ts';
import { mayUse } from './host-files.ts';
import { workerOf } from './nginx-setup.ts';
import { ownProcess, readProc, type OwnProcess } from './proc.ts';
import { parseUnixTable } from './proc-net.ts';
import { runInside } from './run-inside.ts';

/** With the one service that is seen to listen, where this machine's /proc shows it. */
export const withHolders = (upstreams: NginxUpstreamFact[], nginx: Service, given: Gathering): NginxUpstreamFact[] => {
  if (!upstreams.some(({ host }) => socketPath(host) !== null)) return upstreams;
  const others = given.stack.services.filter(({ name }) => name !== nginx.name);
  const listening = others.flatMap((service) => {
    const sockets = socketsSeen(service);
    return sockets && sockets.length > 0 ? [{ service, sockets }] : [];
  });
  const own = isAlone(nginx, given) ? (socketsSeen(nginx) ?? []) : [];
  return upstreams.map((upstream) => {
    const path = socketPath(upstream.host);
    if (path !== null && own.some((each) => isSamePath(each, path))) return { ...upstream, heldBy: nginx.name };
    const place = path === null ? null : placeOf(nginx, path);
    const holders =
      place === null
        ? []
        : listening.filter(({ service, sockets }) =>
            pathsTo(place, service).some((there) => sockets.some((each) => isSamePath(each, there))),
          );
    return holders.length === 1 ? { ...upstream, heldBy: holders[0]!.service.name } : upstream;
  });
};

/** Such a one sees the sockets of the whole machine. */
const sharesNetwork = ({ networkMode }: Container): boolean => networkMode === 'host';

/** No other container lives in its network, whose sockets would show there as well. */
const isAlone = (service: Service, { stack }: Gathering): boolean => {
  const container = speakerOf(service);
  return container !== undefined && !isLodger(container) && !hasLodgers(container, stack);
};

const speakerOf = (service: Service): Container | undefined => service.containers.find(isRunning);

/** `null`: not for us to see. */
const socketsSeen = (service: Service): string[] | null => {
  const container = speakerOf(service);
  const own = container && !sharesNetwork(container) ? ownProcess(container) : null;
  const table = own && readProc(`${own.folder}/net/unix`);
  return table === null || !container ? null : absolute(parseUnixTable(table), container);
};

/** A program may have named it from where it was. */
const absolute = (sockets: string[], { workingDir }: Container): string[] =>
  sockets.map((path) => (path.startsWith('/') ? path : `${workingDir || '/'}/${path.replace(/^\.\//, '')}`.replace(/\/+/g, '/')));

const socketsInside = async (service: Service, given: Gathering): Promise<string[] | null> => {
  const container = speakerOf(service);
  if (!container || sharesNetwork(container)) return null;
  const result = await runInside(container, ['cat', '/proc/net/unix'], given).catch(() => null);
  return result?.exitCode === 0 ? absolute(parseUnixTable(result.stdout), container) : null;
};

/** One exec for the service that should listen, where /proc is not to be had; none for the others. */
export const lookAtSockets = async (paths: string[], nginx: Service, container: Container, given: Gathering): Promise<SocketView[]> => {
  const { services } = given.stack;
  const owners = paths.flatMap((path) => serviceNamed(given.stack, socketOwner(path, nginx.name, services) ?? '') ?? []);
  const looked = await Promise.all(
    services
      .filter(({ name }) => name !== nginx.name)
      .map(async (service) => {
        const isOwner = owners.includes(service);
        const sockets = socketsSeen(service) ?? (isOwner ? await socketsInside(service, given) : null);
        return sockets && (isOwner || sockets.length > 0) ? [{ service: service.name, sockets, ports: await portsOf(service, given) }] : [];
      }),
  );
  const own = isAlone(nginx, given) ? (socketsSeen(nginx) ?? (await socketsInside(nginx, given)) ?? []) : [];
  const process = ownProcess(container);
  return Promise.all(
    paths.map(async (path) => ({
      path,
      ...((process && throughProc(process, path)) ?? (await byCommand(container, path, given))),
      isOwn: own.some((each) => isSamePath(each, path)),
      listeners: looked.flat(),
    })),
  );
};

const portsOf = async (service: Service, given: Gathering): Promise<number[]> => {
  const inside = await given.fact('inside', service);
  return inside.ok ? [...new Set(inside.value.listeners.map(({ port }) => port))].toSorted((a, b) => a - b) : [];
};

type Seen = Pick<SocketView, 'file' | 'closed'>;

/** `null`: not for us. Only root may go there. */
const throughProc = (own: OwnProcess, path: string): Seen | null => {
  const worker = workerOf(own);
  let at = `${own.folder}/root`;
  let closed: SocketView['closed'];
  try {
    // Even to ask what `root` is takes the permission.
    statSync(`${at}/`);
  } catch {
    return null;
  }
  const parts = path
    .replace(/^\/var\/run\//, '/run/')
    .split('/')
    .filter(Boolean);
  for (const [index, part] of parts.entries()) {
    at += `/${part}`;
    try {
      const stat = lstatSync(at);
      // Its target would be looked up on the host.
      if (stat.isSymbolicLink()) return null;
      const isLast = index === parts.length - 1;
      if (isLast && !stat.isSocket()) return { file: 'other' };
      if (worker && !closed && !mayUse(stat, worker, isLast ? 'write' : 'enter'))
        closed = {
          path: `/${parts.slice(0, index + 1).join('/')}`,
          mode: (stat.mode & 0o777).toString(8),
          uid: stat.uid,
          worker: worker.uid,
        };
    } catch (error) {
      return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '') ? { file: 'missing' } : null;
    }
  }
  return { file: 'socket', ...(closed ? { closed } : {}) };
};

const LOOK = 'if [ -S "$1" ]; then echo socket; elif [ -e "$1" ]; then echo other; else echo missing; fi';

const byCommand = async (container: Container, path: string, given: Gathering): Promise<Seen> => {
  const result = await runInside(container, ['sh', '-c', LOOK, 'sh', path], given).catch(() => null);
  const word = result?.exitCode === 0 ? result.stdout.trim() : '';
  return { file: word === 'socket' || word === 'other' || word === 'missing' ? word : null };
};
