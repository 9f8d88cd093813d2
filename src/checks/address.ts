/** Do the addresses that a service is given suit its client library, its proxy settings, and the network that it is on? */
import { defineCheck, type Evidence, type Finding, type FindingSpec } from '../model/check.ts';
import { HOST_GATEWAY } from '../model/connections.ts';
import { keepsFailing } from '../model/crash-loop.ts';
import { crashIn } from '../model/crash.ts';
import { knownErrorIn } from '../model/log-signatures.ts';
import type { LogLine, NetworkFact, ReachFact } from '../model/facts.ts';
import { isAddress, isExtraHost, namelessMode } from '../model/routes.ts';
import {
  connectionsFrom,
  running,
  serviceNamed,
  type Connection,
  type ConnectionKind,
  type Container,
  type Service,
  type Stack,
} from '../model/stack.ts';
import { holdsAddress, parseSubnet } from '../model/subnets.ts';

const isAddressed = ({ kind }: Connection): boolean => kind !== 'depends-on' && kind !== 'socket';

const cause = (means: string, proof: string): FindingSpec => ({ severity: 'fail', layer: 'compose', kind: 'cause', means, proof });

export const address = defineCheck({
  id: 'address',
  title: 'Its addresses suit it',
  question: 'Do the addresses in the settings of the service suit its client library, its proxy settings and its network?',
  needs: ['reach', 'logs', 'networks'],
  // Not after `container`: a client that is given a wrong address is often one that keeps ending.
  after: ['engine', 'compose'],
  appliesTo: (service, stack) => connectionsFrom(stack, service.name).some(isAddressed),
  findings: {
    'wrong-scheme': cause(
      'The scheme of the URL names another driver than the library that reads it.',
      "The library's own words in the log, and the URL in the environment.",
    ),
    'through-proxy': cause(
      'Calls to a service of the stack go to a proxy outside, because the list of exceptions does not name the service.',
      '`HTTP_PROXY` in the environment of the client, and `NO_PROXY` without the name; the log speaks of the proxy where it is a failure.',
    ),
    'host-gateway-missing': cause(
      'The client looks for `host.docker.internal`, which on Linux exists only where `extra_hosts` declares it.',
      'The name does not resolve inside the client, and `HostConfig.ExtraHosts` has no such line.',
    ),
    'host-refuses': cause(
      'The client reaches the machine by `host.docker.internal`, and nobody there listens for it.',
      'Connecting from inside the client is refused; the name resolves.',
    ),
    'resolves-outside': cause(
      'The name of a service resolves to an address outside of all networks of the stack.',
      'The addresses that the name has inside the client, against the subnets of the networks.',
    ),
  },
  evaluate({ service, stack, facts }) {
    const client = running(service)[0] ?? service.containers[0];
    if (!client) return { skip: `${service.name} has no container` };
    const scene: Scene = {
      service,
      stack,
      client,
      reach: facts.reach.ok ? facts.reach.value : null,
      log: facts.logs.ok ? facts.logs.value.lines : [],
      networks: facts.networks.ok ? facts.networks.value : null,
    };
    const connections = connectionsFrom(stack, service.name).filter(isAddressed);
    const findings = [
      ...wrongScheme(connections, scene),
      ...throughProxy(connections, scene),
      ...connections
        .filter(({ host }) => host === HOST_GATEWAY)
        .flatMap((connection) => hostGateway(connection, scene))
        .slice(0, 1),
      ...connections.flatMap((connection) => resolvesOutside(connection, scene)).slice(0, 1),
    ];
    if (findings.length > 0) return { findings };
    return facts.logs.ok ? { findings } : { cannotLook: facts.logs.reason };
  },
});

interface Scene {
  service: Service;
  stack: Stack;
  client: Container;
  reach: ReachFact | null;
  log: LogLine[];
  networks: NetworkFact[] | null;
}

/** It ends, or its reloader holds a dead app. */
const isIll = ({ client, log }: Scene): boolean => keepsFailing(client) || crashIn(log) !== null;

const valuesOf = (connection: Connection, { service }: Scene): Record<string, string> => {
  const variable = /^env (\S+)/.exec(connection.source)?.[1];
  return {
    client: service.name,
    host: connection.host,
    port: String(connection.port),
    ...(connection.to ? { target: connection.to } : {}),
    ...(variable ? { variable } : {}),
  };
};

const declared = (connection: Connection, { service }: Scene): Evidence => ({
  source: `${service.name}: ${connection.source}`,
  text: connection.url,
});

/** What libraries say of a scheme that is not theirs. */
const SCHEME_WORDS: [ConnectionKind[], RegExp][] = [
  [['postgres'], /invalid DSN: scheme is expected to be either/],
  [['postgres', 'mysql'], /The asyncio extension requires an async driver|Can't load plugin: sqlalchemy\.dialects:/],
  [['postgres', 'mysql', 'mongodb'], /the URL must start with the protocol/],
  [['redis'], /Redis URL must specify one of the following schemes|invalid redis URL scheme/i],
  [['mongodb'], /Invalid scheme, expected connection string to start with|Invalid URI scheme/],
  [['amqp'], /Expected amqp: or amqps: protocol|AMQP scheme must be either/],
];

const wrongScheme = (connections: Connection[], scene: Scene): Finding[] => {
  for (const [kinds, words] of SCHEME_WORDS) {
    const line = scene.log.findLast(({ text }) => words.test(text));
    const connection = line && connections.find(({ kind, source }) => kinds.includes(kind) && source.startsWith('env '));
    if (!line || !connection) continue;
    return [
      {
        reason: 'wrong-scheme',
        ...(isIll(scene) ? {} : { severity: 'warn' as const }),
        message: `${connection.source.replace(/^env /, '')} of ${scene.service.name} begins with ${connection.url.split('://')[0]}://, which the library that reads it does not take`,
        evidence: [declared(connection, scene), { source: `${scene.service.name} log`, text: line.text }],
        values: valuesOf(connection, scene),
      },
    ];
  }
  return [];
};

const PROXY_WORDS = /ProxyError|Unable to connect to proxy|Tunnel connection failed|proxyconnect tcp|407 Proxy Authentication/i;

/** Not every library asks for such variables: without a word in the log it is a warning. */
const throughProxy = (connections: Connection[], scene: Scene): Finding[] => {
  const { client, service, stack } = scene;
  const value = (name: string) => client.env[name] || client.env[name.toLowerCase()] || '';
  const proxy = value('HTTP_PROXY');
  if (proxy === '' || client.networkMode === 'host') return [];
  const exceptions = value('NO_PROXY')
    .split(',')
    .map((each) =>
      each
        .trim()
        .replace(/^\*?\./, '')
        .replace(/:\d+$/, ''),
    );
  const isExcepted = (host: string) =>
    exceptions.some((each) => each === '*' || (each !== '' && (host === each || host.endsWith(`.${each}`))));
  const proxyHost = /^(?:\w+:\/\/)?(?:[^@/]*@)?([\w.-]+)/.exec(proxy)?.[1] ?? '';
  const through = connections.find(
    ({ kind, to, host }) => kind === 'http' && to !== null && to !== service.name && !isExcepted(host) && !isAddress(host),
  );
  // A proxy that is itself a service of the stack is meant.
  if (!through || serviceNamed(stack, proxyHost)) return [];
  const line = scene.log.findLast(
    ({ text }) => PROXY_WORDS.test(text) || (proxyHost !== '' && text.includes(proxyHost) && /refused|timed? ?out|failed/i.test(text)),
  );
  return [
    {
      reason: 'through-proxy',
      ...(line ? {} : { severity: 'warn' as const }),
      message: `${service.name} sends its calls to ${through.host} to the proxy ${proxyHost}, because NO_PROXY does not name "${through.host}"`,
      evidence: [
        { source: `environment of ${client.name}`, text: `HTTP_PROXY is set, NO_PROXY=${value('NO_PROXY') || '(not set)'}` },
        declared(through, scene),
        ...(line ? [{ source: `${service.name} log`, text: line.text }] : []),
      ],
      values: valuesOf(through, scene),
    },
  ];
};

const trialOf = ({ host, port }: Connection, { reach }: Scene) => reach?.targets.find((each) => each.host === host && each.port === port);

const hostGateway = (connection: Connection, scene: Scene): Finding[] => {
  const { client, service } = scene;
  const found = trialOf(connection, scene);
  const line = scene.log.findLast(
    ({ text }) => text.includes(HOST_GATEWAY) && /not known|name resolution|ENOTFOUND|EAI_AGAIN|no such host|refused/i.test(text),
  );
  const nameless = found?.trial.layer === 'name' && ['not-found', 'timeout'].includes(found.trial.outcome);
  // The tool that is reached for may be one that is seldom needed.
  const severity = line || isIll(scene) || connection.kind !== 'http' ? 'fail' : 'warn';
  // Of one that ends before it can be looked into: its log speaks of a name, and this one cannot be known.
  const known = found === undefined && keepsFailing(client) ? knownErrorIn(scene.log, service.role) : null;
  const evidence: Evidence[] = [
    declared(connection, scene),
    ...(found
      ? [
          {
            source: `from inside ${service.name}`,
            text: `${connection.host}:${connection.port}: ${found.trial.text || found.trial.outcome}`,
          },
        ]
      : []),
    ...(line ? [{ source: `${service.name} log`, text: line.text }] : []),
    ...(known && !line ? [{ source: `${service.name} log`, text: known.line }] : []),
  ];
  const values = valuesOf(connection, scene);
  const unknown =
    nameless ||
    (known?.blame === 'name' && (known.host === null || known.host === HOST_GATEWAY)) ||
    (found === undefined && line !== undefined && !/refused/i.test(line.text));
  if (unknown && !isExtraHost(client, HOST_GATEWAY)) {
    const message = `${service.name} looks for ${HOST_GATEWAY}, which is not declared in its extra_hosts`;
    return [{ reason: 'host-gateway-missing', severity, message, evidence, values }];
  }
  if (found?.trial.outcome !== 'refused') return [];
  const message = `${service.name} reaches this machine by ${HOST_GATEWAY}, and nothing listens for it on port ${connection.port}`;
  return [{ reason: 'host-refuses', severity, message, evidence, values }];
};

/** A search domain of the host's DNS with a wildcard answers for what Docker does not know. */
const resolvesOutside = (connection: Connection, scene: Scene): Finding[] => {
  const { client, service, stack, networks } = scene;
  const addresses = trialOf(connection, scene)?.addresses ?? [];
  if (connection.to === null || addresses.length === 0 || !networks || isExtraHost(client, connection.host) || namelessMode(client))
    return [];
  const subnets = networks.flatMap((each) => each.subnets.flatMap((text) => parseSubnet(text) ?? []));
  const known = stack.services.flatMap((each) => each.containers.flatMap((container) => container.networks.map(({ ip }) => ip)));
  const isOurs = (each: string) =>
    each.includes(':') || /^127\./.test(each) || known.includes(each) || subnets.some((subnet) => holdsAddress(subnet, each));
  if (subnets.length === 0 || addresses.some(isOurs)) return [];
  return [
    {
      reason: 'resolves-outside',
      message: `"${connection.host}" means ${addresses[0]} to ${service.name}, an address outside of the networks of the stack`,
      evidence: [
        { source: `from inside ${service.name}`, text: `${connection.host} resolves to ${addresses.join(', ')}` },
        declared(connection, scene),
      ],
      values: valuesOf(connection, scene),
    },
  ];
};
