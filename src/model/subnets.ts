/** IPv4 subnets as `172.18.0.0/16`: do they overlap, and what is left of a pool? */

export interface Subnet {
  /** First address, as a number. */
  start: number;
  bits: number;
}

export interface Pool {
  base: string;
  /** Bits of each subnet that is taken from it. */
  size: number;
}

/** `null`: no IPv4 subnet. */
export const parseSubnet = (text: string): Subnet | null => {
  const [, a, b, c, d, bits] = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text) ?? [];
  const parts = [a, b, c, d].map(Number);
  if (bits === undefined || Number(bits) > 32 || parts.some((part) => !(part <= 255))) return null;
  const address = parts.reduce((sum, part) => sum * 256 + part, 0);
  return { start: address - (address % sizeOf(Number(bits))), bits: Number(bits) };
};

export const overlap = (a: Subnet, b: Subnet): boolean => a.start < b.start + sizeOf(b.bits) && b.start < a.start + sizeOf(a.bits);

/** Does an address lie in it? */
export const holdsAddress = (subnet: Subnet, address: string): boolean => {
  const single = parseSubnet(`${address}/32`);
  return single !== null && overlap(subnet, single);
};

const sizeOf = (bits: number): number => 2 ** (32 - bits);

/** Docker's own, where the daemon's settings name none. */
export const DEFAULT_POOLS: readonly Pool[] = [
  { base: '172.17.0.0/16', size: 16 },
  { base: '172.18.0.0/16', size: 16 },
  { base: '172.19.0.0/16', size: 16 },
  { base: '172.20.0.0/14', size: 16 },
  { base: '172.24.0.0/14', size: 16 },
  { base: '172.28.0.0/14', size: 16 },
  { base: '192.168.0.0/16', size: 20 },
];

/** Subnets of the pools that nothing overlaps. */
export const freeSubnets = (pools: readonly Pool[], taken: readonly Subnet[]): number =>
  pools.reduce((sum, { base, size }) => {
    const whole = parseSubnet(base);
    if (!whole || size < whole.bits || size - whole.bits > 16) return sum;
    const each = Array.from({ length: 2 ** (size - whole.bits) }, (_, index) => ({
      start: whole.start + index * sizeOf(size),
      bits: size,
    }));
    return sum + each.filter((subnet) => !taken.some((other) => overlap(subnet, other))).length;
  }, 0);
