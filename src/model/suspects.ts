/** Who may be behind an error that a service logged: the other side of the connection that the line speaks of. */
import type { Suspect } from './check.ts';
import { isLoopback, nameTable } from './connections.ts';
import { serviceAt } from './addresses.ts';
import type { KnownError } from './log-signatures.ts';
import { migrationReason, startupReason } from './startup-reason.ts';
import { connectionsFrom, serviceNamed, spokenBy, type Role, type Service, type Stack } from './stack.ts';

/** `[]`: nobody else. `undefined`: the line does not tell. */
export const suspectsOf = (known: KnownError | null, service: Service, stack: Stack): Suspect[] | undefined => {
  switch (known?.blame) {
    case 'name':
      return [
        ...ofProxy(service),
        { service: service.name, check: 'network' },
        ...otherSides(known, service, stack).map((name) => ({ service: name, check: 'container' })),
      ];
    case 'connection':
      return [{ service: service.name, check: 'network' }, ...otherSides(known, service, stack).map((name) => ({ service: name }))];
    case 'postgres':
    case 'redis':
    case 'mysql':
    case 'rabbitmq':
    case 'mongodb':
      return [
        { service: service.name, check: 'compose' },
        ...servers(known.blame, service, stack).map((name) => ({ service: name, code: `${asked(name, known.blame, stack)}/*` })),
      ];
    case 'variable':
      return [
        { code: 'compose/variable-unset' },
        { code: 'compose/required-variable' },
        { service: service.name, check: 'compose' },
        ...ofItself(known, service),
      ];
    case 'data-path':
      return [{ service: service.name, code: 'compose/postgres-data-path' }];
    case 'self':
      return [...ofProxy(service), ...ofItself(known, service)];
    case 'command':
    case 'format':
      return [];
    default:
      return undefined;
  }
};

/** What the line says is the question of a check of its own. */
const ofItself = (known: KnownError, { name }: Service): Suspect[] => [
  ...(startupReason(known) ? [{ service: name, check: 'startup' }] : []),
  ...(migrationReason(known) ? [{ service: name, check: 'migrations' }] : []),
];

const PROXY_CHECKS: Partial<Record<Role, string>> = { nginx: 'proxy', haproxy: 'balancer' };

/** A proxy ends over its own configuration, too: names of upstreams are part of it. */
const ofProxy = ({ name, role }: Service): Suspect[] => (PROXY_CHECKS[role] ? [{ service: name, check: PROXY_CHECKS[role] }] : []);

/** The service that the line names by host or address; where it names none, every one that the service connects to. */
const otherSides = ({ host }: KnownError, service: Service, stack: Stack): string[] => {
  const all = [...new Set(connectionsFrom(stack, service.name).flatMap((connection) => connection.to ?? []))];
  if (host === null) return all.filter((name) => name !== service.name);
  if (isLoopback(host)) return [];
  const named =
    connectionsFrom(stack, service.name).find((connection) => connection.host === host)?.to ??
    nameTable(stack.services).get(host) ??
    serviceAt(stack, host)?.name;
  return named && named !== service.name ? [named] : [];
};

/** Of one that speaks for the server, the check is its own. */
const asked = (server: string, blame: string, stack: Stack): string => (serviceNamed(stack, server)?.role === 'pooler' ? 'pooler' : blame);

const servers = (role: Role, service: Service, stack: Stack): string[] => [
  ...new Set(
    connectionsFrom(stack, service.name).flatMap((connection) =>
      connection.kind === spokenBy(role) && connection.to !== null ? [connection.to] : [],
    ),
  ),
];

/** What stands under a program, seen on the file, the mount or the address itself. */
export const groundOf = (service: string): Suspect[] =>
  ['mounts/*', 'image/*', 'address/*', 'start-order/*'].map((code) => ({ service, code }));
