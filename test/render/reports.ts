/** Small reports made by hand, for what people see. The stacks in them exist nowhere. */
import type { Status } from '../../src/model/check.ts';
import type { CheckReport, Remedy, Report, RootCause } from '../../src/model/report.ts';

const TITLES: Record<string, string> = {
  engine: 'Docker answers',
  compose: 'The project loads and matches what runs',
  container: 'Every container that should run, runs',
  ports: 'What is published is reachable and ours',
  network: 'Each service reaches what it depends on',
  postgres: "Postgres accepts the app's connection",
  redis: 'Redis answers and takes work',
  'http-health': 'The service answers its health path',
  'hot-reload': 'An edit reaches the running app',
  'static-files': 'nginx serves the built files',
  proxy: 'nginx reaches its upstream',
  worker: 'The queue is consumed',
};

export const check = (id: string, status: Status, more: Partial<CheckReport> = {}): CheckReport => {
  const [service, name] = id.includes('/') ? (id.split('/') as [string, string]) : [null, id];
  return {
    id,
    check: name,
    service,
    title: TITLES[name] ?? name,
    status,
    code: null,
    message: '',
    evidence: [],
    causedBy: null,
    blockedBy: null,
    reason: null,
    durationMs: 7,
    remedy: null,
    alsoFound: [],
    ...more,
  };
};

export const report = (checks: CheckReport[], rootCauses: RootCause[] = [], more: Partial<Report> = {}): Report => {
  const counts: Record<Status, number> = { pass: 0, warn: 0, fail: 0, blocked: 0, skip: 0, error: 0 };
  for (const { status } of checks) counts[status]++;
  const services = [...new Set(checks.map(({ service }) => service))].filter((service) => service !== null).sort();
  return {
    schemaVersion: 1,
    tool: { name: 'stack-doctor', version: '0.1.0' },
    startedAt: '2026-03-01T09:30:00.000Z',
    durationMs: 412,
    status: counts.fail > 0 ? 'fail' : counts.error > 0 ? 'error' : counts.warn > 0 ? 'warn' : 'pass',
    stack: {
      project: 'orchard',
      workingDir: '/srv/orchard',
      composeFiles: ['compose.yaml'],
      engine: { host: 'unix:///var/run/docker.sock', version: '28.5.2', apiVersion: '1.51' },
      services: services.map((name) => ({ name, role: 'unknown', image: `${name}:1`, state: 'running', health: null, replicas: 1 })),
      connections: [],
    },
    counts,
    rootCauses,
    checks,
    notes: [],
    ...more,
  };
};

const passing = (...ids: string[]): CheckReport[] => ids.map((id) => check(id, 'pass'));

export const healthy = report([
  ...passing(
    'engine',
    'compose',
    'api/container',
    'store/container',
    'web/container',
    'api/network',
    'store/postgres',
    'api/http-health',
    'web/static-files',
    'web/proxy',
  ),
  check('api/hot-reload', 'skip', { reason: 'no source folder is mounted' }),
]);

const passwordRemedy: Remedy = {
  source: { file: 'RUNBOOK.md', heading: 'Postgres rejects the password', lines: [212, 240] },
  steps: [
    {
      text: 'See which password the app was given',
      command: "docker compose exec -T api printenv DATABASE_URL | sed 's#:[^:@]*@#:***@#'",
      effect: 'read-only',
    },
    {
      text: 'Give the role the password that the app uses; nothing is lost',
      command: 'docker compose exec -T store psql -U orchard -d orchard -c "ALTER ROLE orchard PASSWORD \'<the password of the app>\'"',
      effect: 'changes',
    },
    {
      text: 'Or throw the data away and begin anew',
      command: 'docker compose down -v\ndocker compose up -d --wait',
      effect: 'destructive',
    },
  ],
};

const passwordCause: RootCause = {
  id: 'store/postgres',
  check: 'postgres',
  service: 'store',
  code: 'postgres/auth-rejected',
  summary: 'store rejects the password that api uses for user "orchard"',
  evidence: [
    { source: 'postgres 28P01 from api', text: 'password authentication failed for user "orchard"' },
    {
      source: 'store log',
      text: '2026-03-01 09:29:58.120 UTC [87] DETAIL:  Connection matched file "/var/lib/postgresql/18/docker/pg_hba.conf" line 128: "host all all all scram-sha-256"',
    },
    { source: 'env DATABASE_URL of api', text: 'postgresql+asyncpg://orchard:‹secret:0a1b2c3d›@store:5432/orchard' },
  ],
  lasting: false,
  explains: ['api/http-health', 'jobs/container', 'jobs/worker', 'web/proxy'],
  remedy: passwordRemedy,
};

/** One cause, many consequences: what the doctor is for. */
export const oneCause = report(
  [
    ...passing('engine', 'compose', 'api/container', 'store/container', 'web/container'),
    check('jobs/container', 'fail', {
      code: 'container/restarting',
      message: 'jobs restarts again and again: 14 times, exit code 1, last 3 s ago',
      causedBy: 'store/postgres',
      evidence: [{ source: 'jobs log', text: 'asyncpg.exceptions.InvalidPasswordError' }],
    }),
    ...passing('web/ports', 'api/network', 'cache/redis'),
    check('store/postgres', 'fail', {
      code: 'postgres/auth-rejected',
      message: passwordCause.summary,
      evidence: passwordCause.evidence,
      remedy: passwordRemedy,
      durationMs: 14,
    }),
    check('api/http-health', 'fail', {
      code: 'http-health/dependency-failing',
      message: '/health answers 503 and names "database" as failing; expected 200',
      causedBy: 'store/postgres',
    }),
    ...passing('web/static-files'),
    check('web/proxy', 'fail', {
      code: 'proxy/upstream-error',
      message: '/api/ answers 503 through nginx; expected what api answers',
      causedBy: 'store/postgres',
    }),
    check('jobs/worker', 'blocked', { blockedBy: 'jobs/container' }),
    check('jobs/network', 'blocked', { blockedBy: 'jobs/container' }),
    check('api/hot-reload', 'skip', { reason: 'no source folder is mounted' }),
  ],
  [passwordCause],
);

const [cause] = oneCause.rootCauses;

/** The evidence leaves it open. */
export const undecided: Report = {
  ...oneCause,
  rootCauses: [
    {
      ...cause!,
      candidates: [
        { id: cause!.id, service: cause!.service, code: cause!.code, summary: cause!.summary },
        { id: 'api/http-health', service: 'api', code: 'http-health/hung', summary: 'api takes the connection and does not answer' },
      ],
      decide: { command: 'docker compose logs --tail 50 api' },
    },
  ],
};

export const twoCausesAndMore = report(
  [
    ...passing('engine'),
    check('compose', 'warn', {
      code: 'compose/orphans',
      message: 'container orchard-old-1 belongs to the project, but no service "old" is declared',
      evidence: [{ source: 'label com.docker.compose.service', text: 'old' }],
    }),
    check('web/static-files', 'fail', { code: 'static-files/stale-mount', message: 'web serves a folder that is gone from the host' }),
    check('cache/redis', 'fail', {
      code: 'redis/cannot-persist',
      message: 'cache refuses writes',
      alsoFound: [
        {
          code: 'redis/out-of-memory',
          severity: 'warn',
          message: 'cache uses 95 % of maxmemory with policy noeviction',
          evidence: [],
          causedBy: null,
        },
      ],
    }),
    check('api/hot-reload', 'error', { reason: 'no shell, python or node in the image to look from inside' }),
    check('jobs/hot-reload', 'error', { reason: 'no shell, python or node in the image to look from inside' }),
  ],
  [
    {
      id: 'web/static-files',
      check: 'static-files',
      service: 'web',
      code: 'static-files/stale-mount',
      summary: 'web serves a folder that is gone from the host: site/dist was replaced after the container started',
      evidence: [
        { source: 'mountinfo of web', text: '/srv/orchard/site/dist//deleted' },
        { source: 'inode of site/dist', text: 'host 5512, inside 4410' },
      ],
      lasting: false,
      explains: [],
      remedy: {
        source: { file: 'ops/our-runbook.md', heading: 'Stale files', lines: [12, 19] },
        steps: [
          {
            text: 'Recreate the container, so that it mounts the folder anew',
            command: 'docker compose up -d --force-recreate --no-deps web',
            effect: 'changes',
          },
        ],
      },
    },
    {
      id: 'cache/redis',
      check: 'redis',
      service: 'cache',
      code: 'redis/cannot-persist',
      summary: 'cache refuses writes since it cannot save to disk',
      evidence: [{ source: 'MISCONF', text: 'Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.' }],
      lasting: false,
      explains: [],
      remedy: null,
    },
  ],
);

export const warned = report([
  ...passing('engine', 'compose', 'api/container'),
  check('api/hot-reload', 'warn', {
    code: 'hot-reload/not-enabled',
    message: 'api runs uvicorn without --reload though ./api is mounted at /app',
    evidence: [{ source: 'command of api', text: 'uvicorn app.main:app --host 0.0.0.0' }],
    remedy: {
      source: { file: 'RUNBOOK.md', heading: 'Hot reload is off', lines: [300, 310] },
      steps: [
        { text: 'Add `--reload` to the command in compose.yaml', command: null, effect: 'changes' },
        { text: 'Apply it', command: 'docker compose up -d api', effect: 'changes' },
      ],
    },
  }),
]);

export const couldNotLook = report(
  [
    ...passing('engine', 'compose', 'api/container'),
    check('store/postgres', 'error', { reason: 'no answer within 2 s to: login as "orchard"; what stands in the way is not known' }),
    check('cache/redis', 'error', { reason: 'the time of the run (1 s) was up before this was known' }),
  ],
  [],
  { notes: ['The run was cut short after 1 s (--timeout).'], durationMs: 1_004 },
);

export const noEngine = report(
  [
    check('engine', 'fail', { code: 'engine/socket-missing', message: 'no Docker socket at unix:///var/run/docker.sock' }),
    ...['compose', 'api/container', 'store/container', 'store/postgres', 'web/proxy'].map((id) =>
      check(id, 'blocked', { blockedBy: 'engine' }),
    ),
  ],
  [
    {
      id: 'engine',
      check: 'engine',
      service: null,
      code: 'engine/socket-missing',
      summary: 'no Docker socket at unix:///var/run/docker.sock (default socket)',
      evidence: [{ source: 'connect', text: 'ENOENT' }],
      lasting: false,
      explains: ['compose', 'api/container', 'store/container', 'store/postgres', 'web/proxy'],
      remedy: {
        source: { file: 'RUNBOOK.md', heading: 'Docker does not answer', lines: [20, 31] },
        steps: [{ text: 'Start Docker', command: 'sudo systemctl start docker', effect: 'changes' }],
      },
    },
  ],
);

const RUBBISH = '\u001b[2J\u001b[31mred\u001b]0;title\u0007 \u202eevil\u202c \u0000nul\u009b1m \u200bzero\r\n\ttab 健康診断 ok';

/** Names, messages, logs and commands that try to steer the terminal. */
export const hostile = report(
  [
    check(`api/http-health`, 'fail', { code: 'http-health/server-error', message: RUBBISH, durationMs: 1 }),
    check('store/postgres', 'error', { reason: RUBBISH }),
  ],
  [
    {
      id: 'api/http-health',
      check: 'http-health',
      service: 'api',
      code: 'http-health/server-error',
      summary: RUBBISH,
      evidence: [
        {
          source: RUBBISH,
          text: `Traceback (most recent call last):\n${Array.from({ length: 30 }, (_, line) => `  File "/app/module${line}.py", line ${line}`).join('\n')}\nValueError: ‹secret:deadbeef› ${RUBBISH}`,
        },
        { source: 'body', text: 'x'.repeat(100_000) },
      ],
      lasting: false,
      explains: [],
      remedy: {
        source: { file: 'RUN\u001b[1mBOOK.md', heading: RUBBISH, lines: [1, 2] },
        steps: [{ text: RUBBISH, command: `echo ${RUBBISH}`, effect: 'destructive' }],
      },
    },
  ],
  { notes: [RUBBISH] },
);
hostile.stack.project = RUBBISH;

/** Many green services: they are one line. */
export const large = report([
  ...passing('engine', 'compose'),
  ...Array.from({ length: 40 }, (_, index) =>
    passing(`svc-${String(index).padStart(2, '0')}/container`, `svc-${String(index).padStart(2, '0')}/network`),
  ).flat(),
  check('zeta/hot-reload', 'warn', { code: 'hot-reload/not-enabled', message: 'zeta does not reload' }),
]);

/** Loops for the fake: what `-v` adds. */
export const stats = {
  engineCalls: 23,
  connections: 9,
  factCount: 41,
  asides: [],
  slowest: [
    { fact: 'postgres:store', ms: 88 },
    { fact: 'nginx:web', ms: 61 },
  ],
};
