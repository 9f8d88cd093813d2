import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import type { LabEngine } from './engine.ts';
import { type LabImages, ensureDerived } from './images.ts';
import { npmPackages } from './npm-packages.ts';
import { OWNER } from './owner.ts';
import { must } from './run.ts';

interface ComposeService {
  image?: string;
  volumes?: (string | { target?: string })[];
  build?: string | { context?: string; dockerfile?: string };
  healthcheck?: { start_interval?: string };
}

interface ComposeFile {
  services: Record<string, ComposeService>;
  networks?: Record<string, unknown>;
  volumes?: Record<string, unknown>;
}

const composeFileOf = (dir: string): ComposeFile =>
  parse(readFileSync(join(dir, 'docker-compose.yml'), 'utf8'), { merge: true }) as ComposeFile;

/** The public images a stack's files start from: its services' own, and those of their Dockerfiles. */
export function imagesOf(dir: string): string[] {
  return Object.values(composeFileOf(dir).services).map((service) =>
    service.build ? dockerfileOf(dir, service).from : (service.image ?? ''),
  );
}

/**
 * The compose override of the lab: stand-in images where no registry answers, quick stops, and on all of it a label
 * that tells whose it is. A service with a `build` gets an image of the name Compose itself would give it.
 */
export async function labOverride(engine: LabEngine, images: LabImages, dir: string, project: string, owner: string): Promise<string> {
  const { services, networks, volumes } = composeFileOf(dir);
  const label = ['    labels:', `      ${OWNER}: "${owner}"`];
  const labelled = (names: string[]): string[] => names.flatMap((name) => [`  ${name}:`, ...label]);
  const lines = ['networks:', ...labelled(['default', ...Object.keys(networks ?? {})])];
  if (volumes) lines.push('volumes:', ...labelled(Object.keys(volumes)));
  lines.push('services:');
  for (const [name, service] of Object.entries(services)) {
    lines.push(...labelled([name]), '    stop_grace_period: 1s');
    // Known from Docker 25 on; Compose refuses it for an engine before.
    if (engine.owned === 'older' && service.healthcheck?.start_interval)
      lines.push('    healthcheck:', '      start_interval: !reset null');
    if (images.real) continue;
    const image = service.build ? await builtImage(engine, images, dir, project, name, service) : images.of(service.image ?? '');
    lines.push(`    image: ${image}`, '    pull_policy: never');
    if (service.build) lines.push('    build: !reset null');
  }
  return `${lines.join('\n')}\n`;
}

/** What the service's own Dockerfile sets, on the stand-in of the image it starts from. */
async function builtImage(
  engine: LabEngine,
  images: LabImages,
  dir: string,
  project: string,
  name: string,
  service: ComposeService,
): Promise<string> {
  const { context, lines, from } = dockerfileOf(dir, service);
  const workdir = lines.find((line) => line.startsWith('WORKDIR '))?.split(/\s+/)[1] ?? '/';
  // What is mounted over the app's folder hides what the image has there.
  const isMounted = service.volumes?.some((volume) => (typeof volume === 'string' ? volume.split(':')[1] : volume.target) === workdir);
  const packages = npmPackages(join(dir, context));
  const kept = lines.flatMap((line) => {
    if (line.startsWith('WORKDIR ')) return [line, ...packages.lines];
    if (line === 'COPY . .') return isMounted ? [] : ['COPY context/ .'];
    return /^(ENV|EXPOSE|USER|STOPSIGNAL|ENTRYPOINT|CMD) /.test(line) ? [line] : [];
  });
  const content = { from: join(dir, context), packages: packages.folders };
  const derived = await ensureDerived(engine, basename(context), images.of(from), kept, content);
  await must(engine.docker, ['tag', derived, `${project}-${name}`], { env: engine.env });
  return `${project}-${name}`;
}

function dockerfileOf(dir: string, { build }: ComposeService): { context: string; lines: string[]; from: string } {
  const { context = '.', dockerfile = 'Dockerfile' } = typeof build === 'string' ? { context: build } : (build ?? {});
  const lines = readFileSync(join(dir, context, dockerfile), 'utf8').split('\n');
  return { context, lines, from: lines.find((line) => line.startsWith('FROM '))?.split(/\s+/)[1] ?? '' };
}
