/** The project's containers: one filtered list, then one inspect each (a list row lacks environment, health log and start errors). */
import { labelRoutes } from '../model/label-routes.ts';
import type { Container, ContainerState, DependencyCondition, Healthcheck, PortMapping } from '../model/stack.ts';
import type { EngineClient } from './engine-client.ts';
import { EngineError } from './engine-client.ts';
import { toldByFile } from './secret-files.ts';
import type { Vault } from './vault.ts';

const LABEL = 'com.docker.compose';
const AT_ONCE = 16;

/** Sorted by service, then replica. A container that vanishes between list and inspect is left out. */
export const gatherContainers = async (engine: EngineClient, project: string, vault: Vault, signal: AbortSignal): Promise<Container[]> => {
  const rows = await engine.get<{ Id: string }[]>(
    '/containers/json',
    { all: true, filters: JSON.stringify({ label: [`${LABEL}.project=${project}`] }) },
    signal,
  );
  const queue = rows.map((row) => row.Id);
  const raw: RawContainer[] = [];
  const inspectNext = async (): Promise<void> => {
    for (let id = queue.shift(); id; id = queue.shift()) {
      const found = await engine.get<RawContainer>(`/containers/${id}/json`, {}, signal).catch((error: unknown) => {
        if (error instanceof EngineError && error.status === 404) return null;
        throw error;
      });
      if (found) raw.push(found);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, queue.length) }, inspectNext));
  await lookAgain(raw, engine, signal);
  // Names first: a password that equals one of them must not turn prose into riddles.
  for (const each of raw) vault.allowWords([...publicWords(each)]);
  // Then every secret: the command or the probe of one container may hold the password that another one names.
  for (const each of raw) for (const [key, value] of Object.entries(splitEnv(each.Config.Env))) vault.maskEnv(key, value);
  return raw
    .map((each) => containerFrom(each, vault))
    .map((each) => ({ ...each, ...toldByFile(each, vault) }))
    .toSorted((a, b) => (a.service === b.service ? a.number - b.number : a.service < b.service ? -1 : 1));
};

/** Docker restarted it, and it has only just begun: a longer look tells a crash loop from a service that has recovered. */
const FRESH_MS = 10_000;
const LOOKS = 8;
const PAUSE_MS = 400;

const lookAgain = async (raw: RawContainer[], engine: EngineClient, signal: AbortSignal): Promise<void> => {
  const isFresh = ({ State, RestartCount = 0 }: RawContainer) =>
    State.Status === 'running' && RestartCount > 0 && Date.now() - Date.parse(State.StartedAt ?? '') < FRESH_MS;
  await Promise.all(
    raw.map(async (first, index) => {
      if (isInLoop(first)) raw[index] = { ...first, loops: true };
      for (let look = 0; look < LOOKS && isFresh(first) && !raw[index]!.loops; look++) {
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        const next = await engine.get<RawContainer>(`/containers/${first.Id}/json`, {}, signal).catch(() => first);
        raw[index] = { ...next, loops: next.State.Status !== 'running' || next.State.StartedAt !== first.State.StartedAt };
      }
      const last = raw[index]!;
      if (last.loops && last.State.Status === 'running') raw[index] = { ...last, ...(await lastEndOf(last, engine, signal)) };
    }),
  );
};

/** Between two ends its state says nothing of the last one: the engine's list of events does. */
const lastEndOf = async (
  { Id, Created }: RawContainer,
  engine: EngineClient,
  signal: AbortSignal,
): Promise<Pick<RawContainer, 'lastEnd'>> => {
  const now = Date.now();
  const query = {
    since: Math.max(Date.parse(Created) / 1_000, now / 1_000 - EVENTS_SECONDS).toFixed(0),
    until: (now / 1_000).toFixed(3),
    filters: JSON.stringify({ container: [Id], event: ['die', 'oom', 'start'] }),
  };
  const events = await engine.events(query, signal).catch(() => []);
  const end = events.findLastIndex(({ Action }) => Action === 'die');
  if (end < 0) return {};
  const start = events.slice(0, end).findLastIndex(({ Action }) => Action === 'start');
  const exitCode = Number(events[end]!.Actor?.Attributes?.['exitCode']);
  return Number.isInteger(exitCode)
    ? { lastEnd: { exitCode, oomKilled: events.slice(start + 1, end).some(({ Action }) => Action === 'oom') } }
    : {};
};

const EVENTS_SECONDS = 600;
const MANY_RESTARTS = 3;

/** It ended by itself, and is up for less than its runs take: on a slow machine a run takes longer than we look. */
const isInLoop = (raw: RawContainer): boolean => {
  const { State, RestartCount = 0 } = raw;
  // A healthcheck that has not spoken since is as much as many restarts.
  const few = State.Health?.Status === 'starting' ? 1 : MANY_RESTARTS;
  const up = Date.now() - Date.parse(State.StartedAt ?? '');
  return State.Status === 'running' && State.Health?.Status !== 'healthy' && RestartCount >= few && up < usualRun(raw);
};

/**
 * Docker waits 0.1 s before it starts a container again, and twice as long each time, unless the run before lasted 10 s: after a long
 * pause the runs were shorter than that. Otherwise the average, as long as it means something: one that was well for days and then
 * ended three times is no loop for hours.
 */
const usualRun = ({ State, Created, RestartCount = 0 }: RawContainer): number => {
  const started = Date.parse(State.StartedAt ?? '');
  const pause = started - Date.parse(State.FinishedAt ?? '');
  return pause > LONG_PAUSE_MS ? FRESH_MS : Math.min((started - Date.parse(Created)) / RestartCount, LONGEST_RUN_MS);
};

/** More than a first pause and a slow start make together. */
const LONG_PAUSE_MS = 1_300;
const LONGEST_RUN_MS = 120_000;

interface RawContainer {
  /** It ended between two looks, right after its start. */
  loops?: boolean;
  lastEnd?: ContainerState['lastEnd'];
  Id: string;
  Name: string;
  Created: string;
  Image: string;
  Path?: string;
  Args?: string[];
  RestartCount?: number;
  /** `<data folder>/containers/<id>/resolv.conf`. */
  ResolvConfPath?: string;
  /** `<data folder>/overlay/<layer>/diff`. */
  GraphDriver?: { Data?: { UpperDir?: string } | null } | null;
  State: {
    Status: ContainerState['status'];
    ExitCode: number;
    Error?: string;
    OOMKilled?: boolean;
    StartedAt?: string;
    FinishedAt?: string;
    Pid?: number;
    Health?: { Status: string; FailingStreak?: number; Log?: { ExitCode: number; Output?: string; Start: string; End: string }[] | null };
  };
  Config: {
    Image: string;
    Env?: string[] | null;
    Cmd?: string[] | null;
    Entrypoint?: string[] | null;
    WorkingDir?: string;
    User?: string;
    Tty?: boolean;
    Labels?: Record<string, string> | null;
    ExposedPorts?: Record<string, unknown> | null;
    Healthcheck?: { Test?: string[]; Interval?: number; Timeout?: number; Retries?: number; StartPeriod?: number } | null;
  };
  HostConfig: {
    NetworkMode?: string;
    ExtraHosts?: string[] | null;
    RestartPolicy?: { Name?: string };
    Memory?: number;
    ShmSize?: number;
    ReadonlyRootfs?: boolean;
    CapDrop?: string[] | null;
    CapAdd?: string[] | null;
    LogConfig?: { Type?: string };
    PortBindings?: RawPorts | null;
  };
  Mounts?: { Type: string; Name?: string; Source?: string; Destination: string; RW?: boolean }[] | null;
  NetworkSettings: {
    Ports?: RawPorts | null;
    Networks?: Record<
      string,
      {
        NetworkID?: string;
        IPAddress?: string;
        GlobalIPv6Address?: string;
        Gateway?: string;
        Aliases?: string[] | null;
        DNSNames?: string[] | null;
        Links?: string[] | null;
      }
    > | null;
  };
}

type RawPorts = Record<string, { HostIp?: string; HostPort?: string }[] | null>;

const containerFrom = (raw: RawContainer, vault: Vault): Container => {
  const labels = raw.Config.Labels ?? {};
  const env = splitEnv(raw.Config.Env);
  const masked = Object.fromEntries(Object.entries(env).map(([key, value]) => [key, vault.maskEnv(key, value)]));
  return {
    id: raw.Id,
    name: raw.Name.replace(/^\//, ''),
    service: labels[`${LABEL}.service`] ?? raw.Name.replace(/^\//, ''),
    number: Number(labels[`${LABEL}.container-number`] ?? 1) || 1,
    oneOff: labels[`${LABEL}.oneoff`] === 'True',
    image: raw.Config.Image,
    imageId: raw.Image,
    createdAt: raw.Created,
    state: {
      status: PODMANS[raw.State.Status] ?? raw.State.Status,
      exitCode: raw.State.ExitCode,
      error: vault.maskText(raw.State.Error ?? ''),
      oomKilled: raw.State.OOMKilled ?? false,
      startedAt: time(raw.State.StartedAt),
      finishedAt: time(raw.State.FinishedAt),
      restartCount: raw.RestartCount ?? 0,
      loops: raw.loops ?? false,
      ...(raw.lastEnd ? { lastEnd: raw.lastEnd } : {}),
      pid: raw.State.Pid ?? 0,
    },
    health: healthFrom(raw, vault),
    healthcheck: healthcheckFrom(raw, vault),
    env: masked,
    entrypoint: vault.maskArguments(raw.Config.Entrypoint ?? []),
    command: vault.maskArguments(raw.Config.Cmd ?? []),
    workingDir: raw.Config.WorkingDir || '/',
    user: raw.Config.User ?? '',
    mounts: (raw.Mounts ?? []).map((mount) => ({
      type: mount.Type === 'bind' || mount.Type === 'volume' || mount.Type === 'tmpfs' ? mount.Type : 'other',
      source: mount.Type === 'volume' ? (mount.Name ?? '') : (mount.Source ?? ''),
      destination: mount.Destination,
      readOnly: mount.RW === false,
      name: mount.Name ?? null,
    })),
    ports: portsFrom(raw.NetworkSettings.Ports),
    portBindings: portsFrom(raw.HostConfig.PortBindings),
    exposedPorts: Object.keys(raw.Config.ExposedPorts ?? {}).map((port) => Number.parseInt(port, 10)),
    networks: Object.entries(raw.NetworkSettings.Networks ?? {}).map(([network, end]) => ({
      network,
      networkId: end.NetworkID ?? '',
      ip: end.IPAddress || end.GlobalIPv6Address || '',
      gateway: end.Gateway ?? '',
      names: [...new Set([...(end.DNSNames ?? []), ...(end.Aliases ?? [])])],
    })),
    networkMode: raw.HostConfig.NetworkMode ?? '',
    extraHosts: raw.HostConfig.ExtraHosts ?? [],
    restartPolicy: raw.HostConfig.RestartPolicy?.Name || 'no',
    memoryLimit: raw.HostConfig.Memory ?? 0,
    shmSize: raw.HostConfig.ShmSize ?? 0,
    readOnlyRoot: raw.HostConfig.ReadonlyRootfs ?? false,
    ...(raw.HostConfig.CapDrop?.length
      ? { capabilities: { dropped: bare(raw.HostConfig.CapDrop), added: bare(raw.HostConfig.CapAdd ?? []) } }
      : {}),
    tty: raw.Config.Tty ?? false,
    logDriver: raw.HostConfig.LogConfig?.Type ?? '',
    ...linksOf(raw),
    ...dataRootOf(raw),
    ...labelRoutes(labels),
    compose: {
      project: labels[`${LABEL}.project`] ?? '',
      workingDir: labels[`${LABEL}.project.working_dir`] ?? '',
      configFiles: list(labels[`${LABEL}.project.config_files`]),
      environmentFiles: list(labels[`${LABEL}.project.environment_file`]),
      configHash: labels[`${LABEL}.config-hash`] ?? '',
      version: labels[`${LABEL}.version`] ?? '',
      dependsOn: dependencies(labels[`${LABEL}.depends_on`]),
    },
  };
};

/** What Podman says, where Docker has another word. */
const PODMANS: Record<string, ContainerState['status']> = {
  stopped: 'exited',
  stopping: 'exited',
  configured: 'created',
  initialized: 'created',
};

/** Podman keeps the first of these in memory; the layers tell where its data lies. */
const dataRootOf = ({ ResolvConfPath = '', GraphDriver, Id }: RawContainer): { dataRoot?: string } => {
  const end = ResolvConfPath.indexOf(`/containers/${Id}/`);
  const root = end > 0 ? ResolvConfPath.slice(0, end) : /^(\/.+)\/overlay2?\//.exec(GraphDriver?.Data?.UpperDir ?? '')?.[1];
  return root ? { dataRoot: root } : {};
};

const bare = (capabilities: string[]): string[] => capabilities.map((each) => each.toUpperCase().replace(/^CAP_/, ''));

/** `p-db-1:database` of each network. */
const linksOf = (raw: RawContainer): Pick<Container, 'links'> => {
  const pairs = Object.values(raw.NetworkSettings.Networks ?? {})
    .flatMap((end) => end.Links ?? [])
    .map((each) => each.split(':'))
    .filter((each) => each.length === 2);
  return pairs.length > 0 ? { links: Object.fromEntries(pairs.map(([container, name]) => [name!, container!])) } : {};
};

const list = (text: string | undefined): string[] => (text ?? '').split(',').filter(Boolean);

/** Docker writes year 1 for "never". */
const time = (iso: string | undefined): string | null => (!iso || iso.startsWith('0001-') ? null : iso);

const splitEnv = (env: string[] | null | undefined): Record<string, string> =>
  Object.fromEntries((env ?? []).map((entry) => [entry.split('=', 1)[0]!, entry.slice(entry.indexOf('=') + 1)]));

/** `db:service_healthy:false,redis:service_started:true`; older versions write names alone. */
const dependencies = (label: string | undefined): Record<string, DependencyCondition> =>
  Object.fromEntries(
    list(label).map((entry) => {
      const [service = '', condition] = entry.split(':');
      return [service, (condition || 'service_started') as DependencyCondition];
    }),
  );

const portsFrom = (ports: RawPorts | null | undefined): PortMapping[] => {
  const all = Object.entries(ports ?? {}).flatMap(([target, bindings]) => {
    const [port, protocol] = target.split('/');
    return (bindings ?? []).map((binding) => ({
      containerPort: Number(port),
      protocol: protocol === 'udp' ? ('udp' as const) : ('tcp' as const),
      hostIp: binding.HostIp ?? '',
      hostPort: Number(binding.HostPort ?? 0),
    }));
  });
  // One mapping on every interface is listed twice, as 0.0.0.0 and as ::.
  return all.filter(
    (mapping) =>
      mapping.hostIp !== '::' ||
      !all.some(
        (other) => other.hostIp === '0.0.0.0' && other.hostPort === mapping.hostPort && other.containerPort === mapping.containerPort,
      ),
  );
};

const PROBE_OUTPUT = 2_000;

const healthFrom = (raw: RawContainer, vault: Vault): Container['health'] => {
  const health = raw.State.Health;
  if (!health || health.Status === 'none') return null;
  return {
    status: health.Status as 'starting' | 'healthy' | 'unhealthy',
    failingStreak: health.FailingStreak ?? 0,
    log: (health.Log ?? []).map((probe) => ({
      exitCode: probe.ExitCode,
      output: vault.maskText(probe.Output ?? '').slice(0, PROBE_OUTPUT),
      start: probe.Start,
      end: probe.End,
    })),
  };
};

/** Docker counts in nanoseconds, and leaves out what is default. */
const healthcheckFrom = (raw: RawContainer, vault: Vault): Healthcheck | null => {
  const check = raw.Config.Healthcheck;
  if (!check?.Test?.length || check.Test[0] === 'NONE') return null;
  const ms = (nanoseconds: number | undefined, otherwise: number) => (nanoseconds ? nanoseconds / 1_000_000 : otherwise);
  return {
    test: vault.maskArguments(check.Test),
    intervalMs: ms(check.Interval, 30_000),
    timeoutMs: ms(check.Timeout, 30_000),
    retries: check.Retries || 3,
    startPeriodMs: ms(check.StartPeriod, 0),
  };
};

/** Service and container names, users, databases: words that people need to read. */
function* publicWords(raw: RawContainer): Generator<string> {
  const labels = raw.Config.Labels ?? {};
  yield* [labels[`${LABEL}.service`] ?? '', labels[`${LABEL}.project`] ?? '', raw.Name.slice(1)].filter(Boolean);
  for (const [key, value] of Object.entries(splitEnv(raw.Config.Env))) {
    if (/(_USER(NAME)?|_DB|_DATABASE|_HOST|_NAME)$/i.test(key)) yield value;
    // Not of a web address, where the user may be a token.
    const url = /^(?!https?:)[a-z][a-z0-9+.-]*:\/\/(?:([^:@/\s]*)(?::[^@/\s]*)?@)?([^:/?#@\s]+)(?::\d+)?(?:\/([^?#\s]*))?/i.exec(value);
    for (const word of url?.slice(1) ?? []) if (word) yield word;
  }
}
