/** What `doctor runbook verify` says of documents: one full of mistakes, and two that are kept well. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { filesHere } from '../../src/here.ts';
import { checks } from '../../src/checks/index.ts';
import { indexRunbooks, type RunbookIndex } from '../../src/reference.ts';
import { contradictionsIn, type Remark } from '../../src/runbook/contradictions.ts';
import { documentOf } from '../../src/runbook/document.ts';
import { parseRunbook } from '../../src/runbook/parse.ts';
import { againstProject } from '../../src/runbook/project-claims.ts';

const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

const SETTINGS = 'DB_PASSWORD=x\nPANTRY_PASSWORD=x\nDB_ROOT_PASSWORD=x\nBROKER_PASSWORD=x\n';

/** A project that is one of the fixtures, with a document as its runbook. */
const project = (fixture: string, runbook: string, file = 'RUNBOOK.md'): string => {
  const folder = mkdtempSync(join(tmpdir(), 'claims-'));
  folders.push(folder);
  cpSync(join('fixtures', fixture), folder, { recursive: true });
  writeFileSync(join(folder, '.env'), SETTINGS);
  writeFileSync(join(folder, 'app.env'), '');
  mkdirSync(join(folder, '.git'));
  mkdirSync(join(folder, 'docs'));
  writeFileSync(join(folder, file), readFileSync(runbook));
  return folder;
};

const verified = async (folder: string): Promise<NonNullable<RunbookIndex['verification']>> => {
  const options = {
    files: [],
    projectName: null,
    projectDirectory: folder,
    profiles: [],
    envFiles: [],
    cwd: folder,
    env: { PATH: process.env['PATH'] },
  };
  const here = await filesHere(options, AbortSignal.timeout(30_000));
  return (await indexRunbooks(checks, { runbook: null, shippedRunbook: 'RUNBOOK.md', project: folder }, here, true)).verification!;
};

const alone = (text: string): Remark[] => contradictionsIn(documentOf(parseRunbook(text, 'x.md')));
const told = (text: string): string[] => alone(text).map(({ line, text: said }) => `${line}: ${said}`);

describe('a document full of mistakes', () => {
  const text = readFileSync('fixtures/runbooks/mistaken.md', 'utf8');
  const lines = text.split('\n');

  /** The mistakes of such a document; `null` where no reading of files could tell, with the reason. */
  it('is told of each that can be seen from the files', async () => {
    const { problems, warnings, notes } = await verified(project('shootout', 'fixtures/runbooks/mistaken.md'));
    const all = [...problems, ...warnings, ...notes];
    const seen: [mistake: string, at: string, says: RegExp][] = [
      ['1 the old data path', '- postgres-data:/var/lib/postgresql/data', /refuses a volume/],
      ['2 the role that does not exist', '- DATABASE_URL=', /logs in to db as "postgres"/],
      ['3 the variable that the sample lacks', 'DATABASE_URL=postgresql', /does not set DB_PASSWORD/],
      ['4 the password written out', '- DATABASE_URL=', /written out/],
      [
        '5 variables that nothing uses',
        'DATABASE_URL=postgresql',
        /uses nothing of DATABASE_URL, POSTGRES_USER, POSTGRES_PASSWORD, PUBLIC_API_URL/,
      ],
      ['6 one address, two ports', 'PUBLIC_API_URL=http://localhost:8000', /port 8000, the compose file with port 9000/],
      ['7 nginx, which the compose file lacks', '| nginx |', /"nginx" is no service/],
      ['8 astro, which is called frontend', '| astro |', /"astro" is no service/],
      ['8 frontend, which the project calls astro', '  frontend:', /docker-compose.yml does not have/],
      ['8 the folder that is not there', '      context: ./frontend', /\.\/frontend, which is not there/],
      ['9 templates that are not mounted', '3. Backend reads', /its container has nothing/],
      ['10 COPY from beside the context', 'COPY backend/pyproject.toml', /has no folder backend/],
      ['11 editable before the source', 'RUN uv pip install --system -e ".[dev]"', /editable/],
      ['12 the program left behind', 'CMD ["uvicorn", "app.main:app"]', /only site-packages/],
      ['13 nobody migrates', 'FROM python:3.12-slim AS builder', /who migrates/],
      ['14 curl that production lacks', '    test: ["CMD", "curl"', /does not install/],
      ['15 no start_period', '    test: ["CMD", "curl"', /no start_period/],
      ['16 two that migrate', '  worker:', /both migrate/],
      ['17 who does not wait', '      - db', /does not wait until db is healthy/],
      ['17 who waits too little', '      redis:', /although redis has a healthcheck/],
      ['18 another environment', '    command: uv run', /environment of its own/],
      ['19 old code in the worker', '    command: uv run', /without reloading/],
      ['20 a healthcheck as nobody', '    test: ["CMD-SHELL", "pg_isready -U postgres"]', /asks as "postgres"/],
      ['21 a healthcheck over the socket', '      test: ["CMD-SHELL", "pg_isready -U shootout', /over the socket/],
      ['22 a host that nobody has', '- The app asks', /no service has the name "postgres"/],
      ['23 ping, which is not there', 'docker compose exec backend ping db', /has no ping/],
      ['24 no restart needed', '2. No restart', /until it is restarted/],
      ['25 worktrees and fixed ports', '      - "8000:8000"', /second worktree/],
      ['26 packages in a volume', '      - frontend-node-modules', /no rebuild renews it/],
      ['27 sleep as the first process', 'CMD ["sleep"', /takes 10 s/],
      ['28 latest', 'COPY --from=ghcr.io', /uv:latest/],
      ['30 the test logs in as nobody', '- DATABASE_URL=', /also lines .*and \d+\)/],
      ['32 data deleted without a word', 'docker compose down -v', /deletes data/],
      ['a recipe that does not exist', '**Build-only**', /needs a justfile/],
    ];
    const missed = seen.filter(([, at, says]) => {
      const at1 = lines.flatMap((line, i) => (line.trimStart().startsWith(at.trimStart()) ? [i + 1, i] : []));
      return !all.some(({ file, line, text: said }) => file === 'RUNBOOK.md' && line !== null && at1.includes(line) && says.test(said));
    });
    expect(missed).toEqual([]);
    // Nothing of these stands in the files: 29 how much memory ffmpeg takes; 33 what a reloader makes of templates. And 30: the plain scheme
    // is right where the driver is called directly. 31 is told where the folder is missing, which it is not here.
    expect(problems.length + warnings.length).toBeLessThan(45);
    expect(problems.filter(({ text: said }) => /memory|--reload|pipeline/.test(said))).toEqual([]);
  }, 30_000);

  it('is told of the folder that a mount would make', () => {
    const runbook = parseRunbook(text, 'x.md');
    const remarks = againstProject(documentOf(runbook), runbook, {
      folder: tmpdir(),
      name: 'x',
      services: [],
      composeFiles: ['compose.yaml'],
    });
    expect(remarks.map(({ text: said }) => said)).toContainEqual(expect.stringContaining('./pipeline, which is not there'));
  });

  it('has all its troubleshooting reached', async () => {
    const { problems } = await verified(project('shootout', 'fixtures/runbooks/mistaken.md', 'TROUBLESHOOTING.md'));
    expect(problems.filter(({ text: said }) => said.startsWith('no finding leads'))).toEqual([]);
  }, 30_000);
});

describe('a document that is kept well', () => {
  it.each([
    ['harbor', 'fixtures/runbooks/harbor.md'],
    ['orchard', 'fixtures/runbooks/orchard.md'],
  ])(
    'of %s gives nothing to say',
    async (fixture, runbook) => {
      const { problems, warnings } = await verified(project(fixture, runbook));
      expect({ problems, warnings }).toEqual({ problems: [], warnings: [] });
    },
    30_000,
  );

  it('is ours', () => {
    const runbook = parseRunbook(readFileSync('RUNBOOK.md', 'utf8'), 'RUNBOOK.md');
    expect(contradictionsIn(documentOf(runbook))).toEqual([]);
  });
});

describe('held against the project', () => {
  const orchard = ['# T\n\n```sh\n', '\n```\n'] as const;
  it.each<[string, string, string[]]>([
    ['a service that is not there', 'docker compose logs -f --tail 20 servr', ['"servr"']],
    ['a service behind options', 'docker compose -f docker-compose.yml --profile x exec -T -u root databse sh', ['"databse"']],
    ['services that are there', 'docker compose restart -t 5 server press\ndocker compose run --rm -v x:/y server npm test', []],
    ['a service in words', 'docker compose up -d', []],
    ['a container by Compose v1', 'docker logs orchard_server_1', ['the container of server is orchard-server-1']],
    ['a container', 'docker exec -it orchard-database-1 mariadb\ndocker logs --tail 10 $NAME\ndocker inspect <container>', []],
    ['a port that nobody publishes', 'curl -fsS http://localhost:8080/healthz', ['port 8080']],
    ['a port inside', 'docker compose exec server curl http://localhost:9999\ncurl http://localhost:4000/healthz', []],
    ['a file that is not there', 'cat server/config/none.yaml', ['no server/config/none.yaml']],
    ['a script that is not there', './scripts/reset.sh --now', ['no ./scripts/reset.sh']],
    ['a compose file that is not there', 'docker compose -f docker-compose.test.yml up', ['no docker-compose.test.yml']],
    [
      'files that are there, or come and go',
      'cat docker-compose.yml server/src/index.js\nls web/node_modules/x\ncat .env\ntail logs/app.log',
      [],
    ],
    ['a file that is made first', 'cp docker-compose.yml docs/mine.yml\ncat docs/mine.yml', []],
    ['a file elsewhere', 'cd server && cat src/none.js', []],
    ['a recipe without its file', 'make reset', ['needs a Makefile']],
  ])(
    '%s',
    async (_, command, says) => {
      const folder = project('orchard', 'RUNBOOK.md', 'docs/other.md');
      writeFileSync(join(folder, 'RUNBOOK.md'), orchard.join(command));
      const { problems } = await verified(folder);
      expect(problems.map(({ text }) => text)).toEqual(says.map((each) => expect.stringContaining(each) as string));
    },
    30_000,
  );

  it('links that lead nowhere', async () => {
    const folder = project('orchard', 'RUNBOOK.md', 'docs/other.md');
    writeFileSync(
      join(folder, 'RUNBOOK.md'),
      '# T\n\n## Part `two`\n\nSee [a](docs/other.md), [b](docs/none.md), [c](#part-two), [d](#part-three), [e](https://x.y), ![f](none.png) and `[g](none.md)`.\n',
    );
    expect((await verified(folder)).problems.map(({ line, text }) => `${line}: ${text}`)).toEqual([
      '5: the link docs/none.md leads nowhere',
      '5: the link #part-three leads nowhere',
    ]);
  }, 30_000);
});

describe('what deletes data', () => {
  const block = (command: string, before = ''): string => `# T\n\n## Again\n\n${before}\n\n\`\`\`sh\n${command}\n\`\`\`\n`;
  it.each([
    ['docker compose down -v', ''],
    ['docker volume rm x_data', ''],
    ['# Stop it\ndocker compose down --volumes', ''],
    ['rm -rf ./data', 'Then:'],
  ])('%j after %j is told', (command, before) => expect(told(block(command, before))).toHaveLength(1));
  it.each([
    ['# This deletes the database\ndocker compose down -v', ''],
    ['docker compose down -v  # all data is lost', ''],
    ['docker compose down -v', '> ⚠️ Everything goes.'],
    ['docker compose down -v', '> [!WARNING]\n> Your rows are gone after that.'],
    ['docker compose down', ''],
    ['rm -rf node_modules web/dist', ''],
  ])('%j after %j is well', (command, before) => expect(told(block(command, before))).toEqual([]));
});

it('a team may say that a section is for no finding, and then nothing of it is said', () => {
  expect(told('# T\n\n## Troubleshooting\n\n### Slow\n<!-- doctor: ignore -->\n\n```sh\ndocker compose down -v\n```\n')).toEqual([]);
});

it.each([
  '# T\n\n```yaml\na: &a\n  <<: *a\n  image: x\n```\n',
  '# T\n\n```yaml\nservices: [1, 2]\n```\n',
  '# T\n\n```yaml\nservices:\n  a: {image: [x], build: {context: {}}, ports: x, healthcheck: 1, depends_on: 7}\n  b: ~\n```\n',
  '# T\n\n```dockerfile\nCMD x\n```\n\n```dockerfile\nFROM\nRUN \\\n```\n',
  '# T\n\n```yaml\n\t:::\n```\n',
])('a block that is no such file is let be: %j', (text) => expect(told(text)).toEqual([]));
