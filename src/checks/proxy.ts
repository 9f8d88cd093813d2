/** nginx and the services that it passes requests on to: one request for each proxied location, and nginx's own words about it. */
import { isRecent, isStarting, secondsSince } from '../model/age.ts';
import { addressesOf, serviceAt, withoutPort } from '../model/addresses.ts';
import { grouped, listed } from '../model/attempt.ts';
import { defineCheck, type Evidence, type Finding, type Known, type Verdict } from '../model/check.ts';
import { isLoopback, namesFor, nameTable } from '../model/connections.ts';
import { isFlapping, keepsFailing } from '../model/crash-loop.ts';
import type { Fact, HttpTry, InsideFact, LogFact, NginxFact, SocketView } from '../model/facts.ts';
import { isNginxPage } from '../model/proxy-pages.ts';
import { sharedEnds } from '../model/routes.ts';
import { scriptTrouble } from '../model/script-trouble.ts';
import { isSamePath, socketPath } from '../model/socket-file.ts';
import { socketTrouble } from '../model/socket-trouble.ts';
import { connectionsFrom, isRunning, running, serviceNamed, shouldRun, type Service, type Stack } from '../model/stack.ts';

type Upstream = NginxFact['upstreams'][number];
type UpstreamError = NginxFact['upstreamErrors'][number];
type Proxied = NginxFact['proxied'][number];

interface Given {
  service: Service;
  stack: Stack;
  nginx: NginxFact;
  inside: Fact<InsideFact>;
  logs: Fact<LogFact>;
  peers: Record<string, Known<'http' | 'logs'>>;
  /** When the run began. */
  now: string;
}

/** The log's clock and ours may differ a little. */
const OWN_SECONDS = 1;

/** What is wrong with one proxied location. */
interface Trouble {
  reason: string;
  message: string;
  evidence: Evidence[];
  /** `api:8000`; of a group of servers, `a:8000, b:8000`. */
  upstream: string;
  /** The service that is meant; of a group, the first. */
  target: Service | undefined;
  targets: Service[];
  location: string;
  /** A file that it is about, other than a socket. */
  path?: string;
  severity?: 'warn';
}

export const proxy = defineCheck({
  id: 'proxy',
  title: 'nginx reaches its upstreams',
  question: 'Is the configuration valid, and does each proxied location get an answer from the service behind it?',
  needs: ['nginx', 'logs', 'inside'],
  peerNeeds: ['http', 'logs'],
  after: ['engine', 'compose'],
  appliesTo: (service) => service.role === 'nginx',
  findings: {
    'config-invalid': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means: 'The configuration on disk is not valid; nginx runs on the one that it loaded before, or cannot start.',
      proof: '`nginx -t` fails, and names file and line.',
    },
    'upstream-not-found': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      passes: true,
      means: 'The configuration names an upstream host that no service of the stack answers to.',
      proof: 'The name is no service, alias or extra host, and nginx says that it does not resolve, or answers 502.',
    },
    'upstream-loopback': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      passes: true,
      means: "The upstream is loopback, which inside the container is nginx's own; nothing listens there.",
      proof: "The configuration's host is loopback, and no socket of the container listens on that port.",
    },
    'socket-not-shared': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means: 'The socket file that nginx passes requests to lies in a folder that it does not share with the service that makes it.',
      proof: 'Status 502, the mounts of both containers at that path, and the socket that the service listens on.',
    },
    'socket-elsewhere': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means: 'The service behind nginx listens on another socket file than the one that nginx passes requests to, or on a port.',
      proof: "Status 502, and the kernel's table of sockets in the service, without that file.",
    },
    'socket-forbidden': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means: "nginx's workers may not use the socket file of the service.",
      proof: 'Status 502, and the mode of the socket or of a folder on the way to it, for the user of the workers.',
    },
    'script-not-found': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'The script that nginx tells the FastCGI server to run does not exist in the container of that server.',
      proof: '`Primary script unknown` or `File not found.` with status 404, and the file, or its folder, as both containers have it.',
      shows: 'error',
    },
    'stale-upstream': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means:
        'nginx still sends to an address that the service had before it was recreated; it resolves names only when it loads its configuration.',
      proof: 'The address in the newest upstream error is none of the addresses that the service has now.',
    },
    'host-rejected': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      means: 'The app behind nginx answers only to host names on a list of its own, and the name that nginx passes on is not on it.',
      proof: "Status 400 or 403 with the framework's own words on the host; Django says them in its log.",
    },
    'certificate-expired': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means: 'The certificate that nginx shows is no longer valid, or not yet: browsers and clients refuse the connection.',
      proof: 'The dates in the certificate of the TLS handshake, against the clock of this machine.',
    },
    'body-too-large': {
      severity: 'warn',
      layer: 'proxy',
      kind: 'cause',
      means: 'nginx refused a request because its body was larger than `client_max_body_size` allows.',
      proof: "`client intended to send too large body` in nginx' log within the last minutes.",
    },
    'config-not-reloaded': {
      severity: 'warn',
      layer: 'proxy',
      kind: 'cause',
      means: 'The configuration on disk is newer than the one that runs.',
      proof: 'A file changed after the start and the log tells of no reload since; or the container holds the file that was replaced.',
    },
    'upstream-stopped': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'The service behind the proxy does not run.',
      proof: 'The state of the containers of the upstream service.',
    },
    'bad-gateway': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'The upstream refuses the connection, or breaks it off.',
      proof: "Status 502, with an upstream error that names the service's current address.",
    },
    'gateway-timeout': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'The upstream does not answer in time.',
      proof: 'Status 504, or no answer through the proxy within the limit.',
      shows: 'silence',
    },
    'upstream-error': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'The upstream answers with an error of its own, which nginx passes on.',
      proof: 'A status of 500 or more that is not from nginx itself.',
      shows: 'error',
    },
    'no-answer': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'nginx itself does not answer.',
      proof: 'The connection to nginx is refused, or ends without an answer.',
    },
  },
  evaluate({ service, stack, facts: { nginx, logs, inside }, peers, now }): Verdict {
    if (running(service).every(isFlapping)) {
      // Its log tells, also where the configuration lies in an image that nobody can look into now.
      const ended = whyEnded(service, stack, logs);
      if (ended) return { findings: [ended] };
      if (nginx.ok) return { skip: `${service.name} ${running(service).length === 0 ? 'is not running' : 'keeps ending'}` };
    }
    if (!nginx.ok) return { cannotLook: nginx.reason };
    const given: Given = { service, stack, nginx: nginx.value, inside, logs, peers, now };
    const findings = [
      ...configInvalid(given),
      ...troubles(given),
      ...notReloaded(given),
      ...certificateExpired(given),
      ...bodyTooLarge(given),
    ];
    if (findings.length > 0) return { findings };
    const { upstreams, files, proxied } = nginx.value;
    if (upstreams.length === 0)
      return files.length > 0
        ? { skip: `${service.name} proxies to nothing` }
        : { cannotLook: `the configuration of ${service.name} could not be read` };
    const asked = proxied.filter(({ http }) => http.trial.outcome !== 'no-tool');
    if (asked.length === 0) return { cannotLook: `no proxied location of ${service.name} could be asked` };
    return { findings: [], note: `${listed(asked.map(({ location }) => location))} ${asked.length === 1 ? 'answers' : 'answer'}` };
  },
});

const NAME_UNKNOWN = /host not found in upstream "([^":]+)/;
/** What a test run by another user, or on a read-only root, complains of. */
const NOT_THE_CONFIGURATION = /(Permission denied|Read-only file system|Address already in use)\)?$/m;

const configInvalid = ({ service, nginx: { test } }: Given): Finding[] => {
  if (!test || test.ok || NAME_UNKNOWN.test(test.text)) return [];
  const line = test.text.split('\n').find((each) => /\[emerg\]/.test(each)) ?? test.text.split('\n')[0] ?? '';
  if (NOT_THE_CONFIGURATION.test(line)) return [];
  const place = / in (\/[^\s:]+:\d+)/.exec(line)?.[1];
  return [
    {
      reason: 'config-invalid',
      message: `the configuration of ${service.name} is not valid: ${inWords(line)}`,
      evidence: [{ source: `nginx -t in ${service.name}`, text: line.trim() }],
      values: place ? { file: place } : {},
    },
  ];
};

/** OpenSSL says it at length. */
const inWords = (line: string): string => {
  const said = line.replace(/^.*?\[emerg\]\s*(\d+#\d+:\s*)?/, '').trim();
  const [, what, path] = /cannot load (certificate(?: key)?) "([^"]+)".*No such file or directory/.exec(said) ?? [];
  if (path) return `its ${what} ${path} is not there`;
  const key = /SSL_CTX_use_PrivateKey\("([^"]+)"\) failed .*key values mismatch/.exec(said)?.[1];
  return key ? `the key ${key} does not belong to its certificate` : said;
};

/** nginx ends at its start over a name that is none, or a mistake in a file. A name that a service has is that service's business. */
const whyEnded = (service: Service, stack: Stack, logs: Fact<LogFact>): Finding | null => {
  // A reload that failed leaves such a line, too: one that was paused or stopped later did not end over it.
  if (!shouldRun(service) || !service.containers.some(keepsFailing)) return null;
  const line = logs.ok ? logs.value.lines.findLast(({ text }) => /\[emerg\]/.test(text))?.text : undefined;
  if (!line || NOT_THE_CONFIGURATION.test(line)) return null;
  const evidence = [{ source: `${service.name} log`, text: line }];
  const said = inWords(line);
  const file = / in (\/[^\s:]+:\d+)/.exec(line)?.[1];
  const host = NAME_UNKNOWN.exec(line)?.[1];
  if (host === undefined) {
    return {
      reason: 'config-invalid',
      message: `${service.name} ended at its start, its configuration is not valid: ${said}`,
      evidence,
      values: file ? { file } : {},
    };
  }
  if (namesFor(service, nameTable(stack.services)).has(host)) return null;
  return {
    reason: 'upstream-not-found',
    message: `${service.name} ended at its start: it proxies to ${host}, and no service of the stack answers to that name`,
    evidence,
    values: { upstream: host, host, ...(file ? { file } : {}) },
  };
};

/** The same trouble with the same upstream is one finding, whatever number of locations it hits. */
const troubles = (given: Given): Finding[] =>
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
      ...(first.severity ? { severity: first.severity } : {}),
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

/** That it is self-signed is as it should be here; that its time is over is not. */
const certificateExpired = ({ service, nginx, now }: Given): Finding[] => {
  const shown = nginx.proxied
    .map(({ http }) => http)
    .find(({ certificate }) => certificate && (certificate.to < now || certificate.from > now));
  if (!shown?.certificate) return [];
  const { name, from, to } = shown.certificate;
  const when = to < now ? `expired on ${to.slice(0, 10)}` : `is not valid before ${from.slice(0, 10)}`;
  return [
    {
      reason: 'certificate-expired',
      message: `the certificate that ${service.name} shows${name ? ` for ${name}` : ''} ${when}`,
      evidence: [{ source: `TLS handshake of ${shown.url}`, text: `valid from ${from} to ${to}` }],
      values: name ? { host: name } : {},
    },
  ];
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

const serversOf = (upstream: string): string[] => upstream.split(/,\s*/).map(authority);

/** `http://api:8000/x` → `api:8000`. */
const authority = (url: string): string => {
  const rest = url.replace(/^[a-z]+:\/\//i, '');
  const socket = socketPath(rest);
  return socket === null ? rest.replace(/\/.*$/, '') : `unix:${socket}`;
};
const hostOf = (upstream: string): string => withoutPort(serversOf(upstream)[0] ?? '');
const portOf = (upstream: string): string => /:(\d+)$/.exec(serversOf(upstream)[0] ?? '')?.[1] ?? '80';
const socketOf = (upstream: string): string | null => socketPath(serversOf(upstream)[0] ?? '');

/** Does an address in the log speak of this server? Its name was an address by then, so the port must do. */
const isMeant = (logged: string, server: string): boolean => {
  const [path, named] = [socketOf(server), socketOf(logged)];
  return path === null || named === null ? path === named && portOf(logged) === portOf(server) : isSamePath(path, named);
};

const targetOf = (upstream: string, { service, stack }: Given): Service | undefined => {
  const host = hostOf(upstream);
  const known = connectionsFrom(stack, service.name).find((each) => each.host === host && each.to !== null)?.to;
  return serviceNamed(stack, known ?? host) ?? stack.services.find((each) => namesOf(each).includes(host)) ?? serviceAt(stack, host);
};

const namesOf = (service: Service): string[] =>
  service.containers.flatMap((each) => [each.name, ...each.networks.flatMap((end) => end.names)]);

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
    deafLoopback(base, given) ??
      stopped(base, given) ??
      stale(base, proxied, given) ??
      unknownHost(base, given) ??
      throughSocket(base, proxied, given) ??
      gatewayTrouble(base, proxied, given),
  ];
};

type Base = Omit<Trouble, 'reason' | 'message'>;

/** The address that the service had belongs to another one now, which answers: with 200 for what it has, with 404 for the rest. */
const wrongAnswerer = (base: Base, { http, called }: Proxied, given: Given): Trouble | null => {
  const { target } = base;
  const { service, stack, nginx } = given;
  if (!target || !called || !http.answer || isResolvedPerRequest(base, given)) return null;
  const now = addressesOf(target);
  // Others that nginx passes requests to, on the same port.
  const meant = nginx.upstreams.flatMap(({ host, port }) => targetOf(`${host}:${port}`, given)?.name ?? []);
  const wrong = called.find((address) => {
    const owner = serviceAt(stack, address);
    return owner && owner.name !== service.name && !meant.includes(owner.name);
  });
  if (!wrong || called.some((address) => now.includes(address))) return null;
  const owner = serviceAt(stack, wrong)!;
  return {
    ...base,
    reason: 'stale-upstream',
    message: `${service.name} still sends to ${wrong} for ${target.name}, which is now ${listed(now)}; ${wrong} now belongs to ${owner.name}, which answers ${http.answer.status}`,
    evidence: [
      ...base.evidence,
      { source: `sockets of ${service.name} and ${owner.name}`, text: `${service.name} has just called ${wrong}:${portOf(base.upstream)}` },
      { source: `addresses of ${target.name}`, text: listed(now) },
    ],
  };
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
  const line = logs?.ok ? logs.value.lines.findLast(({ text, time }) => DJANGO_SAYS.test(text) && isRecent(time, given.now)) : undefined;
  const isDjango = line !== undefined && /Bad Request \(400\)/.test(answer.body);
  if (!isDjango && !HOST_REJECTED.test(answer.body)) return null;
  const host = line && isDjango ? DJANGO_SAYS.exec(line.text)![1]! : null;
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

/**
 * The newest error about this location's upstream: one that our own request met. A request that nginx still waits for has met none, and the log may
 * not tell of ours: then an earlier one counts, if the service is well now, and neither it nor nginx was started or reloaded since.
 */
const errorOf = ({ upstream, target }: Base, answered: boolean, given: Given): UpstreamError | undefined => {
  const servers = serversOf(upstream);
  const about = given.nginx.upstreamErrors.filter(
    ({ upstream: logged }) => logged !== null && servers.some((each) => isMeant(logged, each)),
  );
  const own = answered ? about.findLast(({ time }) => time === null || secondsSince(time, given.now) <= OWN_SECONDS) : undefined;
  if (own || !target || !isWell(target, given)) return own;
  const since =
    [startOf(target), resolvedAt(given)]
      .filter((each) => each !== null)
      .toSorted()
      .at(-1) ?? '';
  return about.findLast(({ time }) => time !== null && time >= since);
};

const startOf = (service: Service): string | null =>
  running(service)
    .map((each) => each.state.startedAt)
    .find((each) => each !== null) ?? null;

const stale = (base: Base, { http }: Proxied, given: Given): Trouble | null => {
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

/** A name in a variable is asked for anew by the `resolver`. */
const isResolvedPerRequest = ({ location }: Base, { nginx }: Given): boolean =>
  nginx.upstreams.some((each: Upstream) => each.location === location && !each.literal);

/** No error yet: an address that nobody has keeps nginx waiting for longer than we do. The service was made after nginx last resolved its name. */
const isOlder = (given: Given, target: Service): boolean => {
  const resolved = resolvedAt(given);
  const made = running(target)
    .map((each) => each.createdAt)
    .toSorted()
    .at(-1);
  return resolved !== null && made !== undefined && resolved < made;
};

/** When nginx last loaded its configuration, and with it looked up the names. */
const resolvedAt = ({ service, logs }: Given): string | null => {
  const reloaded = logs.ok ? (logs.value.lines.findLast(({ text }) => RELOADED.test(text))?.time ?? null) : null;
  const started = startOf(service);
  return reloaded !== null && (started === null || reloaded > started) ? reloaded : started;
};

const isWell = (target: Service, { peers }: Given): boolean => {
  const http = peers[target.name]?.http;
  return http?.ok === true && http.value.tries.some((each) => each.answer !== null && each.answer.status < 500);
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

/** In PHP's words: of FPM, and of its CGI program. */
const NO_SCRIPT = /^\s*(File not found\.|No input file specified\.)\s*$/;

const scriptNotFound = (base: Base, { http, script }: Proxied, given: Given): Trouble[] => {
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

const viewOf = ({ upstream }: Base, { nginx }: Given): SocketView | undefined => {
  const path = socketOf(upstream);
  return path === null ? undefined : nginx.sockets?.find((each) => isSamePath(each.path, path));
};

const SOCKET_REASONS = { apart: 'socket-not-shared', elsewhere: 'socket-elsewhere', forbidden: 'socket-forbidden' } as const;

/** While the service may still be starting, its socket may yet come. */
const throughSocket = (base: Base, { http }: Proxied, given: Given): Trouble | null => {
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

const loggedBy = ({ name }: Service, error: UpstreamError | undefined): Evidence[] =>
  error ? [{ source: `${name} log`, text: error.text }] : [];

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
  const early = base.target && isStarting(base.target, given.now) ? { severity: 'warn' as const } : {};
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

const TOO_LARGE = /client intended to send too large (?:chunked )?body(?:: (\d+) bytes)?/;

const bodyTooLarge = ({ service, logs, now }: Given): Finding[] => {
  const line = logs.ok ? logs.value.lines.findLast(({ text, time }) => TOO_LARGE.test(text) && isRecent(time, now)) : undefined;
  if (!line) return [];
  const bytes = TOO_LARGE.exec(line.text)?.[1];
  return [
    {
      reason: 'body-too-large',
      message: `${service.name} refused a request body${bytes ? ` of ${bytes} bytes` : ''} as too large (413); the app behind it never saw it`,
      evidence: [{ source: `${service.name} log`, text: line.text }],
    },
  ];
};

const RELOADED = /signal 1 \(SIGHUP\)|\breconfiguring\b/;
const STARTED = /start worker process(es)?\b/;

/** Told only where it is certain: the log goes back to the start, tells of starts, and of no reload after the change. */
const notReloaded = ({ service, nginx, logs, inside }: Given): Finding[] => {
  const replaced = nginx.files.find(
    (file) => inside.ok && inside.value.mounts.some((mount) => mount.destination === file.path && mount.deleted),
  );
  if (replaced)
    return [
      notReloadedFinding(
        service,
        replaced,
        `${service.name} still holds the ${replaced.path} that was replaced on the host`,
        `mountinfo of ${service.name}: ${replaced.path} is deleted`,
      ),
    ];
  const started = startOf(service);
  const changed = nginx.files
    .filter((file) => file.modifiedAt !== null && started !== null && file.modifiedAt > started)
    .toSorted((a, b) => (a.modifiedAt! < b.modifiedAt! ? 1 : -1))[0];
  if (!changed || nginx.test?.ok !== true || !logs.ok) return [];
  const { lines } = logs.value;
  const tellsOfStart = lines.some(({ time, text }) => STARTED.test(text) && time !== null && Math.abs(secondsSince(started, time)) < 30);
  const reloaded = lines.some(({ time, text }) => RELOADED.test(text) && (time === null || time >= changed.modifiedAt!));
  if (!tellsOfStart || reloaded) return [];
  return [
    notReloadedFinding(
      service,
      changed,
      `${changed.path} of ${service.name} changed after its start, and was not loaded since`,
      `changed ${changed.modifiedAt}, nginx started ${started}`,
    ),
  ];
};

const notReloadedFinding = (service: Service, file: NginxFact['files'][number], message: string, proof: string): Finding => ({
  reason: 'config-not-reloaded',
  message,
  evidence: [{ source: file.hostPath ?? `${service.name}:${file.path}`, text: proof }],
  values: { file: file.path, path: file.path, ...(file.hostPath ? { hostPath: file.hostPath } : {}) },
});
