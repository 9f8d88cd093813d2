/** Networks, volumes and images: the engine's other objects that the project's containers refer to. */
import type { ImageFact, NetworkFact, VolumeFact } from '../model/facts.ts';
import type { Container } from '../model/stack.ts';
import { EngineError, type EngineClient } from './engine-client.ts';

interface RawNetwork {
  Id: string;
  Name: string;
  Driver: string;
  Internal?: boolean;
  Labels?: Record<string, string> | null;
  IPAM?: { Config?: { Subnet?: string }[] | null };
  Containers?: Record<string, { Name?: string; IPv4Address?: string; IPv6Address?: string }> | null;
}

/** All networks; members (of any project) only of those that the project's containers are on: the list leaves them out. */
export const gatherNetworks = async (engine: EngineClient, containers: Container[], signal: AbortSignal): Promise<NetworkFact[]> => {
  const own = new Set(containers.flatMap((container) => container.networks.map((each) => each.networkId)));
  const list = await engine.get<RawNetwork[]>('/networks', {}, signal);
  const raw = await Promise.all(
    list.map(async (network) =>
      own.has(network.Id) || own.has(network.Name)
        ? engine.get<RawNetwork>(`/networks/${network.Id}`, {}, signal).catch(() => network)
        : network,
    ),
  );
  return raw
    .map((network) => ({
      // Podman's containers name their networks where Docker's have the id.
      id: own.has(network.Name) ? network.Name : network.Id,
      name: network.Name,
      driver: network.Driver,
      project: network.Labels?.['com.docker.compose.project'] ?? null,
      subnets: (network.IPAM?.Config ?? []).flatMap((config) => config.Subnet ?? []),
      internal: network.Internal ?? false,
      members: Object.values(network.Containers ?? {})
        .map((member) => ({ container: member.Name ?? '', ip: (member.IPv4Address || member.IPv6Address || '').split('/')[0]! }))
        .toSorted((x, y) => (x.container < y.container ? -1 : 1)),
    }))
    .toSorted((x, y) => (x.name < y.name ? -1 : 1));
};

export const gatherVolumes = async (engine: EngineClient, signal: AbortSignal): Promise<VolumeFact[]> => {
  const raw = await engine.get<{ Volumes: { Name: string; CreatedAt?: string; Labels?: Record<string, string> | null }[] | null }>(
    '/volumes',
    {},
    signal,
  );
  return (raw.Volumes ?? [])
    .map((volume) => ({
      name: volume.Name,
      composeName: volume.Labels?.['com.docker.compose.volume'] ?? null,
      project: volume.Labels?.['com.docker.compose.project'] ?? null,
      createdAt: volume.CreatedAt ?? null,
      anonymous: volume.Labels?.['com.docker.volume.anonymous'] !== undefined || /^[0-9a-f]{64}$/.test(volume.Name),
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
};

/** What each image reference of the containers points at now. */
export const gatherImages = async (engine: EngineClient, containers: Container[], signal: AbortSignal): Promise<ImageFact[]> => {
  const refs = [...new Set(containers.map((container) => container.image))].toSorted();
  return Promise.all(
    refs.map(async (ref) => {
      const raw = await engine
        .get<{
          Id: string;
          Created?: string;
          RepoDigests?: string[] | null;
          Metadata?: { LastTagTime?: string };
          Architecture?: string;
          Config?: { ExposedPorts?: object | null; Volumes?: object | null } | null;
        }>(`/images/${encodeURIComponent(ref)}/json`, {}, signal)
        .catch((error: unknown) => {
          if (error instanceof EngineError && error.status === 404) return null;
          throw error;
        });
      return {
        ref,
        id: raw?.Id ?? null,
        createdAt: raw?.Created ?? null,
        taggedAt: raw?.Metadata?.LastTagTime && !raw.Metadata.LastTagTime.startsWith('0001-') ? raw.Metadata.LastTagTime : null,
        pulled: (raw?.RepoDigests?.length ?? 0) > 0,
        architecture: raw?.Architecture ?? null,
        exposedPorts: Object.keys(raw?.Config?.ExposedPorts ?? {}).map((port) => Number.parseInt(port, 10)),
        volumes: Object.keys(raw?.Config?.Volumes ?? {}),
      };
    }),
  );
};
