import { until } from '../run.ts';
import { shapes, type StackShape } from '../shapes.ts';
import type { LabStack } from '../stack.ts';
import { compose, docker, enqueue, get, send } from './tools.ts';

/** Uses the stack as a person would, end to end. Throws what is not right. */
export async function assertHealthy(stack: LabStack): Promise<void> {
  await compose(stack, 'config', '-q');
  const rows = (await compose(stack, 'ps', '-a', '--format', 'json')).trim().split('\n');
  const services = rows.map((row) => JSON.parse(row) as { Service: string; State: string; Health: string; ExitCode: number });
  const isDone = (row: (typeof services)[number]): boolean => row.State === 'exited' && row.ExitCode === 0 && !mustStay(stack, row.Service);
  const sick = services.filter((row) => !isDone(row) && (row.State !== 'running' || !['', 'healthy'].includes(row.Health)));
  if (sick.length > 0) throw new Error(`not healthy: ${sick.map((row) => `${row.Service} ${row.State} ${row.Health}`).join('; ')}`);
  await WORKS[stack.shape](stack);
  await assertNoDrift(stack);
}

const mustStay = ({ shape }: LabStack, service: string): boolean =>
  shapes[shape].stays.length === 0 || shapes[shape].stays.includes(service);

const shows = async (stack: LabStack, path: string, text: string, port?: string): Promise<void> => {
  const answer = await get(stack, path, port);
  if (answer.status !== 200 || !answer.body.includes(text)) throw new Error(`${path}: ${answer.status} ${answer.body.slice(0, 200)}`);
};

const WORKS: Record<StackShape, (stack: LabStack) => Promise<void>> = {
  shootout: async (stack) => {
    await shows(stack, '/', '<h1>Shootout');
    await shows(stack, '/health', '"status":"ok"');
    await shows(stack, '/library', '<h1>Library');
    await shows(stack, '/api/shootouts', 'Plexi');
    const asset = /\/_astro\/[\w.]+\.css/.exec((await get(stack, '/')).body)?.[0] ?? '/_astro/none';
    await shows(stack, asset, '');
    await shows(stack, '/health', '', 'backend');
    const syntax = await stack.exec('nginx', ['nginx', '-t']);
    if (syntax.code !== 0) throw new Error(syntax.stderr);
    const job = await enqueue(stack);
    if (job.status !== 202) throw new Error(`a job is not accepted: ${job.status} ${job.body.slice(0, 200)}`);
    const { id } = JSON.parse(job.body) as { id: number };
    await until('the worker to do a job', async () => (await get(stack, `/api/shootouts/${id}`)).body.includes('rendered'), 10_000);
  },
  harbor: async (stack) => {
    await shows(stack, '/', '<h1>Harbor');
    await shows(stack, '/office/berths', 'Endeavour');
    const ship = `Ship ${Date.now()}`;
    await send(stack, '/office/berths', { ship });
    await until('the crew to moor a ship', async () => (await get(stack, '/office/berths')).body.includes(ship), 15_000);
  },
  orchard: async (stack) => {
    await shows(stack, '/', '<h1>Orchard');
    await shows(stack, '/api/apples', 'Boskoop');
    await shows(stack, '/healthz', '"ok":true', 'server');
    const { id } = JSON.parse((await send(stack, '/api/apples', { name: 'Elstar' })).body) as { id: number };
    await until(
      'the press to press an apple',
      async () => (await get(stack, '/api/apples')).body.includes(`"id":${id},"name":"Elstar","pressed":1`),
      15_000,
    );
  },
  granary: async (stack) => {
    await shows(stack, '/', '<h1>Granary');
    await shows(stack, '/api/sacks', 'spelt');
    await shows(stack, '/notes', 'miller');
    const { id } = JSON.parse((await send(stack, '/api/sacks', { grain: 'rye', weight: 40 })).body) as { id: number };
    await shows(stack, '/api/sacks', `"id":${id},"grain":"rye"`);
  },
};

/** Every container is as the files say now. */
async function assertNoDrift(stack: LabStack): Promise<void> {
  const wanted = new Map(
    (await compose(stack, 'config', '--hash', '*'))
      .trim()
      .split('\n')
      .map((row) => row.split(' ') as [string, string]),
  );
  const format = '{{.Label "com.docker.compose.service"}} {{.Label "com.docker.compose.config-hash"}}';
  const real = (await docker(stack, 'ps', '--filter', `label=com.docker.compose.project=${stack.project}`, '--format', format))
    .trim()
    .split('\n');
  for (const row of real) {
    const [service = '', hash] = row.split(' ');
    if (wanted.get(service) !== hash) throw new Error(`${service} is not as the compose file says`);
  }
}
