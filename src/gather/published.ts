/** Each published port, asked from this host in the protocol of its service: does it answer, and is it this stack's container that does? */
import type { HttpTry, PublishedFact, Trial } from '../model/facts.ts';
import { isRunning, type Container, type PortMapping, type Service } from '../model/stack.ts';
import { askPath } from './ask-http.ts';
import { TRY_MS, speaker, type Gathering, type ServiceGatherer } from './gathering.ts';
import { isTlsPort } from './health-path.ts';
import { probePostgres } from './postgres-session.ts';
import { tryBare } from './bare-tcp.ts';
import type { Limits } from './trial.ts';
import { byAddress, ofMapping, type Vantage } from './vantage.ts';

type Seen = PublishedFact['ports'][number];
type Judged = Pick<Seen, 'trial' | 'server' | 'proof'>;

export const gatherPublished: ServiceGatherer<'published'> = async (service, given) => {
  speaker(service);
  const ends = service.containers.filter(isRunning).flatMap((container) => container.ports.map((mapping) => ({ container, mapping })));
  const seen = await Promise.all(ends.map(({ container, mapping }) => look(service, container, mapping, given)));
  return { ports: seen.filter((each) => each !== null) };
};

const look = async (service: Service, container: Container, mapping: PortMapping, given: Gathering): Promise<Seen | null> => {
  if (mapping.protocol !== 'tcp') return null;
  const vantage = ofMapping(given.engine, mapping);
  if (!vantage) return null;
  const judged = await ask(service, container, mapping, vantage, given);
  // This host has no such address (no IPv6, say): nothing can be told from here.
  if (['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(judged.trial.code)) return null;
  return { mapping, ...judged };
};

const ask = async (service: Service, container: Container, mapping: PortMapping, vantage: Vantage, given: Gathering): Promise<Judged> => {
  const limits = { ms: TRY_MS, signal: given.signal, vault: given.vault };
  if (service.role === 'postgres') return (await postgres(service, container, mapping, vantage, given, limits)) ?? bare(vantage, limits);
  if (service.role === 'redis') return (await redis(service, vantage, given)) ?? bare(vantage, limits);
  if (service.role === 'mysql') return (await mysql(service, container, mapping, vantage, given)) ?? bare(vantage, limits);
  if (service.role === 'rabbitmq') return (await rabbitmq(service, vantage, given)) ?? bare(vantage, limits);
  if (service.role === 'mongodb') return (await mongodb(service, vantage, given)) ?? bare(vantage, limits);
  if (service.role === 'http' || service.role === 'nginx')
    return (await http(service, container, mapping, vantage, given)) ?? bare(vantage, limits);
  return bare(vantage, limits);
};

const unknown = (trial: Trial, proof: string): Judged => ({ trial, server: 'unknown', proof });

const addressOf = (vantage: Vantage): string => (vantage.view.kind === 'published' ? vantage.view.address : '');

/** Postgres tells its own address and the time it started. */
const postgres = async (
  service: Service,
  container: Container,
  mapping: PortMapping,
  vantage: Vantage,
  given: Gathering,
  limits: Limits,
): Promise<Judged | null> => {
  const fact = await given.fact('postgres', service);
  const attempts = fact.ok ? fact.value.attempts : [];
  if (attempts.length > 0 && !attempts.some((each) => each.port === mapping.containerPort)) return null;
  const here = attempts.find(({ view }) => view.kind === 'published' && view.address === addressOf(vantage));
  if (!here) {
    const trial = await probePostgres(vantage, limits);
    return unknown(trial, trial.outcome === 'ok' ? 'it answers as Postgres does; which one was not asked' : '');
  }
  if (!here.identity) return unknown(here.trial, '');
  const other = attempts.find(({ view, identity }) => view.kind !== 'published' && identity)?.identity;
  const addresses = container.networks.map((each) => each.ip).filter(Boolean);
  const said = `address ${here.identity.address ?? 'none'}, started ${here.identity.startedAt}`;
  const isSame = other
    ? other.startedAt === here.identity.startedAt
    : here.identity.address !== null && addresses.includes(here.identity.address);
  if (isSame) return { trial: here.trial, server: 'same', proof: said };
  // Without a look at the container itself, only an address tells; with `network_mode: host` it has none.
  if (!other && addresses.length === 0) return unknown(here.trial, said);
  const expected = other ? `address ${other.address ?? 'none'}, started ${other.startedAt}` : `address ${addresses.join(' or ')}`;
  return {
    trial: here.trial,
    server: 'other',
    proof: `the server at ${addressOf(vantage)} says ${said}; ${container.name} is ${expected}`,
  };
};

/** Redis draws a new run_id at each start. */
const redis = async (service: Service, vantage: Vantage, given: Gathering): Promise<Judged | null> => {
  const fact = await given.fact('redis', service);
  const attempts = fact.ok ? fact.value.attempts : [];
  const here = attempts.find(({ view }) => view.kind === 'published' && view.address === addressOf(vantage));
  if (!here) return null;
  const other = attempts.find(({ view, runId }) => view.kind !== 'published' && runId)?.runId;
  if (!here.runId || !other) return unknown(here.trial, here.runId ? `run_id ${here.runId}` : '');
  if (here.runId === other) return { trial: here.trial, server: 'same', proof: `run_id ${other}` };
  return {
    trial: here.trial,
    server: 'other',
    proof: `the server at ${addressOf(vantage)} has run_id ${here.runId}, ${service.name} has ${other}`,
  };
};

/** MySQL tells its host name, which is the container's id unless somebody sets it, and how long it has been up. */
const mysql = async (
  service: Service,
  container: Container,
  mapping: PortMapping,
  vantage: Vantage,
  given: Gathering,
): Promise<Judged | null> => {
  const fact = await given.fact('mysql', service);
  const attempts = fact.ok ? fact.value.attempts : [];
  if (!attempts.some((each) => each.port === mapping.containerPort)) return null;
  const here = attempts.find(({ view }) => view.kind === 'published' && view.address === addressOf(vantage));
  if (!here) return null;
  const other = attempts.find(({ view, identity }) => view.kind !== 'published' && identity)?.identity;
  if (!here.identity || !other) return unknown(here.trial, '');
  const said = `host name ${here.identity.hostname}, started ${here.identity.startedAt}`;
  // Both times are rounded to a second, at two moments.
  const apart = Math.abs(Date.parse(here.identity.startedAt) - Date.parse(other.startedAt));
  if (here.identity.hostname === other.hostname && apart <= 2_000) return { trial: here.trial, server: 'same', proof: said };
  return {
    trial: here.trial,
    server: 'other',
    proof: `the server at ${addressOf(vantage)} says ${said}; ${container.name} is host name ${other.hostname}, started ${other.startedAt}`,
  };
};

/** Two servers of RabbitMQ may have one name, but one server has not two. */
const rabbitmq = async (service: Service, vantage: Vantage, given: Gathering): Promise<Judged | null> => {
  const fact = await given.fact('rabbitmq', service);
  const attempts = fact.ok ? fact.value.attempts : [];
  const here = attempts.find(({ view }) => view.kind === 'published' && view.address === addressOf(vantage));
  if (!here) return null;
  const other = attempts.find(({ view, cluster }) => view.kind !== 'published' && cluster)?.cluster;
  if (!here.cluster || !other || here.cluster === other) return unknown(here.trial, here.cluster ? `cluster ${here.cluster}` : '');
  return {
    trial: here.trial,
    server: 'other',
    proof: `the server at ${addressOf(vantage)} is of cluster ${here.cluster}, ${service.name} of ${other}`,
  };
};

/** MongoDB draws a number at each start, and tells it to everybody. */
const mongodb = async (service: Service, vantage: Vantage, given: Gathering): Promise<Judged | null> => {
  const fact = await given.fact('mongodb', service);
  const attempts = fact.ok ? fact.value.attempts : [];
  const here = attempts.find(({ view }) => view.kind === 'published' && view.address === addressOf(vantage));
  if (!here) return null;
  const [id, other] = [
    here.node?.processId,
    attempts.find(({ view, node }) => view.kind !== 'published' && node?.processId)?.node?.processId,
  ];
  if (!id || !other) return unknown(here.trial, id ? `process ${id}` : '');
  if (id === other) return { trial: here.trial, server: 'same', proof: `process ${id}` };
  return {
    trial: here.trial,
    server: 'other',
    proof: `the server at ${addressOf(vantage)} is process ${id}, ${service.name} is ${other}`,
  };
};

const http = async (
  service: Service,
  container: Container,
  mapping: PortMapping,
  vantage: Vantage,
  given: Gathering,
): Promise<Judged | null> => {
  const fact = await given.fact('http', service);
  if (fact.ok && fact.value.port === mapping.containerPort) {
    const { tries } = fact.value;
    const here = tries.find(({ view }) => view.kind === 'published' && view.address === addressOf(vantage));
    const there = tries.find(({ view, answer }) => view.kind !== 'published' && answer);
    if (here) return compare(here, there, addressOf(vantage), service);
  }
  // Another port of the same server. What listens there in other services may speak anything.
  if (service.role !== 'nginx') return null;
  const address = byAddress(given.engine, given.stack, container, mapping.containerPort);
  const [here, there] = await Promise.all([askRoot(vantage, mapping, given), address && askRoot(address, mapping, given)]);
  return compare(here, there ?? undefined, addressOf(vantage), service);
};

const askRoot = async (vantage: Vantage, { containerPort }: PortMapping, given: Gathering): Promise<HttpTry> => ({
  ...(await askPath(vantage, { scheme: isTlsPort(containerPort) ? 'https' : 'http', path: '/', host: 'localhost' }, given)),
  pathFrom: 'root',
});

/** The same bytes are the same server; another program's name is another server; anything else may be a page that changes. */
const compare = (here: HttpTry, there: HttpTry | undefined, address: string, service: Service): Judged => {
  if (!here.answer || !there?.answer) return unknown(here.trial, here.answer ? `HTTP ${here.answer.status}` : '');
  const [mine, its] = [here.answer, there.answer];
  const [program, expected] = [mine.server, its.server];
  if (nameOf(program) !== nameOf(expected)) {
    const proof = `the server at ${address} calls itself ${program ?? 'nothing'}, ${service.name} calls itself ${expected ?? 'nothing'}`;
    return { trial: here.trial, server: 'other', proof };
  }
  const isSame = mine.sha256 !== null && mine.sha256 === its.sha256 && mine.status === its.status;
  return isSame
    ? { trial: here.trial, server: 'same', proof: `HTTP ${mine.status} with the same body` }
    : unknown(here.trial, `HTTP ${mine.status}`);
};

const nameOf = (server: string | null): string => (server ?? '').replace(/[/ ].*$/, '').toLowerCase();

/** Only whether somebody takes the connection: nothing is known of the protocol. */
const bare = async (vantage: Vantage, limits: Limits): Promise<Judged> => {
  const trial = await tryBare(vantage, limits);
  return unknown(trial, trial.outcome === 'ok' ? 'a TCP connection is taken' : '');
};
