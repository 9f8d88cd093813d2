/** RabbitMQ's management interface, where it is there for the credentials at hand: alarms, and queues with what waits in them. */
import { request } from 'node:http';
import { plain, wordOf } from '../model/plain.ts';
import { asSocket, guarded } from './dial.ts';
import { tryOut, type Limits } from './trial.ts';
import type { RabbitmqQueue } from './rabbitmq-session.ts';
import type { Vantage } from './vantage.ts';

export const MANAGEMENT_PORT = 15_672;

const MOST_BYTES = 4 * 1024 * 1024;
const MOST_QUEUES = 500;

export interface Management {
  alarms: string[];
  queues: RabbitmqQueue[];
}

/** `null`: it does not answer, or not these credentials. */
export const askManagement = async (
  vantage: Vantage,
  login: { user: string; password: string },
  limits: Limits,
): Promise<Management | null> => {
  const ask = (path: string) => getJson(vantage, path, login, limits);
  const [nodes, queues] = await Promise.all([
    ask('/api/nodes?columns=name,mem_alarm,disk_free_alarm'),
    ask('/api/queues?columns=name,vhost,messages_ready,consumers'),
  ]);
  if (!Array.isArray(nodes)) return null;
  const isSet = (name: string) => nodes.some((node: Record<string, unknown> | null) => node?.[name] === true);
  const text = (value: unknown) => plain(limits.vault.maskText(wordOf(value))).slice(0, 200);
  return {
    alarms: [...(isSet('mem_alarm') ? ['memory'] : []), ...(isSet('disk_free_alarm') ? ['disk'] : [])],
    queues: (Array.isArray(queues) ? queues : []).slice(0, MOST_QUEUES).map((queue: Record<string, unknown>) => ({
      name: text(queue['name']),
      vhost: text(queue['vhost']),
      messages: Number(queue['messages_ready'] ?? 0) || 0,
      consumers: Number(queue['consumers'] ?? 0) || 0,
    })),
  };
};

/** `null`: no answer, no JSON, or another status than 200. */
const getJson = async (vantage: Vantage, path: string, login: { user: string; password: string }, limits: Limits): Promise<unknown> => {
  let found: unknown = null;
  await tryOut(limits, async (at, limit) => {
    const stream = await vantage.dial(at, limit);
    at.layer = 'protocol';
    const text = await new Promise<string>((resolve, reject) => {
      const asked = request(
        {
          host: vantage.host,
          port: vantage.port,
          path,
          auth: `${login.user}:${login.password}`,
          headers: { 'user-agent': 'stack-doctor', accept: 'application/json' },
          createConnection: () => asSocket(guarded(stream)),
          signal: limit,
        },
        (response) => {
          const chunks: Buffer[] = [];
          let bytes = 0;
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes > MOST_BYTES) response.destroy(new Error(`the answer is longer than ${MOST_BYTES} bytes`));
            else chunks.push(chunk);
          });
          response.on('error', reject);
          response.on('end', () => resolve(response.statusCode === 200 ? Buffer.concat(chunks).toString('utf8') : ''));
        },
      );
      asked.on('error', reject);
      asked.end();
    });
    try {
      found = JSON.parse(text);
    } catch {
      found = null;
    }
  });
  return found;
};
