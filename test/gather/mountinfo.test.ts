import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isWithin, mountAt, mountViews, parseMountinfo, placeOf } from '../../src/gather/mountinfo.ts';

const CONTAINER = `
905 812 0:51 / / rw,relatime master:309 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/A
906 905 0:53 / /proc rw,nosuid - proc proc rw
910 905 8:1 /src/shop/backend /app rw,relatime - ext4 /dev/sda1 rw
911 910 8:1 /src/shop/dist//deleted /app/dist ro,relatime shared:1 master:2 - ext4 /dev/sda1 rw
912 905 8:1 /with\\040blank\\134and\\011tab /data\\040dir rw - ext4 /dev/sda1 rw
913 905 8:1 /var/lib/docker/containers/abc/hostname /etc/hostname rw - ext4 /dev/sda1 rw
914 905 0:60 / /cache rw - tmpfs tmpfs ro,size=64k
915 905 8:1 /newer /app rw - ext4 /dev/sda1 rw
garbage
`;

describe('mountinfo', () => {
  const mounts = parseMountinfo(CONTAINER);

  it.each([
    ['/', { root: '/', fsType: 'overlay', deleted: false, readOnly: false, device: '0:51' }],
    ['/app/dist', { root: '/src/shop/dist', deleted: true, readOnly: true, device: '8:1' }],
    ['/data dir', { root: '/with blank\\and\ttab', deleted: false }],
    ['/cache', { fsType: 'tmpfs', readOnly: true }],
    ['/app', { root: '/newer' }],
  ])('%s', (target, expected) => expect(mountAt(mounts, target)).toMatchObject(expected));

  it('shows the root and the mounts of the container, not those of the runtime; of two on one place the one that is seen', () => {
    expect(mountViews(mounts, ['/app', '/cache']).map(({ destination, root }) => `${destination} ${root}`)).toEqual([
      '/ /',
      '/app/dist /src/shop/dist',
      '/cache /',
      '/app /newer',
    ]);
  });

  it.each([
    ['/src/shop/dist', '/home', '8:2', '/shop/dist'],
    ['/home/me/shop', '/home/me', '8:3', '/@home/shop'],
    ['/home/me', '/home/me', '8:3', '/@home'],
    ['/', '/', '8:1', '/'],
  ])('finds %s on its file system', (path, _, device, root) => {
    const host = parseMountinfo(`1 0 8:1 / / rw - ext4 x rw\n2 1 8:2 / /src rw - ext4 x rw\n3 1 8:3 /@home /home/me rw - btrfs x rw\n`);
    expect(placeOf(path, host)).toEqual({ device, root });
  });

  it('takes the later of two mounts on one place', () => {
    const host = parseMountinfo('1 0 8:1 / / rw - ext4 x rw\n2 1 8:2 / /src rw - ext4 x rw\n3 1 8:3 /sub /src rw - ext4 x rw\n');
    expect(placeOf('/src/a', host)).toEqual({ device: '8:3', root: '/sub/a' });
  });

  it.each([
    ['/app', '/app', true],
    ['/app/x', '/app', true],
    ['/apple', '/app', false],
    ['/x', '/', true],
  ])('%s within %s', (path, folder, expected) => expect(isWithin(path, folder)).toBe(expected));

  it('never throws', () => {
    const piece = fc.oneof(fc.constantFrom(' - ', ' ', '/', '//deleted', '\\040', '\n', '8:1', 'ro'), fc.string({ maxLength: 5 }));
    fc.assert(fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => placeOf('/a/b', parseMountinfo(pieces.join(''))) !== undefined));
  });

  it.skipIf(!existsSync('/proc/self/mountinfo'))('reads that of this machine', () => {
    const own = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
    expect(mountAt(own, '/proc')?.fsType).toBe('proc');
    expect(placeOf(realpathSync(tmpdir()), own)).not.toBeNull();
  });
});
