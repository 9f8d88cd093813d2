/** What a container is made of, while a service that should run has none: its image, what is built, a free name. */
import { readFile } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import type { MakingFact } from '../model/facts.ts';
import { shouldRun, type Service } from '../model/stack.ts';
import { EngineError } from './engine-client.ts';
import type { Gathering, ServiceGatherer } from './gathering.ts';
import { onThisMachine, statNow } from './host-files.ts';

const MOST_MISSING = 10;

export const gatherMaking: ServiceGatherer<'making'> = async (service, given) => {
  const project = await given.fact('project');
  const spec = project.ok ? project.value.services?.find((each) => each.name === service.name) : undefined;
  if (!spec || service.containers.length > 0 || !shouldRun({ ...service, spec })) return null;
  const name = project.ok ? project.value.name : '';
  const [image, nameTakenBy, build] = await Promise.all([
    imageOf(spec.image ?? `${name}-${service.name}`, given),
    spec.containerName ? ownerOf(spec.containerName, given) : null,
    spec.build ? buildOf(spec.build) : null,
  ]);
  return { image, nameTakenBy, build };
};

const imageOf = async (ref: string, { engine, signal }: Gathering): Promise<MakingFact['image']> =>
  engine
    .get(`/images/${encodeURIComponent(ref)}/json`, {}, signal)
    .then(() => ({ ref, here: true }))
    .catch((error: unknown) => {
      if (error instanceof EngineError && error.status === 404) return { ref, here: false };
      throw error;
    });

/** Names of containers are of the whole engine, not of the project. */
const ownerOf = async (name: string, { engine, signal, stack }: Gathering): Promise<MakingFact['nameTakenBy']> => {
  const rows = await engine.get<{ Names: string[]; State: string; Labels?: Record<string, string> }[]>(
    '/containers/json',
    { all: true, filters: JSON.stringify({ name: [`^/${name.replace(/[.+]/g, '\\$&')}$`] }) },
    signal,
  );
  const row = rows.find((each) => each.Names.includes(`/${name}`));
  const project = row?.Labels?.['com.docker.compose.project'] ?? null;
  return row && project !== stack.project ? { container: name, project, status: row.State } : null;
};

type Build = NonNullable<NonNullable<Service['spec']>['build']>;

const buildOf = async ({ context, dockerfile }: Build): Promise<MakingFact['build']> => {
  // A URL, or a Dockerfile that stands in the compose file.
  if (!isAbsolute(context)) return null;
  const folder = onThisMachine(context);
  const file = isAbsolute(dockerfile) ? onThisMachine(dockerfile) : join(folder, dockerfile);
  const contextExists = statNow(folder)?.isDirectory() ?? false;
  const text = contextExists ? await readFile(file, 'utf8').catch(() => null) : null;
  return {
    context,
    contextExists,
    dockerfile,
    dockerfileExists: text !== null,
    missing:
      text === null
        ? []
        : copiedFrom(text)
            .filter(({ source }) => isMissing(folder, source))
            .slice(0, MOST_MISSING),
  };
};

const isMissing = (folder: string, source: string): boolean => {
  const path = join(folder, source);
  return relative(folder, path).startsWith('..') || statNow(path) === null;
};

/** Sources of `COPY` and `ADD` that are plain paths of the context: no other stage, no pattern, no variable, no URL. */
export const copiedFrom = (dockerfile: string): { line: number; source: string }[] => {
  const found: { line: number; source: string }[] = [];
  const lines = dockerfile.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const line = at + 1;
    let text = lines[at]!.trim();
    while (text.endsWith('\\') && at + 1 < lines.length) text = `${text.slice(0, -1)} ${lines[++at]!.trim()}`;
    const rest = /^(?:COPY|ADD)\s+(.*)$/i.exec(text)?.[1];
    if (rest === undefined || /--from=|<</.test(rest)) continue;
    const plain = rest.replace(/^(?:--\S+\s+)+/, '');
    const words = plain.startsWith('[') ? [...plain.matchAll(/"([^"]*)"/g)].map(([, word]) => word!) : plain.split(/\s+/);
    for (const source of words.slice(0, -1)) {
      if (source !== '' && !/[*?[\]$\\"']|^\w+:\/\/|^git@/.test(source)) found.push({ line, source });
    }
  }
  return found;
};
