import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import type { LabEngine } from './engine.ts';
import { type ImageRole, type LabImages, ROLES, ensureDerived } from './images.ts';
import { must } from './run.ts';

interface ComposeService {
  image?: string;
  build?: string | { context?: string; dockerfile?: string };
}

/**
 * The compose override of the lab: stand-in images where no registry answers, quick stops, and a label that tells
 * whose stack it is. A service with a `build` gets an image of the name Compose itself would give it.
 */
export async function labOverride(engine: LabEngine, images: LabImages, dir: string, project: string, owner: string): Promise<string> {
  const file = parse(readFileSync(join(dir, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
    services: Record<string, ComposeService>;
  };
  const lines = ['services:'];
  for (const [name, service] of Object.entries(file.services)) {
    lines.push(`  ${name}:`, '    stop_grace_period: 1s', '    labels:', `      stack-doctor.lab.owner: "${owner}"`);
    if (images.real) continue;
    const image = service.build ? await builtImage(engine, images, dir, project, name, service) : images[roleOf(service.image ?? '')];
    lines.push(`    image: ${image}`, '    pull_policy: never');
    if (service.build) lines.push('    build: !reset null');
  }
  return `${lines.join('\n')}\n`;
}

/** What the service's own Dockerfile sets, on the stand-in of the image it starts from. */
async function builtImage(
  engine: LabEngine,
  images: LabImages & { real: false },
  dir: string,
  project: string,
  name: string,
  service: ComposeService,
): Promise<string> {
  const { context = '.', dockerfile = 'Dockerfile' } =
    typeof service.build === 'string' ? { context: service.build } : (service.build ?? {});
  const lines = readFileSync(join(dir, context, dockerfile), 'utf8').split('\n');
  const from = lines.find((line) => line.startsWith('FROM '))?.split(/\s+/)[1] ?? '';
  const kept = lines.filter((line) => /^(WORKDIR|ENV|EXPOSE|USER|STOPSIGNAL|ENTRYPOINT|CMD) /.test(line));
  const derived = await ensureDerived(engine, basename(context), images[roleOf(from)], kept);
  await must(engine.docker, ['tag', derived, `${project}-${name}`], { env: engine.env });
  return `${project}-${name}`;
}

function roleOf(image: string): ImageRole {
  const role = ROLES.find((known) => image.startsWith(known));
  if (!role) throw new Error(`the lab has no stand-in for the image "${image}"`);
  return role;
}
