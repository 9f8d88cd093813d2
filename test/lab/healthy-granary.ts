import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { editFile } from './edit-file.ts';
import type { HealthyVariant } from './healthy-variant.ts';

const FILE = 'docker-compose.yml';

export const granaryVariants: HealthyVariant[] = [
  { id: 'granary', stack: 'granary', title: 'the fixture as it is: HAProxy, pgbouncer, nginx before a socket file', options: {} },
  {
    id: 'granary-two-counters',
    stack: 'granary',
    title: 'HAProxy looks names up anew, and has places for more servers than there are',
    options: {
      up: ['--wait', '--scale', 'counter=2'],
      edit: (dir) =>
        editFile(
          dir,
          'gate/haproxy.cfg',
          ['frontend gate', 'resolvers docker\n    nameserver dns 127.0.0.11:53\n\nfrontend gate'],
          [
            '    server counter counter:8000 check\n',
            '    server-template counter 4 counter:8000 check resolvers docker init-addr libc,none\n',
          ],
        ),
    },
  },
  {
    id: 'granary-other-path',
    stack: 'granary',
    title: 'the app has the volume of the socket at another path than nginx',
    options: {
      edit: (dir) =>
        editFile(
          dir,
          FILE,
          ['"--uds", "/run/desk/clerk.sock"', '"--uds", "/srv/out/clerk.sock"'],
          [/(clerk:\n(?: {4}.*\n)+? {6}- desk:)\/run\/desk/, '$1/srv/out'],
        ),
    },
  },
  {
    id: 'granary-tcp-gate',
    stack: 'granary',
    title: 'HAProxy passes on bytes, also those of the pooler, and closes what it has no server for',
    options: {
      edit: (dir) => {
        editFile(dir, 'gate/haproxy.cfg', [
          'backend counter\n',
          'listen purse\n    mode tcp\n    bind *:6432\n    server pool pool:6432 check\n\nbackend counter\n',
        ]);
        editFile(dir, FILE, ['@pool:6432/grain', '@gate:6432/grain'], ['      counter: { condition: service_healthy }\n', '']);
      },
    },
  },
  {
    id: 'granary-forced-user',
    stack: 'granary',
    title: 'the pooler takes any password for one user of its own at the server',
    options: {
      edit: (dir) => {
        const password = /^STORE_PASSWORD=(.*)$/m.exec(readFileSync(join(dir, '.env'), 'utf8'))?.[1] ?? '';
        editFile(
          dir,
          'pool/pgbouncer.ini',
          ['dbname=grain', `dbname=grain user=keeper password='${password}'`],
          ['auth_type = scram-sha-256', 'auth_type = any'],
        );
      },
    },
  },
];
