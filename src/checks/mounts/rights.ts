/** What the container is denied: a file, a folder, a right of the kernel. */
import { secondsSince } from '../../model/age.ts';
import { listed } from '../../model/attempt.ts';
import type { Evidence, Finding } from '../../model/check.ts';
import type { MountsFact } from '../../model/facts.ts';
import type { Container } from '../../model/stack.ts';
import type { Scene, Source } from './scene.ts';
import { isIll, names } from './source.ts';

const DENIED = /permission denied|EACCES|operation not permitted|EPERM/i;
const READ_ONLY = /read-only file system|EROFS/i;

/** "can not modify /etc/nginx/conf.d/default.conf (read-only file system?)": an entrypoint that looked first, and lets it be. */
const GUESS = /\?\)?\s*$|: info: /;

/** A command of an entrypoint could not, and the service is well all the same. */
const TOOL = /^\s*(?:\/\S*\/)?(?:chown|chmod|chgrp|sed|touch|cp|mv|ln|mkdir|install|rm|find|tar|rsync)(?:\[\d+\])?: /;

/** Of what a service that is well complains, only the latest is worth a word. */
const LATELY_SECONDS = 120;

export const denied = (scene: Scene, fact: MountsFact | null): Finding[] => {
  const { service, container, log } = scene;
  const severity = isIll(scene) ? 'fail' : 'warn';
  const line = log.findLast(
    ({ text }) => (DENIED.test(text) || READ_ONLY.test(text)) && !GUESS.test(text) && (isIll(scene) || !TOOL.test(text)),
  );
  if (!line || (!isIll(scene) && secondsSince(line.time, scene.now) > LATELY_SECONDS)) return [];
  const mount = container.mounts
    .filter(({ destination }) => names(line.text, destination))
    .toSorted((a, b) => b.destination.length - a.destination.length)[0];
  const said: Evidence = { source: `${service.name} log`, text: line.text };
  const capability = isIll(scene) ? lacking(line.text, container) : null;
  if (capability) {
    return [
      {
        reason: 'capability-dropped',
        message: `${service.name} may not ${capability.what}: its cap_drop takes ${capability.name} from it`,
        evidence: [
          said,
          {
            source: `docker inspect ${container.name}: HostConfig`,
            text: `CapDrop ${listed(container.capabilities!.dropped)}; CapAdd ${listed(container.capabilities!.added) || 'nothing'}`,
          },
        ],
        values: { container: container.name },
      },
    ];
  }
  if (READ_ONLY.test(line.text)) {
    if (!mount?.readOnly && !(container.readOnlyRoot && !mount)) return [];
    const where = mount ? `${mount.destination}, which is mounted read-only` : 'its own file system, which is read-only';
    return [
      {
        reason: 'read-only',
        severity,
        message: `${service.name} writes to ${where}`,
        evidence: [
          said,
          { source: `docker inspect ${container.name}`, text: mount ? `Mounts: ${mount.destination} RW=false` : 'ReadonlyRootfs true' },
        ],
        values: {
          container: container.name,
          path: mount?.destination ?? '/',
          ...(mount?.type === 'bind' ? { hostPath: mount.source } : {}),
        },
      },
    ];
  }
  if (!mount) return [];
  const source = fact?.sources.find((each) => each.destination === mount.destination);
  const user = fact?.uid ?? null;
  const values = {
    container: container.name,
    path: mount.destination,
    ...(mount.type === 'bind' ? { hostPath: mount.source } : { volume: mount.source }),
  };
  const owner: Evidence[] = source
    ? [
        {
          source: `host: ${source.source}`,
          text: `owner ${source.uid ?? 'unknown'}, mode ${source.mode ?? 'unknown'}${user === null ? '' : `; the process has the user id ${user}`}`,
        },
      ]
    : [];
  const allowed = source !== undefined && user !== null && mayWrite(source, user);
  if (allowed && !fact?.selinux) return [];
  return [
    {
      reason: allowed ? 'selinux' : 'not-permitted',
      severity,
      message: allowed
        ? `SELinux keeps ${service.name} from ${mount.destination}`
        : `${service.name}${user === null ? '' : ` runs as user id ${user} and`} may not use ${mount.destination}${source ? `, which belongs to ${source.uid} (mode ${source.mode})` : ''}`,
      evidence: [said, ...owner],
      values,
      // A server that says itself what it cannot do about it knows more of it.
      ...(service.role === 'redis' && { suspects: [{ service: service.name, code: 'redis/cannot-persist' }] }),
    },
  ];
};

/** What is attempted → what it takes. */
const CAPABILITIES: [RegExp, names: string[], what: string][] = [
  [/\bchown\b/i, ['CHOWN'], 'change owners'],
  [/set(?:res)?[ug]id|setgroups|initgroups|switching (?:user|to)|failed switching/i, ['SETUID', 'SETGID'], 'become another user'],
];

/** The kernel says "operation not permitted" of a right that is missing, "permission denied" of a file. */
const lacking = (text: string, { capabilities }: Container): { name: string; what: string } | null => {
  if (!capabilities || !/operation not permitted|EPERM/i.test(text)) return null;
  const { dropped, added } = capabilities;
  const isHeld = (name: string): boolean =>
    added.includes(name) || added.includes('ALL') || !(dropped.includes('ALL') || dropped.includes(name));
  const found = CAPABILITIES.find(([pattern, wanted]) => pattern.test(text) && !wanted.every(isHeld));
  return found ? { name: listed(found[1].filter((name) => !isHeld(name))), what: found[2] } : null;
};

const mayWrite = ({ uid, mode }: Source, user: number): boolean => {
  const bits = Number.parseInt(mode ?? '0', 8);
  return user === 0 || (uid === user ? (bits & 0o200) !== 0 : (bits & 0o002) !== 0);
};
