/** The stack as a graph: its services, what they reach for, and what of that is not theirs. Pure; secrets in it are marks. */
import { isLoopback } from './connections.ts';
import { running, serviceNamed, type Connection, type Role, type Service, type Stack } from './stack.ts';

export interface ServiceNode {
  name: string;
  role: Role;
  image: string | null;
  /** Of a container that runs, else of the first; `missing`: there is none. */
  state: string;
  health: string | null;
  replicas: number;
}

export interface GraphNode extends ServiceNode {
  /** How many of the replicas run. */
  running: number;
  /** By full name. */
  networks: string[];
  /** Names beside its own by which Docker's DNS knows it; not those that Docker makes up. */
  aliases: string[];
}

/**
 * `service`: of this stack. `itself`: its own container, or a name of its own. `host`: the machine that runs the engine.
 * `outside`: none of these; a name of somebody else, or a slip of the pen.
 */
export type Place = 'service' | 'itself' | 'host' | 'outside';

export interface GraphEdge extends Connection {
  place: Place;
}

export interface Graph {
  services: GraphNode[];
  /** Every host that is none of the stack's, once, with those who reach for it. */
  outside: { host: string; from: string[] }[];
  /** In the order of the stack: from, to, kind, source. */
  connections: GraphEdge[];
}

export const graphOf = (stack: Stack): Graph => {
  const connections = stack.connections.map((each): GraphEdge => {
    const connection = { ...each, to: each.to ?? hostessOf(each, stack) };
    return { ...connection, place: placeOf(connection, stack) };
  });
  const outside = new Map<string, Set<string>>();
  for (const { host, from, place } of connections) {
    if (place === 'outside') outside.set(host, (outside.get(host) ?? new Set()).add(from));
  }
  return {
    services: stack.services.map(graphNode),
    outside: [...outside].map(([host, from]) => ({ host, from: [...from].toSorted() })).toSorted((a, b) => (a.host < b.host ? -1 : 1)),
    connections,
  };
};

/** With `network_mode: service:x`, localhost is where x listens. */
const hostessOf = ({ from, host }: Connection, stack: Stack): string | null => {
  const client = serviceNamed(stack, from);
  const mode = client?.containers[0]?.networkMode ?? client?.spec?.networkMode ?? '';
  const named = isLoopback(host) ? /^(?:service|container):(.+)$/.exec(mode)?.[1] : undefined;
  if (named === undefined) return null;
  return (
    stack.services.find(({ name, containers }) => name === named || containers.some((each) => each.id === named || each.name === named))
      ?.name ?? null
  );
};

const placeOf = ({ from, to, host }: Connection, stack: Stack): Place => {
  if (to !== null) return to === from ? 'itself' : 'service';
  const client = serviceNamed(stack, from);
  const extra = client?.containers[0]?.extraHosts.find((each) => each.startsWith(`${host}:`) || each.startsWith(`${host}=`));
  if (/^(host|gateway)\.docker\.internal$/.test(host) || extra?.endsWith('host-gateway')) return 'host';
  if (isLoopback(host)) return client?.containers[0]?.networkMode === 'host' ? 'host' : 'itself';
  return 'outside';
};

export const serviceNode = (service: Service): ServiceNode => {
  const [alive] = running(service);
  const first = alive ?? service.containers[0];
  return {
    name: service.name,
    role: service.role,
    image: first?.image ?? service.spec?.image ?? null,
    state: first?.state.status ?? 'missing',
    health: alive?.health?.status ?? null,
    replicas: service.containers.length,
  };
};

const graphNode = (service: Service): GraphNode => {
  const ends = service.containers.flatMap((each) => each.networks);
  // Docker gives every container its name and its id for one.
  const given = new Set([service.name, ...service.containers.flatMap((each) => [each.name, each.id.slice(0, 12)])]);
  return {
    ...serviceNode(service),
    running: running(service).length,
    networks: [...new Set(ends.length > 0 ? ends.map((each) => each.network) : service.spec?.networks)].toSorted(),
    aliases: [...new Set(ends.flatMap((each) => each.names))].filter((name) => !given.has(name)).toSorted(),
  };
};
