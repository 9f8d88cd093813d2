/**
 * The nouns of a stack: one Compose project as it runs on one Docker Engine.
 * Types, and pure questions about them. Imports nothing but its own room.
 */

export type Role =
  | 'postgres'
  | 'redis'
  | 'mysql'
  | 'rabbitmq'
  | 'mongodb'
  | 'pooler'
  | 'nginx'
  | 'haproxy'
  | 'http'
  | 'worker'
  | 'build-only'
  | 'one-shot'
  | 'unknown';

/** A published or declared port, as Compose writes it: host side → container side. */
export interface PortMapping {
  containerPort: number;
  protocol: 'tcp' | 'udp';
  /** Host address; `''` means every interface. */
  hostIp: string;
  /** Host port; `0` means "any free port" in a declaration, and is never `0` once bound. */
  hostPort: number;
  /** Of a declared range, from which one port is taken; absent: there is no choice. */
  hostPortLast?: number;
}

export interface MountSpec {
  type: 'bind' | 'volume' | 'tmpfs' | 'other';
  /** Host path of a bind; volume name of a volume (`''` for an anonymous one in a declaration). */
  source: string;
  destination: string;
  readOnly: boolean;
}

export interface Healthcheck {
  /** As Docker stores it: `['CMD', …]`, `['CMD-SHELL', line]` or `['NONE']`. */
  test: string[];
  intervalMs: number;
  timeoutMs: number;
  retries: number;
  startPeriodMs: number;
}

/** What the compose files say of a service, after interpolation and merging. Environment values are masked. */
export interface ServiceSpec {
  name: string;
  image: string | null;
  /** `inline`: the Dockerfile stands in the compose file. `target`: the stage that is wanted, where it is not the last. */
  build: { context: string; dockerfile: string; inline?: true; target?: string } | null;
  command: string[] | null;
  entrypoint: string[] | null;
  environment: Record<string, string>;
  ports: PortMapping[];
  mounts: MountSpec[];
  /** Files of the host that are its secrets and configs. Absent: none. */
  files?: { of: 'secret' | 'config'; name: string; source: string }[];
  networks: string[];
  networkMode: string | null;
  dependsOn: Record<string, DependencyCondition>;
  /** Of these, the ones with `required: false`. Absent: none. */
  optional?: string[];
  healthcheck: Healthcheck | null;
  /** Profiles of the service; it is inactive when none of them is enabled (and the list is not empty). */
  profiles: string[];
  active: boolean;
  replicas: number;
  restart: string | null;
  containerName: string | null;
  /** Ports that `expose` names. Absent: none. */
  exposed?: number[];
  /** Further names of it on its networks. Absent: none. */
  aliases?: string[];
  /** `links`: alias → service, for this service alone. Absent: none. */
  links?: Record<string, string>;
  /** What its labels have Traefik bring to it. Absent: nothing. */
  routes?: LabelRoute[];
}

export type DependencyCondition = 'service_started' | 'service_healthy' | 'service_completed_successfully';

export interface ProbeResult {
  exitCode: number;
  output: string;
  /** ISO 8601. */
  start: string;
  end: string;
}

/** One container of the project, from `GET /containers/{id}/json`, cut to what checks ask about. */
export interface Container {
  id: string;
  /** Without the leading slash. */
  name: string;
  service: string;
  /** Index of the replica, from 1. */
  number: number;
  oneOff: boolean;
  image: string;
  imageId: string;
  createdAt: string;
  state: ContainerState;
  /** `null` when the container has no healthcheck. Meaningless unless `state.status` is `running`. */
  health: { status: 'starting' | 'healthy' | 'unhealthy'; failingStreak: number; log: ProbeResult[] } | null;
  healthcheck: Healthcheck | null;
  /** `KEY → value`; secrets are marks (see `secrets.ts`). */
  env: Record<string, string>;
  /** What stands in the files that variables name: `DB_PASSWORD` where `DB_PASSWORD_FILE` is set. Marks. Only what could be read. */
  toldByFile?: Record<string, string>;
  /** Entry point and command as Docker will run them. */
  entrypoint: string[];
  command: string[];
  workingDir: string;
  user: string;
  mounts: (MountSpec & { name: string | null })[];
  /** What is bound now. Empty unless running. */
  ports: PortMapping[];
  /** What was asked for at creation. */
  portBindings: PortMapping[];
  exposedPorts: number[];
  networks: Attachment[];
  networkMode: string;
  extraHosts: string[];
  /** Names that this container alone has for others (`links:`): name → container. Absent: none. */
  links?: Record<string, string>;
  restartPolicy: string;
  /** Bytes; 0 means no limit. */
  memoryLimit: number;
  /** Bytes of /dev/shm. */
  shmSize: number;
  readOnlyRoot: boolean;
  /** `cap_drop` and `cap_add`, without `CAP_`. Absent: nothing is dropped. */
  capabilities?: { dropped: string[]; added: string[] };
  tty: boolean;
  logDriver: string;
  /** The folder in which the engine keeps its data. */
  dataRoot?: string;
  compose: ComposeLabels;
  /** As in the spec. */
  routes?: LabelRoute[];
}

export interface LabelRoute {
  /** `null`: left to what the image exposes. */
  port: number | null;
  tls: boolean;
  label: string;
}

export interface ContainerState {
  status: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  exitCode: number;
  /** Docker's own word on a failed start; `''` when there is none. It outranks `exitCode`, which may be left from an earlier run. */
  error: string;
  oomKilled: boolean;
  /** ISO 8601, or `null` when never started (Docker's year 1). */
  startedAt: string | null;
  finishedAt: string | null;
  restartCount: number;
  /** How the run before this one ended, of one that ends again and again. Absent: not known. */
  lastEnd?: { exitCode: number; oomKilled: boolean };
  /** It was seen to end right after a start, between two looks: a crash loop, whatever its status is just now. */
  loops?: boolean;
  /** Process id of PID 1 in the engine's view; 0 when not running. */
  pid: number;
}

/** A container's end on a network. */
export interface Attachment {
  network: string;
  networkId: string;
  /** `''` when not running, or when the endpoint is missing. */
  ip: string;
  gateway: string;
  /** Every name Docker's DNS answers for this container on this network. */
  names: string[];
}

/** What Compose wrote on the container as labels `com.docker.compose.*`. */
export interface ComposeLabels {
  project: string;
  workingDir: string;
  configFiles: string[];
  environmentFiles: string[];
  configHash: string;
  version: string;
  dependsOn: Record<string, DependencyCondition>;
}

/** A service as declared, as it runs, or both. */
export interface Service {
  name: string;
  role: Role;
  /** Why this role: the field and the value that decided. */
  roleReason: string;
  /** `null` for an orphan, or when the compose files could not be loaded. */
  spec: ServiceSpec | null;
  /** Without one-offs. Sorted by replica number. */
  containers: Container[];
}

export type ConnectionKind = 'postgres' | 'redis' | 'http' | 'amqp' | 'mysql' | 'mongodb' | 'tcp' | 'socket' | 'depends-on';

/** That one service reaches for another: who, whom, how, with which credentials, and where that is written. */
export interface Connection {
  from: string;
  /** Service name; `null` when the host names no service of the stack (external, a typo, the container itself). */
  to: string | null;
  kind: ConnectionKind;
  /** Host and port as the client spells them. Port 0 for `depends-on`, and for a `socket`, whose host is `unix:/run/app.sock`. */
  host: string;
  port: number;
  user: string | null;
  /** A mark, never the value; `null` when no password is given. */
  password: string | null;
  /** Database name or index; `null` when not given. */
  database: string | null;
  tls: boolean;
  /** The masked URL, or `host:port` where it was put together from parts. */
  url: string;
  /** Where it is written: `env DATABASE_URL`, `nginx.conf:12`, `depends_on`. */
  source: string;
  /** What is wrong with the spelling itself, if anything: `malformed` says how. */
  malformed: string | null;
}

/** What the data stores speak, and the poolers before them: role → kind of the connections that are meant for it. */
const SPOKEN: Partial<Record<Role, ConnectionKind>> = {
  postgres: 'postgres',
  redis: 'redis',
  mysql: 'mysql',
  rabbitmq: 'amqp',
  mongodb: 'mongodb',
  pooler: 'postgres',
};

/** `null`: no data store. */
export const spokenBy = (role: Role): ConnectionKind | null => SPOKEN[role] ?? null;

export interface Stack {
  project: string;
  workingDir: string;
  composeFiles: string[];
  /** Sorted by name. */
  services: Service[];
  /** Sorted by from, to, kind, source. */
  connections: Connection[];
  /** Containers of `docker compose run`. */
  oneOffs: Container[];
}

export const isRunning = (container: Container): boolean => container.state.status === 'running';

/** The containers of a service that answer questions now. Paused ones do not. */
export const running = (service: Service): Container[] => service.containers.filter(isRunning);

export const serviceNamed = (stack: Stack, name: string): Service | undefined => stack.services.find((service) => service.name === name);

export const connectionsFrom = (stack: Stack, service: string): Connection[] =>
  stack.connections.filter((connection) => connection.from === service);

export const connectionsTo = (stack: Stack, service: string): Connection[] =>
  stack.connections.filter((connection) => connection.to === service);

/** Services that are meant to keep running: not build-only, not one-shot, not behind an inactive profile, not scaled to zero. */
export const shouldRun = (service: Service): boolean =>
  service.role !== 'build-only' &&
  service.role !== 'one-shot' &&
  (service.spec === null || (service.spec.active && service.spec.replicas > 0));

/** Names of the networks that two containers share (by id: a name may be reused after a prune). */
export const sharedNetworks = (a: Container, b: Container): string[] =>
  a.networks.filter((own) => b.networks.some((other) => other.networkId === own.networkId)).map((own) => own.network);

/** What the program is told: by variables, and by the files that variables name. */
export const toldTo = (container: Container | undefined): Record<string, string> => ({ ...container?.toldByFile, ...container?.env });

/** The whole command line of a container: entry point, then command. */
export const commandLine = (container: Container): string => [...container.entrypoint, ...container.command].join(' ');
