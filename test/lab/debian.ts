import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, run } from './run.ts';

/** Debian testing: the newer engine, and the programs of the images. */
export const SUITE = 'forky';
/** The release whose own engine is Docker 20.10. */
export const OLDER_SUITE = 'bookworm';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** The Debian mirror this machine already uses. */
export async function debianMirror(): Promise<string> {
  const out = await must('apt-get', ['indextargets', '--format', '$(REPO_URI) $(COMPONENT) $(CODENAME)', 'Created-By: Packages']);
  const rows = out
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  const row = rows.find(([uri, component]) => component === 'main' && uri?.replace(/\/$/, '').endsWith('/debian'));
  if (!row?.[0]) throw new Error('apt knows no Debian mirror');
  return row[0].replace(/\/?$/, '/');
}

export function isDebian(): boolean {
  const id = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return /^ID(_LIKE)?=.*debian/m.test(id) && existsSync(KEYRING);
}

/** Programs from the machine's own release; returns what had to be installed. */
export async function installMissing(wanted: Record<string, string>): Promise<string[]> {
  const paths = `${process.env['PATH']}:/usr/sbin:/sbin`.split(':');
  const missing = Object.entries(wanted).filter(([program]) => !paths.some((dir) => existsSync(join(dir, program))));
  const packages = [...new Set(missing.map(([, name]) => name))];
  if (packages.length === 0) return [];
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const args = ['install', '-y', '--no-install-recommends', ...packages];
  const first = await run('apt-get', args, { env, timeoutMs: 300_000 });
  if (first.code !== 0) {
    // The lists may be older than the mirror.
    await run('apt-get', ['update'], { env, timeoutMs: 300_000 });
    await must('apt-get', args, { env, timeoutMs: 300_000 });
  }
  return packages;
}

/**
 * Unpacks packages of a release of Debian into `dir` without installing them. apt does the fetching with lists of its
 * own, so signatures and SHA256 sums are checked and the machine's package state stays as it is.
 */
export async function unpackFrom(suite: string, packages: string[], dir: string): Promise<void> {
  const done = join(dir, '.complete');
  const recipe = `${suite} ${packages.join(' ')}\n`;
  if (existsSync(done) && readFileSync(done, 'utf8') === recipe) return;
  rmSync(dir, { recursive: true, force: true });
  const work = `${dir}.work`;
  rmSync(work, { recursive: true, force: true });
  for (const sub of ['state/lists/partial', 'cache/archives/partial', 'debs', 'root']) mkdirSync(join(work, sub), { recursive: true });
  writeFileSync(join(work, 'sources.list'), `deb [signed-by=${KEYRING}] ${await debianMirror()} ${suite} main\n`);
  const apt = [
    `Dir::State=${work}/state`,
    'Dir::State::status=/var/lib/dpkg/status',
    `Dir::Cache=${work}/cache`,
    `Dir::Etc::sourcelist=${work}/sources.list`,
    'Dir::Etc::sourceparts=-',
    'Acquire::Check-Valid-Until=false',
    'Acquire::Languages=none',
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  await must('apt-get', [...apt, 'update'], { timeoutMs: 300_000 });
  await must('apt-get', [...apt, 'download', ...packages], { cwd: join(work, 'debs'), timeoutMs: 600_000 });
  for (const deb of readdirSync(join(work, 'debs'))) {
    await must('dpkg', ['-x', join(work, 'debs', deb), join(work, 'root')], { timeoutMs: 120_000 });
  }
  writeFileSync(join(work, 'root', '.complete'), recipe);
  renameSync(join(work, 'root'), dir);
  rmSync(work, { recursive: true, force: true });
}
