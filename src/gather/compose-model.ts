/** `docker compose config --format json` → `ServiceSpec`. Pure but for the vault that masks. */
import { labelRoutes } from '../model/label-routes.ts';
import type { DependencyCondition, Healthcheck, MountSpec, PortMapping, ServiceSpec } from '../model/stack.ts';
import type { Vault } from './vault.ts';

export interface ConfigModel {
  name?: string;
  services?: Record<string, ConfigService>;
  networks?: Record<string, { name?: string } | null>;
  volumes?: Record<string, { name?: string } | null>;
  secrets?: Record<string, { file?: string } | null>;
  configs?: Record<string, { file?: string } | null>;
}

export interface ConfigService {
  image?: string;
  build?: { context?: string; dockerfile?: string; dockerfile_inline?: string; target?: string } | null;
  command?: string[] | string | null;
  entrypoint?: string[] | string | null;
  environment?: Record<string, string | number | boolean | null>;
  ports?: { target: number; published?: string | number; protocol?: string; host_ip?: string }[];
  volumes?: { type: string; source?: string; target: string; read_only?: boolean }[];
  secrets?: (string | { source?: string })[];
  configs?: (string | { source?: string })[];
  networks?: Record<string, unknown> | null;
  expose?: (string | number)[];
  links?: string[];
  labels?: Record<string, string | number | boolean | null>;
  network_mode?: string;
  depends_on?: Record<string, { condition?: string; required?: boolean }>;
  healthcheck?: {
    test?: string[] | string;
    interval?: string;
    timeout?: string;
    retries?: number;
    start_period?: string;
    disable?: boolean;
  };
  profiles?: string[];
  deploy?: { replicas?: number; mode?: string };
  scale?: number;
  restart?: string;
  container_name?: string;
  provider?: unknown;
}

export const specFromConfig = (
  name: string,
  service: ConfigService,
  model: ConfigModel,
  activeProfiles: string[],
  vault: Vault,
): ServiceSpec => {
  const profiles = service.profiles ?? [];
  return {
    name,
    image: service.image ?? null,
    build: service.build ? buildOf(service.build) : null,
    command: maskAll(words(service.command), vault),
    entrypoint: maskAll(words(service.entrypoint), vault),
    environment: Object.fromEntries(
      Object.entries(service.environment ?? {})
        // `null`: taken from the shell at start, and not set there.
        .filter(([, value]) => value !== null)
        .map(([key, value]) => [key, vault.maskEnv(key, String(value))]),
    ),
    ports: (service.ports ?? []).flatMap(portsOf),
    mounts: (service.volumes ?? []).map((volume) => mountOf(volume, model)),
    ...filesOf(service, model),
    networks: Object.keys(service.networks ?? {}).map((network) => model.networks?.[network]?.name ?? network),
    networkMode: service.network_mode ?? null,
    dependsOn: Object.fromEntries(
      Object.entries(service.depends_on ?? {}).map(([on, how]) => [on, (how.condition ?? 'service_started') as DependencyCondition]),
    ),
    ...optionalOf(service),
    healthcheck: healthcheckOf(service.healthcheck, vault),
    profiles,
    active: profiles.length === 0 || activeProfiles.includes('*') || profiles.some((profile) => activeProfiles.includes(profile)),
    replicas: service.deploy?.replicas ?? service.scale ?? 1,
    restart: service.restart ?? null,
    containerName: service.container_name ?? null,
    ...namesOf(service),
    ...exposedOf(service),
    ...labelRoutes(Object.fromEntries(Object.entries(service.labels ?? {}).map(([key, value]) => [key, String(value ?? '')]))),
  };
};

const buildOf = ({
  context,
  dockerfile,
  dockerfile_inline: inline,
  target,
}: NonNullable<ConfigService['build']>): ServiceSpec['build'] => ({
  context: context ?? '.',
  dockerfile: dockerfile ?? 'Dockerfile',
  ...(inline !== undefined && { inline: true }),
  ...(target && { target }),
});

const filesOf = (service: ConfigService, model: ConfigModel): Pick<ServiceSpec, 'files'> => {
  const of = (kind: 'secret' | 'config'): NonNullable<ServiceSpec['files']> =>
    (service[`${kind}s`] ?? []).flatMap((each) => {
      const name = typeof each === 'string' ? each : (each.source ?? '');
      const source = model[`${kind}s`]?.[name]?.file;
      return source ? [{ of: kind, name, source }] : [];
    });
  const files = [...of('secret'), ...of('config')];
  return files.length > 0 ? { files } : {};
};

/** Other names of it for all, and other names of others for it alone. Few have any. */
const namesOf = ({ networks, links }: ConfigService): Pick<ServiceSpec, 'aliases' | 'links'> => {
  const aliases = Object.values(networks ?? {}).flatMap((end) => (end as { aliases?: string[] } | null)?.aliases ?? []);
  const linked = (links ?? []).flatMap((link) => {
    const [to = '', alias] = link.split(':');
    return alias === undefined || alias === to ? [] : [[alias, to] as const];
  });
  return {
    ...(aliases.length > 0 && { aliases: [...new Set(aliases.map(String))] }),
    ...(linked.length > 0 && { links: Object.fromEntries(linked) }),
  };
};

/** `8000`, `8000/tcp`; a range says little. */
const exposedOf = ({ expose }: ConfigService): Pick<ServiceSpec, 'exposed'> => {
  const exposed = (expose ?? []).flatMap((each) => Number(/^(\d+)(?:\/tcp)?$/.exec(String(each))?.[1]) || []);
  return exposed.length > 0 ? { exposed } : {};
};

/** `required: false`, which few write. */
const optionalOf = ({ depends_on: dependsOn }: ConfigService): Pick<ServiceSpec, 'optional'> => {
  const optional = Object.entries(dependsOn ?? {}).flatMap(([on, how]) => (how.required === false ? [on] : []));
  return optional.length > 0 ? { optional } : {};
};

const words = (line: string[] | string | null | undefined): string[] | null => (typeof line === 'string' ? [line] : (line ?? null));

const maskAll = (list: string[] | null, vault: Vault): string[] | null => list && vault.maskArguments(list);

/** `published` may be a range; Compose has already split it where the target is one too. */
const portsOf = (port: NonNullable<ConfigService['ports']>[number]): PortMapping[] => {
  const [first, last] = String(port.published ?? '0').split('-');
  return [
    {
      containerPort: port.target,
      protocol: port.protocol === 'udp' ? 'udp' : 'tcp',
      hostIp: port.host_ip ?? '',
      hostPort: Number(first) || 0,
      ...(last !== undefined && { hostPortLast: Number(last) || 0 }),
    },
  ];
};

const mountOf = (volume: NonNullable<ConfigService['volumes']>[number], model: ConfigModel): MountSpec => ({
  type: volume.type === 'bind' || volume.type === 'volume' || volume.type === 'tmpfs' ? volume.type : 'other',
  source: volume.type === 'volume' && volume.source ? (model.volumes?.[volume.source]?.name ?? volume.source) : (volume.source ?? ''),
  destination: volume.target,
  readOnly: volume.read_only ?? false,
});

const healthcheckOf = (check: ConfigService['healthcheck'], vault: Vault): Healthcheck | null => {
  if (!check || check.disable || !check.test || check.test[0] === 'NONE') return null;
  return {
    test: vault.maskArguments(typeof check.test === 'string' ? ['CMD-SHELL', check.test] : check.test),
    intervalMs: duration(check.interval) ?? 30_000,
    timeoutMs: duration(check.timeout) ?? 30_000,
    retries: check.retries ?? 3,
    startPeriodMs: duration(check.start_period) ?? 0,
  };
};

const UNIT_MS: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1, us: 0.001, µs: 0.001, ns: 0.000001 };

/** Go's duration, `1m30s`, in milliseconds. */
export const duration = (text: string | undefined): number | null =>
  text === undefined
    ? null
    : [...text.matchAll(/([\d.]+)(ms|us|µs|ns|h|m|s)/g)].reduce((sum, [, amount, unit]) => sum + Number(amount) * UNIT_MS[unit!]!, 0);
