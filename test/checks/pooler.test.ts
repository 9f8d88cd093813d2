import { describe, expect, it } from 'vitest';
import { pooler } from '../../src/checks/pooler.ts';
import type { PoolerFact, PoolerSetup, PostgresAttempt, Trial } from '../../src/model/facts.ts';
import { ADDRESS, findingsOf, listening, logOf, OK, reasonsOf, stopped } from './attempts.ts';
import { fact, gap, makeConnection, makeService, makeStack, NOW } from './make.ts';

const attempt = (trial: Trial, parts: Partial<PostgresAttempt> = {}): PostgresAttempt => ({
  client: 'shop',
  source: 'env DATABASE_URL',
  host: 'pool',
  port: 6432,
  user: 'app',
  database: 'orders',
  password: '‹secret:00000001›',
  view: ADDRESS,
  trial,
  identity: null,
  ...parts,
});

const SETUP: PoolerSetup = {
  file: 'pgbouncer.ini',
  databases: [{ name: 'orders', hosts: ['store'], port: 5432, database: null, user: null, password: null, at: 'pgbouncer.ini:2' }],
  users: null,
};

interface Case {
  trial: Trial;
  straight?: Trial;
  poolerLog?: string[];
  log?: string[];
  setup?: PoolerSetup | null;
}

const judge = ({ trial, straight, poolerLog = [], log = [], setup = SETUP }: Case) => {
  const service = makeService({ name: 'pool', role: 'pooler', containers: [{ networks: [{ ip: '172.18.0.3' }] }] });
  const shop = makeService({ name: 'shop', containers: [{ networks: [{ ip: '172.18.0.9' }] }] });
  const value: PoolerFact = {
    setup,
    attempts: [attempt(trial)],
    straight: straight ? [{ client: 'shop', source: 'env DATABASE_URL', server: 'store', database: 'orders', trial: straight }] : [],
    poolerLog: logOf('p-pool-1', poolerLog).lines,
  };
  return pooler.evaluate({
    service,
    stack: makeStack({
      services: [service, shop, makeService({ name: 'store', role: 'postgres' })],
      connections: [makeConnection({ from: 'pool', to: 'store', kind: 'postgres', host: 'store', port: 5432 })],
    }),
    facts: { pooler: fact(value), logs: fact(logOf('p-pool-1', log)), inside: listening([6432]) },
    peers: {},
    now: NOW,
  });
};

const said = (text: string, code = '08P01'): Trial => stopped('login', 'rejected', code, text);
const SILENT = stopped('query', 'timeout', 'ETIMEDOUT', 'the question was not answered within 2000 ms');
const REJECTED = stopped('login', 'rejected', '28P01', 'password authentication failed for user "app"');

describe('what is found', () => {
  it.each<[string, Case, string[]]>([
    ['a user that it does not know', { trial: said('no such user') }, ['user-missing']],
    [
      'one that is not in its list',
      { trial: said('password authentication failed'), setup: { ...SETUP, users: ['web'] } },
      ['user-missing'],
    ],
    ['a wrong password', { trial: said('SASL authentication failed') }, ['auth-rejected']],
    ['a database that it does not have', { trial: said('no such database: orders') }, ['database-missing']],
    ['one that the server does not have', { trial: said('database "orders" does not exist', '3D000') }, ['database-missing']],
    ["the server's no to the pooler", { trial: REJECTED }, ['server-rejects']],
    [
      'the same, remembered',
      { trial: said('server login has been failing, cached error: wrong password type (server_login_retry)') },
      ['server-rejects'],
    ],
    [
      'a server that is away, remembered',
      { trial: said('server login has been failing, cached error: connect failed (server_login_retry)') },
      ['server-unreachable'],
    ],
    ['a wait for it', { trial: said('client_login_timeout (server down)') }, ['server-unreachable']],
    [
      'silence, and its log says why',
      { trial: SILENT, straight: OK, poolerLog: ['S-0x1: orders/app@172.18.0.2:5432 closing because: connect failed (age=3s)'] },
      ['server-unreachable'],
    ],
    ['silence while the server answers', { trial: SILENT, straight: OK }, ['pool-exhausted']],
    ['no place in the pool', { trial: stopped('query', 'failed', '08P01', 'query_wait_timeout'), straight: OK }, ['pool-exhausted']],
    ['silence, and nothing else is known', { trial: stopped('login', 'timeout', 'ETIMEDOUT', 'silent') }, ['no-answer']],
    ['no more clients', { trial: said('no more connections allowed (max_client_conn)') }, ['too-many-clients']],
    ["the client's own options", { trial: said('unsupported startup parameter in options: search_path') }, ['startup-parameter']],
    ['TLS', { trial: stopped('tls', 'rejected', '', 'the server does not support TLS') }, ['tls-required']],
    ['nothing that listens', { trial: stopped('tcp', 'refused', 'ECONNREFUSED') }, ['refused']],
    ['another answer', { trial: said('bouncer config error') }, ['error']],
  ])('%s', (_, given, reasons) => expect(reasonsOf(judge(given))).toEqual(reasons));
});

describe('whose fault it is', () => {
  it('is the pooler’s where the server takes the same words', () => {
    const [finding] = findingsOf(judge({ trial: said('SASL authentication failed'), straight: OK }));
    expect(finding?.message).toContain('store takes the same words, so it is the configuration of pool that is wrong');
    expect(finding?.suspects).toContainEqual({ service: 'store', code: 'postgres/auth-rejected' });
  });

  it('is the client’s where the server rejects them as well', () => {
    const [finding] = findingsOf(judge({ trial: said('SASL authentication failed'), straight: REJECTED }));
    expect(finding?.message).toContain('store rejects the same words as well');
  });
});

describe('what drivers send', () => {
  const line = (ip: string) =>
    `C-0x1: (nodb)/(nouser)@${ip}:5001 closing because: unsupported startup parameter: extra_float_digits (age=0s)`;

  it('is told by the log, for a service of the stack', () =>
    expect(reasonsOf(judge({ trial: OK, log: [line('172.18.0.9')] }))).toEqual(['startup-parameter']));

  it('is nobody’s business where somebody outside sent it', () =>
    expect(reasonsOf(judge({ trial: OK, log: [line('172.18.0.1')] }))).toEqual([]));
});

it('lets its clients through', () => expect(judge({ trial: OK })).toEqual({ findings: [], note: 'lets shop through' }));

it('says so when it could not look', () => {
  const service = makeService({ name: 'pool', role: 'pooler' });
  const facts = { pooler: gap('gone'), logs: gap('gone'), inside: gap('gone') };
  expect(pooler.evaluate({ service, stack: makeStack({ services: [service] }), facts, peers: {}, now: NOW })).toEqual({
    cannotLook: 'gone',
  });
});
