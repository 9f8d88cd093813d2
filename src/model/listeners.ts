/** Sockets that wait for connections inside a container. */
import type { Listener } from './facts.ts';

/** Java shows IPv4 loopback as a mapped IPv6 address. */
export const onLoopback = ({ address }: Listener): boolean => /^(?:::ffff:)?127\.|^::1$/.test(address);

/** Docker's DNS server has a socket of its own in every container. */
export const ownListeners = (listeners: readonly Listener[]): Listener[] => listeners.filter((each) => each.address !== '127.0.0.11');

/** `0.0.0.0:80 and [::]:80`. */
export const writtenListeners = (listeners: readonly Listener[]): string => {
  const ends = [...new Set(listeners.map(({ address, port }) => `${address.includes(':') ? `[${address}]` : address}:${port}`))];
  return ends.length === 0 ? 'nothing listens' : ends.join(', ').replace(/, ([^,]*)$/, ' and $1');
};
