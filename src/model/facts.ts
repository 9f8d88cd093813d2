/**
 * The facts: everything the doctor can know about a stack, as plain JSON-able data. Only `gather/` makes them; a check is a
 * pure function of those it declares. A refused connection is a fact. A fact that could not be gathered is a `Gap`.
 */
import type { Container, PortMapping, Role, Service, ServiceSpec, Stack } from './stack.ts';

/** `ok: false`: the doctor could not look. Never a fault of the stack, never a pass. */
export type Fact<T> = { ok: true; value: T; ms: number } | { ok: false; reason: string; timedOut: boolean; ms: number };

/** The kinds of fact. Keys of `StackFacts` are asked of the whole stack, those of `ServiceFacts` of one service. */
export interface StackFacts {
  engine: EngineFact;
  project: ProjectFact;
  containers: Container[];
  networks: NetworkFact[];
  volumes: VolumeFact[];
  images: ImageFact[];
  portOwners: PortOwner[];
  host: HostFact;
  shared: SharedValue[];
}

export interface ServiceFacts {
  logs: LogFact;
  inside: InsideFact;
  reach: ReachFact;
  postgres: PostgresFact;
  redis: RedisFact;
  mysql: MysqlFact;
  rabbitmq: RabbitmqFact;
  mongodb: MongodbFact;
  pooler: PoolerFact;
  http: HttpFact;
  nginx: NginxFact;
  haproxy: HaproxyFact;
  webroot: WebrootFact;
  source: SourceFact;
  published: PublishedFact;
  mounts: MountsFact;
  making: MakingFact | null;
  program: ProgramFact | null;
  packages: PackagesFact | null;
}

/** What a configuration or a plugin asks for, of the stack or of a service. */
export interface OwnFacts {
  [name: `own:${string}`]: unknown;
}

export type FactTypes = StackFacts & ServiceFacts & OwnFacts;
export type StackFactName = keyof StackFacts;
export type ServiceFactName = keyof ServiceFacts;
export type FactName = keyof FactTypes;

const STACK_FACTS: readonly string[] = [
  'engine',
  'project',
  'containers',
  'networks',
  'volumes',
  'images',
  'portOwners',
  'host',
  'shared',
] satisfies StackFactName[];

/** All of them, so that a plugin's can be held against them. */
const SERVICE_FACTS: Record<ServiceFactName, true> = {
  logs: true,
  inside: true,
  reach: true,
  postgres: true,
  redis: true,
  mysql: true,
  rabbitmq: true,
  mongodb: true,
  pooler: true,
  http: true,
  nginx: true,
  haproxy: true,
  webroot: true,
  source: true,
  published: true,
  mounts: true,
  making: true,
  program: true,
  packages: true,
};

export const FACT_NAMES: readonly string[] = [...STACK_FACTS, ...Object.keys(SERVICE_FACTS)];

/** Is this fact asked of the whole stack, rather than of each service? */
export const isStackFact = (name: FactName): name is StackFactName => STACK_FACTS.includes(name);

/** Protocols are spoken only to those who may speak them: a Redis command in the log of a web server is noise that we made. */
const SPEAKERS: Partial<Record<ServiceFactName, Role[]>> = {
  postgres: ['postgres'],
  redis: ['redis'],
  mysql: ['mysql'],
  rabbitmq: ['rabbitmq'],
  mongodb: ['mongodb'],
  pooler: ['pooler'],
  http: ['http', 'nginx', 'unknown'],
  nginx: ['nginx'],
  haproxy: ['haproxy'],
  webroot: ['nginx'],
};

/** What waits for another's answer, or may need a command in a container, is asked first, then whatever a service answers itself; the engine and files keep nobody waiting. */
const SLOWEST: readonly FactName[] = [
  'nginx',
  'haproxy',
  'http',
  'published',
  'postgres',
  'mysql',
  'mongodb',
  'rabbitmq',
  'redis',
  'pooler',
];

/** Smaller is sooner. */
export const turnOf = (name: FactName): number => (SLOWEST.includes(name) ? SLOWEST.indexOf(name) : SLOWEST.length);

export const mayBeAsked = (name: ServiceFactName, role: Role): boolean => SPEAKERS[name]?.includes(role) ?? true;

export type OwnFactName = keyof OwnFacts;

export const isOwnFact = (name: FactName): name is OwnFactName => name.startsWith('own:');

export interface EngineFact {
  /** `unix:///…`, `tcp://…`, `npipe://…`, `ssh://…`. */
  host: string;
  /** Where the address came from: `DOCKER_HOST`, `context desktop-linux`, `default socket`, `--context`. */
  source: string;
  state: 'ok' | 'socket-missing' | 'refused' | 'permission-denied' | 'no-answer' | 'not-docker' | 'too-old' | 'unreachable' | 'tls';
  /** The error as the system gave it; `''` when ok. */
  detail: string;
  version: string | null;
  /** Absent: Docker, or what calls itself so. */
  product?: string;
  apiVersion: string | null;
  /** Another engine of this machine (context or default socket) that holds containers of this project. Looked for only when this one holds none. */
  elsewhere: { host: string; source: string; containers: number } | null;
  /** Its clock against this machine's; absent where it did not tell. */
  clockAheadSeconds?: number | null;
}

/** The machine under the engine. `null`: not this machine, or not asked. */
export interface HostFact {
  /** Containers run, and on another kernel than ours: nothing of the machine under the engine was looked at. */
  elsewhere?: true;
  disk: { path: string; freeBytes: number; totalBytes: number; freeInodes: number | null } | null;
  /** Looked for only while the project has no container. */
  subnets: { free: number; networks: number } | null;
  /** Networks of the stack whose subnet this machine has another route to. */
  crossings: { network: string; subnet: string; route: string; device: string }[];
}

/** A line of a file that the user wrote. Paths are relative to the project's folder where they lie inside it. */
export interface FileLine {
  file: string;
  /** From 1; `null` when the line is not known. */
  line: number | null;
}

export interface ProjectFact {
  name: string;
  workingDir: string;
  /** Why it is this project, where neither its files nor anybody said so: it was started from this `folder`, or is the `only` one. */
  pickedBy?: { by: 'folder' | 'only'; meant: string | null };
  /** The compose files used, in order. Empty when the project is known from labels alone. */
  files: string[];
  /** How the files were loaded: `docker compose config`, a plain reading (no compose CLI here), or not at all. */
  loadedBy: 'compose' | 'plain' | 'labels';
  /** ISO 8601: the newest change of a compose file or an env file beside it. `null`: not known. */
  changedAt: string | null;
  /** `null` when the files do not load; the containers are looked at all the same. */
  services: ServiceSpec[] | null;
  error:
    | (FileLine & {
        kind: 'syntax' | 'schema' | 'required-variable' | 'env-file-missing' | 'other';
        message: string;
        variable: string | null;
      })
    | null;
  /** Variables that Compose replaced with a blank string. */
  unsetVariables: (FileLine & { variable: string })[];
  /** Services whose resolved environment has a blank in a place that an unset variable filled: variable → `service.KEY`. */
  blanks: { variable: string; service: string; key: string }[];
  /** Values that do not arrive as they are written. Absent in recordings of earlier versions. */
  altered?: AlteredValue[];
  /** Whom the Caddyfiles and the configurations of HAProxy that services mount name, by service. Absent: none. */
  proxied?: Record<string, { host: string; port: number; tls: boolean; at: string; scheme?: string }[]>;
}

/** A line that gives a variable to several services: of an env file, of an anchor, of a service that others extend. Looked for only when something fails. */
export interface SharedValue extends FileLine {
  variable: string;
  services: string[];
}

/** A value of the files that a service gets otherwise. */
export interface AlteredValue extends FileLine {
  /** A `$` begins a variable, a ` #` begins a comment, a variable of the shell comes first. */
  how: 'dollar' | 'comment' | 'shell';
  /** `dollar`: the piece that was taken for a variable's name; else the variable of the env file. */
  variable: string;
  service: string;
  /** The key of the service's environment that it goes to. */
  key: string;
}

export interface NetworkFact {
  id: string;
  name: string;
  driver: string;
  project: string | null;
  subnets: string[];
  internal: boolean;
  /** Every container on it, of any project: name, DNS names are only in `Container`. */
  members: { container: string; ip: string }[];
}

export interface VolumeFact {
  name: string;
  /** Label `com.docker.compose.volume`. */
  composeName: string | null;
  project: string | null;
  createdAt: string | null;
  anonymous: boolean;
}

export interface ImageFact {
  /** The reference as the container names it. */
  ref: string;
  /** What the reference points at now. `null` when no such image is here. */
  id: string | null;
  createdAt: string | null;
  /** When the reference was last given to it here (`Metadata.LastTagTime`); a build from cached layers keeps an old `createdAt`. */
  taggedAt: string | null;
  /** It came from a registry (`RepoDigests`). A build of this machine has no digest there, but in a containerd image store. */
  pulled: boolean;
  architecture: string | null;
  exposedPorts: number[];
  volumes: string[];
}

/** Who holds a host port that the stack wanted. Looked for only when a port is taken. */
export interface PortOwner {
  port: number;
  hostIp: string;
  /** `unknown` where the host does not tell (another user's process, a VM's engine). */
  kind: 'container' | 'process' | 'unknown' | 'nobody';
  container: string | null;
  project: string | null;
  pid: number | null;
  command: string | null;
}

export interface LogLine {
  /** ISO 8601 of the engine; `null` when the driver gives none. */
  time: string | null;
  stream: 'stdout' | 'stderr';
  /** Control characters replaced, cut at 2,000 characters, secrets masked. */
  text: string;
}

export interface LogFact {
  /** Lines of this run only (since the container's last start), oldest first, at most 200; of the first container that failed, else of the first. */
  container: string;
  since: string | null;
  lines: LogLine[];
}

/** A socket that waits for connections inside the container. */
export interface Listener {
  family: 4 | 6;
  /** `0.0.0.0`, `::`, `127.0.0.1`, `::1`, or another address of the container. */
  address: string;
  port: number;
  /** Connections that the program has not accepted yet, where it has left any: it is busy, or hangs. */
  waiting?: number;
}

export interface MountView {
  destination: string;
  /** What the mount is of, as the kernel sees it now: path on the file system that holds it. */
  root: string;
  /** The kernel says `//deleted`: the mount holds a folder or file that is gone from the host. */
  deleted: boolean;
  fsType: string;
  readOnly: boolean;
}

export interface Process {
  pid: number;
  /** Parent in the same numbering. */
  parent: number;
  command: string;
}

/** What the container itself sees: by the host's /proc where it is the same kernel, else by exec. */
export interface InsideFact {
  container: string;
  via: 'proc' | 'exec';
  listeners: Listener[];
  /** Remote ends of established connections. */
  peers: { address: string; port: number }[];
  /** Remote ends that have not answered a connection yet (SYN_SENT). */
  connecting?: { address: string; port: number }[];
  /** Connections that ended in good order within the last 15 s (TIME_WAIT), on the side that closed first. */
  closed?: { localPort: number; address: string; port: number; secondsAgo: number }[];
  mounts: MountView[];
  /** PID 1 of the container first. Empty when it could not be read (`processesKnown` is false). */
  processes: Process[];
  processesKnown: boolean;
}

/** How far a try came, and what stopped it. The layers in order: name, tcp, tls, protocol, login, query. */
export interface Trial {
  layer: 'name' | 'tcp' | 'tls' | 'protocol' | 'login' | 'query' | 'done';
  outcome: 'ok' | 'not-found' | 'refused' | 'timeout' | 'reset' | 'unreachable' | 'rejected' | 'failed' | 'no-tool';
  /** The error's own code: SQLSTATE, Redis error prefix, errno; `''` when ok. */
  code: string;
  /** The error's own text, masked; `''` when ok. */
  text: string;
  ms: number;
}

/** From where a try was made. */
export type View =
  | { kind: 'published'; address: string }
  /** Container's address on its network, from the host. */
  | { kind: 'address'; address: string; network: string }
  /** Through a stream inside the client's container. */
  | { kind: 'inside'; service: string; network: string | null }
  /** The server itself lists the client's session. */
  | { kind: 'server' };

/** Each connection of one client service, tried from inside it: name → TCP. Protocols are the business of other facts. */
export interface ReachFact {
  container: string;
  /** One per distinct host and port. */
  targets: {
    host: string;
    port: number;
    /** Addresses the name resolved to inside the client; `null` when it did not resolve or was not tried. */
    addresses: string[] | null;
    trial: Trial;
    /** The same port of the target's container, asked from the host; only after silence inside. */
    fromHost?: Trial;
    /** How it was seen: `inside`: tried by exec; `server`: proven by a live session or answer, with no exec needed. */
    view: View;
  }[];
}

export interface PostgresFact {
  /** One per distinct (client, credentials, view). */
  attempts: PostgresAttempt[];
  /** From the first login that succeeded; `null` when none did. */
  server: {
    version: string;
    /** `pg_is_in_recovery()`. */
    inRecovery: boolean;
    /** `default_transaction_read_only`. */
    readOnly: boolean;
    maxConnections: number;
    /** Sessions by client address and state: who holds the server. */
    sessions: { address: string | null; application: string; user: string; state: string; count: number; oldestSeconds: number }[];
    startedAt: string;
    /** Sessions that block others, and are not blocked themselves. */
    blockers: { pid: number; address: string | null; application: string; state: string; seconds: number; blocked: number }[];
  } | null;
  schemas?: SchemaLook[];
  /** Log lines that the server wrote during the attempts (the DETAIL that tells a missing role from a wrong password). */
  serverLog: LogLine[];
}

/** Of a client whose log speaks of missing tables or columns: which of them are missing now, and how far its migrations are. */
export interface SchemaLook {
  client: string;
  database: string;
  /** Tables, as the log spells them. */
  missing: string[];
  /** Columns; `table` is `null` where the log does not tell it: then no table has such a column. */
  columns?: { name: string; table: string | null }[];
  /** Tables of the database that are the users'. */
  tables: number;
  /** Revisions in `alembic_version`; `null` where there is no such table. */
  alembic: string[] | null;
}

export interface PostgresAttempt {
  /** Service whose credentials these are; the server's own name for its own `POSTGRES_*`. */
  client: string;
  /** Where they are written: `env DATABASE_URL`. */
  source: string;
  host: string;
  port: number;
  user: string;
  database: string;
  /** A mark; `null` when none is given. */
  password: string | null;
  view: View;
  trial: Trial;
  /** Which server answered: its own address and start time, to tell it from another on the same port. `null` before login. */
  identity: { address: string | null; port: number | null; startedAt: string } | null;
}

export interface RedisFact {
  attempts: RedisAttempt[];
  server: {
    version: string;
    runId: string;
    role: string;
    masterHost: string | null;
    masterLinkUp: boolean | null;
    loading: boolean;
    usedMemory: number;
    maxMemory: number;
    maxMemoryPolicy: string;
    lastSaveOk: boolean;
    lastAofWriteOk: boolean;
    /** INFO `connected_clients` / `maxclients`. */
    clients: number;
    maxClients: number;
    /** Keys per database index. */
    keyspace: Record<string, number>;
    /** CLIENT LIST, cut. `command` is the last one (`brpop`, `xreadgroup`, `subscribe`). */
    sessions: { address: string; database: number; command: string; idleSeconds: number; blocked: boolean; name: string }[];
    /** Keys of type list or stream, with lengths, that look like queues: length > 0 or someone waits on them. */
    queues: {
      key: string;
      database: number;
      type: 'list' | 'stream';
      length: number;
      lengthLater: number;
      groups: { name: string; consumers: number; pending: number; lag: number | null }[];
    }[];
  } | null;
}

export interface RedisAttempt {
  client: string;
  source: string;
  host: string;
  port: number;
  user: string | null;
  password: string | null;
  database: number;
  tls: boolean;
  view: View;
  trial: Trial;
  /** INFO server `run_id`; `null` before login. */
  runId: string | null;
}

export interface MysqlFact {
  attempts: MysqlAttempt[];
  /** From a login that succeeded; `null` when none did. */
  server: {
    /** `@@version`: MariaDB says so in it. */
    version: string;
    /** `@@read_only`, or MySQL's `super_read_only`. */
    readOnly: boolean;
    maxConnections: number;
    startedAt: string;
    /** Sessions as the login may see them: its own user's, or all. By address, user, database and command. */
    sessions: { address: string | null; user: string; database: string; command: string; count: number; oldestSeconds: number }[];
    /** Transactions that others wait for, and that wait for nobody. Asked for only when a session waits. */
    blockers: { id: number; address: string | null; user: string; command: string; seconds: number; blocked: number }[];
  } | null;
  /** What the server's own words let us see, once a client was rejected. `null`: not asked, or not allowed. */
  accounts: { user: string; host: string }[] | null;
  databases: string[] | null;
  schemas?: SchemaLook[];
  /** Log lines of this run of the server; read only when a try failed. */
  serverLog: LogLine[];
}

export interface MysqlAttempt {
  client: string;
  source: string;
  host: string;
  port: number;
  user: string;
  /** `''` when none is named. */
  database: string;
  password: string | null;
  tls: boolean;
  view: View;
  /** Codes are the numbers of the server's errors: `1045`. */
  trial: Trial;
  /** The server's own host name (the container's id, unless set) and its start, to tell it from another on the same port. */
  identity: { hostname: string; port: number | null; startedAt: string } | null;
}

export interface RabbitmqFact {
  attempts: RabbitmqAttempt[];
  /** From the greeting of the server, which comes before any login; `null` when none came. */
  server: { product: string; version: string; cluster: string } | null;
  /** What holds publishers up now: `memory`, `disk`. `null`: could not be learned. */
  alarms: string[] | null;
  /** Where the alarms were learned, for the evidence. */
  alarmsFrom: string;
  /** Queues with work, as the management interface or a passive look at names from the environment tells. */
  queues: { name: string; vhost: string; messages: number; consumers: number }[];
  /** Log lines of this run of the server; read only when a try failed, or where nothing else tells of alarms. */
  serverLog: LogLine[];
}

export interface RabbitmqAttempt {
  client: string;
  source: string;
  host: string;
  port: number;
  user: string;
  /** The virtual host. */
  database: string;
  password: string | null;
  tls: boolean;
  view: View;
  /** Codes are AMQP's reply codes: `403`. */
  trial: Trial;
  /** `cluster_name` of the server that answered. */
  cluster: string | null;
}

export interface MongodbFact {
  attempts: MongodbAttempt[];
  /** `null`: nobody got in, or the server did not tell. */
  version: string | null;
  /** Members of the replica set by the names that clients are told, tried from a client for which such a name looks wrong. */
  members: { client: string; source: string; host: string; port: number; trial: Trial }[];
  /** Log lines of this run of the server; read only when a try failed. */
  serverLog: LogLine[];
}

export interface MongodbAttempt {
  client: string;
  source: string;
  host: string;
  port: number;
  /** `null`: the client gives none. */
  user: string | null;
  /** `''` when none is named. */
  database: string;
  password: string | null;
  tls: boolean;
  /** The databases in which the user was looked for, in order: the client's own, or where it does not tell, those that are usual. */
  authSources: string[];
  /** Another database in which the same user and password are accepted; asked only once they were rejected. */
  acceptedIn: string | null;
  /** What the client's URL says of the set: `replicaSet`, `directConnection`, `readPreference`. */
  options: Record<string, string>;
  view: View;
  /** Codes are the numbers of the server's errors: `18`. */
  trial: Trial;
  /** What the server says of itself before any login; `null` when it did not get to that. */
  node: MongodbNode | null;
  /** Whether the user may do anything in the client's database; `null`: not known, or nothing is forbidden. */
  hasRights: boolean | null;
}

export interface MongodbNode {
  /** `uninitiated`: started as a member of a set that nobody has made yet. */
  kind: 'standalone' | 'primary' | 'secondary' | 'arbiter' | 'uninitiated' | 'router' | 'other';
  setName: string | null;
  /** As the set's configuration spells it. */
  me: string | null;
  primary: string | null;
  /** Where the set sends its clients. */
  hosts: string[];
  /** Drawn anew at each start, from MongoDB 4.4 on. */
  processId: string | null;
}

export interface HttpAnswer {
  status: number;
  contentType: string;
  location: string | null;
  server: string | null;
  /** First 4 KiB of the body as text, control characters replaced, secrets masked. */
  body: string;
  /** sha256 of the whole body (at most 8 MiB are read); `null` when the body did not end. */
  sha256: string | null;
  bytes: number;
  /** The body did not end within the time or was over the limit. */
  truncated: boolean;
}

export interface HttpTry {
  url: string;
  /** Why this path: `healthcheck`, `guess`, `root`. */
  pathFrom: string;
  view: View;
  /** `done`/`ok` whenever any HTTP answer came, of any status. */
  trial: Trial;
  answer: HttpAnswer | null;
  /** Over TLS: whose certificate was shown, and when it is valid (ISO 8601). */
  certificate?: { name: string; from: string; to: string };
}

export interface HttpFact {
  /** The health path that was settled on, and where it was learned. */
  path: string;
  pathFrom: string;
  port: number;
  tries: HttpTry[];
  /** Of a proxy that hands out an error: what those behind it answer to the first of these questions. Absent: nobody was asked. */
  behind?: { service: string; http: HttpTry }[];
}

/** What a pooler (pgbouncer and its kin) says to those who use it, and what the Postgres behind it says to the same words. */
export interface PoolerFact {
  /** `null`: its configuration could not be read. */
  setup: PoolerSetup | null;
  attempts: PostgresAttempt[];
  /** The words that did not get through, straight to the server behind. */
  straight: { client: string; source: string; server: string; database: string; trial: Trial }[];
  /** What it wrote during the attempts: why the server behind could not be had is told to the log alone. */
  poolerLog: LogLine[];
}

/** As its configuration has it. */
export interface PoolerSetup {
  file: string;
  /** `name` may be `*`: every database. Passwords are marks. */
  databases: {
    name: string;
    hosts: string[];
    port: number;
    database: string | null;
    user: string | null;
    password: string | null;
    at: string;
  }[];
  /** The users it knows; `null` where it asks elsewhere (auth_query, PAM, a certificate), or where its list could not be read. */
  users: string[] | null;
  /** Where its list holds one user alone. The password is a mark; `null`: a hash. */
  sole?: { user: string; password: string | null };
}

/** nginx's configuration, read from the container's files (bind sources on the host where they are mounted). */
export interface NginxFact {
  container: string;
  /** Where the configuration was read; `[]` when none could be. */
  files: { path: string; hostPath: string | null; modifiedAt: string | null }[];
  roots: { path: string; server: string; location: string; at: string }[];
  listens: number[];
  upstreams: NginxUpstreamFact[];
  /** `nginx -t`; run only when a file is newer than the start, or nginx does not serve. `null`: not asked. */
  test: { ok: boolean; text: string } | null;
  /** One request per proxied location, sent to nginx itself. */
  proxied: {
    location: string;
    upstream: string;
    http: HttpTry;
    /** Addresses that nginx has just called on the upstream's port; looked for only where the name's service is younger than nginx. */
    called?: string[];
    /** Of FastCGI: the file that the server behind is told to run, the folder that it is looked for in, and the file that nginx has for the URL. */
    script?: {
      file: string;
      root: string;
      page: string;
      /** nginx looks the folder up on its own side: `$realpath_root`. */
      isResolved: boolean;
    };
  }[];
  /** Newest error lines about upstreams after the requests above. */
  upstreamErrors: {
    time: string | null;
    text: string;
    upstream: string | null;
    /** `missing`, `forbidden`, `full`: of a socket file. `no-script`: the FastCGI server does not find the file that it is to run. */
    kind:
      | 'refused'
      | 'timeout-connecting'
      | 'timeout-reading'
      | 'unreachable'
      | 'not-found'
      | 'reset'
      | 'missing'
      | 'forbidden'
      | 'full'
      | 'no-script'
      | 'other';
  }[];
  /** Socket files through which no answer came. Absent: none. */
  sockets?: SocketView[];
  /** Scripts that the server behind did not find. Absent: none. */
  scripts?: ScriptView[];
}

type Entry = 'file' | 'folder' | 'missing';

/** A script that a FastCGI server was told to run, on both sides. `null`: nobody could look. */
export interface ScriptView {
  file: string;
  service: string;
  /** The file that nginx has for the URL. */
  inNginx: Entry | null;
  rootInNginx: Entry | null;
  inService: Entry | null;
  rootInService: Entry | null;
}

export interface NginxUpstreamFact {
  /** Of a socket file `unix:/run/app.sock`, with port 0. */
  host: string;
  port: number;
  scheme: string;
  location: string;
  at: string;
  literal: boolean;
  /** Of a socket file: the one service that was seen to listen on it; nginx' own, where that is in its container. */
  heldBy?: string;
}

/** A socket file, as nginx' container has it, and who listens where. */
export interface SocketView {
  path: string;
  /** `null`: nobody could look. */
  file: 'socket' | 'missing' | 'other' | null;
  /** The folder on the way, or the socket, that keeps nginx' workers out by its mode. */
  closed?: { path: string; mode: string; uid: number; worker: number };
  /** Something in nginx' own container listens on it. */
  isOwn: boolean;
  /** Sockets that services listen on, by the paths of their own containers, and ports. Only of those that could be looked into. */
  listeners: { service: string; sockets: string[]; ports: number[] }[];
}

/** HAProxy's configuration, and what came of it. */
export interface HaproxyFact {
  container: string;
  /** Where the configuration was read; `[]`: none was found. */
  files: { path: string; hostPath: string | null }[];
  /** Whom requests may go to: without servers that are switched off, and those that only stand in for others. */
  upstreams: HaproxyUpstream[];
  /** One request for each backend that a known one surely leads to, sent to HAProxy itself. */
  asked: HaproxyAsked[];
  /** Ports that pass on bytes: does it keep a connection there, or close it at once? */
  taken: { entry: string; port: number; backend: string; trial: Trial }[];
}

export interface HaproxyUpstream {
  host: string;
  port: number;
  /** `http`, `tcp`, `fcgi`. */
  scheme: string;
  tls: boolean;
  backend: string;
  server: string;
  at: string;
  /** Its name is looked up once, when HAProxy starts. */
  literal: boolean;
}

export interface HaproxyAsked {
  entry: string;
  backend: string;
  /** As people would say it: `/api`, `shop.example.com/`. */
  route: string;
  http: HttpTry;
  /** By the configuration HAProxy may answer with this very status on purpose. */
  onPurpose: boolean;
  /** The body is that of this file, which HAProxy has for such errors. */
  errorFile?: string;
  /** After an error: the same question, put to the servers themselves. */
  direct: { server: string; host: string; port: number; http: HttpTry }[];
  /** After an error: what the servers answer to the request by which HAProxy asks whether they are well. */
  checks: { server: string; request: string; hasHost: boolean; expects: string | null; at: string; trial: Trial; status: number | null }[];
  /** Addresses that HAProxy has just called on the server's port; looked for only where the name's service is younger than HAProxy. */
  called?: string[];
}

export interface WebrootFact {
  /** One per folder that nginx serves from a mount. */
  folders: Webroot[];
}

export interface Webroot {
  /** Path inside the container. */
  path: string;
  /** The mount that holds it. */
  destination: string;
  /** Host folder that corresponds to `path`; `null` when the root lies in no bind mount. */
  hostPath: string | null;
  host: {
    exists: boolean;
    files: number;
    newest: string | null;
    hasIndex: boolean;
    readableByAll: boolean;
    unreadable: string | null;
  } | null;
  /** The folder as seen inside: number of entries, from exec or /proc/<pid>/root; `null` when not looked. */
  inside: { entries: number | null; inode: number | null } | null;
  hostInode: number | null;
  /** Files compared over HTTP, index first: the host's sha256 against what nginx served. */
  samples: { file: string; url: string; hostSha256: string; http: HttpTry }[];
  /** Same-origin assets that index.html names and the host folder lacks. */
  missingAssets: string[];
}

/** The code that a service runs from bind mounts. */
export interface SourceFact {
  container: string;
  mounts: {
    hostPath: string;
    destination: string;
    host: { exists: boolean; empty: boolean; inode: number | null; bornAt: string | null };
    /** As the container sees the folder. `null`: could not look. */
    inside: { inode: number | null; entries: number | null; readable: boolean } | null;
    /** A newest source file, compared: same bytes inside and outside? `null`: not compared. */
    sample: { file: string; same: boolean | null; hostModifiedAt: string } | null;
    /** Other mounts that lie over this one. */
    shadowedBy: string[];
  }[];
  /** inotify instances of the container's uid against the limit; `null` when not known. */
  inotify: { used: number; limit: number } | null;
}

/** The host's side of a container's bind mounts. */
export interface MountsFact {
  container: string;
  /** Empty where the files that the engine names are not on this machine. */
  sources: {
    destination: string;
    source: string;
    kind: 'file' | 'folder' | 'other' | 'missing' | 'unknown';
    /** Of a folder; `null`: not for us to read. */
    empty: boolean | null;
    uid: number | null;
    /** `755`. */
    mode: string | null;
    /** ISO 8601: when it was made, where the file system tells. */
    bornAt: string | null;
    /** Nothing was ever put into it or taken out: its modification time is its birth. `null`: not known. */
    untouched: boolean | null;
    /** Of a file that the container no longer holds under its name: has it the same bytes inside? `null`: it holds this one, or nobody could look. */
    sameBytes: boolean | null;
  }[];
  /** Volumes of the same name in other projects, older than this container's; looked for only while the container is young. */
  twins: { volume: string; other: string; project: string; createdAt: string }[];
  /** Running containers of other projects on a volume of this database, which has a name of its own. */
  sharers?: VolumeSharer[];
  /** Who the container's program is when it opens files; `null` when not known. */
  uid: number | null;
  /** SELinux enforces its rules on this machine. */
  selinux: boolean;
}

/** What the container of a service is made of. Looked at only while a service that should run has none; else `null`. */
export interface MakingFact {
  /** The image that it would run, and whether it is here; `null`: the engine could not be asked. */
  image: { ref: string; here: boolean | null } | null;
  /** Another container that has the name which the files give to this one. */
  nameTakenBy: { container: string; project: string | null; status: string } | null;
  build: {
    context: string;
    contextExists: boolean;
    dockerfile: string;
    dockerfileExists: boolean;
    /** The Dockerfile as it is shown; absent in recordings of earlier versions. */
    file?: string;
    /** `COPY` and `ADD` of files that the context does not hold, or that a `.dockerignore` takes out of it. */
    missing: { line: number; source: string; ignoredAt?: FileLine }[];
  } | null;

  // What follows is absent in recordings of earlier versions.

  /** Lines of the compose files, by what is written there: `build`, `environment DATABASE_URL`, `ports 8080`, `volumes /etc/app`. */
  lines?: Record<string, FileLine>;
  /** The host's side of its bind mounts, and of its secrets and configs; empty where the engine is on another machine. */
  sources?: DeclaredSource[];
  /** The script that it begins with, where it is known and lies in a file of this machine. */
  script?: DeclaredScript | null;
  /** The program of its healthcheck is `curl` or `wget`, and its image is known to have none. */
  probe?: { program: string; base: string; at: FileLine | null } | null;
  /** What it runs, where nothing that could wait for somebody stands before it. Masked. */
  command?: string[] | null;
  /** Volumes of the same name in other projects that nobody uses, where its own does not exist yet. */
  twins?: { volume: string; other: string; project: string; createdAt: string }[];
  /** Its volumes that do not exist yet; `null`: the engine could not be asked. */
  newVolumes?: string[] | null;
  /** Running containers of other projects that have one of its volumes at the same place. */
  sharers?: VolumeSharer[];
}

export interface VolumeSharer {
  volume: string;
  destination: string;
  container: string;
  project: string | null;
}

export interface DeclaredSource {
  of: 'volume' | 'secret' | 'config';
  /** Absolute. */
  source: string;
  /** Path in the container; of a secret or config, its name. */
  destination: string;
  kind: 'file' | 'folder' | 'other' | 'missing';
  /** Of a folder; `null`: not for us to read. */
  empty: boolean | null;
  readOnly: boolean;
  /** Docker makes a folder where nothing is. */
  isMade: boolean;
  /** Lies in, or next to, the project's folder. */
  near: boolean;
  /** Another service of the stack that may write it before this one starts. */
  writer: string | null;
  at: FileLine | null;
}

export interface DeclaredScript {
  /** In the container, and on the host. */
  path: string;
  hostPath: string;
  /** Mounted, or copied into the image at build. */
  from: 'mount' | 'image';
  windowsLineEnds: boolean;
  /** The kernel should run it, and its first line does not say by what. */
  lacksShebang: boolean;
  /** It should be executed, and nobody may; nothing at build says otherwise. */
  lacksPermission: boolean;
  /** Where it is named as what runs. */
  at: FileLine | null;
}

/** The file that a container should run and could not. Looked at only after such a failure; else `null`. */
export interface ProgramFact {
  container: string;
  /** As it is named in the failure, or in the command. */
  name: string;
  /** Where it lies in the container; `null`: nowhere on its PATH. */
  path: string | null;
  kind: 'script' | 'elf' | 'text' | 'missing' | 'unknown';
  /** Of a script: what its first line names. */
  interpreter: string | null;
  interpreterExists: boolean | null;
  windowsLineEnds: boolean;
  /** Of an ELF file, and of the engine, in Docker's words: `amd64`, `arm64`. */
  architecture: string | null;
  engineArchitecture: string | null;
  /** The bind mount that the path lies in. */
  mount: { destination: string; source: string } | null;
  /** Folder of a Python package of that name, where the program itself is missing. */
  library: string | null;
}

/** A package that the code asked for in vain. Looked at only after such a failure; else `null`. */
export interface PackagesFact {
  container: string;
  language: 'python' | 'node';
  name: string;
  line: string;
  /** A file of the build context that asks for the package. */
  manifest: { file: string; modifiedAt: string } | null;
  imageCreatedAt: string | null;
  /** The mount over the folder in which packages lie. */
  volume: { name: string; destination: string; anonymous: boolean; createdAt: string | null } | null;
  /** A bind mount over the app's folder, without the packages that were put there at build. */
  hiddenBy: { destination: string; source: string; folder: string } | null;
}

/** Each published port, asked from the host in the protocol of the service. */
export interface PublishedFact {
  ports: {
    mapping: PortMapping;
    trial: Trial;
    /** What answered, where the protocol tells. `same`: it is this container; `other`: provably another server; `unknown`. */
    server: 'same' | 'other' | 'unknown';
    proof: string;
  }[];
}

/** Where facts come from: a live stack, or a recording of one. */
export interface FactSource {
  startedAt: string;
  fact(name: FactName, service?: Service): Promise<Fact<unknown>>;
  /** The stack with what is declared, what runs, and every connection. */
  stack(): Promise<Stack>;
  /** What the containers alone tell, a little earlier: enough to start looking. */
  early(): Promise<Stack>;
  /** Everything gathered so far, by `name` or `name:service`. */
  recorded(): Promise<Record<string, Fact<unknown>>>;
  engineCalls(): number;
  /** Connections to the servers of the stack, by TCP or through a container. */
  connections(): number;
  close(): void;
}
