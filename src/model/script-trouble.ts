/** A FastCGI server answers that it has no such script: does it lack what nginx has, or is there no such page at all? Pure. */
import type { Evidence } from './check.ts';
import type { NginxFact, ScriptView } from './facts.ts';
import { pathsTo, placeOf } from './socket-file.ts';
import type { Service } from './stack.ts';

/** `null`: the page is nowhere, or nobody could look. */
export const scriptTrouble = (
  { file, root, page, isResolved }: NonNullable<NginxFact['proxied'][number]['script']>,
  view: ScriptView,
  nginx: Service,
  target: Service,
): { message: string; evidence: Evidence[] } | null => {
  if (isResolved && view.rootInNginx === 'missing' && view.inService === 'file') {
    return {
      message: `${nginx.name} has no folder ${root}, and so cannot tell ${target.name} by $realpath_root which file to run`,
      evidence: [
        { source: `files of ${nginx.name}`, text: `there is no folder ${root}` },
        { source: `files of ${target.name}`, text: `${file} is there` },
      ],
    };
  }
  const lacksFolder = view.rootInService === 'missing';
  if (view.inService !== 'missing' || (view.inNginx !== 'file' && !lacksFolder)) return null;
  const place = placeOf(nginx, page);
  const there = place === null ? undefined : pathsTo(place, target).find((path) => path !== file);
  const where = there ? `; the file of that page is ${there} in ${target.name}` : '';
  return {
    message: `${target.name} does not have ${file}, which ${nginx.name} tells it to run${where}`,
    evidence: [
      { source: `files of ${target.name}`, text: lacksFolder ? `there is no folder ${root}` : `${file} is not there` },
      { source: `files of ${nginx.name}`, text: `${page} is ${view.inNginx === 'file' ? '' : 'not '}there` },
    ],
  };
};
