import { existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isAlive } from './cache.ts';
import type { LabEngine } from './engine.ts';
import { must, run } from './run.ts';

/** On every container and volume the lab puts beside a stack: the project it belongs to. */
export const EXTRA = 'stack-doctor.lab.project';

/** Removes all of one project by its labels. It works when its compose file is broken or gone. */
export async function removeProject(engine: LabEngine, project: string): Promise<void> {
  const list = async (...args: string[]): Promise<string[]> =>
    (await must(engine.docker, args, { env: engine.env })).split('\n').filter(Boolean);
  const remove = async (command: string[], ids: string[]): Promise<void> => {
    if (ids.length > 0) await run(engine.docker, [...command, ...ids], { env: engine.env, timeoutMs: 60_000 });
  };
  const ours = `label=com.docker.compose.project=${project}`;
  const labelled = async (...command: string[]): Promise<string[]> => [
    ...(await list(...command, '--filter', ours)),
    ...(await list(...command, '--filter', `label=${EXTRA}=${project}`)),
  ];
  await remove(['rm', '-f', '-v'], await labelled('ps', '-aq'));
  await remove(['network', 'rm'], await labelled('network', 'ls', '-q'));
  await remove(['volume', 'rm', '-f'], await labelled('volume', 'ls', '-q'));
  await remove(
    ['image', 'rm', '-f'],
    await list('image', 'ls', '--format', '{{.Repository}}:{{.Tag}}', '--filter', `reference=${project}-*`),
  );
}

/** Removes the stacks of processes that died without cleaning up, with their folders. */
export async function removeLostStacks(engine: LabEngine): Promise<void> {
  const labels = ['com.docker.compose.project', 'stack-doctor.lab.owner', 'com.docker.compose.project.working_dir'];
  const format = labels.map((label) => `{{.Label "${label}"}}`).join('\t');
  const rows = await must(engine.docker, ['ps', '-a', '--filter', 'label=stack-doctor.lab.owner', '--format', format], { env: engine.env });
  const lost = new Map<string, string>();
  for (const row of rows.split('\n').filter(Boolean)) {
    const [project = '', owner, dir = ''] = row.split('\t');
    if (owner !== 'kept' && !isAlive(Number(owner))) lost.set(project, dirname(dir));
  }
  for (const [project, root] of lost) {
    await removeProject(engine, project);
    if (existsSync(join(root, 'lab.json'))) rmSync(root, { recursive: true, force: true });
  }
}
