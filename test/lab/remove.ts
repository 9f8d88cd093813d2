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
  const idsOf = async (...command: string[]): Promise<string[]> => (await must(docker, command, { env })).split('\n').filter(Boolean);
  const remove = async (command: string[], ids: string[]): Promise<string> =>
    ids.length === 0 ? '' : (await run(docker, [...command, ...ids], { env, timeoutMs: 60_000 })).stderr.trim();
  const removeWhatIsThere = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const kind of kinds) {
      for (const label of ['com.docker.compose.project', EXTRA]) {
        const ids = await idsOf(...kind.list, '--filter', `label=${label}=${project}`);
        if (ids.length > 0) found.push(`${kind.list[0]} ${ids.join(' ')} ${await remove(kind.remove, ids)}`);
      }
    }
    return found;
  };
  // A `docker compose` that was killed leaves requests at the engine that come to their end after a first look.
  await until(`project ${project} to be gone`, async () => {
    const found = await removeWhatIsThere();
    if (found.length > 0) throw new Error(found.join(' | '));
    return true;
  });
  await remove(
    ['image', 'rm', '-f'],
    await idsOf('image', 'ls', '--format', '{{.Repository}}:{{.Tag}}', '--filter', `reference=${project}-*`),
  );
}
