/** The bytes of a Docker Engine, of as much of it as a case needs: a real HTTP server on a socket in a temporary folder. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createNetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { onTestFinished } from 'vitest';
import { openEngineClient } from '../../src/gather/docker-client.ts';
import { addressOf } from '../../src/gather/engine-address.ts';
import type { EngineClient } from '../../src/gather/engine-client.ts';

export interface SmallEngine {
  host: string;
  client: EngineClient;
  /** `GET /containers/json?all=true`, in order of arrival. */
  requests: string[];
  bodies: unknown[];
  /** Connections that are open now. */
  open: () => number;
}

interface Parts {
  answer?: RequestListener;
  /** For `Upgrade: tcp`; what comes back is written by the case itself. */
  hijack?: (request: IncomingMessage, socket: Duplex) => void;
}

/** Gone again when the test is over. */
export const smallEngine = async ({ answer, hijack }: Parts): Promise<SmallEngine> => {
  const requests: string[] = [];
  const bodies: unknown[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      if (text) bodies.push(JSON.parse(text));
      answer?.(request, response);
    });
  });
  server.on('upgrade', (request, socket) => {
    requests.push(`${request.method} ${request.url} upgrade`);
    socket.on('error', () => {});
    hijack?.(request, socket);
    // A server's sockets stay half open until it notices.
    socket.on('end', () => socket.destroy());
    socket.resume();
  });
  return { ...(await listening(server)), requests, bodies };
};

/** Anything but HTTP. */
export const strangeServer = async (onConnection: (socket: Socket) => void): Promise<Pick<SmallEngine, 'host' | 'client' | 'open'>> =>
  listening(
    createNetServer((socket) => {
      socket.on('error', () => {});
      onConnection(socket);
    }),
  );

const listening = async (server: Server | ReturnType<typeof createNetServer>): Promise<Pick<SmallEngine, 'host' | 'client' | 'open'>> => {
  const folder = mkdtempSync(join(tmpdir(), 'sd-engine-'));
  const path = join(folder, 'docker.sock');
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((done) => server.listen(path, done));
  const host = `unix://${path}`;
  const client = await openEngineClient(addressOf(host, 'test', null));
  onTestFinished(async () => {
    client.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
    rmSync(folder, { recursive: true, force: true });
  });
  return { host, client, open: () => sockets.size };
};

export const json =
  (value: unknown, status = 200): RequestListener =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', 'api-version': '1.51', server: 'Docker/28.5.2 (linux)' });
    response.end(JSON.stringify(value));
  };

/** One frame of a multiplexed stream: 1 is stdout, 2 is stderr. */
export const frame = (kind: 1 | 2, text: string | Buffer): Buffer => {
  const payload = Buffer.from(text);
  const header = Buffer.alloc(8);
  header[0] = kind;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
};
