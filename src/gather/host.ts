/** What the machine under the engine has for the stack: room on the disk of its data, free subnets, roads that do not cross. */
import { statfs } from 'node:fs/promises';
import type { HostFact, NetworkFact } from '../model/facts.ts';
import { DEFAULT_POOLS, freeSubnets, overlap, parseSubnet, type Pool, type Subnet } from '../model/subnets.ts';
import type { Container } from '../model/stack.ts';
import type { EngineClient } from './engine-client.ts';
import { ownProcess, readProc } from './proc.ts';

/** Files and tables of this machine mean something only where the engine runs on it. */
export const gatherHost = async (
  engine: EngineClient,
  containers: Container[],
  networks: NetworkFact[],
  signal: AbortSignal,
): Promise<HostFact> => {
  const isHere = process.platform === 'linux' && containers.some((each) => ownProcess(each) !== null);
  const isElsewhere = !isHere && containers.some((each) => each.state.status === 'running');
  const root = containers.find((each) => each.dataRoot)?.dataRoot;
  return {
    ...(isElsewhere && { elsewhere: true }),
    disk: isHere && root ? await diskOf(root) : null,
    subnets: containers.length === 0 ? await subnetsOf(engine, networks, signal) : null,
    crossings: isHere ? crossingsOf(networks, routesOf(readProc('/proc/net/route') ?? '')) : [],
  };
};

const diskOf = async (path: string): Promise<HostFact['disk']> =>
  statfs(path).then(
    ({ bsize, bavail, blocks, files, ffree }) => ({
      path,
      freeBytes: bavail * bsize,
      totalBytes: blocks * bsize,
      // Some file systems count no inodes.
      freeInodes: files > 0 ? ffree : null,
    }),
    () => null,
  );

/** Asked only while the project has no container: its network may be what could not be made. */
const subnetsOf = async (engine: EngineClient, networks: NetworkFact[], signal: AbortSignal): Promise<HostFact['subnets']> => {
  const info = await engine.get<{ DefaultAddressPools?: { Base: string; Size: number }[] | null }>('/info', {}, signal).catch(() => null);
  if (!info) return null;
  const given = (info.DefaultAddressPools ?? []).map(({ Base, Size }): Pool => ({ base: Base, size: Size }));
  const taken = networks.flatMap((network) => network.subnets.flatMap((subnet) => parseSubnet(subnet) ?? []));
  return {
    free: freeSubnets(given.length > 0 ? given : DEFAULT_POOLS, taken),
    networks: networks.filter(({ subnets }) => subnets.length > 0).length,
  };
};

interface Route {
  device: string;
  subnet: Subnet;
  text: string;
}

/** `eth0 0012A8C0 00000000 0001 0 0 0 00FFFFFF …`: destination and mask, the lowest byte first. */
export const routesOf = (table: string): Route[] =>
  table
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [device = '', destination = '', , , , , , mask = ''] = line.trim().split(/\s+/);
      if (!/^[0-9A-F]{8}$/.test(destination) || !/^[0-9A-F]{8}$/.test(mask) || destination === '00000000') return [];
      const bits = Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length;
      const text = `${destination
        .match(/../g)!
        .toReversed()
        .map((byte) => Number.parseInt(byte, 16))
        .join('.')}/${bits}`;
      const subnet = parseSubnet(text);
      return subnet ? [{ device, subnet, text }] : [];
    });

/** Docker's own bridges have the routes of their networks. */
const OF_DOCKER = /^(docker|br-|veth|lo$|podman|cni|virbr|lxc)/;

const crossingsOf = (networks: NetworkFact[], routes: Route[]): HostFact['crossings'] =>
  networks.flatMap((network) =>
    network.driver !== 'bridge' || network.members.length === 0
      ? []
      : network.subnets.flatMap((text) => {
          const subnet = parseSubnet(text);
          const route =
            subnet && routes.find((each) => !OF_DOCKER.test(each.device) && each.subnet.bits > 0 && overlap(each.subnet, subnet));
          return route ? [{ network: network.name, subnet: text, route: route.text, device: route.device }] : [];
        }),
  );
