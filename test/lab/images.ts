import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './cache.ts';
import { SUITE, debianMirror, installMissing, isDebian } from './debian.ts';
import { type LabEngine, LabUnavailable, peekOwnEngine } from './engine.ts';
import { must, run } from './run.ts';

/** The package list each stand-in's base is made of. A second list, so that a stack pays only for what it uses. */
const PACKAGES = {
  postgres: 'packages.txt',
  redis: 'packages.txt',
  nginx: 'packages.txt',
  python: 'packages.txt',
  node: 'packages.txt',
  mariadb: 'packages-mariadb-rabbitmq.txt',
  rabbitmq: 'packages-mariadb-rabbitmq.txt',
  haproxy: 'packages-haproxy-pgbouncer.txt',
  pgbouncer: 'packages-haproxy-pgbouncer.txt',
} as const;
type ImageRole = keyof typeof PACKAGES;

/** What runs in place of an image: itself where it can be had, else a stand-in built from Debian packages. */
export interface LabImages {
  real: boolean;
  of(image: string): string;
}

const DIR = fileURLToPath(new URL('./images/', import.meta.url));

/** Builds or pulls what the named images need, and nothing else. */
export async function ensureImages(engine: LabEngine, wanted: string[], onProgress: (text: string) => void = () => {}): Promise<LabImages> {
  const choice = process.env['STACK_DOCTOR_LAB_IMAGES'];
  const names = new Map([...new Set(wanted)].map((image) => [image, standIn(roleOf(image))]));
  const standIns = [...names.values()];
  const built =
    choice !== 'real' &&
    (await haveAll(
      engine,
      standIns.map(({ name }) => name),
    ));
  if (!built && choice !== 'lab' && (await haveReal(engine, [...names.keys()], onProgress))) return { real: true, of: (image) => image };
  if (!built) {
    if (choice === 'real') throw new LabUnavailable('the images cannot be pulled');
    await withLock('images', 1_200_000, () => buildAll(engine, standIns, onProgress));
  }
  return { real: false, of: (image) => (names.get(image) ?? standIn(roleOf(image))).name };
}

/** What `COPY context/` takes, and `COPY packages/`. */
interface Context {
  from: string;
  packages: Record<string, string>;
}

/** An image with another name, made of `from` and Dockerfile lines; built once per content. */
export async function ensureDerived(engine: LabEngine, name: string, from: string, lines: string[], context?: Context): Promise<string> {
  const text = [`FROM ${from}`, ...lines, ''].join('\n');
  const source = lines.includes('COPY context/ .') ? context?.from : undefined;
  const tag = `stack-doctor-lab/${name}:${digest(text, ...(source ? contents(source) : []))}`;
  if (!(await haveAll(engine, [tag]))) await build(engine, tag, text, source, context?.packages);
  return tag;
}

const contents = (dir: string): (string | Buffer)[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .flatMap((file) => [file.slice(dir.length), readFileSync(file)]);

interface StandIn {
  role: ImageRole;
  name: string;
  base: { name: string; packages: string };
}

/** Names are made of the contents: a change builds anew, and what is there already is taken as it is. */
function standIn(role: ImageRole): StandIn {
  const packages = PACKAGES[role];
  const base = digest(readFileSync(join(DIR, packages)), SUITE);
  const shared = readFileSync(join(DIR, 'keep-only.sh'));
  const files = readdirSync(join(DIR, role))
    .sort()
    .flatMap((file) => [file, readFileSync(join(DIR, role, file))]);
  return {
    role,
    name: `stack-doctor-lab/${role}:${digest(base, shared, ...files)}`,
    base: { name: `stack-doctor-lab/${packages.replace('packages', 'base').replace('.txt', '')}:${base}`, packages },
  };
}

function roleOf(image: string): ImageRole {
  const role = Object.keys(PACKAGES).find((known) => basename(image).startsWith(known));
  if (!role) throw new Error(`the lab has no stand-in for the image "${image}"`);
  return role as ImageRole;
}

async function haveReal(engine: LabEngine, images: string[], onProgress: (text: string) => void): Promise<boolean> {
  for (const image of images) {
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

async function buildAll(engine: LabEngine, standIns: StandIn[], onProgress: (text: string) => void): Promise<void> {
  if (await copied(engine, standIns, onProgress)) return;
  for (const { role, name, base } of standIns) {
    if (await haveAll(engine, [name])) continue;
    if (!(await haveAll(engine, [base.name]))) await importBase(engine, base, onProgress);
    onProgress(`building ${name}`);
    const dockerfile = join(DIR, role, 'Dockerfile');
    const args = ['build', '-q', '--network', 'none', '--build-arg', `BASE=${base.name}`, '-f', dockerfile, '-t', name, DIR];
    await must(engine.docker, args, { env: engine.env, timeoutMs: 300_000 });
  }
}

/** Another engine of the lab may have them: that is cheaper than to build them again. */
async function copied(engine: LabEngine, standIns: StandIn[], onProgress: (text: string) => void): Promise<boolean> {
  const lender = engine.owned && (await peekOwnEngine(engine.owned === 'newer' ? 'older' : 'newer'));
  const names = standIns.map(({ name }) => name);
  if (!lender || !(await haveAll(lender, names))) return false;
  onProgress(`copying ${names.join(', ')}`);
  const copy = '"$0" -H "$1" save $3 | "$0" -H "$2" load -q';
  await must('sh', ['-c', copy, engine.docker, lender.dockerHost, engine.dockerHost, names.join(' ')], {
    env: engine.env,
    timeoutMs: 300_000,
  });
  return haveAll(engine, names);
}

/** One root file system with every program; the images per role take away from it. */
async function importBase(engine: LabEngine, base: StandIn['base'], onProgress: (text: string) => void): Promise<void> {
  if (process.getuid?.() !== 0 || !isDebian()) {
    throw new LabUnavailable('no registry answers, and building stand-in images needs root on Debian');
  }
  onProgress('packages for the images (about a minute)');
  await installMissing({ mmdebstrap: 'mmdebstrap' });
  const packages = readFileSync(join(DIR, base.packages), 'utf8').trim().split('\n').join(',');
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
    await must(engine.docker, ['import', tar, base.name], { env: engine.env, timeoutMs: 300_000 });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function build(
  engine: LabEngine,
  tag: string,
  dockerfile: string,
  source: string | undefined,
  packages: Record<string, string> = {},
): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'stack-doctor-image-'));
  try {
    writeFileSync(join(work, 'Dockerfile'), dockerfile);
    for (const folder of ['context', 'packages']) mkdirSync(join(work, folder));
    if (source) cpSync(source, join(work, 'context'), { recursive: true });
    for (const [name, folder] of Object.entries(packages)) cpSync(folder, join(work, 'packages', name), { recursive: true });
    await must(engine.docker, ['build', '-q', '--network', 'none', '-t', tag, work], { env: engine.env, timeoutMs: 120_000 });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function digest(...parts: (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 12);
}
