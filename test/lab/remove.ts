import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LabEngine } from './engine.ts';
import { EXTRA } from './owner.ts';
import { must, run, until } from './run.ts';

/** What the folder of every stack begins with. */
export const STACK_FOLDER = join(tmpdir(), 'stack-doctor-lab-');

const kinds = [
  { list: ['ps', '-aq'], remove: ['rm', '-f', '-v'] },
  { list: ['network', 'ls', '-q'], remove: ['network', 'rm'] },
  { list: ['volume', 'ls', '-q'], remove: ['volume', 'rm', '-f'] },
];

/** Removes all of one project by its labels. It works when its compose file is broken or gone; what stays is an error. */
export async function removeProject(engine: LabEngine, project: string): Promise<void> {
  const { docker, env } = engine;
  const list = async (...command: string[]): Promise<string[]> => (await must(docker, command, { env })).split('\n').filter(Boolean);
  const idsOf = async (command: string[]): Promise<string[]> => {
    const labels = ['com.docker.compose.project', EXTRA];
    return [...new Set((await Promise.all(labels.map((label) => list(...command, '--filter', `label=${label}=${project}`)))).flat())];
  };
  const remove = async (command: string[], ids: string[]): Promise<string> =>
    (await run(docker, [...command, ...ids], { env, timeoutMs: 60_000 })).stderr.trim();
  const removeWhatIsThere = async (): Promise<string[]> => {
    const found: string[] = [];
    const ids = await Promise.all(kinds.map((kind) => idsOf(kind.list)));
    for (const [index, kind] of kinds.entries()) {
      if (ids[index]!.length > 0) found.push(`${kind.list[0]} ${ids[index]!.join(' ')} ${await remove(kind.remove, ids[index]!)}`);
    }
    return found;
  };
  // A `docker compose` that was killed leaves requests at the engine that come to their end after a first look.
  await until(`project ${project} to be gone`, async () => {
    const found = await removeWhatIsThere();
    if (found.length > 0) throw new Error(found.join(' | '));
    return true;
  });
  const images = await list('image', 'ls', '--format', '{{.Repository}}:{{.Tag}}', '--filter', `reference=${project}-*`);
  if (images.length > 0) await remove(['image', 'rm', '-f'], images);
}
