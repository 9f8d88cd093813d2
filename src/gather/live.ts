/** Facts of a live stack: each gathered once, when it is first asked for, and all at the same time. */
import { setMaxListeners } from 'node:events';
import { assembleStack, type Parts } from '../model/assemble.ts';
import type { ServiceSettings } from '../model/config.ts';
import {
  isOwnFact,
  type EngineFact,
  type Fact,
  type FactName,
  type FactSource,
  type FactTypes,
  type NetworkFact,
  type OwnFactName,
  type ProjectFact,
  type ServiceFactName,
  type StackFactName,
} from '../model/facts.ts';
import type { Container, Service, Stack } from '../model/stack.ts';
import { abortedWith, letOthersIn } from '../time-limit.ts';
import { connectionsOpened } from './connections-opened.ts';
import { gatherContainers } from './containers.ts';
import { findProject, NoProject, type ProjectOptions, type ProjectPlace } from './compose-files.ts';
import { findElsewhere, gatherEngine } from './engine.ts';
import { findEngine, type EngineAddress } from './engine-address.ts';
import { EngineError, type EngineClient } from './engine-client.ts';
import { gatherImages, gatherNetworks, gatherVolumes } from './engine-objects.ts';
import { CannotLook, type Gathering, type ServiceGatherer } from './gathering.ts';
import { gatherHost } from './host.ts';
import type { OwnFact } from './own.ts';
import { gatherPortOwners, ownersOfDeclared } from './port-owners.ts';
import { gatherProject } from './project.ts';
import { createVault, type Vault } from './vault.ts';

export interface LiveOptions extends ProjectOptions {
  context: string | null;
}

/** What a configuration adds: what it says of services, and what it asks. */
export interface Additions {
  settings: ServiceSettings;
  own: Readonly<Record<OwnFactName, OwnFact>>;
}

const NOTHING: Additions = { settings: {}, own: {} };

/** No fact may hold up the others for longer, whatever its own limits say. */
const FACT_MS = 10_000;

/** Errors: `UsageError` when there is no project here or no such context. */
export const openLive = async (
  options: LiveOptions,
  signal: AbortSignal,
  /** Called with the project's folder. Its errors are passed on. */
  configure: (folder: string) => Promise<Additions> = async () => NOTHING,
): Promise<FactSource> => {
  const finding = findProject(options);
  finding.catch(() => undefined);
  const address = await findEngine(options.context, options.env);
  const place = await finding.catch((missing: unknown) => placeFromLabels(missing, options, address, signal));
  const vault = createVault();
  // Compose takes longest: it is at work before Docker's client is even loaded.
  const stopFirst = abortedWith(signal);
  const project = gatherProject(place, options.env, vault, stopFirst.signal);
  project.catch(() => undefined);
  const configured = configure(place.workingDir);
  configured.catch(() => undefined);
  const { openEngineClient } = await import('./docker-client.ts');
  const engine = await openEngineClient(address);
  const first = { project, stop: () => stopFirst.abort() };
  let additions: Additions;
  try {
    additions = await configured;
  } catch (error) {
    first.stop();
    engine.close();
    throw error;
  }
  return liveSource({ place, address, engine, vault, env: options.env, chosenFiles: options.files.length > 0, first, additions }, signal);
};

/** In a folder without files, the engine knows which project may be meant. Errors: the one that led here, with the names there are. */
const placeFromLabels = async (
  missing: unknown,
  options: LiveOptions,
  address: EngineAddress,
  signal: AbortSignal,
): Promise<ProjectPlace> => {
  if (!(missing instanceof NoProject)) throw missing;
  const [{ openEngineClient }, { pickFor, runningProjects }] = await Promise.all([
    import('./docker-client.ts'),
    import('./running-projects.ts'),
  ]);
  const engine = await openEngineClient(address);
  try {
    const projects = await runningProjects(engine, signal).catch(() => []);
    const picked = pickFor(options.cwd, projects);
    if (!picked)
      throw projects.length === 0
        ? missing
        : new NoProject(`${missing.message} (there are ${projects.map(({ name }) => name).join(', ')})`);
    const found = await findProject({ ...options, projectName: picked.name });
    return { ...found, pickedBy: { by: picked.by, meant: null } };
  } finally {
    engine.close();
  }
};

interface Given {
  place: ProjectPlace;
  address: EngineAddress;
  engine: EngineClient;
  vault: Vault;
  env: Record<string, string | undefined>;
  /** The user named the files: what the containers' labels say does not matter. */
  chosenFiles: boolean;
  /** What the files say, where the place is the right one. */
  first: { project: Promise<ProjectFact>; stop(): void };
  additions: Additions;
}

const liveSource = (
  { place: meant, address, engine, vault, env, chosenFiles, first, additions }: Given,
  signal: AbortSignal,
): FactSource => {
  // Until the containers are known: it may have been started under another name.
  let place = meant;
  // Every fact listens for the end of the run; Node takes eleven listeners for a leak.
  setMaxListeners(0, signal);
  const startedAt = new Date().toISOString();
  const openedBefore = connectionsOpened();
  const facts = new Map<string, Promise<Fact<unknown>>>();

  const remember = (key: string, gather: () => Promise<unknown>): Promise<Fact<unknown>> => {
    const known = facts.get(key);
    if (known) return known;
    const fact = asFact(gather, signal);
    facts.set(key, fact);
    return fact;
  };
  const value = async <T>(fact: Promise<Fact<unknown>>): Promise<T | null> => {
    const settled = await fact;
    return settled.ok ? (settled.value as T) : null;
  };
  const containersNow = async (): Promise<Container[]> => (await value<Container[]>(fact('containers'))) ?? [];

  const stackGatherers: { [N in StackFactName]: () => Promise<FactTypes[N]> } = {
    engine: async () => {
      const found = await gatherEngine(engine, address, signal);
      const containers = found.state === 'ok' ? await value<Container[]>(fact('containers')) : [];
      return containers?.length === 0 ? { ...found, elsewhere: await findElsewhere(place.name, address, env, signal) } : found;
    },
    project: () => gatherProjectAsStarted(),
    containers: async () => {
      const own = await gatherContainers(engine, place.name, vault, signal);
      if (own.length > 0 || place.isNamed) return own;
      const { startedHere } = await import('./running-projects.ts');
      const name = await startedHere(engine, place, signal);
      if (name === null || name === place.name) return own;
      place = { ...place, name, pickedBy: { by: 'folder', meant: place.name } };
      return gatherContainers(engine, name, vault, signal);
    },
    networks: async () => gatherNetworks(engine, await containersNow(), signal),
    volumes: () => gatherVolumes(engine, signal),
    images: async () => gatherImages(engine, await containersNow(), signal),
    host: async () => gatherHost(engine, await containersNow(), (await value<NetworkFact[]>(fact('networks'))) ?? [], signal),
    shared: async () => {
      const project = await value<ProjectFact>(fact('project'));
      const { gatherShared } = await import('./shared-values.ts');
      return project === null ? [] : gatherShared(project, (await startedWith(place, chosenFiles ? [] : await containersNow())) ?? place);
    },
    portOwners: async () => {
      const containers = await containersNow();
      if (containers.length > 0) return gatherPortOwners(engine, containers, vault, signal);
      const [found, project] = await Promise.all([fact('engine'), fact('project')]);
      return ownersOfDeclared({ engine: found as Fact<EngineFact>, project: project as Fact<ProjectFact> }, engine, vault, signal);
    },
  };

  /** With the files and env files that the running containers were started with, unless the user names others. */
  const gatherProjectAsStarted = async (): Promise<ProjectFact> => {
    const containers = await containersNow();
    const started = await startedWith(place, chosenFiles ? [] : containers);
    if (!started && place === meant) return first.project;
    first.stop();
    return gatherProject(started ?? place, env, vault, signal);
  };

  const fact = (name: FactName, service?: Service): Promise<Fact<unknown>> =>
    isOwnFact(name)
      ? ownFact(name, service ?? null)
      : service
        ? serviceFact(name, service)
        : remember(name, stackGatherers[name as StackFactName]);

  const ownFact = (name: OwnFactName, service: Service | null): Promise<Fact<unknown>> =>
    remember(service ? `${name}:${service.name}` : name, async () => {
      const { gatherOwn } = await import('./own.ts');
      return gatherOwn(additions.own[name]!, service, gathering(await (service ? early() : stack())));
    });

  const serviceFact = (name: FactName, service: Service): Promise<Fact<unknown>> =>
    remember(`${name}:${service.name}`, async () => {
      const { SERVICE_GATHERERS } = await import('./gatherers.ts');
      const gather = SERVICE_GATHERERS[name as ServiceFactName] as ServiceGatherer<ServiceFactName>;
      return gather(service, gathering(await early()));
    });

  const gathering = (stack: Stack): Gathering => ({ engine, vault, stack, signal, startedAt, settings: additions.settings, fact });

  let earlyStack: Promise<Stack> | null = null;
  const early = () =>
    (earlyStack ??= (async () => {
      const listed = containersNow();
      // Loaded while the engine answers.
      await letOthersIn();
      await import('./gatherers.ts');
      const parts: Parts = {
        project: { name: place.name, workingDir: place.workingDir, files: place.files, services: null },
        containers: await listed,
        proxies: {},
        settings: additions.settings,
      };
      const known = assembleStack(parts);
      // Begun before everything else: what is asked of a proxy waits for its configuration, and is the last to be answered.
      proxiesOf(known).catch(() => undefined);
      return known.services.some(({ role }) => role === 'pooler') ? assembleStack({ ...parts, poolers: await poolersOf(known) }) : known;
    })());

  /** Who is behind a pooler stands in its own configuration. */
  const poolersOf = async (known: Stack): Promise<Parts['poolers']> => {
    const { readPoolers } = await import('./gatherers.ts');
    return readPoolers(gathering(known));
  };

  let proxies: Promise<Parts['proxies']> | null = null;
  /** Only read: the requests of the facts may wait for an upstream that hangs. */
  const proxiesOf = (known: Stack): Promise<Parts['proxies']> =>
    (proxies ??= (async () => {
      const { readHaproxyUpstreams, readUpstreams } = await import('./gatherers.ts');
      const readers = { nginx: readUpstreams, haproxy: readHaproxyUpstreams };
      const read = known.services.flatMap((service) =>
        service.role === 'nginx' || service.role === 'haproxy'
          ? [
              readers[service.role](service, gathering(known)).then(
                (upstreams) => [service.name, { upstreams }] as const,
                () => [service.name, { upstreams: [] }] as const,
              ),
            ]
          : [],
      );
      return Object.fromEntries(await Promise.all(read));
    })());

  let fullStack: Promise<Stack> | null = null;
  const stack = () =>
    (fullStack ??= (async () => {
      const [known, containers, project] = await Promise.all([early(), containersNow(), value<ProjectFact>(fact('project'))]);
      return assembleStack({
        project: project ?? { name: place.name, workingDir: place.workingDir, files: place.files, services: null },
        containers,
        proxies: await proxiesOf(known),
        poolers: known.services.some(({ role }) => role === 'pooler') ? await poolersOf(known) : {},
        settings: additions.settings,
      });
    })());

  return {
    startedAt,
    fact,
    stack,
    early,
    recorded: async () => Object.fromEntries(await Promise.all([...facts].map(async ([key, each]) => [key, await each] as const))),
    engineCalls: () => engine.calls(),
    connections: () => connectionsOpened() - openedBefore,
    close: () => engine.close(),
  };
};

/** The place as the containers' labels tell it, when it is another than we found by ourselves. */
const startedWith = async (place: ProjectPlace, containers: Container[]): Promise<ProjectPlace | null> => {
  const newest = containers.filter((each) => !each.oneOff).toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1))[0];
  if (!newest || newest.compose.configFiles.length === 0) return null;
  const { configFiles, environmentFiles, workingDir } = newest.compose;
  const same =
    sameList(configFiles, place.files) &&
    (environmentFiles.length === 0 || place.envFiles.length > 0 || sameList(environmentFiles, [`${workingDir}/.env`]));
  // Another folder's project of the same name is a collision, not ours to load.
  if (same || (place.files.length > 0 && workingDir !== place.workingDir)) return null;
  const { access } = await import('node:fs/promises');
  const readable = await Promise.all(
    [...configFiles, ...environmentFiles].map((file) =>
      access(file).then(
        () => true,
        () => false,
      ),
    ),
  );
  if (!readable.every(Boolean)) return null;
  return { ...place, workingDir, files: configFiles, envFiles: place.envFiles.length > 0 ? place.envFiles : environmentFiles };
};

const sameList = (a: string[], b: string[]): boolean => a.length === b.length && a.every((each, index) => each === b[index]);

/** Whatever a gatherer does, a fact comes of it, in time. */
const asFact = async (gather: () => Promise<unknown>, signal: AbortSignal): Promise<Fact<unknown>> => {
  const started = performance.now();
  const ms = () => Math.round(performance.now() - started);
  let stop = () => {};
  const cut = new Promise<Fact<unknown>>((resolve) => {
    const late = (reason: string) => resolve({ ok: false, reason, timedOut: true, ms: ms() });
    const timer = setTimeout(() => late(`not done within ${FACT_MS / 1000} s`), FACT_MS);
    const onAbort = () => late('the run was cut short before this was done');
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    stop = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
  });
  const looked = (async (): Promise<Fact<unknown>> => {
    try {
      return { ok: true, value: await gather(), ms: ms() };
    } catch (error) {
      return { ok: false, ...whyNot(error), ms: ms() };
    }
  })();
  return Promise.race([looked, cut]).finally(() => stop());
};

const whyNot = (error: unknown): { reason: string; timedOut: boolean } => {
  if (error instanceof CannotLook) return { reason: error.message, timedOut: error.timedOut };
  if (error instanceof EngineError) return { reason: `Docker Engine: ${error.message}`, timedOut: error.code === 'ETIMEDOUT' };
  return { reason: `internal error: ${error instanceof Error ? error.message : String(error)}`, timedOut: false };
};
