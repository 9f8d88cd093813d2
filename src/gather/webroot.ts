/** The folders that nginx serves from mounts: as they are on the host, as nginx sees them, and as it serves them. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Webroot } from '../model/facts.ts';
import { plain } from '../model/plain.ts';
import type { Container } from '../model/stack.ts';
import { speaker, type Gathering, type ServiceGatherer } from './gathering.ts';
import {
  entriesOf,
  hostPathOf,
  mayUse,
  mountOf,
  onThisMachine,
  sharesFiles,
  statNow,
  statOf,
  walkFolder,
  type Entry,
  type Walk,
} from './host-files.ts';
import { folderThroughProc, holdsFolder, listInside } from './look-inside.ts';
import { isWithin } from './mountinfo.ts';
import { fileFor, locationFor, type NginxConfig, type NginxLocation, type NginxServer } from './nginx-config.ts';
import { askNginx, doorOf, readNginxSetup, workerOf, type NginxDoor } from './nginx-setup.ts';
import { assetsOf } from './page-assets.ts';
import { ownProcess, type Identity, type OwnProcess } from './proc.ts';

const MOST_ASSETS = 3;
/** What the body of an answer is read up to. */
const FILE_BYTES = 8 * 1024 * 1024;
const PAGE_BYTES = 1024 * 1024;
const MOST_MISSING = 20;

/** A folder that nginx serves, and where its URLs begin. */
interface Served {
  path: string;
  urlBase: string;
  server: NginxServer;
  location: NginxLocation;
  mount: Container['mounts'][number];
}

interface Scene {
  container: Container;
  config: NginxConfig;
  given: Gathering;
  own: OwnProcess | null;
  worker: Identity | null;
  shared: boolean;
}

export const gatherWebroot: ServiceGatherer<'webroot'> = async (service, given) => {
  const container = speaker(service);
  const [{ config }, shared] = await Promise.all([readNginxSetup(container, given), sharesFiles(given.engine, given.stack, container)]);
  const own = ownProcess(container);
  const scene: Scene = { container, config, given, own, worker: own && workerOf(own), shared };
  const served = servedFolders(config, container).filter((folder) => !isFile(folder, shared));
  const looked = await Promise.all(served.map((folder) => lookAt(folder, scene)));
  return { folders: await withInside(looked, scene) };
};

/** Folders in a mount, or mounts in a folder that the image brought. */
const servedFolders = (config: NginxConfig, container: Container): Served[] => {
  const served = new Map<string, Served>();
  const add = (path: string, urlBase: string, server: NginxServer, location: NginxLocation, mount: Container['mounts'][number]) => {
    // A server that sends everybody elsewhere serves the files only in name.
    if (!served.has(path) || served.get(path)!.server.answersItself)
      served.set(path, { path, urlBase: urlBase.replace(/\/+$/, ''), server, location, mount });
  };
  for (const server of config.servers) {
    for (const location of server.locations) {
      const { folder } = location;
      if (!folder || folder.path.includes('$') || location.internal || location.passesTo !== null || location.returns) continue;
      const isPattern = location.modifier === '~' || location.modifier === '~*';
      if (folder.alias && isPattern) continue;
      const urlBase = folder.alias ? location.path : '';
      const mount = mountOf(container, folder.path);
      if (mount) {
        if (isPages(mount)) add(folder.path, urlBase, server, location, mount);
        continue;
      }
      for (const each of container.mounts.filter((other) => isPages(other) && isWithin(other.destination, folder.path))) {
        add(
          each.destination,
          urlBase.replace(/\/$/, '') + each.destination.slice(folder.path === '/' ? 0 : folder.path.length),
          server,
          location,
          each,
        );
      }
    }
  }
  return [...served.values()];
};

const isPages = (mount: Container['mounts'][number]): boolean => mount.type === 'bind' || mount.type === 'volume';

/** A single file laid over a site: a configuration, an icon. */
const isFile = ({ path, mount }: Served, shared: boolean): boolean => {
  if (mount.type !== 'bind' || path !== mount.destination) return false;
  const stat = shared ? statNow(onThisMachine(mount.source)) : null;
  return stat ? !stat.isDirectory() : /\.\w{1,5}$/.test(path);
};

const lookAt = async (served: Served, scene: Scene): Promise<Webroot> => {
  const { container, shared, worker, own } = scene;
  const hostPath = hostPathOf(container, served.path);
  const stat = shared && hostPath !== null ? await statOf(hostPath) : null;
  const walk = stat?.isDirectory() ? walkFolder(hostPath!) : null;
  const index = walk && indexOf(served, walk);
  const door = walk ? doorOf(served.server, container, scene.given) : null;
  const page = index && (await readFile(join(hostPath!, index), 'utf8').catch(() => null));
  const assets = page && index ? assetsOf(page.slice(0, PAGE_BYTES), `${served.urlBase}/`) : [];
  return {
    path: served.path,
    destination: served.mount.destination,
    hostPath,
    // What lies on this machine under that name is no news of another one's.
    host:
      shared && hostPath !== null
        ? hostView(walk, index ?? (walk && scriptOf(served, walk)), stat?.isDirectory() === true ? [{ path: '', stat }] : [], {
            hostPath,
            worker,
            judged: own !== null,
          })
        : null,
    hostInode: stat?.ino ?? null,
    inside: null,
    samples: walk && door ? await sample(served, index, assets, { walk, hostPath: hostPath!, door, scene }) : [],
    missingAssets: walk
      ? assets
          .filter((path) => isMissing(path, served, scene))
          .map(plain)
          .slice(0, MOST_MISSING)
      : [],
  };
};

const indexOf = ({ location }: Served, walk: Walk): string | null =>
  [...location.index, 'index.html'].map((name) => name.replace(/^\//, '')).find((name) => walk.files.some(({ path }) => path === name)) ??
  null;

/** Of a folder of nothing but scripts: one that nginx hands to the app, which makes the pages. */
const scriptOf = ({ server, urlBase }: Served, walk: Walk): string | null =>
  walk.files.find(({ path }) => (locationFor(server, `${urlBase}/${path}`)?.passesTo ?? null) !== null)?.path ?? null;

const hostView = (
  walk: Walk | null,
  index: string | null,
  top: Entry[],
  { hostPath, worker, judged }: { hostPath: string; worker: Identity | null; judged: boolean },
): Webroot['host'] => {
  const files = walk?.files ?? [];
  const folders = [...top, ...(walk?.folders ?? [])];
  const barred = (identity: Identity | null): Entry | undefined =>
    folders.find(({ stat }) => !mayUse(stat, identity, 'enter')) ?? files.find(({ stat }) => !mayUse(stat, identity, 'read'));
  // File sharing of a virtual machine has rules of its own; mode bits mean nothing there.
  const unreadable = judged ? barred(worker) : undefined;
  const newest = files.reduce((latest, { stat }) => Math.max(latest, stat.mtimeMs), 0);
  return {
    exists: walk !== null,
    files: files.length,
    newest: newest > 0 ? new Date(newest).toISOString() : null,
    hasIndex: index !== null,
    readableByAll: !judged || barred(null) === undefined,
    unreadable: unreadable ? plain(join(hostPath, unreadable.path)) : null,
  };
};

/** The path of a URL at which nginx serves exactly this file of the folder; `null` where none is sure to. */
const urlOf = (file: string, { path, urlBase, server }: Served, isIndex: boolean): string | null => {
  const candidates = [...(isIndex ? [`${urlBase}/`] : []), `${urlBase}/${file}`];
  return (
    candidates.find((url) => {
      const location = locationFor(server, url);
      if (!location || location.internal || location.rewritesBody || !triesFiles(location)) return false;
      const wanted = url.endsWith('/') ? `${path}/` : `${path}/${file}`;
      if (fileFor(location, url) !== wanted) return false;
      if (!url.endsWith('/')) return true;
      // nginx asks its locations anew for the index, and one may hand `index.php` to an app.
      const own = locationFor(server, url + file);
      return location.index.includes(file) && own !== null && fileFor(own, url + file) === `${path}/${file}`;
    }) ?? null
  );
};

/** `try_files /maintenance.html =503` serves no file by its own name. */
const triesFiles = ({ tryFiles }: NginxLocation): boolean =>
  tryFiles.length === 0 || tryFiles.some((each) => each.startsWith('$uri') || each.startsWith('$request_uri'));

interface Samples {
  walk: Walk;
  hostPath: string;
  door: NginxDoor;
  scene: Scene;
}

/** The index and the first of its own assets; where there is no index, any files. */
const sample = async (
  served: Served,
  index: string | null,
  assets: string[],
  { walk, hostPath, door, scene }: Samples,
): Promise<Webroot['samples']> => {
  if (served.server.answersItself) return [];
  // A mount of its own may lie over a file of the folder.
  const files = new Map(
    walk.files.filter(({ path }) => mountOf(scene.container, `${served.path}/${path}`) === served.mount).map((file) => [file.path, file]),
  );
  const ofPage = assets.flatMap((url) => (url.startsWith(`${served.urlBase}/`) ? [url.slice(served.urlBase.length + 1)] : []));
  // A page that an app makes is none of nginx's; the files beside it are.
  const others = index === null || urlOf(index, served, true) === null ? [...files.keys()].filter((path) => !/(^|\/)\./.test(path)) : [];
  const wanted = [...new Set([...ofPage, ...others])].filter(
    (path) => path !== index && (files.get(path)?.stat.size ?? FILE_BYTES) < FILE_BYTES,
  );
  const chosen = [...(index !== null && files.has(index) ? [index] : []), ...wanted].flatMap((file) => {
    const url = urlOf(file, served, file === index);
    return url === null ? [] : [{ file, url }];
  });
  const taken = await Promise.all(
    chosen.slice(0, MOST_ASSETS + 1).map(async ({ file, url }) => {
      const content = await readFile(join(hostPath, file)).catch(() => null);
      const http = content && (await askNginx(door, encodeURI(url).replace(/[?#]/g, encodeURIComponent), 'file', scene.given));
      return content && http
        ? [{ file: plain(file), url: http.url, hostSha256: createHash('sha256').update(content).digest('hex'), http }]
        : [];
    }),
  );
  return taken.flat();
};

/** Only where the URL leads to a file of a folder that can be seen from here; not to an app behind a proxy. */
const isMissing = (url: string, { server }: Served, { container }: Scene): boolean => {
  const location = locationFor(server, url);
  const file = location && !location.internal && triesFiles(location) ? fileFor(location, url) : null;
  const hostPath = file === null ? null : hostPathOf(container, file);
  return (
    hostPath !== null && statNow(hostPath) === null && statNow(hostPathOf(container, mountOf(container, file!)!.destination)!) !== null
  );
};

/** Through /proc it costs nothing. A command is worth its price only where the answers did not show it already. */
const withInside = async (folders: Webroot[], { own, container, given }: Scene): Promise<Webroot[]> => {
  const seen = await Promise.all(folders.map(async (folder) => ({ ...folder, inside: own && (await withoutCommand(folder, own)) })));
  const left = seen.filter((folder) => folder.inside === null && !isServed(folder));
  if (left.length === 0) return seen;
  const listed = await listInside(
    container,
    left.map(({ path }) => path),
    given,
  );
  return seen.map((folder) => {
    const found = listed?.[left.indexOf(folder)];
    return found ? { ...folder, inside: { inode: found.inode, entries: found.entries } } : folder;
  });
};

const withoutCommand = async ({ path, destination, hostPath, hostInode }: Webroot, own: OwnProcess): Promise<Webroot['inside']> => {
  const found = folderThroughProc(own, path);
  if (found === 'missing') return { inode: null, entries: null };
  if (found) return { inode: found.inode, entries: found.entries };
  if (hostPath === null || hostInode === null) return null;
  const source = hostPath.slice(0, hostPath.length - (path.length - destination.length));
  return (await holdsFolder(own, destination, source)) ? { inode: hostInode, entries: entriesOf(hostPath) } : null;
};

const isServed = ({ samples }: Webroot): boolean =>
  samples.length > 0 && samples.every(({ http, hostSha256 }) => http.answer?.status === 200 && http.answer.sha256 === hostSha256);
