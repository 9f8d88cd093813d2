/** What a container has, against what the files give it: environment, image, mounts, the rest. */
import { listed } from '../../model/attempt.ts';
import type { Evidence, Finding } from '../../model/check.ts';
import type { ImageFact, ProjectFact } from '../../model/facts.ts';
import { isPinned, isSameRef } from '../../model/image-ref.ts';
import { madeOfTheseFiles, plainPath } from '../../model/project-files.ts';
import {
  type Container,
  isRunning,
  type MountSpec,
  type PortMapping,
  type Service,
  type ServiceSpec,
  type Stack,
} from '../../model/stack.ts';
import { cut, valueOf } from './written.ts';

export const firstOf = (containers: Container[], compare: (container: Container) => Finding | null): Finding[] => {
  for (const container of containers) {
    const finding = compare(container);
    if (finding) return [finding];
  }
  return [];
};

/**
 * A difference that came of an edit is one that somebody waits for. Where no file is newer than the container, the call that made it had
 * other flags, or other variables in its shell: that is worth a word, not an alarm. A job that is done is made anew when it runs.
 */
export const softened = (finding: Finding, service: Service, project: ProjectFact): Finding[] => {
  if (!finding.reason.endsWith('-drift')) return [finding];
  if ((service.role === 'build-only' || service.role === 'one-shot') && !service.containers.some(isRunning)) return [];
  const warned = (why: string): Finding[] => [{ ...finding, severity: 'warn', message: `${finding.message} (${why})` }];
  if (!service.containers.every((container) => madeOfTheseFiles(container, project)))
    return warned('it was made from other files or flags than were read now');
  // That an image was built again, or pulled, is no edit of a file: such a finding brings its own severity.
  const differs = service.containers.find(({ name }) => name === finding.values?.['container']);
  if (finding.severity === undefined && differs && !isEditedSince(differs, project)) {
    return warned('no file has changed since it was made; a variable of the shell may have');
  }
  return [finding];
};

const isEditedSince = (container: Container, { changedAt }: ProjectFact): boolean =>
  changedAt === null || Date.parse(changedAt) > Date.parse(container.createdAt);

/** The image adds variables of its own: only what the files give is compared. What an unset variable left blank is another finding. */
export const envDrift = (container: Container, spec: ServiceSpec, project: ProjectFact): Finding | null => {
  const keys = Object.entries(spec.environment)
    .filter(
      ([key, value]) =>
        !isBlanked(value, valueOf(container, key) ?? '', project) &&
        !isUnresolved(value, project) &&
        valueOf(container, key) !== value &&
        !(value === '' && valueOf(container, key) === undefined),
    )
    .map(([key]) => key);
  if (keys.length === 0) return null;
  return {
    reason: 'env-drift',
    message: `${spec.name} runs with other values than the compose files give now: ${listed(keys)}`,
    evidence: keys.slice(0, 5).flatMap((key) => [
      { source: `docker inspect ${container.name}: ${key}`, text: cut(valueOf(container, key) ?? 'not set') },
      { source: `compose files: ${key}`, text: cut(spec.environment[key]!) },
    ]),
    values: { variable: keys[0]!, container: container.name, ...(project.files[0] ? { file: project.files[0] } : {}) },
  };
};

/** An unset variable left a gap: the value is the container's with a piece cut out of it. */
const isBlanked = (declared: string, actual: string, project: ProjectFact): boolean => {
  if (project.unsetVariables.length === 0 || declared.length >= actual.length) return false;
  let same = 0;
  while (same < declared.length && declared[same] === actual[same]) same += 1;
  return actual.endsWith(declared.slice(same));
};

/** Without the Compose CLI, some forms of interpolation stay as they are written. */
const isUnresolved = (value: string, project: ProjectFact): boolean => project.loadedBy !== 'compose' && value.includes('$');

/** An image that was only pulled again, by whomever, harms nobody; one that was built again may be the cure that has not arrived. */
export const imageDrift = (container: Container, spec: ServiceSpec, stack: Stack, images: readonly ImageFact[]): Finding | null => {
  const values = { container: container.name, image: container.image };
  if (spec.image !== null && !isPinned(container.image) && !isSameRef(spec.image, container.image)) {
    return {
      reason: 'image-drift',
      message: `${spec.name} runs ${container.image}, and the compose files say ${spec.image}`,
      evidence: [
        { source: `docker inspect ${container.name}: Config.Image`, text: container.image },
        { source: 'compose files: image', text: spec.image },
      ],
      values: { ...values, image: spec.image },
    };
  }
  const now = images.find((each) => each.ref === container.image);
  if (!now?.id || isPinned(container.image) || (spec.image !== null && isPinned(spec.image)) || now.id === container.imageId) return null;
  const built =
    !now.pulled || stack.services.some((each) => each.spec?.build && each.containers.some((other) => other.image === container.image));
  const since = now.taggedAt ?? now.createdAt;
  const newer = since !== null && Date.parse(since) > Date.parse(container.createdAt);
  return {
    reason: 'image-drift',
    severity: built && newer ? 'fail' : 'warn',
    message: `${spec.name} runs an older image than the one that ${container.image} names now${built ? ', which was built again' : ''}`,
    evidence: [
      { source: `docker inspect ${container.name}: Image`, text: container.imageId },
      { source: `docker image inspect ${container.image}: Id`, text: `${now.id}${since ? `, since ${since}` : ''}` },
    ],
    values,
  };
};

export const mountDrift = (container: Container, spec: ServiceSpec, project: ProjectFact): Finding | null => {
  const differing = spec.mounts.flatMap((mount) => {
    const actual = container.mounts.find((each) => plainPath(each.destination) === plainPath(mount.destination));
    const difference = mountDifference(mount, actual, container, project);
    return difference ? [{ mount, actual, difference }] : [];
  });
  const [first] = differing;
  if (!first) return null;
  const places = differing.map((each) => `${each.mount.destination} ${each.difference}`);
  return {
    reason: 'mount-drift',
    message: `${spec.name} has other mounts than the compose files declare: ${listed(places)}`,
    evidence: differing.flatMap(({ mount, actual }) => [
      { source: `docker inspect ${container.name}: Mounts`, text: actual ? mountText(actual) : `nothing at ${mount.destination}` },
      { source: 'compose files: volumes', text: mountText(mount) },
    ]),
    values: {
      container: container.name,
      path: first.mount.destination,
      ...(first.mount.type === 'bind' ? { hostPath: first.mount.source } : {}),
    },
  };
};

const mountText = (mount: MountSpec): string =>
  `${mount.type} ${mount.source || 'anonymous'} → ${mount.destination}${mount.readOnly ? ' (read-only)' : ''}`;

/** tmpfs, secrets and configs are not listed alike by every engine. */
const mountDifference = (mount: MountSpec, actual: MountSpec | undefined, container: Container, project: ProjectFact): string | null => {
  if (mount.type !== 'bind' && mount.type !== 'volume') return null;
  if (!actual) return 'is not mounted';
  if (actual.type !== mount.type) return `is a ${actual.type}`;
  if (actual.readOnly !== mount.readOnly) return actual.readOnly ? 'is read-only' : 'is writable';
  if (mount.source === '' || isUnresolved(mount.source, project)) return null;
  const same = mount.type === 'bind' ? sameBind(mount, actual, container, project) : sameVolume(mount, actual, project);
  return same ? null : `is ${actual.source}`;
};

/** The same folder may be written by way of a symbolic link: then the paths agree below the project's folder, each below its own. */
const sameBind = (mount: MountSpec, actual: MountSpec, container: Container, project: ProjectFact): boolean =>
  plainPath(mount.source) === plainPath(actual.source) ||
  below(project.workingDir, mount.source) === below(container.compose.workingDir, actual.source);

const below = (folder: string, path: string): string => {
  const [base, full] = [plainPath(folder), plainPath(path)];
  return full === base || full.startsWith(`${base}/`) ? full.slice(base.length) || '/' : full;
};

const sameVolume = (mount: MountSpec, actual: MountSpec, project: ProjectFact): boolean =>
  actual.source === mount.source || actual.source === `${project.name}_${mount.source}` || project.loadedBy !== 'compose';

export const configDrift = (container: Container, spec: ServiceSpec, project: ProjectFact): Finding | null => {
  const differences: { what: string; actual: string; declared: string }[] = [];
  const compare = (what: string, declared: string[] | null, actual: string[]): void => {
    // An empty list means "none" or "the image's own", by where it stands.
    if (declared?.length && project.loadedBy === 'compose' && declared.join('\0') !== actual.join('\0'))
      differences.push({ what, actual: actual.join(' '), declared: declared.join(' ') });
  };
  compare('command', spec.command, container.command);
  compare('entry point', spec.entrypoint, container.entrypoint);
  if (!samePorts(container, spec))
    differences.push({ what: 'ports', actual: portsText(container.portBindings), declared: portsText(spec.ports) });
  if (differences.length === 0) return null;
  return {
    reason: 'config-drift',
    message: `${spec.name} was created otherwise than the compose files say now: ${listed(differences.map(({ what }) => what))}`,
    evidence: differences.flatMap(({ what, actual, declared }): Evidence[] => [
      { source: `docker inspect ${container.name}: ${what}`, text: cut(actual || 'none') },
      { source: `compose files: ${what}`, text: cut(declared || 'none') },
    ]),
    values: { container: container.name },
  };
};

const portsText = (ports: PortMapping[]): string =>
  listed(ports.map((each) => `${each.hostIp ? `${each.hostIp}:` : ''}${each.hostPort || 'any'}:${each.containerPort}/${each.protocol}`));

/** Docker ignores ports on the host's network. A declared range or "any" (0) is met by whatever was bound. */
const samePorts = (container: Container, spec: ServiceSpec): boolean => {
  if (/^(host|none|container:|service:)/.test(container.networkMode) || spec.networkMode === 'host') return true;
  const meets = (a: PortMapping, b: PortMapping): boolean =>
    a.containerPort === b.containerPort &&
    a.protocol === b.protocol &&
    (a.hostPort === b.hostPort || a.hostPort === 0 || b.hostPort === 0 || spec.replicas > 1) &&
    sameIp(a.hostIp, b.hostIp);
  return (
    spec.ports.every((port) => container.portBindings.some((each) => meets(port, each))) &&
    container.portBindings.every((each) => spec.ports.some((port) => meets(port, each)))
  );
};

const WILDCARDS = ['', '0.0.0.0', '::', '[::]'];

const sameIp = (a: string, b: string): boolean => a === b || (WILDCARDS.includes(a) && WILDCARDS.includes(b));
