import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { LabEngine } from './engine.ts';
import { EXTRA, OWNER, isKept, isOwnerAlive } from './owner.ts';
import { STACK_FOLDER, removeProject } from './remove.ts';
import { must } from './run.ts';
import { currentStack } from './state.ts';

interface Owned {
  project: string;
  owner: string;
}

interface Trace extends Owned {
  kind: 'container' | 'network' | 'volume';
}

/**
 * Removes the stacks of processes that died without cleaning up, with their folders. One trace is enough: a volume that outlived its
 * containers would look to the next stack like its own data under another project's name.
 */
export async function removeLostStacks(engine: LabEngine): Promise<void> {
  const traces = await tracesOf(engine);
  const withContainers = new Set(traces.filter(({ kind }) => kind === 'container').map(({ project }) => project));
  const current = currentStack(engine)?.stack.project;
  // A person who took a kept stack's containers down is done with it. On an engine of the machine another lab may know of it.
  const isStillKept = ({ project, owner }: Trace): boolean =>
    isKept(owner) && withContainers.has(project) && (!engine.owned || project === current);
  const lost = new Set(traces.filter((trace) => !isOwnerAlive(trace.owner) && !isStillKept(trace)).map(({ project }) => project));
  for (const project of lost) await removeProject(engine, project);
  for (const { root, project, owner } of stackFolders()) {
    if (lost.has(project) || (!isKept(owner) && !isOwnerAlive(owner))) rmSync(root, { recursive: true, force: true });
  }
}

/** Every container, network and volume that names an owner. */
async function tracesOf(engine: LabEngine): Promise<Trace[]> {
  const format = ['com.docker.compose.project', EXTRA, OWNER].map((label) => `{{.Label "${label}"}}`).join('\t');
  const list = async (kind: Trace['kind'], ...command: string[]): Promise<Trace[]> => {
    const rows = await must(engine.docker, [...command, '--filter', `label=${OWNER}`, '--format', format], { env: engine.env });
    return rows
      .split('\n')
      .filter(Boolean)
      .map((row) => {
        const [project = '', extra = '', owner = ''] = row.split('\t');
        return { kind, project: extra || project, owner };
      });
  };
  return (await Promise.all([list('container', 'ps', '-a'), list('network', 'network', 'ls'), list('volume', 'volume', 'ls')])).flat();
}

function stackFolders(): (Owned & { root: string })[] {
  return readdirSync(dirname(STACK_FOLDER))
    .filter((name) => name.startsWith(basename(STACK_FOLDER)))
    .flatMap((name) => {
      const root = join(dirname(STACK_FOLDER), name);
      try {
        const { project, owner = '' } = JSON.parse(readFileSync(join(root, 'lab.json'), 'utf8')) as Partial<Owned>;
        return project && owner ? [{ root, project, owner }] : [];
      } catch {
        return []; // being made or removed just now, or none of ours
      }
    });
}
