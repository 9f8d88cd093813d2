/** Are the container's mounts what the files mean: the right kind, made by the user, readable, and not another project's? */
import { defineCheck, type FindingSpec } from '../model/check.ts';
import { denied } from './mounts/rights.ts';
import type { Scene } from './mounts/scene.ts';
import { anonymousData, otherProject, sharedByDatabases, sharedWithOthers } from './mounts/sharing.ts';
import { beforeUp, judgeSource } from './mounts/source.ts';

const cause = (means: string, proof: string, severity: FindingSpec['severity'] = 'fail'): FindingSpec => ({
  severity,
  layer: 'compose',
  kind: 'cause',
  means,
  proof,
});

export const mounts = defineCheck({
  id: 'mounts',
  title: 'Its mounts are what they should be',
  question: 'Does each mount hold what the compose files mean, and may the service use it?',
  needs: ['mounts', 'inside', 'logs', 'images', 'making'],
  onFiles: ['making'],
  // Not after `container`: a mount that is wrong is why a container does not run.
  after: ['engine', 'compose'],
  appliesTo: ({ containers: [container], spec }) => (container?.mounts ?? [...(spec?.mounts ?? []), ...(spec?.files ?? [])]).length > 0,
  findings: {
    'file-became-folder': cause(
      'Where a file should be mounted, the host has an empty folder: the file was missing once, and Docker made a folder of its name.',
      'The source on the host is an empty folder, and its name is that of a file.',
    ),
    'source-missing': cause(
      'What should be mounted is not on the host, and a container without it cannot be made, or finds an empty folder instead of a file.',
      'The path under `volumes:`, `secrets:` or `configs:`, looked for on the host; the service has no container yet.',
    ),
    'source-made-by-docker': {
      ...cause(
        'The folder that is mounted did not exist, and Docker made an empty one.',
        'The folder on the host is empty, and was made at the moment when the container was.',
      ),
      kind: 'symptom',
    },
    'stale-file': cause(
      'The container still holds the file that had this name when it started; an editor, git or a tool has put another in its place.',
      'mountinfo says `//deleted` or another name for the mounted file, and its bytes differ from those on the host.',
    ),
    'stale-folder': {
      ...cause(
        'The container still holds the folder that had this name when it started; another one has the name now.',
        'mountinfo says `//deleted` for the mounted folder.',
      ),
      kind: 'symptom',
      // Who mounts the same folder tells of the same fault.
      shows: 'error',
      ofFolder: true,
    },
    'capability-dropped': cause(
      'The program may not do what only a capability allows that `cap_drop` takes from it: change owners, or become another user.',
      "`Operation not permitted` in the program's log, and `HostConfig.CapDrop` without that capability in `CapAdd`.",
    ),
    'not-permitted': cause(
      "The container's user may not use what is mounted.",
      'The log denies a permission on a path of the mount; owner and mode of its source, and the user of the process.',
    ),
    selinux: cause(
      'SELinux keeps the container from what is mounted, though owner and mode allow it.',
      'The log denies a permission on a path of the mount; SELinux enforces its rules, and the mode bits allow the access.',
    ),
    'read-only': cause(
      'The service writes where its mount is read-only.',
      'The log says that the file system is read-only on a path that lies in a mount without write access.',
    ),
    'shared-by-databases': cause(
      'Two database servers run on one data volume, and destroy it.',
      'Two running containers of the same kind of server mount the same volume.',
    ),
    'data-in-anonymous-volume': cause(
      'The data lies in an anonymous volume, which is lost with the container; the named volume is mounted where the program does not look.',
      'A path that the image declares as a volume has an anonymous one, and the named volume is at no such path.',
      'warn',
    ),
    'other-project-volume': cause(
      'The volume is new, and one of the same name with older data belongs to another project name.',
      'The labels `com.docker.compose.volume` and `com.docker.compose.project` of both, and when they were made.',
      'warn',
    ),
  },
  evaluate({ service, stack, facts, now }) {
    const container = service.containers[0];
    if (!container) {
      const findings = facts.making.ok && facts.making.value ? beforeUp(service, facts.making.value) : [];
      return findings.length > 0 ? { findings } : { skip: `${service.name} has no container` };
    }
    const fact = facts.mounts.ok ? facts.mounts.value : null;
    const of = service.containers.find((each) => each.name === fact?.container) ?? container;
    const scene: Scene = {
      service,
      stack,
      container: of,
      inside: facts.inside.ok && facts.inside.value.container === of.name ? facts.inside.value : null,
      log: facts.logs.ok && facts.logs.value.container === of.name ? facts.logs.value.lines : [],
      now,
    };
    const findings = [
      ...sharedByDatabases(scene),
      ...sharedWithOthers(service, fact?.sharers, container.name),
      ...(fact?.sources ?? []).flatMap((source) => judgeSource(source, scene).slice(0, 1)),
      ...denied(scene, fact),
      ...(facts.images.ok ? anonymousData(scene, facts.images.value) : []),
      ...otherProject(scene, fact),
    ];
    if (findings.length > 0) return { findings };
    return facts.mounts.ok ? { findings } : { cannotLook: facts.mounts.reason };
  },
});
