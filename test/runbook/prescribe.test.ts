import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Finding, Located } from '../../src/model/check.ts';
import type { Remedy } from '../../src/model/report.ts';
import type { Stack } from '../../src/model/stack.ts';
import { openLibrary, prescriber } from '../../src/runbook/prescribe.ts';
import { makePort, makeService, makeStack } from '../checks/make.ts';

const TEAM = { runbook: 'fixtures/runbooks/team.md', project: null, shippedRunbook: 'RUNBOOK.md' };
const SHIPPED = { runbook: null, project: null, shippedRunbook: 'RUNBOOK.md' };

const stack = makeStack({
  project: 'shop',
  services: [
    makeService({
      name: 'db',
      role: 'postgres',
      containers: [
        {
          service: 'db',
          name: 'shop-db-1',
          mounts: [{ type: 'volume', source: 'x', name: 'shop_data', destination: '/var/lib/postgresql', readOnly: false }],
        },
      ],
    }),
    makeService({
      name: 'api',
      role: 'http',
      containers: [{ service: 'api', ports: [makePort({ containerPort: 8000, hostPort: 32768, hostIp: '0.0.0.0' })] }],
    }),
  ],
});

const located = (service: string | null, code: string, values?: Finding['values']): Located => {
  const [check, reason] = code.split('/') as [string, string];
  return {
    id: service === null ? check : `${service}/${check}`,
    check,
    service,
    code,
    finding: { reason, message: '', evidence: [], ...(values && { values }) },
    spec: { severity: 'fail', layer: 'data', kind: 'cause', means: '', proof: '' },
    severity: 'fail',
  };
};

const remedy = async (options: typeof TEAM | typeof SHIPPED, finding: Located, of: Stack = stack): Promise<Remedy> =>
  (await prescriber(options)).remedyFor(finding, of)!;

describe('a finding of a running stack', () => {
  it('is answered from the shipped runbook, with the names of the stack', async () => {
    expect(await remedy(SHIPPED, located('db', 'container/paused'))).toMatchObject({
      source: { file: 'RUNBOOK.md', heading: 'It is paused' },
      steps: [{ command: 'docker compose unpause db' }],
    });
  });

  it('is filled with what the check saw, and with what the stack itself tells', async () => {
    const { steps } = await remedy(SHIPPED, located('db', 'postgres/password-volume-mismatch', { client: 'api' }));
    expect(steps.map(({ command }) => command)).toEqual([
      expect.stringMatching(/^docker compose exec -T db sh -c '.*' <<'SQL'\nALTER ROLE :"role" PASSWORD :'password';\nSQL$/),
      'docker compose restart api',
      'docker compose rm --stop --force db && docker volume rm shop_data && docker compose up -d',
    ]);
    const health = await remedy(SHIPPED, located('api', 'http-health/server-error', { port: '8000', path: '/health' }));
    expect(health.steps.map(({ command }) => command)).toContain('curl -sS -i http://localhost:32768/health');
  });

  it('keeps what is not known visibly open', async () => {
    const { steps } = await remedy(SHIPPED, located('api', 'http-health/server-error', { port: '9999', path: '/health' }));
    expect(steps.map(({ command }) => command)).toContain('curl -sS -i <url>');
  });

  it("is answered by the team's section for the service at the other end", async () => {
    const toDb = await remedy(TEAM, located('api', 'network/refused', { client: 'api', target: 'db' }));
    expect(toDb.source).toMatchObject({ file: TEAM.runbook, heading: 'Database Connection Issues' });
    const toApi = await remedy(TEAM, located('db', 'network/refused', { client: 'db', target: 'api' }));
    expect(toApi.source).toMatchObject({ file: 'stack-doctor/RUNBOOK.md', heading: 'The connection is refused' });
  });

  it('of the whole stack needs no service', async () => {
    expect(await remedy(TEAM, located(null, 'engine/wrong-context', { context: 'desktop-linux' }))).toMatchObject({
      source: { file: 'stack-doctor/RUNBOOK.md' },
    });
  });

  it('with a code that no runbook has is left without steps', async () => {
    expect((await prescriber(TEAM)).remedyFor(located('db', 'postgres/unheard-of'), stack)).toBeNull();
  });
});

it("a team's runbook that cannot be read is told before anything is looked at", async () => {
  await expect(prescriber({ ...TEAM, runbook: 'fixtures/runbooks/none.md' })).rejects.toThrow(
    'runbook fixtures/runbooks/none.md: there is no such file',
  );
});

it("both runbooks are read, the team's first", async () => {
  expect((await openLibrary(TEAM)).runbooks.map(({ file }) => file)).toEqual([TEAM.runbook, 'stack-doctor/RUNBOOK.md']);
  expect((await openLibrary(SHIPPED)).runbooks.map(({ file }) => file)).toEqual(['RUNBOOK.md']);
});

it("a runbook is named from the project's folder, where it lies in it", async () => {
  expect((await openLibrary({ ...TEAM, project: resolve('fixtures') })).runbooks[0]!.file).toBe('runbooks/team.md');
  expect((await openLibrary({ ...TEAM, project: resolve('fixtures/shootout') })).runbooks[0]!.file).toBe(TEAM.runbook);
});
