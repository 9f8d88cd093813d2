/** What a RabbitMQ server says to the words that its clients really use, and whether it moves what they send. */
import type { RabbitmqFact, Trial } from '../model/facts.ts';
import { alarmsIn } from '../model/rabbitmq-answer.ts';
import { connectionsTo, serviceNamed, type Container, type Service, type Stack } from '../model/stack.ts';
import { askAll, type Attempt } from './attempts.ts';
import { clientCredentials, ownRabbitmqCredentials, rabbitmqPort, unknownCredentials, type Credentials } from './credentials.ts';
import { TRY_MS, speaker, type Gathering, type ServiceGatherer } from './gathering.ts';
import { readLogQuietly } from './logs.ts';
import { MANAGEMENT_PORT, askManagement, type Management } from './rabbitmq-management.ts';
import { askRabbitmq, probeRabbitmq, type RabbitmqAnswer } from './rabbitmq-session.ts';
import { isBelowLogin, knock, type Limits } from './trial.ts';
import { byAddress, byPublishedPort, type Vantage } from './vantage.ts';

export const gatherRabbitmq: ServiceGatherer<'rabbitmq'> = async (service, given) => {
  const container = speaker(service);
  const clients = clientCredentials(given.stack, service.name, 'amqp').map((each) => withDefaults(each, given));
  const own = ownRabbitmqCredentials(container);
  const limits = { ms: TRY_MS, signal: given.signal, vault: given.vault };
  const hasManagement = offersManagement(container);
  const names = hasManagement ? [] : queueNames(given.stack, service);

  const ask = async (vantage: Vantage, credentials: Credentials): Promise<{ trial: Trial; answer: RabbitmqAnswer | null }> => {
    if (credentials.user === null) return { trial: knock(await probeRabbitmq(vantage, limits)), answer: null };
    const login = { ...loginOf(credentials, given), vhost: credentials.database ?? '/', tls: credentials.tls, queues: names };
    return askRabbitmq(vantage, login, limits);
  };

  const words = own ?? (clients.length === 0 ? unknownCredentials(container, rabbitmqPort(container)) : null);
  const attempts = await askAll<RabbitmqAnswer>(service, container, given, { clients, own: words, always: false, ask, concernsAll });

  const isRejected = attempts.some(({ trial }) => trial.outcome !== 'ok');
  const management = hasManagement ? await manage(container, given, attempts, own, limits) : null;
  // Without it the log alone tells of alarms.
  const serverLog = isRejected || management === null ? await readLogQuietly(given, container, container.state.startedAt, LOG_LINES) : [];
  const here = attempts.filter(({ view }) => view.kind !== 'published' || !attempts.some((each) => each.view.kind !== 'published'));
  const logged = alarmsIn(serverLog);
  return {
    attempts: attempts.map(toFact),
    server: here.find((each) => each.answer)?.answer?.server ?? null,
    alarms: management?.alarms ?? (serverLog.length > 0 ? logged.map(({ what }) => what) : null),
    alarmsFrom: management ? `management interface of ${service.name}` : `${service.name} log: ${logged.at(-1)?.line ?? ''}`,
    queues: management?.queues ?? here.flatMap((each) => each.answer?.queues ?? []),
    serverLog,
  };
};

const LOG_LINES = 200;

/** A URL without a name is the name `guest`, and the virtual host without a name is `/`. */
const withDefaults = (each: Credentials, { vault }: Gathering): Credentials => ({
  ...each,
  user: each.user ?? 'guest',
  password: each.password ?? (each.user === null || each.user === 'guest' ? vault.mark('guest') : null),
  database: each.database ?? '/',
});

const loginOf = ({ user, password }: Credentials, { vault }: Gathering): { user: string; password: string } => ({
  user: user ?? 'guest',
  password: password === null ? '' : vault.reveal(password),
});

/** The variants of the image with it open its port. */
const offersManagement = ({ exposedPorts, portBindings, image }: Container): boolean =>
  exposedPorts.includes(MANAGEMENT_PORT) || portBindings.some((each) => each.containerPort === MANAGEMENT_PORT) || /management/.test(image);

/** The server's own words first: its first user may see everything. */
const manage = async (
  container: Container,
  { engine, stack, vault }: Gathering,
  attempts: Attempt<RabbitmqAnswer>[],
  own: Credentials | null,
  limits: Limits,
): Promise<Management | null> => {
  const vantage = byAddress(engine, stack, container, MANAGEMENT_PORT) ?? byPublishedPort(engine, container, MANAGEMENT_PORT);
  const accepted = attempts.filter(({ trial }) => trial.outcome === 'ok').map(({ credentials }) => credentials);
  const candidates = [...accepted.filter((each) => own && each.user === own.user), ...accepted].slice(0, 1);
  for (const each of candidates) {
    if (!vantage || each.user === null || each.password === null) return null;
    return askManagement(vantage, { user: each.user, password: vault.reveal(each.password) }, limits);
  }
  return null;
};

/** What clients are told to put their work into, by the names of their variables; what Celery takes where nobody says. */
const queueNames = (stack: Stack, service: Service): string[] => {
  const clients = connectionsTo(stack, service.name).flatMap(({ from, kind }) =>
    kind === 'amqp' ? (serviceNamed(stack, from) ?? []) : [],
  );
  const named = clients.flatMap((client) => {
    const { env = {}, command = [] } = client.containers[0] ?? {};
    const words = Object.entries(env).flatMap(([key, value]) =>
      /(^|_)QUEUE(_?NAME)?$/i.test(key) && /^[\w.-]{1,100}$/.test(value) ? value : [],
    );
    return /\bcelery\b/.test(command.join(' ')) ? [...words, 'celery'] : words;
  });
  return [...new Set(named)].slice(0, 5);
};

const concernsAll = (trial: Trial): boolean => isBelowLogin(trial) || trial.outcome === 'timeout' || /^(320|541)$/.test(trial.code);

const toFact = ({ credentials, view, trial, answer }: Attempt<RabbitmqAnswer>): RabbitmqFact['attempts'][number] => {
  const { client, source, host, port, user, password, database, tls } = credentials;
  return {
    client,
    source,
    host,
    port,
    user: user ?? '',
    database: database ?? '/',
    password,
    tls,
    view,
    trial,
    cluster: answer?.server.cluster ?? null,
  };
};
