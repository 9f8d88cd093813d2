/** Whose error is it that a proxy hands out? What the service behind it answers to the very request that failed, and what its log says of it. */
import { isRecent } from '../model/age.ts';
import { listed } from '../model/attempt.ts';
import { defineCheck, type Evidence, type Finding, type Known } from '../model/check.ts';
import { nameTable } from '../model/connections.ts';
import { sinceLastReload } from '../model/crash.ts';
import type { HttpTry, LogLine } from '../model/facts.ts';
import { knownErrorIn } from '../model/log-signatures.ts';
import { isNginxPage, isSurelyFromBehind } from '../model/proxy-pages.ts';
import { connectionsTo, running, serviceNamed, type Service, type Stack } from '../model/stack.ts';
import { suspectsOf } from '../model/suspects.ts';

/** A request that a proxy passed on to the service. */
interface Passed {
  proxy: string;
  http: HttpTry;
  /** The same question, put to the service itself; `null`: it was not. */
  direct: HttpTry | null;
  /** Through a socket file, which leads to nobody else: no address can be out of date. */
  bySocket: boolean;
}

export const behindProxy = defineCheck({
  id: 'behind-proxy',
  title: 'It answers what proxies pass on to it',
  question: 'Does the service answer requests that reach it through a proxy without an error of its own?',
  needs: ['logs'],
  peerNeeds: ['nginx', 'haproxy', 'http'],
  peersOf: (service, stack) => proxiesOf(service, stack),
  after: ['engine', 'container'],
  appliesTo: (service, stack) =>
    service.role !== 'nginx' && service.role !== 'haproxy' && running(service).length > 0 && proxiesOf(service, stack).length > 0,
  findings: {
    'server-error': {
      severity: 'fail',
      // Above the app's own word on its health, which tells more where it fails too.
      layer: 'proxy',
      kind: 'symptom',
      means: 'The service answers a request that a proxy passed on with an error of its own; the proxy only hands it out.',
      proof:
        'The same request, put to the service itself, is answered with 500 or more; behind nginx, the page that comes with such a status is not one of nginx.',
      shows: 'error',
    },
    'no-answer': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'The service takes a request that a proxy passed on through a socket file, and does not answer it in time.',
      proof:
        'The proxy takes the request, and neither it nor the service that makes the socket answers within the limit; or it answers 504.',
      shows: 'silence',
    },
  },
  evaluate({ service, stack, facts: { logs }, peers, now }) {
    const passed = proxiesOf(service, stack).flatMap((proxy) => passedOn(proxy, service, stack, peers[proxy]));
    const failures = passed.filter(isItsOwn);
    const silent = passed.filter(isUnanswered);
    // A path that waits for news (a long poll, a stream of events) is silent in an app that is well.
    const isHung = silent.length > 0 && !passed.some(({ http: { answer } }) => isSurelyFromBehind(answer?.status));
    if (failures.length === 0 && isHung) return { findings: [silenceOf(silent, service)] };
    if (failures.length > 0) {
      const lines = logs.ok ? sinceLastReload(logs.value.lines).filter(({ time }) => isRecent(time, now)) : [];
      return { findings: [errorOf(failures, service, stack, lines)] };
    }
    // What a proxy says by itself of one that it did not reach is no answer, neither good nor bad.
    if (passed.length > 0 && !passed.some(isAnswered)) return { skip: `no answer of ${service.name} came through a proxy` };
    if (passed.length === 0) return { skip: `no request is known that surely reaches ${service.name} through a proxy` };
    return { findings: [] };
  },
});

/** Who passes requests on to it by a file of their own, or by labels. */
const proxiesOf = ({ name }: Service, stack: Stack): string[] => [
  ...new Set(
    connectionsTo(stack, name).flatMap(({ from, kind, source }) => {
      const isWritten = kind !== 'depends-on' && !source.startsWith('env ');
      return isWritten && ['nginx', 'haproxy', 'http'].includes(serviceNamed(stack, from)?.role ?? 'unknown') ? [from] : [];
    }),
  ),
];

const passedOn = (proxy: string, { name }: Service, stack: Stack, known: Known<'nginx' | 'haproxy' | 'http'> | undefined): Passed[] => {
  const names = nameTable(stack.services);
  // Of a group of servers all must be this service, so that the answer is surely its own.
  const sockets = connectionsTo(stack, name).flatMap(({ from, kind, host }) => (from === proxy && kind === 'socket' ? [host] : []));
  const isOnly = (upstream: string) =>
    upstream.split(', ').every((each) => sockets.includes(each) || names.get(each.replace(/:\d+$/, '')) === name);
  const { nginx, haproxy, http } = known ?? {};
  return [
    ...(nginx?.ok ? nginx.value.proxied.filter(({ upstream }) => isOnly(upstream)) : []).map((each) => ({
      proxy,
      http: each.http,
      direct: null,
      bySocket: each.upstream.split(', ').every((one) => sockets.includes(one)),
    })),
    ...(haproxy?.ok ? haproxy.value.asked : []).flatMap((asked) => {
      const servers = haproxy?.ok ? haproxy.value.upstreams.filter(({ backend }) => backend === asked.backend) : [];
      const own = asked.direct.find(({ host, http: said }) => names.get(host) === name && isError(said));
      return !asked.onPurpose && servers.some(({ host }) => names.get(host) === name)
        ? [{ proxy, http: asked.http, direct: own?.http ?? asked.http, bySocket: false }]
        : [];
    }),
    ...(http?.ok && !nginx?.ok && !haproxy?.ok ? (http.value.behind ?? []) : [])
      .filter(({ service }) => service === name)
      .flatMap(({ http: direct }) =>
        http?.ok && http.value.tries[0] ? [{ proxy, http: http.value.tries[0], direct, bySocket: false }] : [],
      ),
  ];
};

const isError = ({ answer }: HttpTry): boolean => answer !== null && answer.status >= 500;

/** Behind nginx: 502 and 504 are what it says itself of one that does not answer. */
const isItsOwn = ({ http, direct }: Passed): boolean => {
  if (direct !== null) return direct !== http && isError(http) && isError(direct);
  return isError(http) && ![502, 504].includes(http.answer!.status) && !isNginxPage(http.answer!.body);
};

const isAnswered = ({ http, direct }: Passed): boolean =>
  [http, ...(direct === null ? [] : [direct])].some(({ answer }) => answer !== null && answer.status < 500);

/** The connection to a socket that is listened on comes about at once: who is waited for is the app. */
const isUnanswered = ({ http: { answer, trial }, bySocket }: Passed): boolean =>
  bySocket && (answer ? answer.status === 504 : trial.outcome === 'timeout' && trial.layer !== 'tcp');

const silenceOf = (silent: readonly Passed[], { name }: Service): Finding => {
  const { proxy, http } = silent[0]!;
  const paths = listed([...new Set(silent.map((each) => pathOf(each.http)))]);
  return {
    reason: 'no-answer',
    message: `${name} does not answer what ${proxy} passes on in time (${paths})`,
    evidence: [
      {
        source: `HTTP ${http.url}, through ${proxy}`,
        text: http.answer ? `status ${http.answer.status}` : http.trial.text || http.trial.outcome,
      },
    ],
    values: { path: pathOf(http), target: name },
  };
};

const errorOf = (failures: readonly Passed[], service: Service, stack: Stack, lines: readonly LogLine[]): Finding => {
  const known = knownErrorIn(lines, service.role);
  const line = known?.line ?? lines.findLast(({ text }) => SAYS_WHY.test(text))?.text;
  const suspects = suspectsOf(known, service, stack);
  const { http, direct } = failures[0]!;
  const proxies = listed([...new Set(failures.map(({ proxy }) => proxy))]);
  const paths = listed([...new Set(failures.map((each) => pathOf(each.http)))]);
  return {
    reason: 'server-error',
    message: `${service.name} answers ${(direct ?? http).answer!.status} to what ${proxies} passes on (${paths})`,
    evidence: [
      ...failures
        .slice(0, 2)
        .flatMap((each) => [answered(each.http, `, through ${each.proxy}`), ...(each.direct ? [answered(each.direct, '')] : [])]),
      ...(line === undefined ? [] : [{ source: `${service.name} log`, text: line }]),
    ],
    ...(suspects && suspects.length > 0 ? { suspects } : {}),
    values: { path: pathOf(http), target: service.name },
  };
};

/** As programs of many languages begin or end what they say of an error that nobody caught. */
const SAYS_WHY =
  /^(?:\w+\.)*\w*(?:Error|Exception)\b(?::|$)|\b(?:Fatal error|Uncaught|Unhandled|Traceback|panic:)|\b(?:ERROR|CRITICAL|FATAL)\b/;

const pathOf = ({ url }: HttpTry): string => url.replace(/^[a-z]+:\/\/[^/]*/i, '') || '/';

const answered = ({ url, answer }: HttpTry, how: string): Evidence => ({
  source: `HTTP ${url}${how}`,
  text: `status ${answer!.status}: ${answer!.body
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 160)}`.replace(/: $/, ''),
});
