/** Networks, volumes and images: the engine's other objects that the project's containers refer to. */
import type { ImageFact, NetworkFact, VolumeFact } from '../model/facts.ts';
import type { Container } from '../model/stack.ts';
import { EngineError, type EngineClient } from './engine-client.ts';

export const gatherNetworks = async (engine: EngineClient, signal: AbortSignal): Promise<NetworkFact[]> => {
  const raw = await engine.get<
    { Id: string; Name: string; Driver: string; Internal?: boolean; Labels?: Record<string, string> | null; IPAM?: { Config?: { Subnet?: string }[] | null } }[]
  >('/networks', {}, signal);
  return raw
    .map((network) => ({
      id: network.Id,
      name: network.Name,
      driver: network.Driver,
      project: network.Labels?.['com.docker.compose.project'] ?? null,
      subnets: (network.IPAM?.Config ?? []).flatMap((config) => config.Subnet ?? []),
      internal: network.Internal ?? false,
      members: [],
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
};

export const gatherVolumes = async (engine: EngineClient, signal: AbortSignal): Promise<VolumeFact[]> => {
  const raw = await engine.get<{ Volumes: { Name: string; CreatedAt?: string; Labels?: Record<string, string> | null }[] | null }>('/volumes', {}, signal);
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
        .get<{ Id: string; Created?: string; Architecture?: string; Config?: { ExposedPorts?: object | null; Volumes?: object | null } | null }>(
          `/images/${encodeURIComponent(ref)}/json`,
          {},
          signal,
        )
        .catch((error: unknown) => {
          if (error instanceof EngineError && error.status === 404) return null;
          throw error;
        });
      return {
        ref,
        id: raw?.Id ?? null,
        createdAt: raw?.Created ?? null,
        architecture: raw?.Architecture ?? null,
        exposedPorts: Object.keys(raw?.Config?.ExposedPorts ?? {}).map((port) => Number.parseInt(port, 10)),
        volumes: Object.keys(raw?.Config?.Volumes ?? {}),
      };
    }),
  );
};
