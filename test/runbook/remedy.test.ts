import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Effect, Remedy } from '../../src/model/report.ts';
import { parseRunbook } from '../../src/runbook/parse.ts';
import { prescriptionFor, remedyFrom } from '../../src/runbook/remedy.ts';
import type { About } from '../../src/runbook/section-for.ts';

const shipped = parseRunbook(readFileSync('RUNBOOK.md', 'utf8'), 'stack-doctor/RUNBOOK.md');
const team = parseRunbook(readFileSync('fixtures/runbooks/team.md', 'utf8'), 'team.md');

const remedyOf = (text: string, values: Record<string, string> = {}): Remedy => {
  const runbook = parseRunbook(text, 'x.md');
  return remedyFrom(runbook.sections[0]!, runbook, values);
};

const nginx: About = {
  service: 'nginx',
  role: 'nginx',
  targetRole: null,
  affected: ['nginx'],
  services: [{ name: 'nginx', role: 'nginx' }],
};
const db: About = {
  service: 'db',
  role: 'postgres',
  targetRole: null,
  affected: ['db', 'backend'],
  services: [
    { name: 'db', role: 'postgres' },
    { name: 'backend', role: 'http' },
  ],
};

describe('a remedy', () => {
  it('has the place that it was read from, and its steps filled', () => {
    expect(remedyOf('# A\n\n## B\n\n1. Look at {path}: `ls {path}`\n', {})).toMatchObject({
      source: { file: 'x.md', heading: 'A', lines: [1, 1] },
      steps: [],
    });
    expect(remedyOf('## B\n\n1. Look at {path}: `ls {path}`\n2. Mend it.\n', { path: '/a b' })).toEqual({
      source: { file: 'x.md', heading: 'B', lines: [1, 4] },
      steps: [
        { text: 'Look at /a b', command: "ls '/a b'", effect: 'read-only' },
        { text: 'Mend it.', command: null, effect: 'changes' },
      ],
    });
  });

  it('has what loses data at its end, and the rest in its order', () => {
    const steps = remedyOf(
      '## B\n\n```bash\n# 1\ndocker compose down -v\n# 2\ndocker compose restart a\n# 3\nrm -rf x\n# 4\ndocker compose ps\n```\n',
    ).steps;
    expect(steps.map(({ text, effect }) => [text, effect])).toEqual<[string, Effect][]>([
      ['2', 'changes'],
      ['4', 'read-only'],
      ['1', 'destructive'],
      ['3', 'destructive'],
    ]);
  });

  it('is the same in effect, whatever the values', () => {
    expect(remedyOf('## B\n\n1. Look: `ls {path}`\n', { path: '; docker compose down -v' }).steps[0]).toEqual({
      text: 'Look',
      command: "ls '; docker compose down -v'",
      effect: 'read-only',
    });
  });

  it('has the parts of a section that have headings of their own', () => {
    const text =
      '## B\n\nIt fails.\n\n### Symptoms\n\n- red\n\n### Step 1: look\n\n```bash\ndocker compose ps\n```\n\n**2. Start it**\n\n```bash\ndocker compose up -d\n```\n\n### Another problem\n\n```bash\nrm -rf x\n```\n';
    const { source, steps } = remedyOf(text);
    expect(source.lines).toEqual([1, 19]);
    expect(steps.map(({ text: said, command }) => [said, command])).toEqual([
      ['Step 1: look', 'docker compose ps'],
      ['Start it', 'docker compose up -d'],
    ]);
  });

  it('is prose, where a section that is named has nothing else', () => {
    expect(remedyOf('## B\n<!-- doctor: a/b -->\n\nAsk **Ann**.\n').steps).toEqual([
      { text: 'Ask Ann.', command: null, effect: 'read-only' },
    ]);
  });
});

describe('a command for another service than that of the finding', () => {
  it.each<[string, Record<string, string>, string | null]>([
    ['docker compose logs backend', { service: 'db' }, 'backend'],
    ['docker compose logs --tail 50 backend', { service: 'db' }, 'backend'],
    ['docker compose exec -u root backend ls db', { service: 'db' }, 'backend'],
    ['docker compose restart backend worker', { service: 'db' }, 'backend, worker'],
    ['docker compose logs backend', { service: 'db', client: 'backend' }, null],
    ['docker compose logs backend db', { service: 'db' }, null],
    ['docker compose logs db', { service: 'db' }, null],
    ['docker compose logs', { service: 'db' }, null],
    ['docker compose ps $(cat services)', { service: 'db' }, null],
    ['docker compose logs {service}', { service: 'db' }, null],
    ['docker compose logs backend', {}, null],
    ['docker ps', { service: 'db' }, null],
  ])('stays as it is, and says so: %s of %j', (command, values, other) => {
    const [step] = remedyOf(`## B\n\n\`\`\`bash\n# Look\n${command}\n\`\`\`\n`, values).steps;
    expect(step).toMatchObject({
      text: other === null ? 'Look' : `Look (written for ${other})`,
      command: command.replace('{service}', values['service']!),
    });
  });
});

describe('passwords that a team wrote down', () => {
  it.each([
    ['psql postgresql://app:hunter2@db:5432/app', 'psql postgresql://app:<password>@db:5432/app'],
    ['redis-cli -u redis://:hunter2@redis:6379', 'redis-cli -u redis://:<password>@redis:6379'],
    ['PGPASSWORD=hunter2 psql', 'PGPASSWORD=<password> psql'],
    ["export API_KEY='hunter 2' && x", 'export API_KEY=<password> && x'],
    ['docker compose exec redis redis-cli -a hunter2 ping', 'docker compose exec redis redis-cli -a <password> ping'],
    ['psql postgresql://app:$DB_PASSWORD@db/app', 'psql postgresql://app:$DB_PASSWORD@db/app'],
    ['psql "postgresql://app:${DB_PASSWORD}@db/app"', 'psql "postgresql://app:${DB_PASSWORD}@db/app"'],
    ['PGPASSWORD=$DB_PASSWORD psql', 'PGPASSWORD=$DB_PASSWORD psql'],
    ['curl http://localhost:8000/a@b', 'curl http://localhost:8000/a@b'],
    ['COMPOSE_PROFILES=dev docker compose up', 'COMPOSE_PROFILES=dev docker compose up'],
  ])('are left out: %s', (command, shown) => {
    expect(remedyOf(`## B\n\n\`\`\`bash\n# Try ${command}\n${command}\n\`\`\`\n`).steps[0]).toMatchObject({
      text: `Try ${shown}`,
      command: shown,
    });
  });
});

describe('a prescription', () => {
  it("is the team's section as it stands", () => {
    const { remedy } = prescriptionFor('postgres/auth-rejected', db, [team, shipped], { service: 'db', client: 'backend' })!;
    expect(remedy.source).toMatchObject({ file: 'team.md', heading: 'Database Connection Issues' });
    expect(remedy.steps).toEqual([
      { text: 'Is it healthy?', command: 'docker compose ps db', effect: 'read-only' },
      { text: 'What does it say?', command: 'docker compose logs db', effect: 'read-only' },
      {
        text: 'Try it from the app',
        command:
          "docker compose exec backend python -c \"\nimport asyncio\nimport asyncpg  # the app's driver\n# no password needed here\nasyncio.run(asyncpg.connect('postgresql://app:<password>@db:5432/app'))\n\"",
        effect: 'changes',
      },
    ]);
  });

  it("has the one step that helps in front, where the team's section lacks it", () => {
    const { remedy, why } = prescriptionFor('static-files/stale-mount', nginx, [team, shipped], { service: 'nginx' })!;
    expect(remedy.source).toMatchObject({ file: 'team.md', heading: 'Frontend Templates Not Updating' });
    expect(remedy.steps[0]).toMatchObject({ command: 'docker compose restart nginx', effect: 'changes' });
    expect(remedy.steps[0]!.text).toMatch(/\(from stack-doctor\/RUNBOOK\.md:\d+\)$/);
    expect(remedy.steps.slice(1).map(({ command }) => command)).toContain('just build-astro');
    expect(why).toContain('it lacks the step that helps');
  });

  it('adds nothing to a section that has the step, or that names the code', () => {
    const has = parseRunbook('## Frontend not updating\n\n1. Start it: `docker compose restart nginx`\n', 'team.md');
    const names = parseRunbook('## Frontend\n<!-- doctor: static-files/stale-mount -->\n\n1. Ask Ann.\n', 'team.md');
    expect(prescriptionFor('static-files/stale-mount', nginx, [has, shipped], {})!.remedy.steps).toHaveLength(1);
    expect(prescriptionFor('static-files/stale-mount', nginx, [names, shipped], {})!.remedy.steps).toEqual([
      { text: 'Ask Ann.', command: null, effect: 'read-only' },
    ]);
  });

  it('is the shipped section, named as such, where the team has none', () => {
    expect(prescriptionFor('compose/env-drift', db, [team, shipped], { service: 'db' })!.remedy).toMatchObject({
      source: { file: 'stack-doctor/RUNBOOK.md', heading: 'The container runs with old variables' },
      steps: [{ command: 'docker compose up -d db', effect: 'changes' }, { effect: 'read-only' }],
    });
    expect(prescriptionFor('compose/no-such-thing', db, [team, shipped], {})).toBeNull();
  });
});
