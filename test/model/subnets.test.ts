import { expect, test } from 'vitest';
import { routesOf } from '../../src/gather/host.ts';
import { DEFAULT_POOLS, freeSubnets, holdsAddress, overlap, parseSubnet } from '../../src/model/subnets.ts';

const subnet = (text: string) => parseSubnet(text)!;

test.each([
  ['172.18.0.0/16', '172.18.4.0/24', true],
  ['172.18.4.0/24', '172.18.0.0/16', true],
  ['172.18.0.0/16', '172.19.0.0/16', false],
  ['10.0.0.0/8', '10.255.255.0/24', true],
  ['0.0.0.0/0', '192.168.1.0/24', true],
  ['255.255.255.255/32', '255.255.255.0/24', true],
])('%s and %s: %s', (a, b, expected) => {
  expect(overlap(subnet(a), subnet(b))).toBe(expected);
});

test.each(['fd00::/64', '172.18.0.0', '300.1.1.1/8', '10.0.0.0/40', ''])('%j is no IPv4 subnet', (text) => {
  expect(parseSubnet(text)).toBeNull();
});

test('an address in it', () => {
  expect(holdsAddress(subnet('172.18.0.0/16'), '172.18.255.254')).toBe(true);
  expect(holdsAddress(subnet('172.18.0.0/16'), '93.184.216.34')).toBe(false);
});

test("Docker's own pools have thirty-one subnets, and each network takes what it overlaps", () => {
  expect(freeSubnets(DEFAULT_POOLS, [])).toBe(31);
  expect(freeSubnets(DEFAULT_POOLS, [subnet('172.17.0.0/16'), subnet('192.168.0.0/24')])).toBe(29);
  expect(freeSubnets(DEFAULT_POOLS, [subnet('172.16.0.0/12'), subnet('192.168.0.0/16')])).toBe(0);
  expect(
    freeSubnets(
      [
        { base: 'nonsense', size: 24 },
        { base: '10.0.0.0/8', size: 32 },
      ],
      [],
    ),
  ).toBe(0);
});

test('routes, lowest byte first; the default route is none', () => {
  const table =
    'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\ntun0\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\n';
  expect(routesOf(table).map(({ device, text }) => `${text} ${device}`)).toEqual(['172.18.0.0/16 tun0']);
});
