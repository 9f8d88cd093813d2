/** Reads the kernel's tables of sockets: `/proc/net/tcp`, `/proc/net/tcp6` and `/proc/net/unix`. Pure. */

export interface Endpoint {
  address: string;
  port: number;
}

export interface TcpSocket {
  /** 4 also for an IPv4-mapped socket of the tcp6 table: only IPv4 reaches it. */
  family: 4 | 6;
  /** `ending`: one side has closed, or both just now. */
  state: 'listening' | 'connecting' | 'established' | 'ending' | 'closed' | 'other';
  local: Endpoint;
  remote: Endpoint;
  /** For `listening`: connections that the program has not accepted yet. */
  waiting: number;
  /** For `closed`: how long it has been so. */
  closedSeconds: number | null;
}

const END = '([0-9a-f]{8}|[0-9a-f]{32}):([0-9a-f]{4})';
/** `0: 0100007F:1F40 0200D50A:18EB 06 00000000:00000000 03:000010D2`: both ends, state, queues, timer and what is left of it. */
const ROW = new RegExp(`^\\s*\\d+:\\s+${END}\\s+${END}\\s+([0-9a-f]{2})(?:\\s+[0-9a-f]+:([0-9a-f]+)\\s+([0-9a-f]{2}):([0-9a-f]{8}))?`, 'i');
const STATES: Record<string, TcpSocket['state']> = {
  '01': 'established',
  '02': 'connecting',
  '04': 'ending',
  '05': 'ending',
  '06': 'closed',
  '08': 'ending',
  '09': 'ending',
  '0A': 'listening',
  '0B': 'ending',
};
/** An ended connection is remembered for so long (TIME_WAIT); the timer counts down in hundredths. */
const REMEMBERED_SECONDS = 60;

/** Rows that are not rows (the heading, garbage) are left out. */
export const parseTcpTable = (table: string): TcpSocket[] => {
  const sockets: TcpSocket[] = [];
  // Ended connections may be thousands, of few addresses.
  const read = remembered(readAddress);
  for (const line of table.split('\n')) {
    const [, local, localPort, remote, remotePort, code, queue, timer, left] = ROW.exec(line) ?? [];
    if (!local || !localPort || !remote || !remotePort || !code) continue;
    const from = read(local);
    const state = STATES[code.toUpperCase()] ?? 'other';
    sockets.push({
      family: from.includes(':') ? 6 : 4,
      state,
      local: { address: from, port: Number.parseInt(localPort, 16) },
      remote: { address: read(remote), port: Number.parseInt(remotePort, 16) },
      waiting: state === 'listening' && queue ? Number.parseInt(queue, 16) : 0,
      closedSeconds:
        state === 'closed' && timer === '03' && left ? Math.max(0, REMEMBERED_SECONDS - Number.parseInt(left, 16) / 100) : null,
    });
  }
  return sockets;
};

/** `000000002f6107ea: 00000002 00000000 00010000 0001 01 16411922 /run/app.sock`: __SO_ACCEPTCON is set where somebody listens. */
const UNIX_ROW = /^[0-9a-f]+: [0-9a-f]+ [0-9a-f]+ ([0-9a-f]{8}) [0-9a-f]{4} [0-9a-f]+\s+\d+ ([^@].*)$/i;
const LISTENS = 0x1_0000;

/** The socket files that somebody listens on, as the program spelled them; abstract ones are no files. */
export const parseUnixTable = (table: string): string[] => [
  ...new Set(
    table.split('\n').flatMap((line) => {
      const [, flags = '0', path] = UNIX_ROW.exec(line) ?? [];
      return path !== undefined && (Number.parseInt(flags, 16) & LISTENS) !== 0 ? [path] : [];
    }),
  ),
];

const remembered = (read: (text: string) => string): ((text: string) => string) => {
  const known = new Map<string, string>();
  return (text) => {
    const value = known.get(text) ?? read(text);
    known.set(text, value);
    return value;
  };
};

/** The kernel prints each 32-bit word as the host reads it, so on x86 and ARM the bytes of a word stand in reverse. */
const readAddress = (hex: string): string => {
  const words = (hex.match(/.{8}/g) ?? []).map((word) => (word.match(/../g) ?? []).reverse().join(''));
  const last = words.at(-1) ?? '';
  if (words.length === 1) return dotted(last);
  const [first, second, third] = words;
  if (first === '00000000' && second === '00000000' && third?.toLowerCase() === '0000ffff') return dotted(last);
  const groups = words.join('').match(/.{4}/g) ?? [];
  // The URL parser writes an IPv6 address in its one canonical form.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
};

const dotted = (bytes: string): string => (bytes.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).join('.');
