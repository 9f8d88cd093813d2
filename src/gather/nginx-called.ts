/**
 * Whom nginx really called, by the sockets of both ends. nginx resolves a name once: where its service was made anew since, the address may have
 * gone to somebody else who answers too, and no status tells.
 */
import { readFile } from 'node:fs/promises';
import { isRunning, sharedNetworks, type Container } from '../model/stack.ts';
import type { Gathering } from './gathering.ts';
import { ownProcess } from './proc.ts';
import { parseTcpTable, type TcpSocket } from './proc-net.ts';

export interface Call {
  /** Whom: the address and port of the other end. */
  address: string;
  port: number;
  /** nginx' own port: with the rest, one connection and no other. */
  from: number;
  isOpen: boolean;
}

/** The connections of nginx that are, or of late were. `null`: the sockets are not to be seen from here. */
export const callsOf = async (nginx: Container, given: Gathering): Promise<Call[] | null> => {
  const own = await socketsOf(nginx);
  if (!own) return null;
  const addresses = nginx.networks.map(({ ip }) => ip);
  const others = given.stack.services
    .flatMap(({ containers }) => containers)
    .filter((each) => isRunning(each) && each.id !== nginx.id && sharedNetworks(each, nginx).length > 0);
  // The side that closes first remembers: mostly the app.
  const theirs = (await Promise.all(others.map(socketsOf)))
    .flatMap((sockets) => sockets ?? [])
    .filter(({ remote }) => addresses.includes(remote.address))
    .map(({ local, remote, ...rest }) => ({ ...rest, local: remote, remote: local }));
  return [...own, ...theirs].filter(wasOpened).map(({ local, remote, state }) => ({
    address: remote.address,
    port: remote.port,
    from: local.port,
    isOpen: state === 'established',
  }));
};

/** Addresses called on the port since `before`, each once; and those of connections that stay open, which carry one request after another. */
export const calledSince = (before: readonly Call[], now: readonly Call[], port: number): string[] => {
  const isOld = (call: Call): boolean =>
    before.some(({ address, port: known, from }) => address === call.address && known === call.port && from === call.from);
  return [...new Set(now.filter((call) => call.port === port && (call.isOpen || !isOld(call))).map(({ address }) => address))];
};

/** Our answer may be here before both ends have closed. */
const wasOpened = ({ state }: TcpSocket): boolean => state === 'established' || state === 'ending' || state === 'closed';

const socketsOf = async (container: Container): Promise<TcpSocket[] | null> => {
  const own = ownProcess(container);
  if (!own) return null;
  const tables = await Promise.all(['tcp', 'tcp6'].map((table) => readFile(`${own.folder}/net/${table}`, 'utf8').catch(() => '')));
  return parseTcpTable(tables.join('\n'));
};
