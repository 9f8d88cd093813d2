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
