/** What an engine does not do, for whatever container: the reason names none, so that the report says it once. */
import type { RequestListener } from 'node:http';
import { describe, expect, test } from 'vitest';
import { gatherLogs } from '../../src/gather/logs.ts';
import { runInside } from '../../src/gather/run-inside.ts';
import { openTunnel } from '../../src/gather/tunnel.ts';
import { containerOf, gatheringOf, serviceOf } from './namespace.ts';
import { json, smallEngine } from './small-engine.ts';

/** HAProxy's, which stands before the socket in the usual images of a "socket proxy". */
const PAGE = '<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>\n';
const proxy: RequestListener = (request, response) =>
  request.method === 'GET' ? json([])(request, response) : response.writeHead(403, { 'content-type': 'text/html' }).end(PAGE);

const containers = [containerOf({ name: 'p-db-1', service: 'db' }), containerOf({ name: 'p-web-1', service: 'web' })];

const reasons = async (
  answer: RequestListener,
  look: (at: number) => (engine: Awaited<ReturnType<typeof smallEngine>>) => Promise<unknown>,
) => {
  const engine = await smallEngine({ answer });
  const failures = containers.map((_, at) =>
    look(at)(engine).then(
      () => 'looked',
      (error: Error) => `${error.name}: ${error.message}`,
    ),
  );
  return new Set(await Promise.all(failures));
};

const command =
  (at: number) =>
  ({ client }: Awaited<ReturnType<typeof smallEngine>>) =>
    runInside(containers[at]!, ['true'], gatheringOf(client, []));

describe('no commands in containers', () => {
  const said =
    'CannotLook: the engine lets us run no command in its containers (HTTP 403: 403 Forbidden Request forbidden by administrative rules.)';

  test('a command', async () => {
    expect(await reasons(proxy, command)).toEqual(new Set([said]));
  });

  test('a tunnel', async () => {
    const tunnel =
      (at: number) =>
      ({ client }: Awaited<ReturnType<typeof smallEngine>>) =>
        openTunnel(client, containers[at]!, 'db', 5432, { signal: AbortSignal.timeout(4_000) });
    expect(await reasons(proxy, tunnel)).toEqual(new Set([said]));
  });

  test('one container that takes no command is that one alone', async () => {
    const paused = json({ message: 'Container is paused, unpause the container before exec' }, 409);
    expect([...(await reasons(paused, command))]).toEqual([
      'CannotLook: no command could be run in p-db-1: Container is paused, unpause the container before exec',
      'CannotLook: no command could be run in p-web-1: Container is paused, unpause the container before exec',
    ]);
  });
});

describe('logs that are not kept', () => {
  const log =
    (at: number) =>
    ({ client }: Awaited<ReturnType<typeof smallEngine>>) =>
      gatherLogs(serviceOf({ ...containers[at]!, logDriver: 'gelf' }), gatheringOf(client, []));

  test.each(['configured logging driver does not support reading', "this container is using the 'none' log driver, cannot read logs"])(
    '%s',
    async (message) => {
      expect(await reasons(json({ message }, 500), log)).toEqual(new Set(['CannotLook: the log driver gelf gives no log back']));
    },
  );

  test('one log that is broken is that one alone', async () => {
    expect((await reasons(json({ message: 'invalid character' }, 500), log)).size).toBe(2);
  });
});
