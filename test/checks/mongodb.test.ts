import { describe, expect, it } from 'vitest';
import { mongodb } from '../../src/checks/mongodb.ts';
import type { MongodbAttempt, MongodbFact, MongodbNode, Trial } from '../../src/model/facts.ts';
import { ADDRESS, findingsOf, insideOf, logLine, OK, PUBLISHED, reasonsOf, stopped } from './attempts.ts';
import { fact, gap, makeService, makeStack, NOW } from './make.ts';

const SECRET = '‹secret:00000001›';
const OTHER = '‹secret:00000002›';

const nodeOf = (parts: Partial<MongodbNode> = {}): MongodbNode => ({
  kind: 'standalone',
  setName: null,
  me: null,
  primary: null,
  hosts: [],
  processId: '0123456789abcdef01234567',
  ...parts,
});

const attempt = (trial: Trial, parts: Partial<MongodbAttempt> = {}): MongodbAttempt => ({
  client: 'shop',
  source: 'env MONGO_URL',
  host: 'store',
  port: 27_017,
  user: 'app',
  database: 'shop',
  password: SECRET,
  tls: false,
  authSources: ['admin'],
  acceptedIn: null,
  options: {},
  view: ADDRESS,
  trial,
  node: trial.layer === 'tcp' || trial.layer === 'protocol' ? null : nodeOf(),
  hasRights: null,
  ...parts,
});

interface Case extends Partial<Pick<MongodbFact, 'members'>> {
  env?: Record<string, string>;
  startedAt?: string;
  log?: string[];
}

const judge = (attempts: MongodbAttempt[], { env = {}, startedAt = '2026-11-23T06:50:00.000Z', log = [], members = [] }: Case = {}) => {
  const service = makeService({ name: 'store', role: 'mongodb', containers: [{ env, state: { startedAt } }] });
  return mongodb.evaluate({
    service,
    stack: makeStack({ services: [service, makeService({ name: 'shop', containers: [{}] })] }),
    facts: { mongodb: fact({ attempts, version: '8.0.4', members, serverLog: log.map((text) => logLine(text)) }) },
    peers: {},
    now: NOW,
  });
};

const says = (code: number, text: string, layer: Trial['layer'] = 'login'): Trial =>
  stopped(layer, layer === 'login' ? 'rejected' : 'failed', String(code), text);
const WRONG = says(18, 'Authentication failed.');
const FORBIDDEN = says(13, 'Command listDatabases requires authentication', 'query');
const REFUSED = stopped('tcp', 'refused', 'ECONNREFUSED');
const JUST_NOW = '2026-11-23T06:59:58.000Z';

/** As MongoDB 7 and 8 write it. */
const rejected = (user: string, db: string, error: string): string =>
  `{"t":{"$date":"2026-11-23T07:00:00.000+00:00"},"s":"I","c":"ACCESS","id":5286307,"ctx":"conn7","msg":"Failed to authenticate","attr":{"client":"172.18.0.1:48008","isSpeculative":true,"isClusterMember":false,"mechanism":"SCRAM-SHA-256","user":"${user}","db":"${db}","error":"${error}","result":11}}`;
const NO_USER = String.raw`UserNotFound: Could not find user \"app\" for db \"admin\"`;
const MISMATCH = 'AuthenticationFailed: SCRAM authentication failed, storedKey mismatch';
/** As 4.4 to 6 do. */
const REJECTED_BEFORE = String.raw`{"t":{"$date":"2026-11-23T07:00:00.000+00:00"},"s":"I","c":"ACCESS","id":20249,"ctx":"conn7","msg":"Authentication failed","attr":{"mechanism":"SCRAM-SHA-256","speculative":false,"principalName":"app","authenticationDatabase":"admin","remote":"172.18.0.1:48008","result":"UserNotFound: Could not find user \"app\" for db \"admin\""}}`;

const BEGINS =
  '{"t":{"$date":"2026-11-23T06:59:58.000+00:00"},"s":"I","c":"CONTROL","id":4615611,"ctx":"initandlisten","msg":"MongoDB starting","attr":{"pid":1,"port":27017,"dbPath":"/data/db"}}';
const WAITS =
  '{"t":{"$date":"2026-11-23T06:59:59.000+00:00"},"s":"I","c":"NETWORK","id":23016,"ctx":"listener","msg":"Waiting for connections","attr":{"port":27017,"ssl":"off"}}';
const FORKS = 'about to fork child process, waiting until server is ready for connections.';
const MADE = 'MongoDB init process complete; ready for start up.';

const ROOT = { MONGO_INITDB_ROOT_USERNAME: 'app', MONGO_INITDB_ROOT_PASSWORD: SECRET };
const PRIMARY = nodeOf({ kind: 'primary', setName: 'rs0', me: 'store:27017', primary: 'store:27017', hosts: ['store:27017'] });
const SECONDARY = nodeOf({ kind: 'secondary', setName: 'rs0', primary: 'other:27017', hosts: ['store:27017', 'other:27017'] });
const UNMADE = nodeOf({ kind: 'uninitiated' });

const member = (trial: Trial, host = 'localhost') => ({ client: 'shop', source: 'env MONGO_URL', host, port: 27_017, trial });
const NO_NAME = stopped('name', 'not-found', 'ENOTFOUND', 'getaddrinfo ENOTFOUND 0f2c1d3e4b5a');

describe('what is found', () => {
  const cases: [string, MongodbAttempt[], Case, string[]][] = [
    ['a wrong password', [attempt(WRONG)], { log: [rejected('app', 'admin', MISMATCH)] }, ['auth-rejected']],
    ['a rejection of which the log says nothing', [attempt(WRONG)], {}, ['auth-rejected']],
    ['a user that is not there', [attempt(WRONG)], { log: [rejected('app', 'admin', NO_USER)] }, ['user-missing']],
    ['a user that is not there, in words of older servers', [attempt(WRONG)], { log: [REJECTED_BEFORE] }, ['user-missing']],
    [
      "somebody else's user is not there",
      [attempt(WRONG)],
      { log: [rejected('exporter', 'admin', NO_USER.replace('app', 'exporter'))] },
      ['auth-rejected'],
    ],
    [
      'a user of another database',
      [attempt(WRONG, { authSources: ['shop'], acceptedIn: 'admin' })],
      { log: [rejected('app', 'shop', NO_USER)] },
      ['auth-source'],
    ],
    [
      'the credentials that the container itself declares',
      [attempt(WRONG)],
      { env: ROOT, log: [rejected('app', 'admin', MISMATCH)] },
      ['password-volume-mismatch'],
    ],
    [
      'the same, where the user had another name',
      [attempt(WRONG)],
      { env: ROOT, log: [rejected('app', 'admin', NO_USER)] },
      ['password-volume-mismatch'],
    ],
    ["the container's own, looked for in another database", [attempt(WRONG, { authSources: ['shop'] })], { env: ROOT }, ['auth-rejected']],
    [
      'no credentials where some are wanted',
      [attempt(FORBIDDEN, { user: null, password: null, authSources: [] })],
      { env: ROOT },
      ['credentials-missing'],
    ],
    ['a user without rights', [attempt(OK, { hasRights: false })], {}, ['database-denied']],
    [
      'a set that nobody made',
      [attempt(says(13_436, 'node is not in primary or recovering state', 'query'), { node: UNMADE })],
      {},
      ['replica-set-uninitiated'],
    ],
    [
      'a set that nobody made, where the login fails for it',
      [attempt(WRONG, { node: UNMADE })],
      { env: ROOT },
      ['replica-set-uninitiated'],
    ],
    ['a set that nobody made, where reads go through', [attempt(OK, { node: UNMADE })], {}, ['replica-set-uninitiated']],
    ['a set that nobody made yet', [attempt(OK, { node: UNMADE })], { startedAt: JUST_NOW }, ['replica-set-uninitiated:warn']],
    ['a set is wanted, and the server stands alone', [attempt(OK, { options: { replicaSet: 'rs0' } })], {}, ['replica-set-name']],
    ['another set is wanted', [attempt(OK, { options: { replicaSet: 'rs1' }, node: PRIMARY })], {}, ['replica-set-name']],
    ['a set without a primary', [attempt(OK, { node: { ...SECONDARY, primary: null } })], {}, ['no-primary']],
    [
      'a client that is tied to a secondary',
      [attempt(OK, { node: SECONDARY, options: { directConnection: 'true' } })],
      {},
      ['not-primary'],
    ],
    [
      'a member that is localhost to its clients',
      [attempt(OK, { node: { ...PRIMARY, hosts: ['localhost:27017'] }, options: { replicaSet: 'rs0' } })],
      { members: [member(REFUSED)] },
      ['member-unreachable'],
    ],
    [
      'a member that is called as a container of yesterday',
      [attempt(OK, { node: { ...PRIMARY, hosts: ['0f2c1d3e4b5a:27017'] }, options: { replicaSet: 'rs0' } })],
      { members: [member(NO_NAME, '0f2c1d3e4b5a')] },
      ['member-unreachable'],
    ],
    [
      'the same for a client that may stay where it is',
      [attempt(OK, { node: PRIMARY })],
      { members: [member(NO_NAME)] },
      ['member-unreachable:warn'],
    ],
    [
      'a server that wants TLS',
      [attempt(stopped('tls', 'rejected', '', 'the server closes a connection without TLS, and answers over TLS'))],
      {},
      ['tls-required'],
    ],
    ['a server without TLS', [attempt(stopped('tls', 'reset'), { tls: true })], {}, ['tls-required']],
    [
      'something else on the port',
      [attempt(stopped('protocol', 'failed', '', 'the answer is not MongoDB\'s: "HTTP/1.1"'))],
      {},
      ['not-mongodb'],
    ],
    [
      'silence on one port, an answer on another',
      [attempt(stopped('protocol', 'timeout'), { port: 8081 }), attempt(OK, { client: 'desk' })],
      {},
      ['not-mongodb'],
    ],
    ['another error', [attempt(says(8000, 'not here'))], {}, ['error']],
    ['a document that cannot be read', [attempt(stopped('login', 'failed', '', 'the answer cannot be read: BSON'))], {}, ['error']],
    ['a first start', [attempt(REFUSED)], { startedAt: JUST_NOW, log: [FORKS, BEGINS, WAITS] }, ['starting-up']],
    ['a start', [attempt(REFUSED)], { startedAt: JUST_NOW, log: [BEGINS] }, ['starting-up']],
    ['a start that does not end', [attempt(REFUSED)], { log: [BEGINS] }, ['starting-up:fail']],
    ['an end', [attempt(says(11_600, 'interrupted at shutdown', 'query'))], { startedAt: JUST_NOW }, ['starting-up']],
    ['nothing listens', [attempt(REFUSED)], { log: [FORKS, BEGINS, WAITS, MADE, BEGINS, WAITS] }, ['refused']],
    ['no answer', [attempt(stopped('protocol', 'timeout'))], {}, ['no-answer']],
    ['no connection', [attempt(stopped('tcp', 'timeout'))], {}, ['no-answer']],
    [
      'only the words of the server are wrong, and nobody uses them',
      [attempt(OK), attempt(WRONG, { client: 'store', user: 'root' })],
      {},
      ['auth-rejected:warn'],
    ],
    [
      'two clients, two faults',
      [attempt(WRONG), attempt(FORBIDDEN, { client: 'desk', user: null, password: null })],
      {},
      ['auth-rejected', 'credentials-missing'],
    ],
  ];
  it.each(cases)('%s', (_name, attempts, given, reasons) => expect(reasonsOf(judge(attempts, given))).toEqual(reasons));
});

describe('what is well', () => {
  const cases: [string, MongodbAttempt[], Case][] = [
    ['a login', [attempt(OK)], { env: ROOT }],
    ['a login with rights', [attempt(OK, { hasRights: true })], {}],
    [
      'a login through authSource',
      [attempt(OK, { authSources: ['admin'], options: {} })],
      { env: { ...ROOT, MONGO_INITDB_ROOT_PASSWORD: OTHER } },
    ],
    ['no login where none is wanted', [attempt(OK, { user: null, password: null, authSources: [] })], {}],
    ['a set of one, with its name', [attempt(OK, { node: PRIMARY, options: { replicaSet: 'rs0' } })], {}],
    ['a set of one, reached directly', [attempt(OK, { node: PRIMARY, options: { directConnection: 'true' } })], {}],
    ['one of several hosts of a URL is a secondary', [attempt(OK, { node: SECONDARY, options: { replicaSet: 'rs0' } })], {}],
    [
      'reads from a secondary',
      [attempt(OK, { node: SECONDARY, options: { directConnection: 'true', readPreference: 'secondaryPreferred' } })],
      {},
    ],
    ['a router of shards, whose set is named', [attempt(OK, { node: nodeOf({ kind: 'router' }), options: { replicaSet: 'rs0' } })], {}],
    ['members that can be reached', [attempt(OK, { node: PRIMARY, options: { replicaSet: 'rs0' } })], { members: [member(OK)] }],
    [
      'members that could not be looked at',
      [attempt(OK, { node: PRIMARY, options: { replicaSet: 'rs0' } })],
      { members: [member(stopped('tcp', 'no-tool'))] },
    ],
    ['another server on the published port', [attempt(OK), attempt(WRONG, { client: 'store', view: PUBLISHED })], {}],
    ['a port that only the way there closes', [attempt(OK), attempt(REFUSED, { client: 'desk', view: insideOf('desk') })], {}],
  ];
  it.each(cases)('%s', (_name, attempts, given) => expect(judge(attempts, given)).toMatchObject({ findings: [] }));

  it('a server of which no credentials are known speaks MongoDB, and no more is said', () =>
    expect(judge([attempt({ ...OK, layer: 'protocol' }, { client: 'store', user: null, password: null })])).toMatchObject({
      findings: [],
      note: 'speaks MongoDB; no credentials to try are known',
    }));
});

describe('what cannot be told', () => {
  it.each<[string, Trial]>([
    ['a server that the driver is too new for', stopped('login', 'no-tool', '', 'it has maximum wire version 5')],
    ['a login by certificate', stopped('login', 'no-tool', '', 'it logs in with a certificate of the client')],
    ['a client without a tool', stopped('tcp', 'no-tool', '', 'no tool')],
  ])('%s', (_name, trial) => expect(judge([attempt(trial)])).toMatchObject({ cannotLook: expect.stringContaining(trial.text) as string }));

  it('a name that did not resolve is the business of the network', () => expect(judge([attempt(NO_NAME)])).toHaveProperty('cannotLook'));

  it('a gap', () =>
    expect(
      mongodb.evaluate({
        service: makeService({ name: 'store', role: 'mongodb' }),
        stack: makeStack({}),
        facts: { mongodb: gap('the engine hung up') },
        peers: {},
        now: NOW,
      }),
    ).toEqual({ cannotLook: 'the engine hung up' }));
});

describe('what it says', () => {
  it('names both databases, and the value that heals', () =>
    expect(findingsOf(judge([attempt(WRONG, { authSources: ['shop'], acceptedIn: 'admin' })]))[0]).toMatchObject({
      message: 'store knows user "app" in database "admin", and shop asks "shop" for it',
      values: { client: 'shop', target: 'store', user: 'app', authSource: 'admin' },
    }));

  it('shows the line of the log', () => {
    const [finding] = findingsOf(judge([attempt(WRONG)], { log: [rejected('app', 'admin', NO_USER)] }));
    expect(finding!.evidence).toContainEqual({ source: 'store log', text: rejected('app', 'admin', NO_USER) });
  });

  it('compares with what the server declares', () => {
    const env = { ...ROOT, MONGO_INITDB_ROOT_PASSWORD: OTHER };
    expect(findingsOf(judge([attempt(WRONG)], { env }))[0]!.message).toContain('it differs from MONGO_INITDB_ROOT_PASSWORD of store');
    expect(findingsOf(judge([attempt(WRONG, { user: 'bob' })], { env }))[0]!.message).toContain('store declares "app" in "admin"');
  });

  it('whom the server lets in meanwhile', () =>
    expect(findingsOf(judge([attempt(WRONG), attempt(OK, { client: 'desk' })]))[0]).toMatchObject({ spares: ['desk'] }));

  it('where the set sends its clients', () =>
    expect(
      findingsOf(judge([attempt(OK, { node: PRIMARY, options: { replicaSet: 'rs0' } })], { members: [member(REFUSED)] }))[0],
    ).toMatchObject({
      message: 'the replica set of store sends shop on to localhost:27017, which is refused there',
      values: { host: 'localhost', port: '27017' },
    }));
});
