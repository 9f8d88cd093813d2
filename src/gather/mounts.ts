/** The host's side of the bind mounts of a service: a few `stat`s, no call of the engine. */
import { readdirSync, readFileSync, type Stats } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { MountsFact } from '../model/facts.ts';
import { secondsSince } from '../model/age.ts';
import { nearest } from '../model/nearest.ts';
import { holdsAnother } from '../model/stale-mount.ts';
import { spokenBy, type Container, type Service } from '../model/stack.ts';
import { sharersOf } from './volume-sharers.ts';
import type { Gathering, ServiceGatherer } from './gathering.ts';
import { onThisMachine, sharesFiles, statOf } from './host-files.ts';
import { fileThroughProc } from './look-inside.ts';
import { mountAt } from './mountinfo.ts';
import { identityOf, ownProcess, processesOf, type OwnProcess } from './proc.ts';
import { runInside } from './run-inside.ts';

export const gatherMounts: ServiceGatherer<'mounts'> = async (service, given) => {
  const container = service.containers.find((each) => each.state.status !== 'running') ?? service.containers[0];
  const nothing: MountsFact = { container: container?.name ?? '', sources: [], twins: [], uid: null, selinux: false };
  if (!container) return nothing;
  const [twins, sharers] = await Promise.all([twinsOf(container, given), othersOn(service, container, given)]);
  const binds = container.mounts.filter(({ type }) => type === 'bind');
  if (binds.length === 0 || !(await sharesFiles(given.engine, given.stack, container))) return { ...nothing, twins, ...sharers };
  const own = ownProcess(container);
  const sources = await Promise.all(
    binds.map(async ({ destination, source }) => {
      const seen = await look(onThisMachine(source));
      return {
        destination,
        source,
        ...seen,
        sameBytes: seen.kind === 'file' ? await sameBytes({ destination, source }, own, container, given) : null,
      };
    }),
  );
  return { container: container.name, sources, twins, ...sharers, uid: uidOf(container, own), selinux: enforcesSelinux() };
};

/** Two servers of two projects on one volume destroy it. Costs a call only for a volume that is not named after the project. */
const othersOn = async (service: Service, container: Container, given: Gathering): Promise<Pick<MountsFact, 'sharers'>> => {
  if (spokenBy(service.role) === null || container.state.status !== 'running') return {};
  const found = await sharersOf(
    container.mounts.filter(({ readOnly }) => !readOnly),
    container.compose.project,
    given,
  ).catch(() => []);
  return found.length > 0 ? { sharers: found } : {};
};

const YOUNG_SECONDS = 24 * 3600;

/** A project, or a volume, that was renamed begins with empty volumes; the full ones lie beside them. */
const twinsOf = async (container: Container, given: Gathering): Promise<MountsFact['twins']> => {
  const named = container.mounts.filter(({ type, source }) => type === 'volume' && !/^[0-9a-f]{64}$/.test(source));
  if (named.length === 0 || secondsSince(container.createdAt, given.startedAt) > YOUNG_SECONDS) return [];
  const volumes = await given.fact('volumes');
  if (!volumes.ok) return [];
  const twins = named.flatMap(({ source }) => {
    const own = volumes.value.find((each) => each.name === source);
    if (!own?.composeName || !own.createdAt || own.project !== container.compose.project) return [];
    // One that is as old as the container was made with it, and so it began empty.
    if (Math.abs(Date.parse(container.createdAt) - Date.parse(own.createdAt)) > 60_000) return [];
    return volumes.value.flatMap((each) =>
      each.project !== null &&
      (each.project === own.project
        ? isFormer(each.composeName, own.composeName!)
        : each.composeName === own.composeName && isAkin(each.project, own.project ?? '')) &&
      each.createdAt !== null &&
      Date.parse(each.createdAt) < Date.parse(own.createdAt!)
        ? [{ volume: source, other: each.name, project: each.project, createdAt: each.createdAt }]
        : [],
    );
  });
  const used = await Promise.all(twins.slice(0, 8).map(({ other }) => isUsed(other, given)));
  return twins.filter((_, index) => used[index] === false);
};

/** Another volume of this project, called much the same: `pgdata` became `pgdata-v2`. */
const isFormer = (name: string | null, now: string): boolean => name !== null && name !== now && isAkin(name, now);

/** `shop` and `shop-old`, `my-shop` and `myshop`: strangers may well have a volume `db-data`, too. */
export const isAkin = (a: string, b: string): boolean => {
  const [one, other] = [a, b].map((name) => name.replaceAll(/[-_]/g, ''));
  const words = a.split(/[-_]/).filter((word) => word.length >= 4);
  return (
    one!.includes(other!) || other!.includes(one!) || words.some((word) => b.split(/[-_]/).includes(word)) || nearest(a, [b]).length > 0
  );
};

/** A project that still has containers is another one, not this one's former name. */
export const isUsed = async (volume: string, { engine, signal }: Gathering): Promise<boolean> => {
  const query = { all: true, filters: JSON.stringify({ volume: [volume] }) };
  return engine.get<unknown[]>('/containers/json', query, signal).then(
    (rows) => rows.length > 0,
    () => true,
  );
};

/** Only of a file that the kernel says is another one now. */
const sameBytes = async (
  { destination, source }: { destination: string; source: string },
  own: OwnProcess | null,
  container: Container,
  given: Gathering,
): Promise<boolean | null> => {
  const held = own && mountAt(own.mounts, destination);
  if (!held || !holdsAnother(held, source)) return null;
  const here = await readFile(onThisMachine(source)).catch(() => null);
  const there = fileThroughProc(own, destination) ?? (await throughCommand(container, destination, given));
  return here !== null && there !== null && there !== 'missing' ? here.equals(there) : null;
};

const throughCommand = async (container: Container, path: string, given: Gathering): Promise<Buffer | null> => {
  const result = await runInside(container, ['cat', path], given).catch(() => null);
  return result?.exitCode === 0 ? Buffer.from(result.stdout) : null;
};

/** File systems keep the two times with different grain. */
const SAME_MOMENT_MS = 20;

type Look = Omit<MountsFact['sources'][number], 'destination' | 'source' | 'sameBytes'>;

const look = async (path: string): Promise<Look> => {
  const stat = await statOf(path);
  if (!stat) return { kind: 'missing', empty: null, uid: null, mode: null, bornAt: null, untouched: null };
  return {
    kind: kindOf(stat),
    empty: stat.isDirectory() ? isEmpty(path) : null,
    uid: stat.uid,
    mode: (stat.mode & 0o7777).toString(8),
    bornAt: stat.birthtimeMs > 0 ? stat.birthtime.toISOString() : null,
    untouched: stat.birthtimeMs > 0 ? stat.mtimeMs - stat.birthtimeMs < SAME_MOMENT_MS : null,
  };
};

const kindOf = (stat: Stats): Look['kind'] => {
  if (stat.isDirectory()) return 'folder';
  return stat.isFile() ? 'file' : 'other';
};

const isEmpty = (folder: string): boolean | null => {
  try {
    return readdirSync(folder).length === 0;
  } catch {
    return null;
  }
};

/** Of the process that does the work: the last of the tree. Where /proc does not tell, a number in `user:`. */
const uidOf = (container: Container, own: OwnProcess | null): number | null => {
  const identity = own && identityOf(processesOf(own).at(-1)?.pid ?? own.pid);
  if (identity) return identity.uid;
  const given = /^(\d+)/.exec(container.user)?.[1];
  return given === undefined ? null : Number(given);
};

const enforcesSelinux = (): boolean => {
  try {
    return readFileSync('/sys/fs/selinux/enforce', 'utf8').trim() === '1';
  } catch {
    return false;
  }
};
