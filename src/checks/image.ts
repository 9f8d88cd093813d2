/** Can the container be made, and does it hold what it should run: the image, the program, the packages that the code asks for? */
import { defineCheck, mayPass, type Evidence, type Finding, type FindingSpec } from '../model/check.ts';
import type { DeclaredScript, FileLine, InsideFact, MakingFact, PackagesFact, ProgramFact } from '../model/facts.ts';
import { placeOf } from '../model/project-files.ts';
import { isRunning, type Service, type Stack } from '../model/stack.ts';

const cause = (means: string, proof: string): FindingSpec => ({ severity: 'fail', layer: 'compose', kind: 'cause', means, proof });

export const image = defineCheck({
  id: 'image',
  title: 'The image holds what the container runs',
  question: 'Is the image there, and does the container hold the program and the packages that it should run?',
  needs: ['making', 'program', 'packages', 'inside'],
  onFiles: ['making'],
  // Not after `container`: what it finds is why a container does not run.
  after: ['engine', 'compose'],
  appliesTo: () => true,
  findings: {
    'build-input-missing': cause(
      'The image is not built, and what it is to be built from is not where the files say.',
      'The folder of the context, the Dockerfile, and the sources of its `COPY` lines, looked for on the host.',
    ),
    'not-here': mayPass(
      cause(
        'The image is not on this machine, so that no container can be made of it.',
        '`GET /images/{name}/json` says 404, and the service has no container.',
      ),
    ),
    'windows-line-ends': cause(
      'A script of the container has Windows line ends, so that the kernel looks for an interpreter whose name ends with a carriage return.',
      'The first line of the file, read from the container, ends with `\\r\\n`.',
    ),
    'no-shebang': cause(
      'The script that the container should run does not begin with `#!`, so that the kernel cannot run it.',
      'The first bytes of the file, read from the container: text, neither `#!` nor an ELF header.',
    ),
    'not-executable': cause(
      'The script that the container should begin with may be executed by nobody.',
      'The mode bits of the file on the host, which the mount or `COPY` takes along; no `chmod` in the Dockerfile, and no shell that is given the script.',
    ),
    'wrong-architecture': cause(
      'The program is built for another processor than this engine has.',
      'The machine in the ELF header of the file, and the architecture of the engine.',
    ),
    'interpreter-missing': cause(
      'The first line of the script names an interpreter that the container does not have.',
      'The first line of the file, and the path that it names, looked for in the container.',
    ),
    'hidden-by-mount': cause(
      'A bind mount lies over the folder of the image in which the program should be, and its source does not hold it.',
      'The path of the program lies in a bind mount, and there is no such file.',
    ),
    'launcher-missing': cause(
      'The library is in the image, and the command that starts it is not: a later build stage did not take it along.',
      'The folder of the Python package in the container, and no file of that name on its PATH.',
    ),
    'stale-anonymous-volume': cause(
      'An anonymous volume, which Compose hands on from container to container, lies with the packages of an older image over those of the present one.',
      'The log names the missing package; the anonymous volume was made before the image.',
    ),
    'stale-volume': cause(
      'A named volume, which is filled from the image only once, lies with the packages of an older image over those of the present one.',
      'The log names the missing package; the volume was made before the image.',
    ),
    'packages-hidden': cause(
      'A bind mount lies over the folder in which the image has its packages, and its source has none.',
      'The log names the missing package; the folder of packages lies in a bind mount whose source has no such folder.',
    ),
    'packages-outdated': cause(
      'The packages that the project asks for changed after the image was built.',
      'The log names the missing package; a file of the build context asks for it and is newer than the image.',
    ),
  },
  evaluate({ service, stack, facts }) {
    const { making, program, packages } = facts;
    const findings = [
      ...(making.ok && making.value ? [...declaredScript(service, making.value), ...madeOf(service, stack, making.value)] : []),
      ...(program.ok && program.value ? judgeProgram(service, program.value) : []),
      ...(packages.ok && packages.value ? judgePackages(service, packages.value, facts.inside.ok ? facts.inside.value : null) : []),
    ];
    if (findings.length > 0) return { findings };
    const unseen = [making, program].find((fact) => !fact.ok);
    if (unseen && !unseen.ok) return { cannotLook: unseen.reason };
    if (service.containers.length === 0) return { skip: `${service.name} has no container` };
    return { findings };
  },
});

/** Compose says the same only to the one who starts it; here it is seen before. */
const madeOf = (service: Service, stack: Stack, { image: found, build, lines }: MakingFact): Finding[] => {
  if (!found || found.here === true) return [];
  const values = { image: found.ref };
  const evidence: Evidence[] = [
    ...(found.here === null ? [] : [{ source: 'images of the engine', text: `none is called ${found.ref}` }]),
    ...written(lines?.['build'], `builds ${service.name} from ${build?.context ?? 'its context'}`),
  ];
  const lacks = (
    what: string,
    { source = 'host', text }: { source?: string; text: string },
    more: Record<string, string> = {},
  ): Finding[] => [
    {
      reason: 'build-input-missing',
      // An image that was built before may be there all the same, and nobody can say.
      ...(found.here === null ? { severity: 'warn' as const } : {}),
      message: `${service.name} cannot be built: ${what}`,
      evidence: [...evidence, { source, text }],
      values: { ...values, ...more },
    },
  ];
  if (build && !build.contextExists)
    return lacks(
      `its build context ${build.context} does not exist`,
      { text: `${build.context}: no such folder` },
      { path: build.context },
    );
  if (build && !build.dockerfileExists)
    return lacks(
      `${build.context} has no ${build.dockerfile}`,
      { text: `${build.context}/${build.dockerfile}: no such file` },
      { path: `${build.context}/${build.dockerfile}`, file: build.dockerfile },
    );
  const [first] = build?.missing ?? [];
  if (build && first) {
    const file = build.file ?? build.dockerfile;
    const more = { file, line: String(first.line), path: first.source, hostPath: build.context };
    const copies = `${file}:${first.line} copies ${first.source}`;
    return first.ignoredAt
      ? lacks(
          `${copies}, which ${placeOf(first.ignoredAt)} keeps out of the context`,
          { source: placeOf(first.ignoredAt), text: `leaves out ${first.source}` },
          more,
        )
      : lacks(
          `${copies}, which the context ${build.context} does not hold`,
          { text: `${build.context}/${first.source}: no such file` },
          more,
        );
  }
  // Where nothing has been started yet, nothing had to be fetched or built either.
  if (found.here === null || stack.services.every((each) => each.containers.length === 0)) return [];
  const why = build ? 'has not been built' : 'is not on this machine';
  return [{ reason: 'not-here', message: `${service.name} has no container, and its image ${found.ref} ${why}`, evidence, values }];
};

const written = (at: FileLine | null | undefined, text: string): Evidence[] => (at ? [{ source: placeOf(at), text }] : []);

/** The first program of a container that is yet to be made, as it lies on the host. */
const declaredScript = (service: Service, { script }: MakingFact): Finding[] => {
  if (!script) return [];
  const values = { program: script.path, path: script.path, hostPath: script.hostPath };
  const found = (reason: string, message: string, text: string): Finding[] => [
    {
      reason,
      message: `${shownScript(script)} of ${service.name} ${message}`,
      evidence: [{ source: script.hostPath, text }, ...written(script.at, `runs ${script.path}`)],
      values,
    },
  ];
  if (script.windowsLineEnds)
    return found('windows-line-ends', 'has Windows line ends, so that Linux cannot run it', 'its first line ends with \\r\\n');
  if (script.lacksPermission)
    return found(
      'not-executable',
      'may not be executed',
      `nobody may execute it, and ${script.from === 'mount' ? 'it is mounted as it is' : 'nothing at build changes that'}`,
    );
  return script.lacksShebang
    ? found('no-shebang', 'has no #! line, so that the kernel cannot run it', 'begins with neither #! nor an ELF header')
    : [];
};

const shownScript = ({ hostPath, at }: DeclaredScript): string => `${hostPath.split('/').slice(-1)[0]!}${at ? ` (${placeOf(at)})` : ''}`;

const judgeProgram = (service: Service, fact: ProgramFact): Finding[] => {
  const { name, path, kind, mount, interpreter } = fact;
  const values = {
    container: fact.container,
    program: name,
    ...(path ? { path } : {}),
    ...(mount && path ? { hostPath: `${mount.source}${path.slice(mount.destination.length)}` } : {}),
  };
  const found = (reason: string, message: string, text: string): Finding[] => [
    { reason, message, evidence: [{ source: `${path ?? name} in ${fact.container}`, text }], values },
  ];
  if (fact.windowsLineEnds)
    return found(
      'windows-line-ends',
      `${name} of ${service.name} has Windows line ends, so that Linux cannot run it`,
      `its first line ends with \\r\\n${interpreter ? `: the interpreter would be "${interpreter}\\r"` : ''}`,
    );
  if (kind === 'text')
    return found(
      'no-shebang',
      `${name} of ${service.name} has no #! line, so that the kernel cannot run it`,
      'begins with neither #! nor an ELF header',
    );
  const { architecture, engineArchitecture } = fact;
  if (kind === 'elf' && architecture && engineArchitecture && architecture !== engineArchitecture)
    return found(
      'wrong-architecture',
      `${name} of ${service.name} is built for ${architecture}, and this engine is ${engineArchitecture}`,
      `ELF file for ${architecture}`,
    );
  if (kind === 'script' && interpreter && fact.interpreterExists === false)
    return found(
      'interpreter-missing',
      `${name} of ${service.name} begins with #!${interpreter}, which the container does not have`,
      `#!${interpreter}; ${interpreter}: no such file`,
    );
  if (kind !== 'missing') return [];
  if (mount && path)
    return found(
      'hidden-by-mount',
      `${service.name} should run ${path}, and ${mount.source}, which is mounted over ${mount.destination}, does not hold it`,
      'no such file',
    );
  return fact.library
    ? found(
        'launcher-missing',
        `${service.name} should run ${name}, which is not in the image, though its library is`,
        `not on the PATH; the library is ${fact.library}`,
      )
    : [];
};

const judgePackages = (service: Service, fact: PackagesFact, inside: InsideFact | null): Finding[] => {
  const { name, volume, hiddenBy, manifest, imageCreatedAt } = fact;
  const values = { container: fact.container, program: name };
  // An app that lives and serves all the same may do without it.
  const serves =
    service.containers.some((each) => isRunning(each) && each.health?.status !== 'unhealthy') && (inside?.listeners.length ?? 0) > 0;
  const log: Evidence = { source: `${service.name} log`, text: fact.line };
  const found = (reason: string, message: string, evidence: Evidence[], more: Record<string, string>): Finding[] => [
    { reason, message, evidence: [log, ...evidence], values: { ...values, ...more }, ...(serves ? { severity: 'warn' as const } : {}) },
  ];
  const imageTime: Evidence = { source: 'docker image inspect: Created', text: imageCreatedAt ?? 'unknown' };
  if (volume && isBefore(volume.createdAt, imageCreatedAt))
    return found(
      volume.anonymous ? 'stale-anonymous-volume' : 'stale-volume',
      `${service.name} lacks ${name}: ${volume.anonymous ? 'an old anonymous volume' : `volume ${volume.name}`} at ${volume.destination} was filled by an older image`,
      [{ source: `docker volume inspect ${volume.name}: CreatedAt`, text: volume.createdAt! }, imageTime],
      { path: volume.destination, volume: volume.name },
    );
  if (manifest && isBefore(imageCreatedAt, manifest.modifiedAt))
    return found(
      'packages-outdated',
      `${service.name} lacks ${name}, which ${manifest.file} asks for since its image was built`,
      [{ source: `${manifest.file}: changed`, text: manifest.modifiedAt }, imageTime],
      { file: manifest.file },
    );
  if (hiddenBy)
    return found(
      'packages-hidden',
      `${service.name} lacks ${name}: ${hiddenBy.source}, mounted over ${hiddenBy.destination}, hides the ${hiddenBy.folder} of the image`,
      [{ source: 'host', text: `${hiddenBy.source}${hiddenBy.folder.slice(hiddenBy.destination.length)}: no such folder` }],
      { path: hiddenBy.folder, hostPath: hiddenBy.source },
    );
  return [];
};

const isBefore = (a: string | null, b: string | null): boolean => a !== null && b !== null && Date.parse(a) < Date.parse(b);
