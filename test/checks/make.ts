/** Small facts for tests of checks: a healthy default of each noun, with what a case is about put over it. */
import type { Check, Finding, Verdict } from '../../src/model/check.ts';
import type { Fact } from '../../src/model/facts.ts';
import type {
  Attachment,
  ComposeLabels,
  Connection,
  Container,
  ContainerState,
  PortMapping,
  Service,
  ServiceSpec,
  Stack,
} from '../../src/model/stack.ts';

/** The clock of every test: `now` of a case. */
export const NOW = '2026-11-23T07:00:00.000Z';
/** When containers started, by default: ten minutes before `NOW`. */
const STARTED = '2026-11-23T06:50:00.000Z';

export const fact = <T>(value: T): Fact<T> => ({ ok: true, value, ms: 1 });

// `Fact<never>` fits wherever a fact of any type is wanted.
export const gap = (reason: string, timedOut = false): Fact<never> => ({ ok: false, reason, timedOut, ms: 1 });

type ContainerParts = Partial<Omit<Container, 'state' | 'compose' | 'networks'>> & {
  state?: Partial<ContainerState>;
  compose?: Partial<ComposeLabels>;
  networks?: Partial<Attachment>[];
};

/** A running container of service `app` in project `p`, on `p_default`, with no healthcheck and no ports. */
export const makeContainer = (parts: ContainerParts = {}): Container => {
  const service = parts.service ?? 'app';
  const number = parts.number ?? 1;
  const name = parts.name ?? `p-${service}-${number}`;
  const status = parts.state?.status ?? 'running';
  const alive = status === 'running' || status === 'paused';
  return {
    id: `id-${name}`,
    name,
    service,
    number,
    oneOff: false,
    image: `${service}:latest`,
    imageId: `sha256:${service}`,
    createdAt: STARTED,
    health: null,
    healthcheck: null,
    env: {},
    entrypoint: [],
    command: ['serve'],
    workingDir: '/',
    user: '',
    mounts: [],
    ports: [],
    portBindings: [],
    exposedPorts: [],
    networkMode: 'p_default',
    extraHosts: [],
    restartPolicy: 'no',
    memoryLimit: 0,
    shmSize: 67108864,
    readOnlyRoot: false,
    tty: false,
    logDriver: 'json-file',
    ...parts,
    state: {
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAt: status === 'created' ? null : STARTED,
      finishedAt: null,
      restartCount: 0,
      pid: alive ? 4242 : 0,
      ...parts.state,
      status,
    },
    networks: (parts.networks ?? [{}]).map((each) => makeAttachment({ names: [name, service], ip: alive ? '172.18.0.2' : '', ...each })),
    compose: {
      project: 'p',
      workingDir: '/src/p',
      configFiles: ['/src/p/docker-compose.yml'],
      environmentFiles: [],
      configHash: 'hash',
      version: '2.40.3',
      dependsOn: {},
      ...parts.compose,
    },
  };
};

export const makeAttachment = (parts: Partial<Attachment> = {}): Attachment => {
  const network = parts.network ?? 'p_default';
  return { network, networkId: `net-${network}`, ip: '172.18.0.2', gateway: '172.18.0.1', names: [], ...parts };
};

/** A mapping `8000 → 80/tcp` on every interface, by default. */
export const makePort = (parts: Partial<PortMapping> = {}): PortMapping => ({
  containerPort: 80,
  protocol: 'tcp',
  hostIp: '',
  hostPort: 8000,
  ...parts,
});

export const makeSpec = (parts: Partial<ServiceSpec> = {}): ServiceSpec => ({
  name: 'app',
  image: null,
  build: null,
  command: null,
  entrypoint: null,
  environment: {},
  ports: [],
  mounts: [],
  networks: ['default'],
  networkMode: null,
  dependsOn: {},
  healthcheck: null,
  profiles: [],
  active: true,
  replicas: 1,
  restart: null,
  containerName: null,
  ...parts,
});

/**
 * A declared service `app` with one running container. `spec: {…}` is put over the default one; `spec: null` is an orphan.
 * Containers given are of the service's name whatever they say.
 */
export const makeService = (
  parts: Partial<Omit<Service, 'spec' | 'containers'>> & { spec?: Partial<ServiceSpec> | null; containers?: ContainerParts[] } = {},
): Service => {
  const name = parts.name ?? 'app';
  return {
    role: 'unknown',
    roleReason: 'given',
    ...parts,
    name,
    spec: parts.spec === null ? null : makeSpec({ name, ...parts.spec }),
    containers: (parts.containers ?? [{}]).map((each, index) => makeContainer({ number: index + 1, ...each, service: name })),
  };
};

/** A connection of `app` to `db` by a URL in its environment. */
export const makeConnection = (parts: Partial<Connection> = {}): Connection => {
  const host = parts.host ?? 'db';
  const port = parts.port ?? 5432;
  return {
    from: 'app',
    to: 'db',
    kind: 'postgres',
    host,
    port,
    user: null,
    password: null,
    database: null,
    tls: false,
    url: `${host}:${port}`,
    source: 'env DATABASE_URL',
    malformed: null,
    ...parts,
  };
};

export const makeStack = (parts: Partial<Stack> = {}): Stack => ({
  project: 'p',
  workingDir: '/src/p',
  composeFiles: ['docker-compose.yml'],
  connections: [],
  oneOffs: [],
  ...parts,
  services: (parts.services ?? []).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
});

interface Asked {
  stack: Stack;
  /** By name, in `stack.services`. */
  service?: string;
  facts: Record<string, Fact<unknown>>;
  peers?: Record<string, Record<string, Fact<unknown>>>;
  now?: string;
}

/** Facts that are not given are gaps. */
export const ask = (check: Check, { stack, service, facts, peers = {}, now = NOW }: Asked): Verdict => {
  const all = Object.fromEntries(check.needs.map((name: string) => [name, facts[name] ?? gap(`${name} not given`)]));
  const own = stack.services.find((each) => each.name === service);
  return check.evaluate({ stack, service: own, facts: all, peers, now } as never);
};

/** A verdict on one line: `pass`, `skip`, `cannot look`, or `fail exited, warn child-oom-killed`. Throws on a reason that is not declared. */
export const inShort = (check: Check, verdict: Verdict): string => {
  if ('skip' in verdict) return 'skip';
  if ('cannotLook' in verdict) return 'cannot look';
  if (verdict.findings.length === 0) return 'pass';
  return verdict.findings.map((finding) => `${finding.severity ?? check.findings[finding.reason]!.severity} ${finding.reason}`).join(', ');
};

/** The findings of a verdict; throws when it has none. */
export const findingsOf = (verdict: Verdict): [Finding, ...Finding[]] => {
  if (!('findings' in verdict) || verdict.findings.length === 0) throw new Error(`no findings: ${JSON.stringify(verdict)}`);
  return verdict.findings as [Finding, ...Finding[]];
};
