/** A server that speaks MySQL's protocol by the library's own server side: greets, judges a login, answers what is asked here. */
import mysql2 from 'mysql2';
import type { Socket } from 'node:net';
import { listen, type Listening } from './loopback.ts';

export interface MysqlBehaviour {
  /** What the server says to a login; `null` lets it in. */
  refuse?: (login: { user: string; database: string }) => { code: number; message: string } | null;
  /** Rows by the beginning of the question; an error by its number. */
  answers?: Record<string, Record<string, string | number | null>[] | number>;
}

export interface MysqlStandIn extends Listening {
  logins: { user: string; database: string }[];
  /** Questions of all connections, in order. */
  asked: string[];
}

interface ServerSide {
  serverHandshake(options: Record<string, unknown>): void;
  on(event: 'query', answer: (sql: string) => void): void;
  on(event: 'error', ignore: () => void): void;
  writeTextResult(rows: Record<string, unknown>[], columns: Record<string, unknown>[]): void;
  writeError(error: { code: number; message: string }): void;
}

/** What its types do not tell. */
interface Library {
  Connection: new (options: object) => ServerSide;
  ConnectionConfig: new (options: object) => object;
}

const USUAL: NonNullable<MysqlBehaviour['answers']> = {
  'select @@version': [
    { version: '11.8.3-MariaDB', hostname: '4f1c', port: 3306, readOnly: 0, most: 151, now: Date.parse('2026-11-23T07:00:00Z') / 1000 },
  ],
  'show global status': [{ Variable_name: 'Uptime', Value: 3600 }],
  'show processlist': [],
};

/** Of the protocol: 4.1, long passwords, plugins, a database at the login, transactions; not TLS. */
const CAPABILITIES = 0x00_08_a2_09;

export const serveMysql = async ({ refuse = () => null, answers = {} }: MysqlBehaviour = {}): Promise<MysqlStandIn> => {
  const logins: MysqlStandIn['logins'] = [];
  const asked: string[] = [];
  const serve = (socket: Socket) => {
    const { Connection, ConnectionConfig } = mysql2 as unknown as Library;
    const side = new Connection({ config: new ConnectionConfig({ isServer: true, stream: socket }) });
    side.on('error', () => {});
    side.on('query', (sql) => {
      asked.push(sql);
      const key = Object.keys({ ...USUAL, ...answers }).find((each) => sql.startsWith(each));
      const answer = key === undefined ? 1142 : { ...USUAL, ...answers }[key]!;
      if (typeof answer === 'number') return side.writeError({ code: answer, message: 'command denied' });
      const names = Object.keys(answer[0] ?? { nothing: '' });
      const columns = names.map((name) => ({
        catalog: 'def',
        schema: '',
        table: '',
        orgTable: '',
        name,
        orgName: name,
        characterSet: 33,
        columnLength: 200,
        columnType: 253,
        flags: 0,
        decimals: 0,
      }));
      return side.writeTextResult(
        answer.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value)]))),
        columns,
      );
    });
    side.serverHandshake({
      protocolVersion: 10,
      serverVersion: '11.8.3-MariaDB',
      connectionId: 7,
      statusFlags: 2,
      characterSet: 33,
      capabilityFlags: CAPABILITIES,
      authCallback: (
        login: { user: string; database: string },
        done: (error: null, refusal: { code: number; message: string } | null) => void,
      ) => {
        logins.push({ user: login.user, database: login.database });
        done(null, refuse(login));
      },
    });
  };
  return { ...(await listen(serve)), logins, asked };
};
