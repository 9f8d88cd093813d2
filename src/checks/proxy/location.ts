/** What is wrong with each proxied location, by the request that was sent through it. */
import { withoutPort } from '../../model/addresses.ts';
import { isRecent, isStarting, secondsSince, WHILE_STARTING } from '../../model/age.ts';
import { grouped, listed } from '../../model/attempt.ts';
import type { Evidence, Finding } from '../../model/check.ts';
import { isLoopback } from '../../model/connections.ts';
import type { HttpTry, SocketView } from '../../model/facts.ts';
import { isNginxPage, isSurelyFromBehind } from '../../model/proxy-pages.ts';
import { isRunning, running, type Service, shouldRun } from '../../model/stack.ts';
import { NAME_UNKNOWN } from './config.ts';
import {
  type Base,
  errorOf,
  type Given,
  hostOf,
  isWell,
  loggedBy,
  OWN_SECONDS,
  portOf,
  type Proxied,
  serversOf,
  socketOf,
  targetOf,
  type Trouble,
  type UpstreamError,
} from './given.ts';
import { scriptNotFound, throughSocket, viewOf } from './script.ts';
import { stale, wrongAnswerer } from './stale.ts';

/** The same trouble with the same upstream is one finding, whatever number of locations it hits. */
export const troubles = (given: Given): Finding[] =>
  grouped(
    [...given.nginx.proxied.flatMap((each) => troubleOf(each, given)), ...deafLoopbacks(given)],
    ({ reason, upstream, path }) => `${reason}\n${upstream}\n${path ?? ''}`,
  ).map((group) => {
    const [first] = group as [Trouble];
    // Whoever makes a socket that nobody shares runs beside nginx.
    const peer = first.target?.name ?? (socketOf(first.upstream) === null ? undefined : given.service.name);
    return {
      reason: first.reason,
      message: `${first.message} (${listed(group.map(({ location }) => location))})`,
      evidence: unique(group.flatMap(({ evidence }) => evidence)).slice(0, 4),
      ...(first.severity && { severity: first.severity }),
      ...(first.starting && { starting: first.starting }),
      ...suspectsOf(first, given.service),
      values: {
        upstream: first.upstream,
        ...(peer ? { target: peer } : {}),
        ...addressOf(first.upstream),
        ...(first.path ? { path: first.path } : {}),
      },
    };
  });

const addressOf = (upstream: string): Record<string, string> => {
  const path = socketOf(upstream);
  return path === null ? { host: hostOf(upstream), port: portOf(upstream) } : { path };
};

const unique = (evidence: Evidence[]): Evidence[] => grouped(evidence, ({ source, text }) => `${source}\n${text}`).map((same) => same[0]!);

const suspectsOf = ({ reason, target }: Trouble, service: Service): Pick<Finding, 'suspects'> => {
  if (reason === 'no-answer')
    return { suspects: ['container', 'ports', 'static-files'].map((check) => ({ service: service.name, check })) };
  // What the other side mounts, and from where, may be why it lacks the file.
  if (reason === 'script-not-found' && target)
    return {
      suspects: [
        ...['mounts', 'compose', 'image'].map((check) => ({ service: target.name, check })),
        { service: service.name, check: 'static-files' },
      ],
    };
  const isSymptom = ['upstream-stopped', 'bad-gateway', 'gateway-timeout', 'upstream-error'].includes(reason);
  // What stands between the two may be seen from the proxy's own side.
  return isSymptom && target ? { suspects: [{ service: target.name }, { service: service.name, check: 'network' }] } : {};
};

const troubleOf = (proxied: Proxied, given: Given): Trouble[] => {
  const { http, location, upstream } = proxied;
  const { trial, answer } = http;
  if (trial.outcome === 'no-tool') return [];
  const targets = serversOf(upstream).flatMap((each) => targetOf(each, given) ?? []);
  const base = { location, upstream: serversOf(upstream).join(', '), targets, target: targets[0], evidence: [answerEvidence(http)] };
  const { service } = given;
  const strange = wrongAnswerer(base, proxied, given) ?? hostRejected(base, proxied, given);
  if (strange) return [strange];
  if (answer !== null && answer.status < 500) return scriptNotFound(base, proxied, given);
  if (answer === null && trial.outcome !== 'timeout')
    return [{ ...base, reason: 'no-answer', message: `${service.name} does not answer: ${trial.text || trial.outcome}` }];
  if (answer === null && trial.layer === 'tcp')
    return [{ ...base, reason: 'no-answer', message: `${service.name} takes no connections in time` }];
  return [
    slowPath(base, proxied, given) ??
      deafLoopback(base, given) ??
      stopped(base, given) ??
      stale(base, proxied, given) ??
      unknownHost(base, given) ??
      throughSocket(base, proxied, given) ??
      gatewayTrouble(base, proxied, given),
  ];
};

/** In the words of Vite, webpack's server, Starlette, Rails and Django. */
const HOST_REJECTED = /Blocked request\. This host|Invalid [Hh]ost header|Blocked hosts?:|DisallowedHost/;
const DJANGO_SAYS = /Invalid HTTP_HOST header: '([^']{1,200})'/;

/** The app is well, and answers only those who call it by a name on its list. */
const hostRejected = (base: Base, { http }: Proxied, given: Given): Trouble | null => {
  const { target } = base;
  const { answer } = http;
  if (!target || !answer || ![400, 403].includes(answer.status)) return null;
  const logs = given.peers[target.name]?.logs;
  const said = logs?.ok ? logs.value.lines.filter(({ text, time }) => DJANGO_SAYS.test(text) && isRecent(time, given.now)) : [];
  // It turns down others, too: whose name a line holds is certain only where all of this moment hold the same.
  const ofNow = said.filter(({ time }) => time !== null && secondsSince(time, given.now) <= OWN_SECONDS);
  const hosts = new Set((ofNow.length > 0 ? ofNow : said).map(({ text }) => DJANGO_SAYS.exec(text)![1]!));
  const line = said.at(-1);
  const isDjango = line !== undefined && /Bad Request \(400\)/.test(answer.body);
  if (!isDjango && !HOST_REJECTED.test(answer.body)) return null;
  const host = isDjango && hosts.size === 1 ? [...hosts][0]! : null;
  return {
    ...base,
    reason: 'host-rejected',
    message: `${target.name} answers ${answer.status} through ${given.service.name}: it does not accept the host name ${host ? `"${host}" ` : ''}that ${given.service.name} passes on`,
    evidence: [
      ...base.evidence,
      {
        source: `body of ${http.url}`,
        text: answer.body
          .replace(/<[^>]*>/g, ' ')
          .replace(/\s+/g, ' ')
          .trim()
          .slice(0, 200),
      },
      ...(line && isDjango ? [{ source: `${target.name} log`, text: line.text }] : []),
    ],
  };
};

const answerEvidence = ({ url, answer, trial }: HttpTry): Evidence => ({
  source: `HTTP ${url}`,
  text: answer ? `status ${answer.status}` : trial.text || trial.outcome,
});

/** The same app is well, and answers nginx on another path meanwhile: one that waits for news (a long poll, a stream) is silent in an app that is well. */
const slowPath = (base: Base, { http, upstream }: Proxied, given: Given): Trouble | null => {
  const { service, nginx } = given;
  const [target, ...others] = base.targets;
  // Of several, another one may have answered.
  if (http.answer !== null || !target || others.length > 0 || running(target).length !== 1 || !isWell(target, given)) return null;
  const other = nginx.proxied.find((each) => each.upstream === upstream && isSurelyFromBehind(each.http.answer?.status));
  if (!other) return null;
  return {
    ...base,
    severity: 'warn',
    reason: 'gateway-timeout',
    message: `${target.name} does not answer ${service.name} in time, while it answers on ${other.location}`,
    evidence: [...base.evidence, answerEvidence(other.http)],
  };
};

const deafLoopback = (base: Base, { service, inside }: Given): Trouble | null => {
  if (!isLoopback(hostOf(base.upstream))) return null;
  const port = Number(portOf(base.upstream));
  if (inside.ok && inside.value.listeners.some((each) => each.port === port)) return null;
  const seen = inside.ok
    ? [
        {
          source: `sockets of ${service.name}`,
          text: `listening: ${listed(inside.value.listeners.map((each) => String(each.port))) || 'none'}`,
        },
      ]
    : [];
  return {
    ...base,
    reason: 'upstream-loopback',
    message: `${service.name} proxies to ${base.upstream}, which is its own container, where nothing listens on port ${port}`,
    evidence: [...base.evidence, ...seen],
  };
};

/** Those that no request was put through. */
const deafLoopbacks = (given: Given): Trouble[] =>
  given.inside.ok
    ? given.nginx.upstreams
        .filter(({ location }) => !given.nginx.proxied.some((each) => each.location === location))
        .flatMap(
          (each) =>
            deafLoopback(
              {
                location: each.location,
                upstream: each.port > 0 ? `${each.host}:${each.port}` : each.host,
                target: undefined,
                targets: [],
                evidence: [{ source: each.at, text: `${each.scheme}://${each.host}:${each.port}` }],
              },
              given,
            ) ?? [],
        )
    : [];

const stopped = (base: Base, { service }: Given): Trouble | null => {
  const { target } = base;
  if (!target || base.targets.some((each) => running(each).length > 0)) return null;
  const state = target.containers[0]?.state.status ?? 'not created';
  return {
    ...base,
    reason: 'upstream-stopped',
    message: `${service.name} proxies to ${target.name}, which does not run (${state})`,
    evidence: [...base.evidence, { source: `docker inspect ${target.containers[0]?.name ?? target.name}`, text: `status ${state}` }],
    // Behind an inactive profile, or scaled to zero: that part of the site is meant to be off.
    ...(shouldRun(target) ? {} : { severity: 'warn' as const }),
  };
};

/** No service, no address, no variable. */
const isUnknownName = (host: string, given: Given): boolean => !targetOf(host, given) && !isLoopback(host) && !/^[\d.]+$|[:$]/.test(host);

const unknownHost = (base: Base, given: Given): Trouble | null => {
  const { service, nginx } = given;
  const host = serversOf(base.upstream)
    .map(withoutPort)
    .find((each) => isUnknownName(each, given));
  if (host === undefined) return null;
  const container = service.containers.find(isRunning);
  if (container?.extraHosts.some((each) => each.split(/[:=]/)[0] === host)) return null;
  // The newest word on this upstream: a name that was unknown a while ago may be known now.
  const ports = serversOf(base.upstream).map(portOf);
  const error = nginx.upstreamErrors.findLast(
    (each) => each.text.includes(host) || (each.upstream !== null && ports.includes(portOf(each.upstream))),
  );
  if (error && error.kind !== 'not-found') return null;
  const tested = nginx.test && NAME_UNKNOWN.exec(nginx.test.text)?.[1] === host;
  // A name with dots is somebody else's server, unless nginx itself says that there is none.
  if (!error && !tested && host.includes('.')) return null;
  return {
    ...base,
    reason: 'upstream-not-found',
    message: `${service.name} proxies to ${host}, and no service of the stack answers to that name`,
    evidence: [
      ...base.evidence,
      ...(error ? [{ source: `${service.name} log`, text: error.text }] : []),
      ...(tested ? [{ source: `nginx -t in ${service.name}`, text: nginx.test!.text.slice(0, 300) }] : []),
    ],
  };
};

const gatewayTrouble = (base: Base, { http }: Proxied, given: Given): Trouble => {
  const { service } = given;
  const error = errorOf(base, http.answer !== null, given);
  const view = viewOf(base, given);
  const evidence = [
    ...base.evidence,
    ...loggedBy(service, error),
    ...(view?.file ? [{ source: `${view.path} in ${service.name}`, text: view.file === 'missing' ? 'not there' : view.file }] : []),
  ];
  const to = base.target?.name ?? base.upstream;
  const status = http.answer?.status ?? null;
  const early = base.target && isStarting(base.target, given.now) ? WHILE_STARTING : {};
  if (status === null || status === 504)
    return {
      ...base,
      ...early,
      evidence,
      reason: 'gateway-timeout',
      message: `${to} does not answer ${service.name} in time${status === null ? '' : ', which answers 504'}`,
    };
  if (status === 502)
    return { ...base, ...early, evidence, reason: 'bad-gateway', message: `${service.name} answers 502: ${saidOf(error, to, view)}` };
  const own = isNginxPage(http.answer!.body);
  return {
    ...base,
    reason: 'upstream-error',
    ...(own ? { target: undefined } : {}),
    message: own ? `${service.name} itself answers ${status}` : `${to} answers ${status} through ${service.name}`,
  };
};

const saidOf = (error: UpstreamError | undefined, to: string, view?: SocketView): string => {
  if (view && error?.kind === 'full') return `more requests wait at the socket ${view.path} than ${to} takes`;
  if (view?.file === 'missing')
    return to === `unix:${view.path}` ? `there is no socket ${view.path}` : `${to} has made no socket ${view.path}`;
  if (view && error?.kind === 'refused') return `nobody listens on the socket ${view.path}`;
  if (error?.kind === 'refused') return `${to} refuses the connection`;
  if (error?.kind === 'reset') return `${to} closes the connection without an answer`;
  return error?.kind === 'unreachable' ? `the address of ${to} is not reachable` : `no answer from ${to}`;
};
