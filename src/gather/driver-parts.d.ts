/** The parts of drivers that are loaded instead of their indexes, which bring pools, fetch, websockets and proxies with them. */

declare module 'undici/lib/dispatcher/client.js' {
  import { Client } from 'undici';
  export default Client;
}

/** The index puts this on every client; here it is called with one. */
declare module 'undici/lib/api/api-request.js' {
  import type { Client, Dispatcher } from 'undici';
  export default function request(this: Client, options: Dispatcher.RequestOptions): Promise<Dispatcher.ResponseData>;
}

declare module 'pg/lib/client.js' {
  import { Client } from 'pg';
  export default Client;
}

/** amqplib connects by itself; its own entry takes no stream. The package names no such path, package.json does. */
declare module '#amqplib/connection' {
  import type { EventEmitter } from 'node:events';
  import type { Duplex } from 'node:stream';
  export class Connection extends EventEmitter {
    constructor(stream: Duplex);
    /** Set by the server's greeting, before any login. */
    serverProperties?: Record<string, unknown>;
    open(fields: Record<string, unknown>, done: (error: Error | null) => void): void;
    close(done: () => void): void;
    recvFrame(): { id?: number; fields?: Record<string, unknown> } | false;
  }
}

declare module '#amqplib/channel_model' {
  import type { ChannelModel as Model } from 'amqplib';
  import type { Connection } from '#amqplib/connection';
  export const ChannelModel: new (connection: Connection) => Model;
}

declare module '#amqplib/defs' {
  export const ConnectionClose: number;
}
