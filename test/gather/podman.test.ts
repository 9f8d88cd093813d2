/** Where Podman's answers differ from Docker's: as its version 4.3.1 gives them. */
import { expect, test } from 'vitest';
import { gatherContainers } from '../../src/gather/containers.ts';
import { gatherNetworks } from '../../src/gather/engine-objects.ts';
import { createVault } from '../../src/gather/vault.ts';
import { namelessMode } from '../../src/model/routes.ts';
import { json, smallEngine } from './small-engine.ts';

const ID = '62f84cd61d31'.repeat(5);
const container = {
  Id: ID,
  Name: '/shop-web-1',
  Created: '2026-11-23T06:00:00Z',
  Image: 'sha256:2845',
  ResolvConfPath: `/run/containers/storage/overlay-containers/${ID}/userdata/resolv.conf`,
  GraphDriver: { Name: 'overlay', Data: { UpperDir: '/var/lib/containers/storage/overlay/ace5/diff' } },
  State: { Status: 'stopped', ExitCode: 1, Error: '', StartedAt: '2026-11-23T06:50:00Z', FinishedAt: '2026-11-23T06:51:00Z', Pid: 0 },
  Config: { Image: 'localhost/web:latest', Labels: { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'web' } },
  HostConfig: { NetworkMode: 'bridge' },
  NetworkSettings: {
    Networks: { shop_default: { NetworkID: 'shop_default', IPAddress: '10.215.1.4', Gateway: '10.215.1.1', Aliases: ['web'] } },
  },
};
const network = {
  Id: '5d3c26a7',
  Name: 'shop_default',
  Driver: 'bridge',
  IPAM: { Config: [{ Subnet: '10.215.1.0/24' }] },
  Containers: { [ID]: { Name: 'shop-web-1', IPv4Address: '10.215.1.4/24' } },
};

test("its words become Docker's", async () => {
  const { client } = await smallEngine({
    answer: (request, response) => {
      const answer = /^\/networks\/\w/.test(request.url!) ? network : request.url!.startsWith('/networks') ? [network] : null;
      json(answer ?? (request.url!.startsWith('/containers/json') ? [{ Id: ID }] : container))(request, response);
    },
  });
  const signal = AbortSignal.timeout(4_000);
  const [web] = await gatherContainers(client, 'shop', createVault(), signal);
  expect(web).toMatchObject({ state: { status: 'exited' }, dataRoot: '/var/lib/containers/storage' });
  expect(namelessMode(web!)).toBeNull();
  const [found] = await gatherNetworks(client, [web!], signal);
  expect(found).toMatchObject({ id: web!.networks[0]!.networkId, members: [{ container: 'shop-web-1', ip: '10.215.1.4' }] });
});
