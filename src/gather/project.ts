/** What the compose files say, with `docker compose config` as the authority. */
import { execFile } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { ProjectFact } from '../model/facts.ts';
import { alteredValues } from './altered-values.ts';
import { shownPath, type ProjectPlace } from './compose-files.ts';
import type { ComposeError } from './compose-error.ts';
import { specFromConfig, type ConfigModel } from './compose-model.ts';
import { configFolder } from './engine-address.ts';
import { CannotLook } from './gathering.ts';
import type { Vault } from './vault.ts';

/** Less than any fact may take: why it did not end is looked for, too. */
const CONFIG_MS = 9_000;
const CONFIG_BYTES = 64 * 1024 * 1024;

type Environment = Record<string, string | undefined>;

/** Errors: `CannotLook` when there is no Compose CLI and no plain reading either. A file that does not load is a fact. */
export const gatherProject = async (place: ProjectPlace, env: Environment, vault: Vault, signal: AbortSignal): Promise<ProjectFact> => {
  // Begun first: it takes longer than all the rest.
  const saying = place.files.length > 0 ? runConfig(place, env, signal) : null;
  saying?.catch(() => undefined);
  const base = {
    name: place.name,
    ...(place.pickedBy && { pickedBy: place.pickedBy }),
    workingDir: place.workingDir,
    files: place.files.map((file) => shownPath(file, place.workingDir)),
    changedAt: await newestChange(place),
    services: null,
    error: null,
    unsetVariables: [],
    blanks: [],
  };
  if (saying === null) return { ...base, loadedBy: 'labels' };
  const said = await saying.catch((error: unknown) => whyEndless(error, place));
  if (said !== null && 'error' in said) return { ...base, loadedBy: 'compose', error: said.error };
  if (said === null) {
    const { readPlainly } = await import('./compose-plain.ts');
    const read = await readPlainly(place, env, vault);
    return { ...base, loadedBy: 'plain', ...read, ...(await proxiedOf(read.services)) };
  }
  const mask = (text: string) => vault.maskText(text);
  const warnings = [...said.stderr.matchAll(/The \\?"([^"\\]+)\\?" variable is not set/g)].map((found) => found[1]!);
  const unset = [...new Set(warnings)];
  const where = unset.length > 0 ? await import('./variable-places.ts') : null;
  const places = where ? await where.placesOf(unset, place) : { lines: [], blanks: [] };
  if (said.code !== 0) {
    const { composeError } = await import('./compose-error.ts');
    const error = await composeError(said.stderr, place);
    return { ...base, loadedBy: 'compose', error: { ...error, message: mask(error.message) }, unsetVariables: places.lines };
  }
  const model = parseConfig(said.stdout);
  const services = Object.entries(model.services ?? {})
    .map(([name, service]) => specFromConfig(name, service, model, place.profiles, vault))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return {
    ...base,
    name: model.name ?? place.name,
    loadedBy: 'compose',
    services,
    unsetVariables: places.lines,
    blanks: places.blanks,
    altered: await alteredValues(place, env, unset),
    ...(await proxiedOf(services)),
  };
};

/** The same where nothing else is looked at: no value is compared with another fact's. */
export const gatherProjectAlone = async (place: ProjectPlace, env: Environment, signal: AbortSignal): Promise<ProjectFact> => {
  const { createVault } = await import('./vault.ts');
  return gatherProject(place, env, createVault(), signal);
};

/** Aliases of aliases of aliases: nine short lines that no memory holds. */
const whyEndless = async (error: unknown, place: ProjectPlace): Promise<{ error: ComposeError }> => {
  if (!(error instanceof CannotLook)) throw error;
  const { composeText, oversized } = await import('./compose-text.ts');
  const shown = (file: string) => shownPath(file, place.workingDir);
  const large = await oversized(place.files, shown);
  if (large) throw new CannotLook(`${error.message}: ${large}`, { timedOut: true, cause: error });
  const { multipliesAt } = await import('./compose-error.ts');
  for (const file of place.files) {
    const line = multipliesAt((await composeText(file)) ?? '');
    if (line === null) continue;
    const message = 'its aliases multiply to more than can be read';
    return { error: { kind: 'syntax', file: shown(file), line, message, variable: null } };
  }
  throw error;
};

/** Loaded where a service mounts something at Caddy's place, or runs HAProxy. */
export const proxiedOf = async (services: ProjectFact['services']): Promise<Pick<ProjectFact, 'proxied'>> => {
  if (services === null) return {};
  const isCaddy = services.some(({ mounts }) => mounts.some(({ destination }) => /^\/etc\/(caddy|Caddyfile)/.test(destination)));
  const isHaproxy = services.some(({ image, command, entrypoint }) =>
    [image, ...(command ?? []), ...(entrypoint ?? [])].some((word) => word?.includes('haproxy')),
  );
  const proxied = {
    ...(isCaddy ? (await (await import('./caddyfile.ts')).readCaddyfiles(services)).proxied : {}),
    ...(isHaproxy ? await (await import('./haproxy-files.ts')).readHaproxyFiles(services) : {}),
  };
  return Object.keys(proxied).length > 0 ? { proxied } : {};
};

const newestChange = async (place: ProjectPlace): Promise<string | null> => {
  const beside = await readdir(place.workingDir).catch(() => []);
  const envFiles = beside.filter((name) => /(^|\.)env($|\.)/.test(name)).map((name) => join(place.workingDir, name));
  const named = await filesNamedIn(place.files, place.workingDir);
  const stats = await Promise.all([...place.files, ...place.envFiles, ...envFiles, ...named].map((file) => stat(file).catch(() => null)));
  const times = stats.flatMap((each) => (each ? [each.mtimeMs] : []));
  return times.length > 0 ? new Date(Math.max(...times)).toISOString() : null;
};

/** `env_file:`, `include:`, `extends:`; with something mounted behind a colon it is another kind of file. */
const NAMED = /(?<![\w./-])((?:[\w.@-]*\/)*[\w.@-]*(?:\.env(?:\.[\w.-]+)?|(?<=[\w])\.ya?ml))(?![\w:/.-])/g;
const DEEPEST = 4;

/** Env files and further compose files, wherever they lie. */
const filesNamedIn = async (files: readonly string[], workingDir: string, depth = 0): Promise<string[]> => {
  if (depth === DEEPEST) return [];
  const found = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(file, 'utf8').catch(() => '');
      const names = [...new Set([...text.matchAll(NAMED)].map((each) => each[1]!))];
      return names.flatMap((name) => [...new Set([resolve(dirname(file), name), resolve(workingDir, name)])]);
    }),
  );
  const named = [...new Set(found.flat())].filter((each) => !files.includes(each));
  const deeper = named.filter((each) => /\.ya?ml$/.test(each));
  return [...named, ...(deeper.length > 0 ? await filesNamedIn(deeper, workingDir, depth + 1) : [])];
};

/** Compose writes a literal `$` as `$$`, so that its output is a valid input. */
const parseConfig = (text: string): ConfigModel =>
  JSON.parse(text, (_, value: unknown) => (typeof value === 'string' ? value.replaceAll('$$', '$') : value)) as ConfigModel;

/** `null`: there is no Compose CLI on this machine. */
const runConfig = async (
  place: ProjectPlace,
  env: Environment,
  signal: AbortSignal,
): Promise<{ code: number; stdout: string; stderr: string } | null> => {
  const [program, ...first] = composeCommand(env);
  const files = place.files.flatMap((file) => ['-f', file]);
  const envFiles = place.envFiles.flatMap((file) => ['--env-file', file]);
  // `*` asks for the services of every profile: whether one is active is judged here, and said.
  const args = [
    ...first,
    '-p',
    place.name,
    '--project-directory',
    place.workingDir,
    ...files,
    ...envFiles,
    '--profile',
    '*',
    'config',
    '--format',
    'json',
  ];
  return new Promise((resolve, reject) => {
    const options = { cwd: place.workingDir, env, maxBuffer: CONFIG_BYTES, timeout: CONFIG_MS, signal, killSignal: 'SIGKILL' as const };
    execFile(program!, args, options, (error, stdout, stderr) => {
      const failed = error as (Error & { code?: string | number; killed?: boolean }) | null;
      if (failed?.code === 'ENOENT' || isUnknownCommand(stderr)) return resolve(null);
      if (failed && (failed.killed || failed.name === 'AbortError' || typeof failed.code !== 'number')) {
        return reject(
          new CannotLook(`\`docker compose config\` did not end within ${CONFIG_MS / 1000} s`, { timedOut: true, cause: failed }),
        );
      }
      resolve({ code: (failed?.code as number | undefined) ?? 0, stdout, stderr });
    }).stdin?.end();
  });
};

/** The docker CLI without the plugin: `docker: 'compose' is not a docker command`, or it takes `-p` for its own flag. */
const isUnknownCommand = (stderr: string): boolean =>
  /is not a docker command|unknown (shorthand )?flag: '?(p|-?-p\b)|unknown command/.test(stderr);

const PLUGIN_FOLDERS = [
  '/usr/local/lib/docker/cli-plugins',
  '/usr/local/libexec/docker/cli-plugins',
  '/usr/lib/docker/cli-plugins',
  '/usr/libexec/docker/cli-plugins',
];

/** The plugin called by itself saves the docker CLI's own start (40 ms). Looked for at once: Compose takes longer than all the rest. */
const composeCommand = (env: Environment): string[] => {
  const config = configFolder(env);
  for (const folder of [join(config, 'cli-plugins'), ...extraFolders(config), ...PLUGIN_FOLDERS]) {
    const plugin = join(folder, 'docker-compose');
    if (isExecutable(plugin)) return [plugin];
  }
  return ['docker', 'compose'];
};

const extraFolders = (config: string): string[] => {
  try {
    return (JSON.parse(readFileSync(join(config, 'config.json'), 'utf8')) as { cliPluginsExtraDirs?: string[] }).cliPluginsExtraDirs ?? [];
  } catch {
    return [];
  }
};

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};
