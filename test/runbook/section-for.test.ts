import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Role } from '../../src/model/stack.ts';
import { parseRunbook } from '../../src/runbook/parse.ts';
import { sectionFor, type About } from '../../src/runbook/section-for.ts';

const shipped = parseRunbook(readFileSync('RUNBOOK.md', 'utf8'), 'RUNBOOK.md');
const team = parseRunbook(readFileSync('fixtures/runbooks/team.md', 'utf8'), 'team.md');

const ROLES: Record<string, Role> = {
  db: 'postgres',
  'reports-db': 'postgres',
  redis: 'redis',
  nginx: 'nginx',
  backend: 'http',
  worker: 'worker',
  frontend: 'build-only',
  shop: 'http',
};

/** A finding of a service, toward another where it is about a connection. */
const about = (service: string | null, target: string | null = null, affected: string[] = []): About => ({
  service,
  role: service === null ? null : ROLES[service]!,
  targetRole: target === null ? null : ROLES[target]!,
  affected: [service, target, ...affected].filter((name) => name !== null),
  services: Object.entries(ROLES).map(([name, role]) => ({ name, role })),
});

const headingFor = (text: string, code: string, of: About): string | null => {
  const match = sectionFor(code, of, [parseRunbook(text, 'team.md'), shipped]);
  return match && match.how !== 'shipped' ? match.section.heading : null;
};

/** A problem with one step below a chapter of problems. */
const problem = (heading: string, chapter = 'Troubleshooting'): string =>
  `# Us\n\n## ${chapter}\n\n### ${heading}\n\n1. Look: \`docker compose ps\`\n`;

describe("the team's document", () => {
  it.each<[string, About, string | null]>([
    ['container/exited', about('backend'), "Container Won't Start"],
    ['container/restarting', about('db'), "Container Won't Start"],
    ['container/start-failed', about('nginx'), "Container Won't Start"],
    ['container/command-not-found', about('backend'), "Container Won't Start"],
    ['container/network-gone', about('backend'), null],
    ['container/paused', about('db'), null],
    ['container/oom-killed', about('backend'), null],
    ['container/unhealthy', about('db'), null],
    ['hot-reload/stale-mount', about('backend'), 'Hot-reload Not Working (Backend Python)'],
    ['hot-reload/child-dead', about('backend'), 'Hot-reload Not Working (Backend Python)'],
    ['hot-reload/child-dead', about('shop'), null],
    ['hot-reload/watchers-exhausted', about('backend'), null],
    ['static-files/not-built', about('nginx'), 'Frontend Templates Not Updating'],
    ['static-files/stale-mount', about('nginx'), 'Frontend Templates Not Updating'],
    ['postgres/auth-rejected', about('db', null, ['backend']), 'Database Connection Issues'],
    ['postgres/refused', about('reports-db'), 'Database Connection Issues'],
    ['postgres/blocked-sessions', about('db'), null],
    ['postgres/disk-full', about('db'), null],
    ['network/refused', about('backend', 'db'), 'Database Connection Issues'],
    ['network/dependency-stopped', about('backend', 'db'), 'Database Connection Issues'],
    ['network/refused', about('backend', 'redis'), null],
    ['network/refused', about('nginx', 'backend'), null],
    ['network/unknown-host', about('backend'), null],
    ['redis/auth-required', about('redis', null, ['backend']), null],
    ['ports/taken', about('db'), null],
    ['proxy/stale-upstream', about('nginx', 'backend'), null],
    ['worker/no-consumer', about('worker', 'redis'), null],
    ['compose/env-drift', about('backend'), null],
    ['compose/variable-unset', about(null), null],
    ['engine/not-running', about(null), null],
  ])('has for %s of %j: %s', (code, of, heading) => {
    const match = sectionFor(code, of, [team, shipped])!;
    expect(match.how === 'shipped' ? null : match.section.heading).toBe(heading);
    expect(match.runbook.file).toBe(heading === null ? 'RUNBOOK.md' : 'team.md');
    if (heading === null) expect(match.why).toBe('no section of team.md is about it');
  });
});

describe('a heading', () => {
  it.each<[string, string, About]>([
    ["Container won't start", 'container/exited', about('db')],
    ['Container won’t start', 'container/exited', about('db')],
    ['1. Containers not starting', 'container/exited', about('db')],
    ['❌ Problem: containers fail to start', 'container/start-failed', about('db')],
    ['Services keep crashing', 'container/exited', about('db')],
    ['Container keeps restarting', 'container/restarting', about('backend')],
    ["Postgres won't start", 'container/exited', about('db')],
    ['Backend crashes on startup', 'container/exited', about('backend')],
    ['Database is down', 'container/exited', about('db')],
    ['Worker exits immediately', 'container/exited', about('worker')],
    ['Out of memory (exit code 137)', 'container/oom-killed', about('backend')],
    ['Unhealthy containers', 'container/unhealthy', about('backend')],
    ["Can't connect to the database", 'postgres/refused', about('db', null, ['backend'])],
    ['Database connection refused', 'network/refused', about('backend', 'db')],
    ['PostgreSQL connection errors', 'postgres/no-hba-entry', about('db')],
    ['Postgres password authentication failed', 'postgres/auth-rejected', about('db')],
    ['role "app" does not exist', 'postgres/role-missing', about('db')],
    ['FATAL: sorry, too many clients already', 'postgres/too-many-clients', about('db')],
    ['Redis connection problems', 'redis/refused', about('redis')],
    ['NOAUTH from redis', 'redis/auth-required', about('redis')],
    ['Hot reload is not working', 'hot-reload/not-enabled', about('backend')],
    ['Code changes not reflected', 'hot-reload/stale-mount', about('backend')],
    ['Static files not found', 'static-files/not-built', about('nginx')],
    ['Frontend changes not showing', 'static-files/stale-mount', about('nginx')],
    ['502 Bad Gateway', 'proxy/stale-upstream', about('nginx', 'backend')],
    ['Nginx 504', 'proxy/gateway-timeout', about('nginx', 'backend')],
    ['Port already in use', 'ports/taken', about('db')],
    ['Port conflicts', 'ports/taken', about('db')],
    ['.env changes not picked up', 'compose/env-drift', about('backend')],
    ['Missing environment variables', 'compose/variable-unset', about(null)],
    ['Jobs are stuck in the queue', 'worker/no-consumer', about('worker')],
    ['Cannot connect to the Docker daemon', 'engine/not-running', about(null)],
    ["Docker isn't running", 'engine/socket-missing', about(null)],
    ['Docker socket: permission denied', 'engine/permission-denied', about(null)],
    ['inotify limit reached: too many open files', 'hot-reload/watchers-exhausted', about('backend')],
  ])('"%s" answers %s', (heading, code, of) => {
    const expected = parseRunbook(problem(heading), 'x').sections.at(-1)!.heading;
    expect(headingFor(problem(heading), code, of)).toBe(expected);
  });

  it.each<[string, string, About]>([
    ['Reset everything', 'container/exited', about('db')],
    ['Database backup fails', 'postgres/error', about('db')],
    ['Database migration errors', 'postgres/refused', about('db')],
    ['Slow database queries', 'postgres/no-answer', about('db')],
    ['Database connection pool exhausted', 'postgres/refused', about('db')],
    ["Worker won't start", 'container/exited', about('db')],
    ["Backend won't start", 'container/exited', about('db')],
    ["Postgres won't start", 'container/exited', about('backend')],
    ['reports-db connection issues', 'postgres/refused', about('db')],
    ['Hot-reload not working (worker)', 'hot-reload/child-dead', about('backend')],
    ['Redis connection issues', 'postgres/refused', about('db')],
    ['Redis connection issues', 'network/refused', about('backend', 'db')],
    ['Frontend build fails', 'static-files/not-built', about('nginx')],
    ['Docker is not running', 'container/exited', about('db')],
    ['Health endpoint returns 500', 'container/unhealthy', about('backend')],
    ['Tests fail with connection refused on Jenkins', 'network/refused', about('backend', 'db')],
    ['Disk full', 'redis/error', about('redis')],
    ['No space left on device', 'hot-reload/watchers-exhausted', about('backend')],
    ['Check the database connection', 'postgres/refused', about('db')],
  ])('"%s" does not answer %s', (heading, code, of) => {
    expect(headingFor(problem(heading), code, of)).toBeNull();
  });

  it('describes unless it tells of trouble, or stands among problems', () => {
    expect(headingFor(problem('Redis', 'Services'), 'redis/refused', about('redis'))).toBeNull();
    expect(headingFor(problem('Database connections', 'Architecture'), 'postgres/refused', about('db'))).toBeNull();
    expect(headingFor(problem('Redis', 'Common problems'), 'redis/refused', about('redis'))).toBe('Redis');
    expect(headingFor(problem('Database connection fails', 'Architecture'), 'postgres/refused', about('db'))).toBe(
      'Database connection fails',
    );
  });

  it('is read together with the one above it', () => {
    const text = problem('Connection refused', 'Redis');
    expect(headingFor(text, 'redis/refused', about('redis'))).toBe('Connection refused');
    expect(headingFor(text, 'network/refused', about('backend', 'redis'))).toBe('Connection refused');
    expect(headingFor(text, 'network/refused', about('backend', 'db'))).toBeNull();
  });

  it('needs steps that lose nothing', () => {
    const text = (body: string): string => `## Container won't start\n\n${body}\n`;
    expect(headingFor(text('Ask Ann.'), 'container/exited', about('db'))).toBeNull();
    expect(headingFor(text('```yaml\nrestart: always\n```'), 'container/exited', about('db'))).toBeNull();
    expect(headingFor(text('```bash\ndocker compose down -v\n```'), 'container/exited', about('db'))).toBeNull();
    expect(headingFor(text('```bash\n# a\ndocker compose ps\n# b\ndocker compose down -v\n```'), 'container/exited', about('db'))).toBe(
      "Container won't start",
    );
  });

  it('that says more wins, and of two that say the same the first', () => {
    const text = problem("Containers won't start") + problem("db won't start") + problem("The db won't start");
    expect(headingFor(text, 'container/exited', about('db'))).toBe("db won't start");
    expect(headingFor(text, 'container/exited', about('redis'))).toBe("Containers won't start");
  });
});

describe('a section that is named', () => {
  it.each([
    [
      'by a comment',
      '## Ann knows\n<!-- doctor: postgres/role-missing -->\n\nAsk Ann.\n',
      'Ann knows',
      'its comment names postgres/role-missing',
    ],
    [
      'by a comment for the whole check',
      '## Ann knows\n<!-- doctor: postgres/* -->\n\nAsk Ann.\n',
      'Ann knows',
      'its comment names postgres/*',
    ],
    [
      'by its heading',
      '## When it says postgres/role-missing\n\n1. Ask Ann.\n',
      'When it says postgres/role-missing',
      'its heading names postgres/role-missing',
    ],
    [
      'by its check, among problems',
      '## Troubleshooting\n\n### postgres\n\n1. Ask Ann.\n',
      'postgres',
      'its heading names the check postgres',
    ],
  ])('%s comes before one that only means it', (_, text, heading, why) => {
    const match = sectionFor('postgres/role-missing', about('db'), [
      parseRunbook(`## Database connection issues\n\n1. No.\n\n${text}`, 'team.md'),
      shipped,
    ])!;
    expect(match).toMatchObject({ section: { heading }, why });
  });

  it('for another code is not taken', () => {
    expect(headingFor('## Ann\n<!-- doctor: postgres/role-missing-too -->\n\n1. x\n', 'postgres/role-missing', about('db'))).toBeNull();
    expect(headingFor('## postgres/role-missing-too\n\n1. x\n', 'postgres/role-missing', about('db'))).toBeNull();
  });
});

it('the shipped runbook alone gives its own section', () => {
  expect(sectionFor('postgres/role-missing', about('db'), [shipped])).toMatchObject({
    how: 'shipped',
    section: { heading: 'The role does not exist' },
  });
  expect(sectionFor('postgres/no-such-thing', about('db'), [shipped])).toBeNull();
});
