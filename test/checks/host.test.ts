import { describe, expect, it } from 'vitest';
import { host } from '../../src/checks/host.ts';
import type { HostFact } from '../../src/model/facts.ts';
import { ask, fact, gap, inShort, makeStack } from './make.ts';

const GIB = 1024 ** 3;
const disk = { path: '/var/lib/docker', freeBytes: 20 * GIB, totalBytes: 100 * GIB, freeInodes: 1_000_000 };
const crossing = { network: 'p_default', subnet: '172.18.0.0/16', route: '172.18.0.0/16', device: 'tun0' };

const short = (parts: Partial<HostFact>, clockAheadSeconds?: number | null): string =>
  inShort(
    host,
    ask(host, {
      stack: makeStack(),
      facts: { engine: fact({ state: 'ok', clockAheadSeconds }), host: fact({ disk, subnets: null, crossings: [], ...parts }) },
    }),
  );

describe('host', () => {
  it.each<[string, Partial<HostFact>, number | null | undefined, string]>([
    ['room for all', {}, 0, 'pass'],
    ['a disk of another machine', { disk: null }, 0, 'pass'],
    ['a disk that is nearly full', { disk: { ...disk, freeBytes: GIB / 2 } }, 0, 'pass'],
    ['a file system that counts no inodes', { disk: { ...disk, freeInodes: null } }, 0, 'pass'],
    ['one free subnet', { subnets: { free: 1, networks: 30 } }, 0, 'pass'],
    ['a clock that is a little off', {}, 4, 'pass'],
    ['a clock that does not tell', {}, undefined, 'pass'],
    ['a disk without a byte', { disk: { ...disk, freeBytes: 0 } }, 0, 'fail disk-full'],
    ['a disk without an inode', { disk: { ...disk, freeInodes: 0 } }, 0, 'fail disk-full'],
    ['no free subnet', { subnets: { free: 0, networks: 31 } }, 0, 'fail no-free-subnet'],
    ['a VPN on the same addresses', { crossings: [crossing] }, 0, 'warn subnet-crosses-route'],
    ['a clock that stood still', {}, -3600, 'warn clock-differs'],
  ])('%s', (_, parts, ahead, expected) => {
    expect(short(parts, ahead)).toBe(expected);
  });

  it('could not look', () => {
    expect(inShort(host, ask(host, { stack: makeStack(), facts: { engine: fact({ state: 'ok' }), host: gap('no answer') } }))).toBe(
      'cannot look',
    );
  });
});
