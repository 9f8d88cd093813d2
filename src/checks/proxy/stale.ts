/** nginx sends to an address that the service has no more. */
import { startOf } from '../../model/age.ts';
import { addressesOf, serviceAt } from '../../model/addresses.ts';
import { wrongAnswer } from '../../model/wrong-answerer.ts';
import { listed } from '../../model/attempt.ts';
import type { Evidence } from '../../model/check.ts';
import { isFlapping } from '../../model/crash-loop.ts';
import { sharedEnds } from '../../model/routes.ts';
import { running, type Service } from '../../model/stack.ts';
import {
  type Base,
  errorOf,
  type Given,
  hostOf,
  isResolvedPerRequest,
  isWell,
  portOf,
  type Proxied,
  resolvedAt,
  serversOf,
  socketOf,
  targetOf,
  type Trouble,
} from './given.ts';

/** The address that the service had belongs to another one now, which answers: with 200 for what it has, with 404 for the rest. */
export const wrongAnswerer = (base: Base, { http, called }: Proxied, given: Given): Trouble | null => {
  const { target } = base;
  const { service, stack, nginx } = given;
  if (!target || !called || !http.answer || isResolvedPerRequest(base, given)) return null;
  // Others that nginx passes requests to, on the same port.
  const meant = nginx.upstreams.flatMap(({ host, port }) => targetOf(`${host}:${port}`, given)?.name ?? []);
  const call = { proxy: service, target, port: portOf(base.upstream), called, meant, status: http.answer.status, stack };
  const wrong = wrongAnswer(call);
  return wrong && { ...base, reason: 'stale-upstream', message: wrong.message, evidence: [...base.evidence, ...wrong.evidence] };
};

export const stale = (base: Base, { http }: Proxied, given: Given): Trouble | null => {
  const { target, targets, upstream } = base;
  const { service, stack } = given;
  const now = targets.flatMap(addressesOf);
  if (serversOf(upstream).some((each) => socketOf(each) !== null)) return null;
  if (!target || now.length === 0 || targets.length < serversOf(upstream).length || isResolvedPerRequest(base, given)) return null;
  // Off the network it has no address for nginx at all.
  if (running(service).length > 0 && !running(target).some((each) => sharedEnds(running(service)[0]!, each, stack).length > 0)) return null;
  // One that keeps ending has no address in between: the one that nginx calls may be its own.
  if (target.containers.some((each) => !each.oneOff && (each.state.status === 'restarting' || isFlapping(each)))) return null;
  const used = usedAddress(base, http.answer !== null, given);
  if (used ? now.includes(used.address) : http.answer !== null || !isOlder(given, target) || !isWell(target, given)) return null;
  const owner = used && serviceAt(stack, used.address);
  return {
    ...base,
    reason: 'stale-upstream',
    message:
      `${service.name} still sends to ${used?.address ?? 'an earlier address'} for ${target.name}, which is now ${listed(now)}` +
      (owner ? `; ${used.address} now belongs to ${owner.name}` : ''),
    evidence: [
      ...base.evidence,
      ...(used ? [used.evidence] : []),
      { source: `addresses of ${target.name}`, text: listed(now) },
      { source: 'docker inspect', text: `${service.name} started ${startOf(service)}, ${target.name} started ${startOf(target)}` },
    ],
  };
};

/** The address that nginx calls, by its log or by a connection that it is still waiting for. */
const usedAddress = (base: Base, answered: boolean, given: Given): { address: string; evidence: Evidence } | null => {
  const error = errorOf(base, answered, given);
  if (error?.upstream) return { address: hostOf(error.upstream), evidence: { source: `${given.service.name} log`, text: error.text } };
  const ports = serversOf(base.upstream).map((each) => Number(portOf(each)));
  const waiting = answered || !given.inside.ok ? [] : (given.inside.value.connecting ?? []);
  const call = waiting.find(({ address, port }) => ports.includes(port) && !serviceAt(given.stack, address));
  if (!call) return null;
  return {
    address: call.address,
    evidence: { source: `sockets of ${given.service.name}`, text: `connecting to ${call.address}:${call.port}, no answer (SYN_SENT)` },
  };
};

/** No error yet: an address that nobody has keeps nginx waiting for longer than we do. The service was made after nginx last resolved its name. */
const isOlder = (given: Given, target: Service): boolean => {
  const resolved = resolvedAt(given);
  const made = running(target)
    .map((each) => each.createdAt)
    .toSorted()
    .at(-1);
  return resolved !== null && made !== undefined && resolved < made;
};
