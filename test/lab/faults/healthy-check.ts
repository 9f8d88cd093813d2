import { until } from '../run.ts';
import type { LabStack } from '../stack.ts';
import { compose, docker, enqueue, get } from './tools.ts';

/** Uses the stack as a person would, end to end. Throws what is not right. */
export async function assertHealthy(stack: LabStack): Promise<void> {
  await compose(stack, 'config', '-q');
  const rows = (await compose(stack, 'ps', '-a', '--format', 'json')).trim().split('\n');
  const services = rows.map((row) => JSON.parse(row) as { Service: string; State: string; Health: string });
  const sick = services.filter(({ State, Health }) => State !== 'running' || !['', 'healthy'].includes(Health));
  if (sick.length > 0) throw new Error(`not healthy: ${sick.map((row) => `${row.Service} ${row.State} ${row.Health}`).join('; ')}`);
  for (const [path, text] of [
    ['/', '<h1>Shootout'],
    ['/health', '"status":"ok"'],
    ['/library', '<h1>Library'],
    ['/api/shootouts', 'Plexi'],
  ] as const) {
    const answer = await get(stack, path);
    if (answer.status !== 200 || !answer.body.includes(text)) throw new Error(`${path}: ${answer.status} ${answer.body.slice(0, 200)}`);
  }
  const asset = /\/_astro\/[\w.]+\.css/.exec((await get(stack, '/')).body)?.[0] ?? '/_astro/none';
  if ((await get(stack, asset)).status !== 200) throw new Error(`${asset} is missing`);
  if ((await get(stack, '/health', 'backend')).status !== 200) throw new Error('backend does not answer on its own port');
  const syntax = await stack.exec('nginx', ['nginx', '-t']);
  if (syntax.code !== 0) throw new Error(syntax.stderr);
  const job = await enqueue(stack);
  if (job.status !== 202) throw new Error(`a job is not accepted: ${job.status} ${job.body.slice(0, 200)}`);
  const { id } = JSON.parse(job.body) as { id: number };
  await until('the worker to do a job', async () => (await get(stack, `/api/shootouts/${id}`)).body.includes('rendered'), 10_000);
  await assertNoDrift(stack);
}

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
