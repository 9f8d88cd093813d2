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

/** One connection over a stream that is open already. The index's client has a pool, and watches the server over more connections. */
declare module 'mongodb/lib/cmap/connect.js' {
  import type { Duplex } from 'node:stream';
  import type { Document, MongoCredentials } from 'mongodb';
  import type { ScramSHA1 } from 'mongodb/lib/cmap/auth/scram.js';

  export interface ConnectionOptions {
    id: number;
    generation: number;
    hostAddress: string;
    loadBalanced: boolean;
    monitorCommands: boolean;
    metadata: Promise<Document>;
    credentials?: MongoCredentials;
    authProviders: { getOrCreateProvider(mechanism: string): ScramSHA1 };
  }

  export interface Connection {
    /** What the server said of itself; `null` before it did. */
    readonly hello: Document | null;
    command(namespace: { db: string }, command: Document, options: { directConnection: true }): Promise<Document>;
    destroy(): void;
  }

  export function makeConnection(options: ConnectionOptions, stream: Duplex): Connection;
  export function performInitialHandshake(connection: Connection, options: ConnectionOptions): Promise<void>;
}

declare module 'mongodb/lib/cmap/auth/scram.js' {
  export class ScramSHA1 {
    auth(context: unknown): Promise<void>;
  }
  export class ScramSHA256 extends ScramSHA1 {}
}

declare module 'mongodb/lib/cmap/auth/mongo_credentials.js' {
  export { MongoCredentials } from 'mongodb';
}
