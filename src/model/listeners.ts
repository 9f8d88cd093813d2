/** Sockets that wait for connections inside a container. */
import type { Fact, InsideFact, Listener } from './facts.ts';

/** Java shows IPv4 loopback as a mapped IPv6 address. */
export const onLoopback = ({ address }: Listener): boolean => /^(?:::ffff:)?127\.|^::1$/.test(address);

/** Docker's DNS server has a socket of its own in every container. */
export const ownListeners = (listeners: readonly Listener[]): Listener[] => listeners.filter((each) => each.address !== '127.0.0.11');

/** `0.0.0.0:80 and [::]:80`. */
export const writtenListeners = (listeners: readonly Listener[]): string => {
  const ends = [...new Set(listeners.map(({ address, port }) => `${address.includes(':') ? `[${address}]` : address}:${port}`))];
  return ends.length === 0 ? 'nothing listens' : ends.join(', ').replace(/, ([^,]*)$/, ' and $1');
};

/** Where a server does listen that refuses on `port`, as the end of a sentence: often the whole story. */
export const listensElsewhere = (port: number, inside: Fact<InsideFact> | undefined): string => {
  if (!inside?.ok) return '';
  const own = ownListeners(inside.value.listeners);
  const onPort = own.filter((each) => each.port === port);
  if (onPort.length > 0) return onPort.every(onLoopback) ? `; it listens on ${writtenListeners(onPort)} only` : '';
  const open = [...new Set(own.filter((each) => !onLoopback(each)).map((each) => String(each.port)))];
  return open.length > 0 && open.length < 4 ? `; it listens on port ${open.join(', ').replace(/, ([^,]*)$/, ' and $1')}` : '';
};
