import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { effectOfStep } from '../../src/runbook/effect.ts';
import { fillCommand, PLACEHOLDERS } from '../../src/runbook/fill.ts';
import { parseRunbook } from '../../src/runbook/parse.ts';
import { remedyFrom } from '../../src/runbook/remedy.ts';
import { anchorsOf, verifyRunbook } from '../../src/runbook/verify.ts';

const text = readFileSync('RUNBOOK.md', 'utf8');
const runbook = parseRunbook(text, 'RUNBOOK.md');
const answering = runbook.sections.filter(({ anchors }) => anchors.length > 0);
const values = Object.fromEntries(
  Object.keys(PLACEHOLDERS).map((name) => [name, name === 'port' || name === 'pid' ? '5432' : `some-${name}`]),
);

const stepsFor = (code: string) => {
  const section = answering.find(({ anchors }) => anchors.some((anchor) => anchor.code === code));
  return remedyFrom(section!, runbook, values).steps;
};

describe('the shipped runbook', () => {
  it('is sound', () => {
    expect(
      verifyRunbook(
        [runbook],
        anchorsOf(runbook).map(({ code }) => code),
      ).problems,
    ).toEqual([]);
  });

  it('explains every placeholder, with the words of the program', () => {
    const rows = [...text.matchAll(/^\| `\{(\w+)\}` \| (.+) \|$/gm)].map((match) => [match[1], match[2]]);
    expect(rows).toEqual(Object.entries(PLACEHOLDERS));
  });

  it.each(answering.map((section) => [section.heading, section] as const))('has for "%s" a reason and one to five steps', (_, section) => {
    expect(section.prose.length).toBeGreaterThan(0);
    expect(section.steps.length).toBeGreaterThanOrEqual(1);
    expect(section.steps.length).toBeLessThanOrEqual(5);
    expect(section.steps.some(({ command }) => command !== null)).toBe(true);
  });

  it('loses nothing before the end of a section, and says so there', () => {
    for (const { heading, steps } of runbook.sections) {
      const effects = steps.map((step) => effectOfStep(step.text, step.command));
      if (effects.length === 0) continue;
      expect(effects.slice(0, -1), heading).not.toContain('destructive');
      if (effects.at(-1) === 'destructive') {
        expect(effects.length, heading).toBeGreaterThan(1);
        expect(steps.at(-1)!.text, heading).toContain('This deletes');
      }
    }
  });

  it('has commands that a shell understands, once they are filled', () => {
    for (const { heading, steps } of runbook.sections) {
      for (const { command } of steps) {
        if (command === null) continue;
        const filled = fillCommand(command, values);
        expect(filled, heading).not.toMatch(/<[a-zA-Z]+>/);
        expect(() => execFileSync('sh', ['-n', '-c', filled], { stdio: 'pipe' }), `${heading}: ${filled}`).not.toThrow();
      }
    }
  });

  it.each<[string, RegExp, RegExp]>([
    // The code; what must be among its commands; what must not, though it is tempting.
    ['compose/env-drift', /^docker compose up -d some-service$/m, /restart/],
    ['compose/image-drift', /^docker compose up -d some-service$/m, /restart/],
    ['compose/config-drift', /^docker compose up -d some-service$/m, /restart/],
    ['compose/mount-drift', /^docker compose up -d some-service$/m, /restart|volume/],
    ['compose/orphans', /--remove-orphans/, /down/],
    ['container/network-gone', /up -d --force-recreate some-service/, /restart|prune/],
    ['container/paused', /unpause some-service/, /restart/],
    ['container/restarting', /logs .*some-service/, /docker compose restart/],
    ['static-files/stale-mount', /restart some-service/, /reload|down/],
    ['hot-reload/stale-mount', /restart some-service/, /down/],
    ['hot-reload/watchers-exhausted', /sysctl fs\.inotify/, /prune/],
    ['hot-reload/child-dead', /logs .*some-service/, /down|prune/],
    ['network/dependency-stopped', /up -d some-target/, /network|restart/],
    ['postgres/password-volume-mismatch', /ALTER ROLE :"role" PASSWORD/, /down/],
    ['postgres/auth-rejected', /up -d some-client/, /down|volume/],
    ['postgres/database-missing', /createdb/, /down|volume/],
    ['postgres/blocked-sessions', /pg_terminate_backend\(5432\)/, /restart|down/],
    ['postgres/disk-full', /docker system df/, /volume|down/],
    ['compose/postgres-data-path', /up -d some-service/, /volume rm|down/],
    ['proxy/stale-upstream', /nginx -s reload/, /some-target/],
    ['proxy/config-invalid', /nginx -t/, /down/],
    ['redis/cannot-persist', /BGSAVE/, /stop-writes/],
    ['redis/read-only-replica', /REPLICAOF NO ONE/, /FLUSH/],
    ['engine/permission-denied', /usermod -aG docker/, /chmod/],
    ['engine/not-running', /systemctl start docker/, /docker compose/],
  ])('has for %s %s and not %s', (code, has, hasNot) => {
    const commands = stepsFor(code)
      .flatMap(({ command }) => command ?? [])
      .join('\n');
    expect(commands).toMatch(has);
    // Among what keeps the data; the last resort may be in the way of the rule.
    expect(
      stepsFor(code)
        .filter(({ effect }) => effect !== 'destructive')
        .flatMap(({ command }) => command ?? [])
        .join('\n'),
    ).not.toMatch(hasNot);
  });
});
