import { endianness } from 'node:os';
import { connect, createServer, type AddressInfo } from 'node:net';
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTcpTable, parseUnixTable } from '../../src/gather/proc-net.ts';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const row = (local: string, remote: string, state: string, timer = '00:00000000') =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 ${timer} 00000000     0        0 43657 1 0000000000000000 100 0 0 10 0\n`;
const ANY6 = '0'.repeat(32);

describe('the rows of /proc/net/tcp', () => {
  it.each([
    ['every address', row('00000000:1F40', '00000000:0000', '0A'), 4, 'listening', '0.0.0.0:8000', '0.0.0.0:0'],
    ['loopback', row('0100007F:1538', '00000000:0000', '0A'), 4, 'listening', '127.0.0.1:5432', '0.0.0.0:0'],
    ['a client', row('0600D50A:E34A', '0200D50A:18EB', '01'), 4, 'established', '10.213.0.6:58186', '10.213.0.2:6379'],
    ['one that waits for an answer', row('0600D50A:E34A', '0200D50A:18EB', '02'), 4, 'connecting', '10.213.0.6:58186', '10.213.0.2:6379'],
    ['being opened by the other side', row('0600D50A:E34A', '0200D50A:18EB', '03'), 4, 'other', '10.213.0.6:58186', '10.213.0.2:6379'],
    ['half closed', row('0600D50A:E34A', '0200D50A:18EB', '08'), 4, 'ending', '10.213.0.6:58186', '10.213.0.2:6379'],
    ['every address of IPv6', row(`${ANY6}:0050`, `${ANY6}:0000`, '0A'), 6, 'listening', ':::80', ':::0'],
    ['loopback of IPv6', row('00000000000000000000000001000000:1538', `${ANY6}:0000`, '0A'), 6, 'listening', '::1:5432', ':::0'],
    [
      'an address of IPv6',
      row('0120FDFE000000000000000067452301:0050', `${ANY6}:0000`, '0A'),
      6,
      'listening',
      'fefd:2001::123:4567:80',
      ':::0',
    ],
    ['IPv4 in IPv6', row('0000000000000000FFFF00000100007F:1F40', `${ANY6}:0000`, '0A'), 4, 'listening', '127.0.0.1:8000', ':::0'],
  ])('%s', (_, line, family, state, local, remote) => {
    const [socket] = parseTcpTable(HEAD + line);
    expect(socket).toMatchObject({ family, state, closedSeconds: null });
    expect(`${socket?.local.address}:${socket?.local.port}`).toBe(local);
    expect(`${socket?.remote.address}:${socket?.remote.port}`).toBe(remote);
  });

  it('counts the connections that wait to be accepted', () => {
    const busy = row('00000000:1F40', '00000000:0000', '0A').replace('00000000:00000000', '00000000:00000801');
    expect(parseTcpTable(HEAD + busy)[0]?.waiting).toBe(2049);
    expect(parseTcpTable(HEAD + row('00000000:1F40', '00000000:0000', '0A'))[0]?.waiting).toBe(0);
  });

  it.each([
    ['just now', '03:00001770', 0],
    ['17 seconds ago', '03:000010CC', 17],
    ['about to be forgotten', '03:00000000', 60],
  ])('tells that a connection ended %s', (_, timer, seconds) => {
    const [socket] = parseTcpTable(HEAD + row('0400D50A:A71E', '0200D50A:18EB', '06', timer));
    expect(socket?.state).toBe('closed');
    expect(socket?.closedSeconds).toBeCloseTo(seconds, 0);
  });

  it('leaves out what is no row', () => expect(parseTcpTable(`${HEAD}\nnonsense\n 0: XYZ\n 1: 0100007F:1538\n`)).toEqual([]));

  it('never throws', () => {
    const piece = fc.oneof(fc.constantFrom('0100007F', ':', '1538', ' ', '\n', '0A', ANY6, '  0: ', '03:'), fc.string({ maxLength: 6 }));
    fc.assert(fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => Array.isArray(parseTcpTable(pieces.join('')))));
  });

  it.skipIf(!existsSync('/proc/self/net/tcp') || endianness() !== 'LE')('reads what the kernel of this machine writes', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const accepted = new Promise((resolve) => server.once('connection', resolve));
    const client = connect(port, '127.0.0.1');
    await Promise.all([accepted, new Promise((resolve) => client.once('connect', resolve))]);
    const sockets = parseTcpTable(readFileSync('/proc/self/net/tcp', 'utf8'));
    expect(sockets).toContainEqual({
      family: 4,
      state: 'listening',
      local: { address: '127.0.0.1', port },
      remote: { address: '0.0.0.0', port: 0 },
      closedSeconds: null,
      waiting: 0,
    });
    expect(sockets.some(({ state, remote }) => state === 'established' && remote.address === '127.0.0.1' && remote.port === port)).toBe(
      true,
    );
    client.destroy();
    server.close();
  });
});

describe('the table of unix sockets', () => {
  const HEADING = 'Num       RefCount Protocol Flags    Type St Inode Path';
  it('tells the files that somebody listens on', () => {
    const table = [
      HEADING,
      '00000000d6f462fe: 00000003 00000000 00000000 0001 03 16411932',
      '00000000d6b71c32: 00000002 00000000 00010000 0001 01 16411934 /root/.gunicorn/gunicorn.ctl',
      '0000000038612e74: 00000002 00000000 00010000 0001 01 16411922 /sockets/my app.sock',
      '0000000038612e75: 00000003 00000000 00000000 0001 03 16411923 /sockets/connected.sock',
      '0000000038612e76: 00000002 00000000 00010000 0001 01 164 @abstract',
      '0000000038612e77: 00000002 00000000 00010000 0001 01     7 app.sock',
      'nonsense',
    ];
    expect(parseUnixTable(table.join('\n'))).toEqual(['/root/.gunicorn/gunicorn.ctl', '/sockets/my app.sock', 'app.sock']);
  });

  it.skipIf(!existsSync('/proc/self/net/unix'))('reads what the kernel of this machine writes', async () => {
    const path = `/tmp/proc-net-${process.pid}.sock`;
    const server = createServer().listen(path);
    await new Promise((resolve) => server.once('listening', resolve));
    expect(parseUnixTable(readFileSync('/proc/self/net/unix', 'utf8'))).toContain(path);
    server.close();
    await new Promise((resolve) => server.once('close', resolve));
    expect(parseUnixTable(readFileSync('/proc/self/net/unix', 'utf8'))).not.toContain(path);
  });
});
