/**
 * Whom nginx really called, by the sockets of both ends. nginx resolves a name once: where its service was made anew since, the address may have
 * gone to somebody else who answers too, and no status tells.
 */
import { readFile } from 'node:fs/promises';
import { isRunning, sharedNetworks, type Container } from '../model/stack.ts';
import type { Gathering } from './gathering.ts';
import { ownProcess } from './proc.ts';
import { parseTcpTable, type TcpSocket } from './proc-net.ts';

/** An end older than this may be of a request before ours, and before a reload. */
const JUST_NOW_SECONDS = 3;

/** Addresses, each once. `null`: the sockets are not to be seen from here. */
export const addressesCalled = async (nginx: Container, port: number, given: Gathering): Promise<string[] | null> => {
  const own = await socketsOf(nginx);
  if (!own) return null;
  // The side that closes first remembers: mostly the app.
  const called = own.filter(isLive).flatMap(({ remote }) => (remote.port === port ? [remote.address] : []));
  const addresses = nginx.networks.map(({ ip }) => ip);
  const others = given.stack.services
    .flatMap(({ containers }) => containers)
    .filter((each) => isRunning(each) && each.id !== nginx.id && sharedNetworks(each, nginx).length > 0);
  const callers = await Promise.all(
    others.map(async (each) => {
      const sockets = (await socketsOf(each)) ?? [];
      const isCalled = sockets.some((socket) => isLive(socket) && socket.local.port === port && addresses.includes(socket.remote.address));
      const shared = sharedNetworks(each, nginx);
      return isCalled ? each.networks.flatMap(({ network, ip }) => (shared.includes(network) && ip !== '' ? [ip] : [])) : [];
    }),
  );
  return [...new Set([...called, ...callers.flat()])];
};

/** Our answer may be here before both ends have closed. */
const isLive = ({ state, closedSeconds }: TcpSocket): boolean =>
  state === 'established' || state === 'ending' || (closedSeconds !== null && closedSeconds <= JUST_NOW_SECONDS);

const socketsOf = async (container: Container): Promise<TcpSocket[] | null> => {
  const own = ownProcess(container);
  if (!own) return null;
  const tables = await Promise.all(['tcp', 'tcp6'].map((table) => readFile(`${own.folder}/net/${table}`, 'utf8').catch(() => '')));
  return parseTcpTable(tables.join('\n'));
};
