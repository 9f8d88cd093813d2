/** Whom HAProxy asks, from the configuration that a service mounts: for services that have no container yet. Nothing is asked of anybody. */
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProjectFact } from '../model/facts.ts';
import { imageName } from '../model/image-ref.ts';
import type { MountSpec, ServiceSpec } from '../model/stack.ts';
import { parseHaproxy, type HaproxyConfig } from './haproxy-config.ts';
import { configPathsOf, inUse, isPartOf, USUAL_FILES } from './haproxy-setup.ts';
import { isWithin } from './mountinfo.ts';

const LONGEST = 512 * 1024;

export const mayBeHaproxy = ({ image, command, entrypoint }: ServiceSpec): boolean =>
  /haproxy/.test(imageName(image ?? '').name) || [...(entrypoint ?? []), ...(command ?? [])].some((word) => /\bhaproxy\b/.test(word));

/** By service. Empty where no service mounts a configuration of this machine. */
export const readHaproxyFiles = async (services: readonly ServiceSpec[]): Promise<NonNullable<ProjectFact['proxied']>> => {
  const found = await Promise.all(
    services
      .filter(mayBeHaproxy)
      .map(async (service) => [service.name, upstreamsOf(parseHaproxy(await filesOf(service), service.environment))] as const),
  );
  return Object.fromEntries(found.filter(([, upstreams]) => upstreams.length > 0));
};

const upstreamsOf = ({ backends }: HaproxyConfig): NonNullable<ProjectFact['proxied']>[string] =>
  backends.flatMap((backend) =>
    inUse(backend).map(({ host, port, tls, scheme, at }) => ({
      host,
      port,
      tls,
      scheme,
      at: `${at.file.replace(/^.*\//, '')}:${at.line}`,
    })),
  );

const filesOf = async ({ entrypoint, command, mounts }: ServiceSpec): Promise<Map<string, string>> => {
  const told = configPathsOf([...(entrypoint ?? []), ...(command ?? [])]);
  for (const paths of told.length > 0 ? [told] : USUAL_FILES.map((path) => [path])) {
    const found = await Promise.all(paths.map((path) => readMounted(path, mounts)));
    const files = new Map(found.flat());
    if (files.size > 0) return files;
  }
  return new Map();
};

const readMounted = async (path: string, mounts: readonly MountSpec[]): Promise<[string, string][]> => {
  const mount = mounts.find(({ type, destination }) => type === 'bind' && isWithin(path, destination));
  if (!mount) return [];
  const onHost = join(mount.source, path.slice(mount.destination.replace(/\/$/, '').length));
  try {
    const names = (await stat(onHost)).isDirectory()
      ? (await readdir(onHost)).toSorted().filter((name) => isPartOf(join(path, name), path))
      : [''];
    return await Promise.all(names.map(async (name) => [join(path, name), await readShort(join(onHost, name))] as [string, string]));
  } catch {
    return [];
  }
};

const readShort = async (file: string): Promise<string> => ((await stat(file)).size > LONGEST ? '' : readFile(file, 'utf8'));
