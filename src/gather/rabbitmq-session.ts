/** One connection to a RabbitMQ server: log in to the client's virtual host, look at queues by name, leave. Nothing is declared or consumed. */
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ChannelModel, Options } from 'amqplib';
import type { RabbitmqFact, Trial } from '../model/facts.ts';
import { plain, wordOf } from '../model/plain.ts';
import { asSocket, secure } from './dial.ts';
import { TryStopped, firstBytes, tryOut, unreadable, type Limits, type Progress } from './trial.ts';
import type { Vantage } from './vantage.ts';

type RabbitmqServer = NonNullable<RabbitmqFact['server']>;
export type RabbitmqQueue = RabbitmqFact['queues'][number];

export interface RabbitmqAnswer {
  server: RabbitmqServer;
  queues: RabbitmqQueue[];
}

export interface RabbitmqLogin {
  user: string;
  /** Revealed. */
  password: string;
  vhost: string;
  tls: boolean;
  /** Queues to look at, of this virtual host. */
  queues: readonly string[];
}

const GOODBYE_MS = 100;

/** Errors: `CannotLook`. */
export const askRabbitmq = async (
  vantage: Vantage,
  login: RabbitmqLogin,
  limits: Limits,
): Promise<{ trial: Trial; answer: RabbitmqAnswer | null }> => {
  let answer: RabbitmqAnswer | null = null;
  const amqp = await import('amqplib');
  const trial = await tryOut(limits, async (at, limit) => {
    const opened = await vantage.dial(at, limit);
    const stream = login.tls ? await secure(opened, vantage.host, at, limit) : opened;
    at.layer = 'protocol';
    const heard = listenIn(stream, at);
    // Of an error of the stream amqplib says only that it ended.
    const broken = new Promise<never>((_, reject) => stream.once('error', reject));
    broken.catch(() => {});
    try {
      const model = await Promise.race([connectBy(stream, () => amqp.connect(addressOf(login), NAMED)), broken]);
      model.on('error', () => {});
      at.layer = 'done';
      heard.stop();
      const server = readGreeting(model.connection.serverProperties, limits);
      answer = { server, queues: await lookAt(model, login, limits) };
      await Promise.race([model.close(), delay(GOODBYE_MS, null, { ref: false })]);
    } catch (error) {
      throw unreadable(error, at) ?? rabbitmqFailure(error, heard.goodbye(), at);
    } finally {
      stream.destroy();
    }
  });
  return { trial, answer };
};

/** amqplib connects by itself, in the moment that it is called; this stream is connected already. */
const connectBy = <T>(stream: Duplex, connect: () => T): T => {
  const own = net.connect;
  net.connect = ((_options: unknown, connected: () => void) => {
    process.nextTick(connected);
    return asSocket(stream);
  }) as typeof net.connect;
  try {
    return connect();
  } finally {
    net.connect = own;
  }
};

const addressOf = ({ user, password, vhost }: RabbitmqLogin): Options.Connect => ({
  protocol: 'amqp',
  username: user,
  password,
  vhost: encodeURIComponent(vhost),
  heartbeat: 0,
});

const NAMED = { clientProperties: { product: 'stack-doctor', connection_name: 'stack-doctor' } };

/** A queue that is not there costs the channel: each name gets its own. */
const lookAt = async (model: ChannelModel, { queues, vhost }: RabbitmqLogin, { vault }: Limits): Promise<RabbitmqQueue[]> => {
  const found = await Promise.all(
    queues.map(async (name) => {
      try {
        const channel = await model.createChannel();
        channel.on('error', () => {});
        const { messageCount, consumerCount } = await channel.checkQueue(name);
        return { name: short(vault.maskText(name)), vhost, messages: messageCount, consumers: consumerCount };
      } catch {
        return null;
      }
    }),
  );
  return found.filter((each) => each !== null);
};

interface Heard {
  /** What the server said when it hung up in the middle of the handshake, which amqplib keeps to itself. */
  goodbye(): { code: number; text: string } | null;
  stop(): void;
}

/** Beside amqplib, which reads when it likes. What comes first must be AMQP, or nothing of it is handed on. */
const listenIn = (stream: Duplex, at: Progress): Heard => {
  const push = stream.push.bind(stream);
  let bytes = Buffer.alloc(0);
  let listens = true;
  stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (listens && Buffer.isBuffer(chunk)) {
      if (bytes.length === 0 && !isAmqp(chunk)) {
        listens = false;
        stream.destroy(notAmqp(chunk));
        return false;
      }
      at.layer = 'login';
      bytes = Buffer.concat([bytes, chunk]);
    }
    return push(chunk, encoding);
  };
  return { goodbye: () => closeIn(bytes), stop: () => (listens = false) };
};

/** The first answer is a method frame of channel 0, `connection.start`; a server of another version of AMQP says its own name. */
const START = Buffer.from([0, 10, 0, 10]);

const isAmqp = (chunk: Buffer): boolean =>
  chunk[0] === 1 && (chunk.length < 3 || chunk.readUInt16BE(1) === 0) && (chunk.length < 11 || chunk.subarray(7, 11).equals(START));

/** A frame: type, channel, size, class and method, an end. `connection.close` is 10 and 50, with the reply code and a short text. */
const closeIn = (bytes: Buffer): { code: number; text: string } | null => {
  for (let at = 0; at + 14 <= bytes.length; at += 8 + bytes.readUInt32BE(at + 3)) {
    if (bytes[at] !== 1 || bytes.readUInt32BE(at + 7) !== 0x00_0a_00_32) continue;
    return { code: bytes.readUInt16BE(at + 11), text: bytes.toString('utf8', at + 14, at + 14 + bytes[at + 13]!) };
  }
  return null;
};

const notAmqp = (chunk: Buffer): TryStopped =>
  new TryStopped({
    layer: 'protocol',
    outcome: 'failed',
    code: '',
    text: `the answer is not AMQP 0-9-1: ${JSON.stringify(plain(chunk.toString('latin1', 0, 80)))}`,
  });

const rabbitmqFailure = (thrown: unknown, goodbye: ReturnType<Heard['goodbye']>, at: Progress): unknown => {
  if (thrown instanceof TryStopped) return thrown;
  if (goodbye) return new TryStopped({ layer: 'login', outcome: 'rejected', code: String(goodbye.code), text: goodbye.text });
  const { message, code } = thrown as NodeJS.ErrnoException;
  if (code === undefined && /closed abruptly|Unexpected close|Socket closed/i.test(message)) {
    const when = at.layer === 'protocol' ? 'without an answer' : 'during the login';
    return new TryStopped({ layer: at.layer, outcome: 'reset', code: '', text: `the server closed the connection ${when}` });
  }
  return thrown;
};

const readGreeting = (properties: object, { vault }: Limits): RabbitmqServer => {
  const text = (name: string) => short(vault.maskText(wordOf((properties as Record<string, unknown>)[name])));
  return { product: text('product'), version: text('version'), cluster: text('cluster_name') };
};

const short = (text: string): string => plain(text.slice(0, 200));

/** Only whether AMQP is spoken there, where no words to log in with are known. */
export const probeRabbitmq = (vantage: Vantage, limits: Limits): Promise<Trial> =>
  tryOut(limits, async (at, limit) => {
    const stream = await vantage.dial(at, limit);
    at.layer = 'protocol';
    stream.write(Buffer.from('AMQP\0\0\x09\x01', 'latin1'));
    const chunk = await firstBytes(stream);
    if (!isAmqp(chunk)) throw notAmqp(chunk);
  });
