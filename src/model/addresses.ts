/** Whose address is this? A server's log and its list of sessions know clients by address alone. */
import { running, type Service, type Stack } from './stack.ts';

/** On every network, of every container that runs. */
export const addressesOf = (service: Service): string[] =>
  running(service).flatMap((container) => container.networks.map((each) => each.ip).filter((ip) => ip !== ''));

export const serviceAt = (stack: Stack, address: string): Service | undefined =>
  stack.services.find((service) => addressesOf(service).includes(address));

/** `172.18.0.4:51234` and `[fd00::4]:51234` without the port. */
export const withoutPort = (endpoint: string): string => endpoint.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');

/** Can two not listen on one port of these addresses? `''` is every address; the wildcard of IPv6 mostly takes IPv4 too, unless IPv4 has its own. */
export const meets = (a: string, b: string): boolean => {
  if (a === b || a === '' || b === '') return true;
  const isV6 = (address: string) => address.includes(':');
  if (isV6(a) !== isV6(b)) return false;
  const wildcards = ['0.0.0.0', '::', '[::]'];
  return wildcards.includes(a) || wildcards.includes(b);
};
