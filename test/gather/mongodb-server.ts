/**
 * A stand-in for a MongoDB server: the wire protocol (OP_QUERY for the first hello, OP_MSG after it), SCRAM-SHA-256 as RFC 5802 has it, and the
 * few commands that a look takes. No real server could be had where this was written: what it answers is what MongoDB's documentation says.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { BSON, Binary, ObjectId, type Document } from 'mongodb';
import { listen, type Listening } from './loopback.ts';

export interface MongodbBehaviour {
  /** Passwords by `database.user`; without any the server asks nobody who they are. */
  users?: Record<string, string>;
  /** Beside what every hello says: `{ setName: 'rs0', secondary: true }`. */
  hello?: Document;
  /** Instead of an answer to this command: an error. */
  errors?: Record<string, { code: number; codeName?: string; errmsg: string }>;
  /** `resource` of each right that a user has. */
  rights?: Document[];
  isLocked?: boolean;
}

export interface MongodbStandIn extends Listening {
  /** Names of the commands, in order. */
  commands: string[];
  /** `database.user` of each login that was let in. */
  logins: string[];
}

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;

const header = (length: number, to: number, kind: number): Buffer => {
  const bytes = Buffer.alloc(16);
  for (const [index, value] of [length + 16, 1, to, kind].entries()) bytes.writeInt32LE(value, index * 4);
  return bytes;
};

export const reply = (to: number, document: Document): Buffer => {
  const body = Buffer.concat([
    Buffer.from([8, 0, 0, 0]),
    Buffer.alloc(12),
    Buffer.from([1, 0, 0, 0]),
    Buffer.from(BSON.serialize(document)),
  ]);
  return Buffer.concat([header(body.length, to, OP_REPLY), body]);
};

export const message = (to: number, document: Document): Buffer => {
  const body = Buffer.concat([Buffer.alloc(5), Buffer.from(BSON.serialize(document))]);
  return Buffer.concat([header(body.length, to, OP_MSG), body]);
};

const ROUNDS = 4_096;
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const field = (payload: string, name: string): string => new RegExp(`(?:^|,)${name}=([^,]*)`).exec(payload)?.[1] ?? '';

interface Talk {
  who: string;
  first: string;
  said: string;
  salted: Buffer;
}

const begin = (db: string, payload: string, users: Record<string, string>): Talk | null => {
  const bare = payload.replace(/^n,,/, '');
  const who = `${db}.${field(bare, 'n')}`;
  const password = users[who];
  if (password === undefined) return null;
  const salt = randomBytes(16);
  const said = `r=${field(bare, 'r')}${randomBytes(12).toString('base64')},s=${salt.toString('base64')},i=${ROUNDS}`;
  return { who, first: bare, said, salted: pbkdf2Sync(password, salt, ROUNDS, 32, 'sha256') };
};

/** The server's last word; `null` where the proof is wrong. */
const conclude = ({ first, said, salted }: Talk, payload: string): string | null => {
  const spoken = `${first},${said},${payload.replace(/,p=.*$/, '')}`;
  const clientKey = hmac(salted, 'Client Key');
  const signature = hmac(createHash('sha256').update(clientKey).digest(), spoken);
  const expected = clientKey.map((byte, index) => byte ^ signature[index]!);
  const given = Buffer.from(field(payload, 'p'), 'base64');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  return `v=${hmac(hmac(salted, 'Server Key'), spoken).toString('base64')}`;
};

const payloadOf = (document: Document): string => Buffer.from((document['payload'] as Binary).buffer).toString();
const sasl = (payload: string, done: boolean): Document => ({ conversationId: 1, done, payload: new Binary(Buffer.from(payload)), ok: 1 });
const failed = (code: number, codeName: string, errmsg: string): Document => ({ ok: 0, errmsg, code, codeName });
const WRONG = failed(18, 'AuthenticationFailed', 'Authentication failed.');

export const serveMongodb = async ({
  users = {},
  hello = {},
  errors = {},
  rights = [],
  isLocked,
}: MongodbBehaviour = {}): Promise<MongodbStandIn> => {
  const commands: string[] = [];
  const logins: string[] = [];
  const isGuarded = isLocked ?? Object.keys(users).length > 0;
  const processId = new ObjectId();

  const serve = (socket: Socket): void => {
    let talk: Talk | null = null;
    let who: string | null = null;
    const answer = (document: Document, db: string): Document => {
      const name = Object.keys(document)[0]!;
      commands.push(name);
      const error = errors[name];
      if (error) return failed(error.code, error.codeName ?? '', error.errmsg);
      switch (name) {
        case 'ismaster':
        case 'hello': {
          const asked = document['speculativeAuthenticate'] as Document | undefined;
          talk = asked ? begin(String(asked['db']), payloadOf(asked), users) : null;
          return {
            helloOk: true,
            ismaster: hello['setName'] === undefined || hello['isWritablePrimary'] === true,
            isWritablePrimary: hello['setName'] === undefined && hello['isreplicaset'] !== true,
            topologyVersion: { processId, counter: BSON.Long.fromNumber(0) },
            maxBsonObjectSize: 16_777_216,
            maxMessageSizeBytes: 48_000_000,
            maxWriteBatchSize: 100_000,
            localTime: new Date(),
            logicalSessionTimeoutMinutes: 30,
            connectionId: 7,
            minWireVersion: 0,
            maxWireVersion: 25,
            readOnly: false,
            ok: 1,
            ...(talk && { saslSupportedMechs: ['SCRAM-SHA-1', 'SCRAM-SHA-256'], speculativeAuthenticate: sasl(talk.said, false) }),
            ...hello,
          };
        }
        case 'saslStart':
          talk = begin(db, payloadOf(document), users);
          return talk ? sasl(talk.said, false) : WRONG;
        case 'saslContinue': {
          const last = talk && conclude(talk, payloadOf(document));
          if (!talk || last === null) return WRONG;
          who = talk.who;
          logins.push(who);
          return sasl(last, true);
        }
        case 'buildInfo':
          return { version: '8.0.4', ok: 1 };
        case 'connectionStatus':
          return {
            authInfo: { authenticatedUsers: [], authenticatedUserPrivileges: rights.map((resource) => ({ resource, actions: ['find'] })) },
            ok: 1,
          };
        case 'listDatabases':
          if (isGuarded && who === null) return failed(13, 'Unauthorized', 'Command listDatabases requires authentication');
          return { databases: [{ name: 'admin' }, { name: 'shop' }], ok: 1 };
        case 'dbStats': {
          const isAllowed = rights.some((each) => each['db'] === db || each['db'] === '');
          return isGuarded && !isAllowed
            ? failed(13, 'Unauthorized', `not authorized on ${db} to execute command { dbStats: 1 }`)
            : { db, ok: 1 };
        }
        default:
          return failed(59, 'CommandNotFound', `no such command: '${name}'`);
      }
    };
    let buffered: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 16 && buffered.length >= buffered.readInt32LE(0)) {
        const bytes = buffered.subarray(0, buffered.readInt32LE(0));
        buffered = buffered.subarray(bytes.length);
        const id = bytes.readInt32LE(4);
        if (bytes.readInt32LE(12) === OP_QUERY) {
          const end = bytes.indexOf(0, 20);
          const [db = ''] = bytes.toString('utf8', 20, end).split('.');
          socket.write(reply(id, answer(BSON.deserialize(bytes.subarray(end + 9)), db)));
        } else {
          const document = BSON.deserialize(bytes.subarray(21));
          socket.write(message(id, answer(document, String(document['$db']))));
        }
      }
    });
  };
  return { ...(await listen(serve)), commands, logins };
};
