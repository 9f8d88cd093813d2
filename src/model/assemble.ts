/** Facts → stack: services with their roles, and the connections between them. */
import { connectionsOf, namedConnection, namesFor, nameTable, proxyConnection, sortConnections } from './connections.ts';
import type { ServiceSettings } from './config.ts';
import type { HaproxyFact, NginxFact, PoolerSetup, ProjectFact } from './facts.ts';
import { routedByLabels } from './label-routes.ts';
import { pooled } from './pooler-setup.ts';
import { roleOf } from './roles.ts';
import { socketOwner, socketPath } from './socket-file.ts';
import {
  commandLine,
  type Connection,
  type Container,
  type DependencyCondition,
  type Service,
  type ServiceSpec,
  type Stack,
} from './stack.ts';

export interface Parts {
  project: Pick<ProjectFact, 'name' | 'workingDir' | 'files' | 'services' | 'proxied'>;
  containers: Container[];
  /** The configuration of nginx and HAProxy by service, where it was read. */
  proxies: Record<string, Pick<NginxFact, 'upstreams'> | Pick<HaproxyFact, 'upstreams'>>;
  /** What poolers are told of the servers behind them, by service, where it was read. */
  poolers?: Record<string, PoolerSetup>;
  /** What the team says of services. */
  settings?: ServiceSettings;
}

export const assembleStack = ({ project, containers, proxies, poolers = {}, settings = {} }: Parts): Stack => {
  const specs = project.services ?? [];
  const own = containers.filter((container) => !container.oneOff);
  const names = [...new Set([...specs.map((spec) => spec.name), ...own.map((container) => container.service)])].toSorted();
  const known = names.map((name) => asSaid(serviceOf(name, specs, own), settings));
  const connections = sortConnections([
    ...pooled(withNamed(connectionsOf(known), known, settings), poolers, known),
    ...proxied(proxies, known),
    ...routedByLabels(known),
    ...proxiedInside(unread(project.proxied ?? {}, proxies), known),
  ]);
  const services = known.map((service) => asAskedOf(service, connections));
  return {
    project: project.name,
    workingDir: project.workingDir || (own[0]?.compose.workingDir ?? ''),
    composeFiles: project.files,
    services,
    connections,
    oneOffs: containers.filter((container) => container.oneOff),
  };
};

const serviceOf = (name: string, specs: ServiceSpec[], containers: Container[]): Service => {
  const spec = specs.find((each) => each.name === name) ?? null;
  const own = containers.filter((container) => container.service === name);
  const { role, reason } = roleOf({
    spec,
    containers: own,
    awaitedAs: awaitedAs(name, specs, containers),
    portsOfOthers: portsOfOthers(spec, own[0], specs, containers),
    lendsNetwork: specs.some(({ networkMode }) => networkMode === `service:${name}`),
  });
  return { name, role, roleReason: reason, spec, containers: own };
};

/** A team knows what its service is. */
const asSaid = (service: Service, settings: ServiceSettings): Service => {
  const role = Object.hasOwn(settings, service.name) && settings[service.name]!.role;
  return role ? { ...service, role, roleReason: 'doctor.yaml says so' } : service;
};

/** Connections that only the configuration knows: their variable tells nothing of whom it is for. */
const withNamed = (found: Connection[], known: Service[], settings: ServiceSettings): Connection[] => {
  const named = Object.entries(settings).flatMap(([name, { credentials }]) => {
    const server = known.find((each) => each.name === name);
    const client = credentials && known.find((each) => each.name === credentials.service);
    return server && client ? namedConnection(server, client, credentials.variable) : [];
  });
  const isNamed = (each: Connection) => named.some(({ from, source }) => from === each.from && source === each.source);
  return named.length === 0 ? found : [...found.filter((each) => !isNamed(each)), ...named];
};

/** Offered by a service that is made of the same image or folder and starts something else of it: the image cannot tell which one listens. */
const portsOfOthers = (spec: ServiceSpec | null, own: Container | undefined, specs: ServiceSpec[], containers: Container[]): number[] => {
  if (!own) return [];
  const isSameBuild = (name: string): boolean => {
    const other = specs.find((each) => each.name === name)?.build;
    // Of Dockerfiles in the compose file only the place is known, which is one for all.
    return Boolean(
      other &&
      spec?.build &&
      !other.inline &&
      !spec.build.inline &&
      other.context === spec.build.context &&
      other.dockerfile === spec.build.dockerfile,
    );
  };
  return containers
    .filter((other) => other.service !== own.service && (other.imageId === own.imageId || isSameBuild(other.service)))
    .filter((other) => commandLine(other) !== commandLine(own))
    .flatMap((other) => [...other.portBindings.map((port) => port.containerPort), ...other.exposedPorts]);
};

/** What nothing else tells, its clients do: one that is asked over HTTP answers HTTP. */
const asAskedOf = (service: Service, connections: Connection[]): Service => {
  const asked =
    service.role === 'unknown' && connections.find(({ to, from, kind }) => to === service.name && from !== service.name && kind === 'http');
  return asked ? { ...service, role: 'http', roleReason: `${asked.from} asks it over HTTP (${asked.source})` } : service;
};

const awaitedAs = (name: string, specs: ServiceSpec[], containers: Container[]): DependencyCondition[] =>
  [...specs.map((spec) => spec.dependsOn[name]), ...containers.map((container) => container.compose.dependsOn[name])].filter(
    (each) => each !== undefined,
  );

/** What a container itself has outdoes the files that it was started with. */
const unread = (declared: NonNullable<Parts['project']['proxied']>, proxies: Parts['proxies']): typeof declared =>
  Object.fromEntries(Object.entries(declared).filter(([service]) => (proxies[service]?.upstreams.length ?? 0) === 0));

/** Such a file names the outside too, of which nothing is asked. */
const proxiedInside = (declared: NonNullable<Parts['project']['proxied']>, services: Service[]): Connection[] => {
  const names = nameTable(services);
  return Object.entries(declared).flatMap(([service, upstreams]) => {
    const distinct = new Map(upstreams.map((each) => [`${each.host}:${each.port}`, each]));
    return [...distinct.values()]
      .filter(({ host }) => names.has(host) && names.get(host) !== service)
      .map((each) => ({ ...proxyConnection(service, { ...each, scheme: each.scheme ?? 'http' }, names), tls: each.tls }));
  });
};

const proxied = (proxies: Parts['proxies'], services: Service[]): Connection[] => {
  const names = nameTable(services);
  return Object.entries(proxies).flatMap(([service, fact]) => {
    const known = namesFor(
      services.find((each) => each.name === service),
      names,
    );
    const seen = new Set<string>();
    return fact.upstreams.flatMap((upstream) => {
      const key = `${upstream.host}:${upstream.port}`;
      if (seen.has(key)) return [];
      seen.add(key);
      const path = socketPath(upstream.host);
      if (path === null) return [{ ...proxyConnection(service, upstream, known), tls: 'tls' in upstream && upstream.tls }];
      const to = ('heldBy' in upstream && upstream.heldBy) || socketOwner(path, service, services);
      // One that is in nginx' own container is nobody else's.
      return to === null || to === service
        ? []
        : [{ ...proxyConnection(service, upstream, known), to, kind: 'socket' as const, url: upstream.host }];
    });
  });
};
