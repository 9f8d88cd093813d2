/** Who holds the connections that a data store has. */
import { serviceAt } from './addresses.ts';
import { grouped } from './attempt.ts';
import type { Evidence } from './check.ts';
import type { Stack } from './stack.ts';

interface Session {
  /** `null`: through the server's own socket. */
  address: string | null;
  count: number;
}

interface Server {
  sessions: readonly Session[];
  maxConnections: number;
}

export interface Holder {
  /** A service; an address where it is of none: a shell on the host, another project. */
  holder: string;
  count: number;
}

/** Most first. */
export const holdersOf = (server: Server | null, stack: Stack): Holder[] => {
  const nameOf = (address: string | null): string => (address === null ? 'its own socket' : (serviceAt(stack, address)?.name ?? address));
  return grouped(server?.sessions ?? [], (session) => nameOf(session.address))
    .map((sessions) => ({ holder: nameOf(sessions[0]!.address), count: sessions.reduce((sum, each) => sum + each.count, 0) }))
    .toSorted((a, b) => b.count - a.count);
};

/** `: worker holds 90 of 100`, to end a sentence with. */
export const mostHeld = (server: Server | null, stack: Stack): string => {
  const [most] = holdersOf(server, stack);
  return most && server ? `: ${most.holder} holds ${most.count} of ${server.maxConnections}` : '';
};

/** `source`: where the server lists its sessions. */
export const holderEvidence = (server: Server | null, stack: Stack, source: string): Evidence[] =>
  holdersOf(server, stack)
    .slice(0, 3)
    .map(({ holder, count }) => ({ source, text: `${count} sessions of ${holder}` }));
