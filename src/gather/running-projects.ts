/** The projects that an engine holds, by the labels of their containers: for a folder whose files do not tell which one is meant. */
import type { ProjectPlace } from './compose-files.ts';
import type { EngineClient } from './engine-client.ts';

const LABEL = 'com.docker.compose.';

export interface RunningProject {
  name: string;
  /** The folders that its containers were started from. */
  folders: string[];
}

/** Sorted by name; one that has only containers of `run` is none. */
export const runningProjects = async (engine: EngineClient, signal: AbortSignal, label = `${LABEL}project`): Promise<RunningProject[]> => {
  const rows = await engine.get<{ Labels?: Record<string, string> }[]>(
    '/containers/json',
    { all: true, filters: JSON.stringify({ label: [label] }) },
    signal,
  );
  const found = new Map<string, Set<string>>();
  for (const { Labels: labels = {} } of rows) {
    const name = labels[`${LABEL}project`];
    if (!name || labels[`${LABEL}oneoff`] === 'True') continue;
    const folders = found.get(name) ?? new Set();
    found.set(name, folders.add(labels[`${LABEL}project.working_dir`] ?? ''));
  }
  return [...found].map(([name, folders]) => ({ name, folders: [...folders] })).toSorted((a, b) => (a.name < b.name ? -1 : 1));
};

/** The one project that was started from this folder under another name (`-p`); `null`: none, or several. */
export const startedHere = async (engine: EngineClient, place: ProjectPlace, signal: AbortSignal): Promise<string | null> => {
  if (place.workingDir === '' || place.files.length === 0) return null;
  const here = await runningProjects(engine, signal, `${LABEL}project.working_dir=${place.workingDir}`).catch(() => []);
  return here.length === 1 ? here[0]!.name : null;
};

export interface Picked {
  name: string;
  by: 'folder' | 'only';
}

/** Which project somebody means who stands in a folder without files: the one of this folder, else the only one there is. */
export const pickFor = (folder: string, projects: readonly RunningProject[]): Picked | null => {
  const within = (a: string, b: string) => a === b || a.startsWith(`${b.replace(/\/$/, '')}/`);
  const near = projects.filter(({ folders }) =>
    folders.some((each) => each !== '' && each !== '/' && (within(folder, each) || within(each, folder))),
  );
  if (near.length === 1) return { name: near[0]!.name, by: 'folder' };
  return projects.length === 1 ? { name: projects[0]!.name, by: 'only' } : null;
};
