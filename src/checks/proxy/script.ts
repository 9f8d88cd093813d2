/** Scripts and sockets of the server behind nginx: what nginx names and the other side does not have. */
import { isStarting } from '../../model/age.ts';
import type { SocketView } from '../../model/facts.ts';
import { scriptTrouble } from '../../model/script-trouble.ts';
import { isSamePath } from '../../model/socket-file.ts';
import { socketTrouble } from '../../model/socket-trouble.ts';
import { type Base, errorOf, type Given, loggedBy, type Proxied, socketOf, type Trouble } from './given.ts';

/** In PHP's words: of FPM, and of its CGI program. */
const NO_SCRIPT = /^\s*(File not found\.|No input file specified\.)\s*$/;

export const scriptNotFound = (base: Base, { http, script }: Proxied, given: Given): Trouble[] => {
  const { target } = base;
  const { service, nginx } = given;
  const view = script && target && nginx.scripts?.find((each) => each.file === script.file && each.service === target.name);
  if (!view || http.answer?.status !== 404) return [];
  const error = errorOf(base, true, given);
  const line = error?.kind === 'no-script' ? error : undefined;
  if (!line && !NO_SCRIPT.test(http.answer.body)) return [];
  const found = scriptTrouble(script, view, service, target);
  if (!found) return [];
  const said = { source: `body of ${http.url}`, text: http.answer.body.trim().slice(0, 200) };
  const evidence = [...base.evidence, ...(line ? loggedBy(service, line) : [said]), ...found.evidence];
  return [{ ...base, reason: 'script-not-found', message: found.message, evidence, path: script.file }];
};

export const viewOf = ({ upstream }: Base, { nginx }: Given): SocketView | undefined => {
  const path = socketOf(upstream);
  return path === null ? undefined : nginx.sockets?.find((each) => isSamePath(each.path, path));
};

const SOCKET_REASONS = { apart: 'socket-not-shared', elsewhere: 'socket-elsewhere', forbidden: 'socket-forbidden' } as const;

/** While the service may still be starting, its socket may yet come. */
export const throughSocket = (base: Base, { http }: Proxied, given: Given): Trouble | null => {
  const view = viewOf(base, given);
  if (!view || http.answer?.status !== 502 || (base.target && isStarting(base.target, given.now))) return null;
  const { service, stack } = given;
  const error = errorOf(base, true, given);
  const isForbidden = error ? error.kind === 'forbidden' : view.closed !== undefined;
  const found = socketTrouble({ path: view.path, nginx: service, target: base.target, view, isForbidden, services: stack.services });
  if (!found) return null;
  const { how, message, target, evidence } = found;
  return { ...base, target, reason: SOCKET_REASONS[how], message, evidence: [...base.evidence, ...loggedBy(service, error), ...evidence] };
};
