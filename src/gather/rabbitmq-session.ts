/** One connection to a RabbitMQ server: log in to the client's virtual host, look at queues by name, leave. Nothing is declared or consumed. */
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { RabbitmqFact, Trial } from '../model/facts.ts';
import { plain } from '../model/plain.ts';
import { secure } from './dial.ts';
import { TryStopped, tryOut, type Limits, type Progress } from './trial.ts';
import type { Vantage } from './vantage.ts';

export type RabbitmqServer = NonNullable<RabbitmqFact['server']>;
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

/** An answer comes with the server's greeting, whatever it says to the login. Errors: `CannotLook`. */
export const askRabbitmq = async (
  vantage: Vantage,
  login: RabbitmqLogin,
  limits: Limits,
): Promise<{ trial: Trial; answer: RabbitmqAnswer | null }> => {
  let answer: RabbitmqAnswer | null = null;
  const [{ Connection }, { ChannelModel }, { ConnectionClose }] = await Promise.all([
    import('#amqplib/connection'),
    import('#amqplib/channel_model'),
    import('#amqplib/defs'),
  ]);
  const trial = await tryOut(limits, async (at, limit) => {
    const opened = await vantage.dial(at, limit);
    const stream = login.tls ? await secure(opened, vantage.host, at, limit) : opened;
    at.layer = 'protocol';
    refuseOthers(stream, at);
    const connection = new Connection(stream);
    connection.on('error', () => {});
    // amqplib keeps to itself what the server says when it hangs up in the middle of the handshake.
    let goodbye: Record<string, unknown> | null = null;
    const receive = connection.recvFrame.bind(connection);
    connection.recvFrame = () => {
      const frame = receive();
      if (frame && frame.id === ConnectionClose) goodbye = frame.fields ?? null;
      return frame;
    };
    const broken = new Promise<never>((_, reject) => stream.once('error', reject));
    broken.catch(() => {});
    try {
      const open = new Promise<void>((resolve, reject) =>
        connection.open(handshakeOf(login), (error) => {
          if (connection.serverProperties) answer = { server: readGreeting(connection.serverProperties, limits), queues: [] };
          if (error) reject(error);
          else resolve();
        }),
      );
      await Promise.race([open, broken]);
      at.layer = 'done';
      const model = new ChannelModel(connection);
      model.on('error', () => {});
      if (answer) (answer as RabbitmqAnswer).queues = await lookAt(model, login, limits);
      await Promise.race([new Promise<void>((resolve) => connection.close(resolve)), delay(GOODBYE_MS, null, { ref: false })]);
    } catch (error) {
      throw rabbitmqFailure(error, goodbye, at);
    } finally {
      stream.destroy();
    }
  });
  return { trial, answer };
};

type Model = InstanceType<(typeof import('#amqplib/channel_model'))['ChannelModel']>;

/** A queue that is not there costs the channel: each name gets its own. */
const lookAt = async (model: Model, { queues, vhost }: RabbitmqLogin, { vault }: Limits): Promise<RabbitmqQueue[]> => {
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

const handshakeOf = ({ user, password, vhost }: RabbitmqLogin): Record<string, unknown> => ({
  clientProperties: {
    product: 'stack-doctor',
    connection_name: 'stack-doctor',
    // Without it a rejected login is answered by silence.
    capabilities: { authentication_failure_close: true },
  },
  mechanism: 'PLAIN',
  response: Buffer.from(['', user, password].join('\0')),
  locale: 'en_US',
  channelMax: 0,
  frameMax: 131_072,
  heartbeat: 0,
  virtualHost: vhost,
  capabilities: '',
  insist: 0,
});

/** The first answer is a method frame of channel 0, `connection.start`; a server of another version of AMQP says its own name. */
const START = Buffer.from([0, 10, 0, 10]);

const isAmqp = (chunk: Buffer): boolean =>
  chunk[0] === 1 && (chunk.length < 3 || chunk.readUInt16BE(1) === 0) && (chunk.length < 11 || chunk.subarray(7, 11).equals(START));

/** Thrown in the stream's event, it ends the stream with this error (see `guarded`). amqplib reads by `readable`, so this looks beside it. */
const refuseOthers = (stream: Duplex, at: Progress): void => {
  const push = stream.push.bind(stream);
  let isFirst = true;
  stream.push = (chunk: unknown, ...rest: unknown[]): boolean => {
    if (isFirst && Buffer.isBuffer(chunk)) {
      isFirst = false;
      if (!isAmqp(chunk)) {
        stream.destroy(notAmqp(chunk));
        return false;
      }
      at.layer = 'login';
    }
    return push(chunk, ...(rest as []));
  };
};

const notAmqp = (chunk: Buffer): TryStopped =>
  new TryStopped({
    layer: 'protocol',
    outcome: 'failed',
    code: '',
    text: `the answer is not AMQP 0-9-1: ${JSON.stringify(plain(chunk.toString('latin1', 0, 80)))}`,
  });

const rabbitmqFailure = (thrown: unknown, goodbye: Record<string, unknown> | null, at: Progress): unknown => {
  if (thrown instanceof TryStopped) return thrown;
  if (goodbye)
    return new TryStopped({ layer: 'login', outcome: 'rejected', code: String(goodbye['replyCode']), text: String(goodbye['replyText']) });
  const { message, code } = thrown as NodeJS.ErrnoException;
  if (code === undefined && /closed abruptly|Unexpected close|Socket closed/i.test(message)) {
    const when = at.layer === 'protocol' ? 'without an answer' : 'during the login';
    return new TryStopped({ layer: at.layer, outcome: 'reset', code: '', text: `the server closed the connection ${when}` });
  }
  return thrown;
};

const readGreeting = (properties: Record<string, unknown>, { vault }: Limits): RabbitmqServer => {
  const text = (name: string) => short(vault.maskText(String(properties[name] ?? '')));
  return { product: text('product'), version: text('version'), cluster: text('cluster_name') };
};

const short = (text: string): string => plain(text.slice(0, 200));

/** Only whether AMQP is spoken there, where no words to log in with are known. */
export const probeRabbitmq = (vantage: Vantage, limits: Limits): Promise<Trial> =>
  tryOut(limits, async (at, limit) => {
    const stream = await vantage.dial(at, limit);
    at.layer = 'protocol';
    stream.write(Buffer.from('AMQP\0\0\x09\x01', 'latin1'));
    const chunk = await new Promise<Buffer>((resolve, reject) => {
      stream.once('data', resolve);
      stream.once('error', reject);
      stream.once('close', () =>
        reject(
          new TryStopped({ layer: 'protocol', outcome: 'reset', code: '', text: 'the server closed the connection without an answer' }),
        ),
      );
    });
    if (!isAmqp(chunk)) throw notAmqp(chunk);
  });
