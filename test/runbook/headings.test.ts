/** Headings as teams write them, each with findings that should lead to it and findings that must not. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Role } from '../../src/model/stack.ts';
import { parseRunbook } from '../../src/runbook/parse.ts';
import { sectionFor, type About } from '../../src/runbook/section-for.ts';
import { isReset } from '../../src/runbook/vocabulary.ts';

const shipped = parseRunbook(readFileSync('RUNBOOK.md', 'utf8'), 'RUNBOOK.md');

const SERVICES: Record<string, Role> = {
  store: 'postgres',
  cache: 'redis',
  gate: 'nginx',
  shop: 'http',
  mailer: 'worker',
  ledger: 'mysql',
  bus: 'rabbitmq',
};

/** `shop>store network/refused`, `store postgres/refused`, `engine/not-running`. */
const leads = (heading: string, finding: string): boolean => {
  const team = parseRunbook(
    `# Stack\n\n## Troubleshooting\n\n${heading.startsWith('#') ? heading : `### ${heading}`}\n\n1. Look: \`docker compose ps\`\n`,
    'team.md',
  );
  const [code, of = ''] = finding.split(' ').toReversed() as [string, string?];
  const [service = '', target = ''] = of.split('>');
  const about: About = {
    service: service === '' ? null : service,
    role: SERVICES[service] ?? null,
    targetRole: SERVICES[target] ?? null,
    affected: [service, target].filter((name) => name !== ''),
    services: Object.entries(SERVICES).map(([name, role]) => ({ name, role })),
  };
  const match = sectionFor(code, about, [team, shipped])!;
  return match.how !== 'shipped';
};

describe('the heading', () => {
  it.each<[string, string[], string[]]>([
    [
      "DB won't accept connections",
      ['store postgres/refused', 'store postgres/too-many-clients'],
      ['cache redis/refused', 'store postgres/disk-full'],
    ],
    ['Postgres does not accept connections', ['store postgres/starting-up', 'shop>store network/refused'], ['shop>cache network/refused']],
    [
      '## 502 from the proxy',
      ['gate proxy/bad-gateway', 'gate>shop proxy/stale-upstream'],
      ['gate proxy/gateway-timeout', 'shop http-health/server-error'],
    ],
    [
      'Redis: NOAUTH',
      ['cache redis/auth-required', 'cache redis/wrong-password'],
      ['cache redis/out-of-memory', 'cache redis/refused', 'store postgres/auth-rejected'],
    ],
    ['(error) NOAUTH Authentication required.', [], ['store postgres/auth-rejected']],
    ['WRONGPASS from Redis', ['cache redis/wrong-password'], ['store postgres/auth-rejected']],
    ['`ECONNREFUSED` on port 6379 (redis)', [], ['shop>store network/refused', 'cache redis/auth-required']],
    [
      'Redis connection refused',
      ['cache redis/refused', 'shop>cache network/refused'],
      ['cache redis/auth-required', 'cache redis/wrong-password', 'shop>store network/refused'],
    ],
    ['FATAL: password authentication failed for user "app"', [], ['cache redis/wrong-password']],
    [
      'Password authentication failed (Postgres)',
      ['store postgres/auth-rejected', 'store postgres/password-volume-mismatch'],
      ['store postgres/refused', 'store postgres/role-missing'],
    ],
    ['How do I reset everything?', [], ['store container/exited', 'store postgres/auth-rejected']],
    ['🔥 store keeps crashing', ['store container/restarting', 'store container/exited'], ['shop container/restarting']],
    ["Q: Why won't the containers start?", ['shop container/exited'], ['shop hot-reload/child-dead', 'engine/not-running']],
    ['shop exits immediately with code 1', ['shop container/exited'], ['mailer container/exited']],
    ['Exit code 137', ['shop container/oom-killed'], ['shop container/exited', 'cache redis/out-of-memory']],
    ['OOMKilled', ['shop container/oom-killed'], ['shop container/exited']],
    ['Port 5432 is already in use', ['store ports/taken'], ['store ports/loopback-only', 'store postgres/refused']],
    ['Error: bind: address already in use', ['store ports/taken'], ['store ports/unreachable']],
    ['504 Gateway Timeout', ['gate proxy/gateway-timeout'], ['gate proxy/bad-gateway', 'gate proxy/config-invalid']],
    ['nginx won’t start', ['gate container/exited'], ['shop container/exited']],
    ['nginx: host not found in upstream', ['gate proxy/upstream-not-found'], ['gate proxy/bad-gateway', 'shop>store network/unknown-host']],
    [
      'could not translate host name to address',
      ['shop>store network/unknown-host', 'shop>cache network/dns-fault'],
      ['shop>store network/refused'],
    ],
    [
      'Postgres: could not translate host name',
      ['shop>store network/unknown-host'],
      ['shop>cache network/unknown-host', 'store postgres/auth-rejected'],
    ],
    [
      'Alembic migrations fail',
      ['shop migrations/failed', 'shop migrations/multiple-heads'],
      ['store postgres/error', 'store postgres/database-missing'],
    ],
    [
      'ModuleNotFoundError after a git pull',
      ['shop startup/module-missing'],
      ['shop startup/setting-missing', 'shop hot-reload/child-dead'],
    ],
    ['Cannot find module', ['shop startup/module-missing', 'shop image/packages-outdated'], ['shop image/launcher-missing']],
    ['Missing dependencies', ['shop startup/module-missing'], ['shop network/dependency-stopped', 'shop container/dependency-failed']],
    ['Tasks stuck in the queue', ['mailer worker/no-consumer'], ['bus rabbitmq/no-consumer', 'store postgres/blocked-sessions']],
    ['Celery worker not picking up jobs', ['mailer worker/no-consumer', 'mailer worker/other-queue'], ['mailer container/exited']],
    [
      'RabbitMQ connection refused',
      ['bus rabbitmq/refused', 'shop>bus network/refused'],
      ['bus rabbitmq/resource-alarm', 'bus rabbitmq/vhost-missing', 'bus rabbitmq/auth-rejected'],
    ],
    [
      "Can't connect to MySQL server",
      ['ledger mysql/refused', 'ledger mysql/auth-rejected'],
      ['store postgres/refused', 'ledger mysql/disk-full'],
    ],
    [
      'Too many connections',
      ['store postgres/too-many-clients', 'ledger mysql/too-many-clients'],
      ['cache redis/max-clients', 'store postgres/refused'],
    ],
    ['My changes are not showing up', ['shop hot-reload/stale-mount'], ['shop compose/env-drift', 'gate static-files/stale-mount']],
    ['HMR is broken', ['shop hot-reload/no-events'], ['shop hot-reload/watchers-exhausted', 'shop http-health/hung']],
    ['Stale assets / old CSS', ['gate static-files/missing-assets'], ['shop hot-reload/stale-mount']],
    ['.env changes are ignored', [], ['store postgres/auth-rejected', 'shop hot-reload/stale-mount']],
    ['`.env` not loaded', ['shop compose/env-drift'], ['shop hot-reload/not-enabled']],
    ['Environment variable not set', ['compose/variable-unset', 'compose/required-variable'], ['shop compose/image-drift']],
    ['No space left on device', [], ['shop hot-reload/watchers-exhausted', 'shop container/exited']],
    [
      'Cannot connect to the Docker daemon. Is the docker daemon running?',
      ['engine/not-running'],
      ['engine/permission-denied', 'shop>store network/refused'],
    ],
    ['permission denied while trying to connect to the Docker socket', [], ['engine/not-running', 'shop mounts/not-permitted']],
    ['API returns 500', ['shop http-health/server-error'], ['gate proxy/bad-gateway', 'shop container/unhealthy']],
    ['shop is unhealthy', ['shop container/unhealthy'], ['store container/unhealthy', 'shop http-health/server-error']],
    ['Slow queries', [], ['store postgres/blocked-sessions', 'store postgres/no-answer']],
    ['Login page shows an error', [], ['store postgres/auth-rejected', 'cache redis/wrong-password']],
    ['Tests fail in CI', [], ['shop container/exited', 'shop http-health/server-error']],
    ['Emails are not sent', [], ['mailer worker/no-consumer']],
    ['VPN breaks DNS', [], ['shop>store network/unknown-host', 'shop network/dns-fault']],
    ['Stripe webhooks: connection refused', [], ['shop>store network/refused', 'shop http-health/refused']],
    ['Restoring a database dump fails', [], ['store postgres/error', 'store postgres/refused', 'store startup/data-version']],
    ['Postgres upgrade from 16 to 18', [], ['store postgres/refused', 'store container/exited']],
    ['Frontend does not build', [], ['gate static-files/not-built', 'shop container/exited']],
  ])('"%s" is reached by %j, not by %j', (heading, by, notBy) => {
    expect(by.filter((finding) => !leads(heading, finding))).toEqual([]);
    expect(notBy.filter((finding) => leads(heading, finding))).toEqual([]);
  });
});

it.each([
  ['Reset everything', true],
  ['How do I reset everything?', true],
  ['Reset the database', true],
  ['Start from scratch', true],
  ['Starting anew', true],
  ['Nuke it', true],
  ['Wiping local data', true],
  ['Clean slate', true],
  ['Hard reset (all data)', true],
  ['Reset your password', false],
  ['Connection reset by peer', false],
  ['Clear the browser cache', false],
  ['Everything is slow', false],
  ['Starting again after a reboot', false],
  ['Database backups', false],
])('"%s" is a way to begin anew: %s', (heading, expected) => expect(isReset(heading)).toBe(expected));
