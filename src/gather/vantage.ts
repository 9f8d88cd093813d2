/** From where a service can be asked: by its container's address, by a published port, or from inside another container. */
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import type { View } from '../model/facts.ts';
import { isRunning, running, type Attachment, type Container, type PortMapping, type Service, type Stack } from '../model/stack.ts';
import { ADDRESS_MS, dialTcp, type Dial } from './dial.ts';
import type { EngineClient } from './engine-client.ts';
import { openTunnel } from './tunnel.ts';

export interface Vantage {
  view: View;
  /** As a URL would spell it. */
  host: string;
  port: number;
  dial: Dial;
}

/**
 * The container's own address, from this host; not loopback, for which a server may make exceptions (Postgres trusts it). `null` where this
 * host is not on the container's network (a VM's engine, a remote one, rootless): a try there would only time out.
 */
export const byAddress = (engine: EngineClient, stack: Stack, container: Container, port: number, client?: Container): Vantage | null => {
  if (!engine.host.startsWith('unix:') || process.platform !== 'linux') return null;
  if (container.networkMode === 'host') {
    return {
      view: { kind: 'address', address: '127.0.0.1', network: 'host' },
      host: '127.0.0.1',
      port,
      dial: dialTcp('127.0.0.1', port, ADDRESS_MS),
    };
  }
  const ends = networkOwner(stack, container).networks.filter((each) => each.ip !== '' && isOnThisHost(each, stack));
  const end = ends.find((each) => client?.networks.some((other) => other.networkId === each.networkId)) ?? ends[0];
  if (!end) return null;
  return { view: { kind: 'address', address: end.ip, network: end.network }, host: end.ip, port, dial: dialTcp(end.ip, port, ADDRESS_MS) };
};

/** With `network_mode: service:x` the other container holds the networks. */
const networkOwner = (stack: Stack, container: Container): Container => {
  const id = /^container:(.+)$/.exec(container.networkMode)?.[1];
  return (
    stack.services.flatMap((service) => service.containers).find((each) => id !== undefined && (each.id === id || each.name === id)) ??
    container
  );
};

/** The bridge of a network is an interface of this host, with the network's gateway as its address. */
const isOnThisHost = ({ ip, gateway }: Attachment, stack: Stack): boolean =>
  interfacesFor(stack).some(({ address, cidr }) => (gateway === '' ? isWithin(ip, cidr) : address === gateway));

/** Asked of the kernel once in a run, which has its own stack. */
const interfaces = new WeakMap<Stack, NetworkInterfaceInfo[]>();

const interfacesFor = (stack: Stack): NetworkInterfaceInfo[] => {
  const known = interfaces.get(stack) ?? Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  interfaces.set(stack, known);
  return known;
};

const isWithin = (ip: string, cidr: string | null): boolean => {
  const [network = '', bits = ''] = cidr?.split('/') ?? [];
  if (!network.includes('.') || !ip.includes('.')) return false;
  const mask = (-1 << (32 - Number(bits))) >>> 0;
  return (toNumber(network) & mask) === (toNumber(ip) & mask);
};

const toNumber = (ip: string): number => ip.split('.').reduce((sum, part) => (sum << 8) + Number(part), 0);

/** What is bound now for a port of the container; `null` when nothing is, or not for this host. */
export const byPublishedPort = (engine: EngineClient, container: Container, port: number): Vantage | null => {
  const mapping = container.ports.find((each) => each.protocol === 'tcp' && each.containerPort === port && hostOf(engine, each) !== null);
  return mapping ? ofMapping(engine, mapping) : null;
};

export const ofMapping = (engine: EngineClient, mapping: PortMapping): Vantage | null => {
  const host = hostOf(engine, mapping);
  if (host === null) return null;
  const address = host.includes(':') ? `[${host}]:${mapping.hostPort}` : `${host}:${mapping.hostPort}`;
  return { view: { kind: 'published', address }, host, port: mapping.hostPort, dial: dialTcp(host, mapping.hostPort) };
};

/** Where a mapping is reached from here. `null`: bound to the loopback of another machine. */
const hostOf = (engine: EngineClient, mapping: PortMapping): string | null => {
  const remote = /^(?:tcp|https?|ssh):\/\/(?:[^@/]*@)?(\[[^\]]+\]|[^:/]+)/.exec(engine.host)?.[1]?.replace(/^\[|\]$/g, '');
  const isEverywhere = ['', '0.0.0.0', '::'].includes(mapping.hostIp);
  if (remote !== undefined && !/^(localhost|127\.|::1$)/.test(remote)) {
    if (isEverywhere) return remote;
    return /^(127\.|::1$)/.test(mapping.hostIp) ? null : mapping.hostIp;
  }
  if (!isEverywhere) return mapping.hostIp;
  return mapping.hostIp === '::' ? '::1' : '127.0.0.1';
};

/** Through a stream inside a running container. */
export const fromInside = (engine: EngineClient, container: Container, host: string, port: number, network: string | null): Vantage => ({
  view: { kind: 'inside', service: container.service, network },
  host,
  port,
  dial: (at, limit) => openTunnel(engine, container, host, port, { signal: limit, at }),
});

/** As the client spells it, from the client's own container. `null` when that does not run. */
export const fromClient = (
  engine: EngineClient,
  client: Service | undefined,
  host: string,
  port: number,
  server: Container,
): Vantage | null => {
  const container = client && running(client)[0];
  if (!container) return null;
  const shared = container.networks.find((each) => server.networks.some((other) => other.networkId === each.networkId));
  return fromInside(engine, container, host, port, shared?.network ?? null);
};

/** The last resort: from the server's own container to its own address, which is not loopback. */
export const fromItself = (engine: EngineClient, stack: Stack, container: Container, port: number): Vantage | null => {
  const end = networkOwner(stack, container).networks.find((each) => each.ip !== '');
  return isRunning(container) ? fromInside(engine, container, end?.ip ?? '127.0.0.1', port, end?.network ?? null) : null;
};
