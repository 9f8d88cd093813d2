import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './cache.ts';
import { SUITE, debianMirror, installMissing, isDebian } from './debian.ts';
import { type LabEngine, LabUnavailable } from './engine.ts';
import { must, run } from './run.ts';

export const ROLES = ['postgres', 'redis', 'nginx', 'python', 'node'] as const;
export type ImageRole = (typeof ROLES)[number];

/** `real`: the stack's own images can be had. Otherwise stand-ins built from Debian packages, by role. */
export type LabImages = { real: true } | ({ real: false } & Record<ImageRole, string>);

const REAL: Record<ImageRole, string> = {
  postgres: 'postgres:18-alpine',
  redis: 'redis:8.4.0-alpine',
  nginx: 'nginx:alpine',
  python: 'python:3.12-slim',
  node: 'node:24-alpine',
};
const DIR = fileURLToPath(new URL('./images/', import.meta.url));

export async function ensureImages(engine: LabEngine, onProgress: (text: string) => void = () => {}): Promise<LabImages> {
  const choice = process.env['STACK_DOCTOR_LAB_IMAGES'];
  const names = standInNames();
  const built = choice !== 'real' && (await haveAll(engine, Object.values(names)));
  if (!built && choice !== 'lab' && (await haveReal(engine, onProgress))) return { real: true };
  if (!built) {
    if (choice === 'real') throw new LabUnavailable('the images cannot be pulled');
    await withLock('images', 1_200_000, () => buildAll(engine, names, onProgress));
  }
  return { real: false, ...names };
}

/** An image of this role, whichever there is: the stack's own or the stand-in. */
export const imageOf = (images: LabImages, role: ImageRole): string => (images.real ? REAL[role] : images[role]);

/** An image with another name, made of `from` and Dockerfile lines; built once per content. */
export async function ensureDerived(engine: LabEngine, name: string, from: string, lines: string[]): Promise<string> {
  const text = [`FROM ${from}`, ...lines, ''].join('\n');
  const tag = `stack-doctor-lab/${name}:${digest(text)}`;
  if (!(await haveAll(engine, [tag]))) await build(engine, tag, text);
  return tag;
}

function standInNames(): Record<ImageRole, string> & { base: string } {
  const base = digest(readFileSync(join(DIR, 'packages.txt')), SUITE);
  const shared = readFileSync(join(DIR, 'keep-only.sh'));
  const name = (role: ImageRole): string => {
    const files = readdirSync(join(DIR, role))
      .sort()
      .flatMap((file) => [file, readFileSync(join(DIR, role, file))]);
    return `stack-doctor-lab/${role}:${digest(base, shared, ...files)}`;
  };
  return {
    base: `stack-doctor-lab/base:${base}`,
    postgres: name('postgres'),
    redis: name('redis'),
    nginx: name('nginx'),
    python: name('python'),
    node: name('node'),
  };
}

async function haveReal(engine: LabEngine, onProgress: (text: string) => void): Promise<boolean> {
  for (const image of Object.values(REAL)) {
    if (await haveAll(engine, [image])) continue;
    onProgress(`pulling ${image}`);
    const pull = await run(engine.docker, ['pull', '-q', image], { env: engine.env, timeoutMs: 120_000 }).catch(() => undefined);
    if (pull?.code !== 0) return false;
  }
  return true;
}

async function haveAll(engine: LabEngine, images: string[]): Promise<boolean> {
  const answer = await run(engine.docker, ['image', 'inspect', '--format', '{{.Id}}', ...images], { env: engine.env });
  return answer.code === 0;
}

async function buildAll(engine: LabEngine, names: ReturnType<typeof standInNames>, onProgress: (text: string) => void): Promise<void> {
  if (!(await haveAll(engine, [names.base]))) await importBase(engine, names.base, onProgress);
  for (const role of ROLES) {
    if (await haveAll(engine, [names[role]])) continue;
    onProgress(`building ${names[role]}`);
    const dockerfile = join(DIR, role, 'Dockerfile');
    const args = ['build', '-q', '--network', 'none', '--build-arg', `BASE=${names.base}`, '-f', dockerfile, '-t', names[role], DIR];
    await must(engine.docker, args, { env: engine.env, timeoutMs: 300_000 });
  }
}

/** One root file system with every program; the images per role take away from it. */
async function importBase(engine: LabEngine, name: string, onProgress: (text: string) => void): Promise<void> {
  if (process.getuid?.() !== 0 || !isDebian()) {
    throw new LabUnavailable('no registry answers, and building stand-in images needs root on Debian');
  }
  onProgress('packages for the images (about a minute)');
  await installMissing({ mmdebstrap: 'mmdebstrap' });
  const packages = readFileSync(join(DIR, 'packages.txt'), 'utf8').trim().split('\n').join(',');
  const work = mkdtempSync(join(tmpdir(), 'stack-doctor-base-'));
  const tar = join(work, 'base.tar');
  const slim = ['doc', 'man', 'locale', 'info'].map((part) => `--dpkgopt=path-exclude=/usr/share/${part}/*`);
  try {
    await must(
      'mmdebstrap',
      [
        '--quiet',
        '--variant=apt',
        '--aptopt=Acquire::Check-Valid-Until "false"',
        ...slim,
        `--include=${packages}`,
        SUITE,
        tar,
        `deb ${await debianMirror()} ${SUITE} main`,
      ],
      { timeoutMs: 900_000 },
    );
    await must(engine.docker, ['import', tar, name], { env: engine.env, timeoutMs: 300_000 });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function build(engine: LabEngine, tag: string, dockerfile: string): Promise<void> {
  const context = mkdtempSync(join(tmpdir(), 'stack-doctor-image-'));
  try {
    writeFileSync(join(context, 'Dockerfile'), dockerfile);
    await must(engine.docker, ['build', '-q', '--network', 'none', '-t', tag, context], { env: engine.env, timeoutMs: 120_000 });
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

function digest(...parts: (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 12);
}
