/** HAProxy and the services behind it: one request for each backend, and whose error it is that comes back. */
import { addressesOf, serviceAt } from '../model/addresses.ts';
import { isStarting, loadedAt, secondsSince, secondsUp, WHILE_STARTING } from '../model/age.ts';
import { grouped, listed } from '../model/attempt.ts';
import { defineCheck, type Evidence, type Finding, type Verdict } from '../model/check.ts';
import { isLoopback, namesFor, nameTable } from '../model/connections.ts';
import { isFlapping, keepsFailing } from '../model/crash-loop.ts';
import type { Fact, HaproxyAsked, HaproxyFact, HaproxyUpstream, HttpTry, InsideFact, LogFact, ReachFact } from '../model/facts.ts';
import { RELOADED, configWord, serverWords, type ServerWord } from '../model/haproxy-log.ts';
import { isHaproxyPage } from '../model/proxy-pages.ts';
import { wrongAnswer } from '../model/wrong-answerer.ts';
import { isAddress, isExtraHost, sharedEnds } from '../model/routes.ts';
import { running, serviceNamed, shouldRun, type Service, type Stack } from '../model/stack.ts';

interface Given {
  service: Service;
  stack: Stack;
  haproxy: HaproxyFact;
  inside: Fact<InsideFact>;
  reach: Fact<ReachFact>;
  words: ServerWord[];
  /** When it last looked names up: its start, or its last reload. ISO 8601. */
  haproxyBegan: string | null;
  now: string;
}

/** What is wrong with one backend. */
interface Trouble {
  reason: string;
  message: string;
  evidence: Evidence[];
  backend: string;
  route: string;
  targets: Service[];
  upstream: HaproxyUpstream | undefined;
  severity?: 'warn';
  starting?: true;
  values?: Record<string, string>;
}

export const balancer = defineCheck({
  id: 'balancer',
  title: 'HAProxy reaches its servers',
  question: 'Is the configuration valid, and does each backend get an answer from the service behind it?',
  aliases: ['haproxy'],
  needs: ['haproxy', 'logs', 'inside', 'reach'],
  after: ['engine', 'compose'],
  appliesTo: (service) => service.role === 'haproxy',
  findings: {
    'config-invalid': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means: 'HAProxy ended at its start over a mistake in its configuration.',
      proof: '`[ALERT]` in its log, which names file and line, and the container that keeps ending.',
    },
    'server-not-found': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      passes: true,
      means: 'A `server` of the configuration names a host that no service of the stack answers to.',
      proof: 'The name is no service, alias or extra host; HAProxy ended over it, or answers 503 by itself.',
    },
    'server-loopback': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means: "A `server` is loopback, which inside the container is HAProxy's own; nothing listens there.",
      proof: "The configuration's host is loopback, and no socket of the container listens on that port.",
    },
    'stale-server': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means: 'HAProxy still sends to an address that the service had before; without `resolvers` it looks a name up once, at its start.',
      proof:
        'The address that HAProxy calls is none of those that the service has now; or HAProxy reaches no server, and the service, which is younger, answers at the address that its name has.',
    },
    'health-check-rejected': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means: 'HAProxy takes a healthy service for dead, because the service turns down the request of the health check.',
      proof:
        "The very request of `option httpchk`, put to the server, is answered with another status than it expects, and HAProxy's own 503 comes back for a request that the server itself answers.",
    },
    'server-stopped': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'The service behind the backend does not run.',
      proof: 'The state of the containers of the service.',
    },
    'no-server': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'HAProxy has no server for the request, because none that it knows takes connections or says that it is well.',
      proof: "HAProxy's own 503, or a connection that it closes at once.",
    },
    'bad-gateway': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'The server broke off, or what it said is no HTTP.',
      proof: "HAProxy's own 502.",
    },
    'gateway-timeout': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'The server does not answer in time.',
      proof: "HAProxy's own 504, or no answer through it within the limit.",
      shows: 'silence',
    },
    'server-error': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'The server answers with an error of its own, which HAProxy passes on.',
      proof: 'A status of 500 or more on a page that is none of HAProxy.',
      shows: 'error',
    },
    'no-answer': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'HAProxy itself does not answer.',
      proof: 'The connection to HAProxy is refused, or ends without an answer.',
    },
  },
  evaluate({ service, stack, facts: { haproxy, logs, inside, reach }, now }): Verdict {
    if (running(service).every(isFlapping)) {
      const ended = whyEnded(service, stack, logs, haproxy.ok ? haproxy.value.files : []);
      if (ended) return { findings: [ended] };
      if (haproxy.ok) return { skip: `${service.name} ${running(service).length === 0 ? 'is not running' : 'keeps ending'}` };
    }
    if (!haproxy.ok) return { cannotLook: haproxy.reason };
    const words = logs.ok ? serverWords(logs.value.lines) : [];
    const given: Given = {
      service,
      stack,
      haproxy: haproxy.value,
      inside,
      reach,
      words,
      haproxyBegan: loadedAt(service, logs, RELOADED),
      now,
    };
    const findings = [...ofBackends(given), ...closed(given)];
    if (findings.length > 0) return { findings };
    const { files, asked, taken } = haproxy.value;
    if (files.length === 0) return { skip: `no configuration of HAProxy was found in ${service.name}` };
    const seen = [
      ...asked.filter(({ http }) => http.trial.outcome !== 'no-tool').map(({ route }) => route),
      ...taken.filter(({ trial }) => trial.outcome !== 'no-tool').map(({ port }) => `port ${port}`),
    ];
    if (seen.length === 0)
      return asked.length + taken.length > 0
        ? { cannotLook: `no backend of ${service.name} could be asked` }
        : { skip: `no request is known that ${service.name} surely passes on` };
    return { findings: [], note: `${listed(seen)} ${seen.length === 1 ? 'answers' : 'answer'}` };
  },
});

/** A name that a service has is that service's business. */
const whyEnded = (service: Service, stack: Stack, logs: Fact<LogFact>, files: HaproxyFact['files']): Finding | null => {
  if (!shouldRun(service) || !service.containers.some(keepsFailing) || !logs.ok) return null;
  const word = configWord(logs.value.lines);
  if (!word) return null;
  const evidence = [{ source: `${service.name} log`, text: word.text }];
  const place = word.place && onHost(word.place, files, stack);
  const file: Record<string, string> = place ? { file: place } : {};
  if (word.host === null)
    return {
      reason: 'config-invalid',
      message: `${service.name} ended at its start, its configuration is not valid: ${word.says}${place ? ` (${place})` : ''}`,
      evidence,
      values: file,
    };
  if (namesFor(service, nameTable(stack.services)).has(word.host)) return null;
  return {
    reason: 'server-not-found',
    message: `${service.name} ended at its start: it balances to ${word.host}, and no service of the stack answers to that name`,
    evidence,
    values: { host: word.host, upstream: word.host, ...file },
  };
};

/** The file of the project, where there is one: that is where the line is mended. */
const onHost = (place: string, files: HaproxyFact['files'], { workingDir }: Stack): string => {
  const [path, line] = [place.replace(/:\d+$/, ''), /\d+$/.exec(place)?.[0]];
  const hostPath = files.find((each) => each.path === path)?.hostPath ?? path;
  return `${hostPath.startsWith(`${workingDir}/`) ? hostPath.slice(workingDir.length + 1) : hostPath}:${line}`;
};

/** One finding for each trouble with a backend, whatever number of entries it is met through. */
const ofBackends = (given: Given): Finding[] =>
  grouped(
    given.haproxy.asked.flatMap((asked) => troubleOf(asked, given) ?? []),
    ({ reason, backend }) => `${reason}\n${backend}`,
  ).map((group) => {
    const [first] = group as [Trouble];
    const { reason, message, targets, upstream, severity, starting, values } = first;
    const target = targets[0]?.name;
    return {
      reason,
      message: `${message} (${listed([...new Set(group.map(({ route }) => route))])})`,
      evidence: unique(group.flatMap(({ evidence }) => evidence)).slice(0, 5),
      ...(severity && { severity }),
      ...(starting && { starting }),
      ...suspectsOf(first, given.service),
      values: {
        ...(upstream
          ? { upstream: `${upstream.host}:${upstream.port}`, host: upstream.host, port: String(upstream.port), file: upstream.at }
          : {}),
        ...(target ? { target } : {}),
        ...values,
      },
    };
  });

const unique = (evidence: Evidence[]): Evidence[] => grouped(evidence, ({ source, text }) => `${source}\n${text}`).map((same) => same[0]!);

const SYMPTOMS = ['server-stopped', 'no-server', 'bad-gateway', 'gateway-timeout', 'server-error'];

const suspectsOf = ({ reason, targets }: Trouble, { name }: Service): Pick<Finding, 'suspects'> => {
  if (reason === 'no-answer') return { suspects: ['container', 'ports'].map((check) => ({ service: name, check })) };
  // What stands between the two is seen from HAProxy's own side.
  return SYMPTOMS.includes(reason) && targets.length > 0
    ? { suspects: [...targets.map((target) => ({ service: target.name })), { service: name, check: 'network' }] }
    : {};
};

interface Base {
  backend: string;
  route: string;
  upstreams: HaproxyUpstream[];
  upstream: HaproxyUpstream | undefined;
  targets: Service[];
  evidence: Evidence[];
}

const baseOf = (backend: string, route: string, evidence: Evidence[], given: Given): Base => {
  const upstreams = given.haproxy.upstreams.filter((each) => each.backend === backend);
  const targets = [...new Set(upstreams.flatMap((each) => targetOf(each, given) ?? []))];
  return { backend, route, upstreams, upstream: upstreams[0], targets, evidence };
};

const targetOf = ({ host }: HaproxyUpstream, { service, stack }: Given): Service | undefined =>
  serviceNamed(stack, namesFor(service, nameTable(stack.services)).get(host) ?? '') ?? serviceAt(stack, host);

const troubleOf = (asked: HaproxyAsked, given: Given): Trouble | null => {
  const { http, backend, route, onPurpose } = asked;
  const { trial, answer } = http;
  if (trial.outcome === 'no-tool') return null;
  const { service } = given;
  const base = baseOf(backend, route, [answered(http)], given);
  const wrong = wrongAnswerer(base, asked, given);
  if (wrong) return wrong;
  if (answer === null) {
    const isSilent = trial.outcome === 'timeout' && trial.layer !== 'tcp';
    if (!isSilent) return { ...base, reason: 'no-answer', message: `${service.name} does not answer: ${trial.text || trial.outcome}` };
    return { ...base, ...early(base, given), reason: 'gateway-timeout', message: `${toOf(base)} does not answer ${service.name} in time` };
  }
  if (answer.status < 500 || onPurpose) return null;
  const direct = asked.direct.map((each) => ({ source: `HTTP ${each.http.url}, without ${service.name}`, text: statusOf(each.http) }));
  const told = { ...base, evidence: [...base.evidence, ...direct] };
  if (!isOwn(asked)) return { ...told, reason: 'server-error', message: `${toOf(base)} answers ${answer.status} through ${service.name}` };
  if (answer.status === 502)
    return {
      ...told,
      ...early(base, given),
      reason: 'bad-gateway',
      message: `${service.name} answers 502: ${toOf(base)} breaks off, or does not speak HTTP there`,
    };
  if (answer.status === 504)
    return {
      ...told,
      ...early(base, given),
      reason: 'gateway-timeout',
      message: `${toOf(base)} does not answer ${service.name} in time, which answers 504`,
    };
  return (
    deafLoopback(told, given) ??
    unknownHost(told, given) ??
    stopped(told, given) ??
    checkRejected(told, asked, given) ??
    stale(told, asked.direct, given) ??
    noServer(told, asked, given)
  );
};

const answered = (http: HttpTry): Evidence => ({ source: `HTTP ${http.url}`, text: statusOf(http) });

const statusOf = ({ answer, trial }: HttpTry): string =>
  answer
    ? `status ${answer.status}: ${answer.body
        .replace(/<[^>]*>/g, ' ')
        .replace(/\s+/g, ' ')
        .trim()
        .slice(0, 120)}`.replace(/: $/, '')
    : trial.text || trial.outcome;

/** By its page, by the file that it has for such errors; or the servers were asked the same, and each of them has another answer. */
const isOwn = ({ http: { answer }, errorFile, direct }: HaproxyAsked): boolean =>
  answer !== null &&
  (isHaproxyPage(answer.body) ||
    errorFile !== undefined ||
    (answer.status === 503 && answer.server === null && direct.length > 0 && direct.every(({ http }) => http.answer?.status !== 503)));

const toOf = ({ targets, backend }: Base): string => targets[0]?.name ?? `the backend ${backend}`;

/** HAProxy asks a server every two seconds, unless it is told otherwise, and wants two good answers before it believes. */
const BELIEF_SECONDS = 15;

/** What has just begun may be well in a moment. */
const early = ({ targets }: Base, given: Given): Pick<Trouble, 'severity' | 'starting'> =>
  targets.length > 0 && targets.every((each) => isNew(each, given)) ? WHILE_STARTING : {};

const isNew = (target: Service, { haproxyBegan, now }: Given): boolean =>
  isStarting(target, now) || secondsUp(target, now) < BELIEF_SECONDS || secondsSince(haproxyBegan, now) < BELIEF_SECONDS;

const deafLoopback = (base: Base, { service, inside }: Given): Trouble | null => {
  const { upstreams } = base;
  if (!inside.ok || upstreams.length === 0 || !upstreams.every(({ host }) => isLoopback(host))) return null;
  const open = inside.value.listeners.map(({ port }) => port);
  if (upstreams.some(({ port }) => open.includes(port))) return null;
  const { host, port } = upstreams[0]!;
  return {
    ...base,
    reason: 'server-loopback',
    message: `${service.name} balances to ${host}:${port}, which is its own container, where nothing listens on port ${port}`,
    evidence: [...base.evidence, { source: `sockets of ${service.name}`, text: `listening: ${listed(open.map(String)) || 'none'}` }],
  };
};

/** It runs all the same where it is told to go on without an address (`init-addr none`, `resolvers`). */
const unknownHost = (base: Base, given: Given): Trouble | null => {
  const { service } = given;
  const container = running(service)[0];
  const isUnknown = (each: HaproxyUpstream) =>
    !targetOf(each, given) && !isLoopback(each.host) && !isAddress(each.host) && !(container && isExtraHost(container, each.host));
  // A name with dots is somebody else's server.
  if (base.upstreams.length === 0 || !base.upstreams.every((each) => isUnknown(each) && !each.host.includes('.'))) return null;
  const { host, at } = base.upstreams[0]!;
  return {
    ...base,
    reason: 'server-not-found',
    message: `${service.name} balances to ${host}, and no service of the stack answers to that name`,
    evidence: [...base.evidence, { source: at, text: `server ${host}:${base.upstreams[0]!.port}` }],
  };
};

const stopped = (base: Base, { service }: Given): Trouble | null => {
  const { targets } = base;
  if (targets.length === 0 || targets.some((each) => running(each).length > 0)) return null;
  const target = targets[0]!;
  const state = target.containers[0]?.state.status ?? 'not created';
  return {
    ...base,
    reason: 'server-stopped',
    message: `${service.name} balances to ${target.name}, which does not run (${state})`,
    evidence: [...base.evidence, { source: `docker inspect ${target.containers[0]?.name ?? target.name}`, text: `status ${state}` }],
    // Behind an inactive profile, or scaled to zero: that part of the site is meant to be off.
    ...(shouldRun(target) ? {} : { severity: 'warn' as const }),
  };
};

/** What HAProxy holds against a server of this backend. */
const wordOf = ({ backend }: Base, { words }: Given): ServerWord | undefined =>
  words.find((each) => each.backend === backend && !each.isUp);

const said = (word: ServerWord | undefined, { service }: Given): Evidence[] =>
  word ? [{ source: `${service.name} log`, text: word.text }] : [];

/** The request itself is turned down: an app that is ill would say 5xx, or nothing. */
const checkRejected = (base: Base, { checks, direct }: HaproxyAsked, given: Given): Trouble | null => {
  const { service } = given;
  const word = wordOf(base, given);
  // Without a word on what it expects, HAProxy is content with 2xx and 3xx.
  const refusing = checks.find(
    ({ status, expects }) =>
      status !== null && status < 500 && (expects === null ? status >= 400 : status >= 300 && !expects.includes(String(status))),
  );
  const isWell = direct.some(({ http }) => http.answer !== null && http.answer.status < 500);
  if (!refusing || !isWell || checks.some(({ status }) => status !== null && status < 300)) return null;
  const name = toOf(base);
  return {
    ...base,
    reason: 'health-check-rejected',
    message: `${service.name} takes ${name} for dead, which is well: ${name} answers ${refusing.status} to the health check ${refusing.request}${why(refusing)}`,
    evidence: [
      ...base.evidence,
      {
        source: `the health check of ${service.name}, put to ${name} (${refusing.at})`,
        text: `${refusing.request}: status ${refusing.status}`,
      },
      // The log has the first reason alone, mostly that the app was not up yet.
      ...(word?.reason.startsWith('Layer7') ? said(word, given) : []),
    ],
    values: { file: refusing.at },
  };
};

const why = ({ status, hasHost }: HaproxyAsked['checks'][number]): string => {
  if (status === 404) return ', a path that it does not have';
  if (status === 405) return ', a method that it does not take';
  if (status === 401 || status === 403) return ', for which it wants a login or another host name';
  if (status === 400) return hasHost ? ', whose host name it does not accept' : ', which names no host';
  return '';
};

/** The address that the service had belongs to another one now, which answers. */
const wrongAnswerer = (base: Base, { called, http }: HaproxyAsked, given: Given): Trouble | null => {
  const [target, ...others] = base.targets;
  const { service, stack, haproxy } = given;
  if (!target || others.length > 0 || !called || !http.answer || !base.upstreams.every(({ literal }) => literal)) return null;
  const meant = haproxy.upstreams.flatMap((each) => targetOf(each, given)?.name ?? []);
  const call = { proxy: service, target, port: base.upstream!.port, called, meant, status: http.answer.status, stack };
  const wrong = wrongAnswer(call);
  return wrong && { ...base, reason: 'stale-server', message: wrong.message, evidence: [...base.evidence, ...wrong.evidence] };
};

const stale = (base: Base, direct: HaproxyAsked['direct'], given: Given): Trouble | null => {
  const { service, stack, inside, reach } = given;
  const [target, ...others] = base.targets;
  const client = running(service)[0];
  if (!target || others.length > 0 || !client || !base.upstreams.every(({ literal }) => literal)) return null;
  // Off the network it has no address for HAProxy at all.
  if (!running(target).some((each) => sharedEnds(client, each, stack).length > 0) || target.containers.some(isFlapping)) return null;
  const { host, port } = base.upstream!;
  const current = addressesOf(target);
  const tried = inside.ok ? inside.value.connecting?.find((each) => each.port === port && !current.includes(each.address)) : undefined;
  const word = wordOf(base, given);
  if (!tried) {
    // By what remains: the service answers at the address that its name has, and HAProxy does not get there.
    const found = reach.ok ? reach.value.targets.find((each) => each.host === host && each.port === port) : undefined;
    const isReached = found?.trial.outcome === 'ok';
    const isUntold = found === undefined || found.trial.outcome === 'no-tool';
    const answers = direct.length > 0 && direct.every(({ http }) => http.answer !== null && http.answer.status < 500);
    const isWell = direct.length > 0 ? answers && (isReached || isUntold) : isReached;
    const isYounger = running(target).every(({ state }) => (state.startedAt ?? '') > (given.haproxyBegan ?? '~'));
    if (!isWell || !isYounger || isNew(target, given) || (word && !word.reason.startsWith('Layer4'))) return null;
  }
  return {
    ...base,
    reason: 'stale-server',
    message: `${service.name} still sends to ${tried?.address ?? 'an earlier address'} for ${target.name}, which is now ${listed(current)}`,
    evidence: [
      ...base.evidence,
      ...(tried ? [{ source: `sockets of ${service.name}`, text: `it waits for ${tried.address}:${tried.port}` }] : []),
      ...said(word, given),
      {
        source: `starts of ${service.name} and ${target.name}`,
        text: `${given.haproxyBegan} and ${running(target)[0]?.state.startedAt}; the name is looked up once, at the start`,
      },
    ],
  };
};

const noServer = (base: Base, { http, checks }: HaproxyAsked, given: Given): Trouble => {
  const word = wordOf(base, given);
  const ill = checks.find(({ status }) => status !== null && status >= 500);
  const because = ill ? `${toOf(base)} answers ${ill.status} to its health check ${ill.request}` : (word?.reason ?? '');
  return {
    ...base,
    ...early(base, given),
    reason: 'no-server',
    message: `${given.service.name} itself answers ${http.answer?.status}: it has no server for the backend ${base.backend}${because && ` (${because})`}`,
    evidence: [...base.evidence, ...(ill ? [] : said(word, given))],
  };
};

/** Ports that pass on bytes: HAProxy takes every connection, and closes it at once where it has nobody to pass it to. */
const closed = (given: Given): Finding[] => {
  const { service, haproxy } = given;
  return haproxy.taken
    .filter(({ trial }) => trial.outcome === 'reset')
    .map(({ port, backend }): Finding => {
      const base = baseOf(backend, '', [{ source: `TCP ${service.name}:${port}`, text: 'the connection was closed at once' }], given);
      const trouble =
        deafLoopback(base, given) ??
        unknownHost(base, given) ??
        stopped(base, given) ??
        stale(base, [], given) ??
        closedAtOnce(base, port, given);
      const { upstream, targets, reason } = trouble;
      return {
        reason,
        message: `${trouble.message} (port ${port})`,
        evidence: trouble.evidence,
        ...(trouble.severity && { severity: trouble.severity }),
        ...(trouble.starting && { starting: trouble.starting }),
        ...suspectsOf(trouble, service),
        values: {
          ...(upstream ? { upstream: `${upstream.host}:${upstream.port}`, host: upstream.host, file: upstream.at } : {}),
          ...(targets[0] ? { target: targets[0].name } : {}),
          port: String(upstream?.port ?? port),
        },
      };
    });
};

const closedAtOnce = (base: Base, port: number, given: Given): Trouble => {
  const word = wordOf(base, given);
  return {
    ...base,
    ...early(base, given),
    reason: 'no-server',
    message: `${given.service.name} closes connections to port ${port} at once: it has no server for the backend ${base.backend}${word?.reason ? ` (${word.reason})` : ''}`,
    evidence: [...base.evidence, ...said(word, given)],
  };
};
