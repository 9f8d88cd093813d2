/** One connection to a MongoDB server: hear what it is, log in as a client would, ask which databases there are, leave. Read-only. */
import type { Document, ObjectId } from 'mongodb';
import type { Connection, ConnectionOptions } from 'mongodb/lib/cmap/connect.js';
import type { MongodbNode, Trial } from '../model/facts.ts';
import { plain, wordOf } from '../model/plain.ts';
import { asSocket, secure } from './dial.ts';
import { onlyMessages } from './mongodb-wire.ts';
import { TryStopped, tryOut, unreadable, type Limits, type Progress } from './trial.ts';
import type { Vantage } from './vantage.ts';

export interface MongodbAnswer {
  /** Told before any login. */
  node: MongodbNode;
  version: string | null;
  /** Whether the user may do anything in the client's database; `null`: not asked, or nothing is forbidden here. */
  hasRights: boolean | null;
}

export interface MongodbLogin {
  /** `null`: no login at all. */
  user: string | null;
  /** Revealed. */
  password: string;
  /** The database that knows the user. */
  authSource: string;
  tls: boolean;
  /** The client's, for the question whether the user has rights there. */
  database: string | null;
}

/** Errors: `CannotLook`. */
export const askMongodb = (
  vantage: Vantage,
  login: MongodbLogin,
  limits: Limits,
): Promise<{ trial: Trial; answer: MongodbAnswer | null }> =>
  converse(vantage, login, limits, async (connection, at, answer) => {
    at.layer = 'query';
    // Whoever is not logged in is told no here, and a ping would be answered to anybody.
    await command(connection, { listDatabases: 1, nameOnly: true, authorizedDatabases: true });
    at.layer = 'done';
    answer.version = short((await quietly(connection, { buildInfo: 1 }))?.['version']) || null;
    if (login.user !== null && login.database) answer.hasRights = await rightsOn(connection, login.database);
  });

/** Only who answers there, and whether it speaks MongoDB. */
export const probeMongodb = (vantage: Vantage, tls: boolean, limits: Limits): Promise<{ trial: Trial; answer: MongodbAnswer | null }> =>
  converse(vantage, { user: null, password: '', authSource: 'admin', tls, database: null }, limits, async () => {});

const converse = async (
  vantage: Vantage,
  login: MongodbLogin,
  limits: Limits,
  work: (connection: Connection, at: Progress, answer: MongodbAnswer) => Promise<void>,
): Promise<{ trial: Trial; answer: MongodbAnswer | null }> => {
  let answer: MongodbAnswer | null = null;
  const [{ makeConnection, performInitialHandshake }, { ScramSHA1, ScramSHA256 }, { MongoCredentials }] = await Promise.all([
    import('mongodb/lib/cmap/connect.js'),
    import('mongodb/lib/cmap/auth/scram.js'),
    import('mongodb/lib/cmap/auth/mongo_credentials.js'),
  ]);
  const options: ConnectionOptions = {
    id: 1,
    generation: 0,
    hostAddress: `${vantage.host}:${vantage.port}`,
    loadBalanced: false,
    monitorCommands: false,
    metadata: Promise.resolve(NAMED),
    authProviders: { getOrCreateProvider: (mechanism) => (mechanism === 'SCRAM-SHA-1' ? new ScramSHA1() : new ScramSHA256()) },
    ...(login.user === null
      ? {}
      : {
          credentials: new MongoCredentials({
            username: login.user,
            password: login.password,
            source: login.authSource,
            db: login.authSource,
            mechanism: 'DEFAULT',
            mechanismProperties: {},
          }),
        }),
  };
  const trial = await tryOut(limits, async (at, limit) => {
    const opened = await vantage.dial(at, limit);
    const stream = login.tls ? await secure(opened, vantage.host, at, limit) : opened;
    at.layer = 'protocol';
    onlyMessages(stream, () => {
      if (at.layer === 'protocol' && login.user !== null) at.layer = 'login';
    });
    const connection = makeConnection(options, asSocket(stream));
    try {
      const heard = performInitialHandshake(connection, options).finally(() => {
        if (connection.hello) answer = { node: nodeOf(connection.hello, limits), version: null, hasRights: null };
      });
      await heard;
      if (answer) await work(connection, at, answer);
    } catch (error) {
      throw unreadable(error, at) ?? mongodbFailure(error, at);
    } finally {
      connection.destroy();
      stream.destroy();
    }
  });
  return { trial, answer };
};

const NAMED: Document = {
  application: { name: 'stack-doctor' },
  driver: { name: 'nodejs', version: 'stack-doctor' },
  os: { type: process.platform },
};

const command = (connection: Connection, document: Document, db = 'admin'): Promise<Document> =>
  connection.command({ db }, document, { directConnection: true });

/** What the login may not see is no fault. */
const quietly = (connection: Connection, document: Document, db?: string): Promise<Document | null> =>
  command(connection, document, db).catch((error: unknown) => {
    if (codeOf(error) !== null) return null;
    throw error;
  });

const UNAUTHORIZED = 13;

/** The server forbids a plain question about the database, and the user's list of rights has nothing for it: a narrow role is no fault. */
const rightsOn = async (connection: Connection, database: string): Promise<boolean | null> => {
  const refused = await command(connection, { dbStats: 1 }, database).then(
    () => false,
    (error: unknown) => codeOf(error) === UNAUTHORIZED,
  );
  if (!refused) return null;
  const status = await quietly(connection, { connectionStatus: 1, showPrivileges: true });
  const rights = (status?.['authInfo'] as Document | undefined)?.['authenticatedUserPrivileges'];
  if (!Array.isArray(rights)) return null;
  return rights.some((each: Document) => {
    const resource = (each?.['resource'] ?? {}) as Document;
    return resource['anyResource'] === true || resource['db'] === database || resource['db'] === '';
  });
};

/** The server's own no has a number. */
const codeOf = (thrown: unknown): number | null => {
  const { name, code } = thrown as { name?: unknown; code?: unknown };
  return name === 'MongoServerError' && typeof code === 'number' ? code : null;
};

const mongodbFailure = (thrown: unknown, at: Progress): unknown => {
  if (thrown instanceof TryStopped) return thrown;
  const { name, message, cause } = thrown as Error;
  // The stream's own error comes wrapped.
  if (cause instanceof TryStopped) return cause;
  const stopped = (outcome: Trial['outcome'], code: string, text: string, layer = at.layer) =>
    new TryStopped({ layer, outcome, code, text });
  const code = codeOf(thrown);
  if (code !== null)
    return stopped(at.layer === 'login' ? 'rejected' : 'failed', String(code), message, at.layer === 'protocol' ? 'query' : at.layer);
  switch (name) {
    case 'MongoCompatibilityError':
      return stopped(
        'no-tool',
        '',
        message.replace(/^Server at \S+ reports/, 'it has').replace('this version of the Node.js Driver', 'the doctor'),
      );
    case 'MongoNetworkError': {
      if (cause !== undefined) return cause;
      const when = at.layer === 'protocol' ? 'without an answer' : at.layer === 'query' ? 'instead of answering' : 'during the login';
      return stopped('reset', '', `the server closed the connection ${when}`);
    }
    case 'MongoServerError':
      return stopped('failed', '', message);
    default:
      // What the driver cannot make sense of: lengths, documents, a conversation that goes wrong.
      return /^(Mongo|BSON)/.test(name) ? stopped('failed', '', `the answer cannot be read: ${message}`) : thrown;
  }
};

const nodeOf = (hello: Document, { vault }: Limits): MongodbNode => {
  const text = (name: string): string | null => short(vault.maskText(wordOf(hello[name] ?? ''))) || null;
  const list = (name: string): string[] =>
    Array.isArray(hello[name]) ? (hello[name] as unknown[]).slice(0, 50).map((each) => short(each)) : [];
  return {
    kind: kindOf(hello),
    setName: text('setName'),
    me: text('me'),
    primary: text('primary'),
    hosts: list('hosts'),
    processId: hexOf((hello['topologyVersion'] as Document | undefined)?.['processId']),
  };
};

const hexOf = (id: unknown): string | null => {
  const { toHexString } = (id ?? {}) as Partial<ObjectId>;
  const hex = typeof toHexString === 'function' ? toHexString.call(id) : '';
  return /^[0-9a-f]{24}$/.test(hex) ? hex : null;
};

const kindOf = (hello: Document): MongodbNode['kind'] => {
  if (hello['msg'] === 'isdbgrid') return 'router';
  if (hello['setName'] === undefined) return hello['isreplicaset'] === true ? 'uninitiated' : 'standalone';
  if (hello['isWritablePrimary'] === true) return 'primary';
  if (hello['secondary'] === true) return 'secondary';
  return hello['arbiterOnly'] === true ? 'arbiter' : 'other';
};

const short = (value: unknown): string => plain(wordOf(value ?? '').slice(0, 200));
