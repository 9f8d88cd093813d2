import { editFile } from './edit-file.ts';
import { compose, edit } from './faults/tools.ts';
import type { HealthyVariant } from './healthy-variant.ts';

const FILE = 'docker-compose.yml';

export const orchardVariants: HealthyVariant[] = [
  { id: 'orchard', stack: 'orchard', title: 'the fixture as it is: Vite, Node, MariaDB, RabbitMQ', options: {} },
  {
    id: 'orchard-two-presses',
    stack: 'orchard',
    title: 'two consumers share the queue',
    options: { up: ['--wait', '--scale', 'press=2'] },
  },
  {
    id: 'orchard-unpublished',
    stack: 'orchard',
    title: 'MariaDB, RabbitMQ and the API publish no port',
    options: {
      edit: (dir) =>
        editFile(
          dir,
          FILE,
          ...['SERVER', 'DATABASE', 'BROKER'].map((name): [RegExp, string] => [new RegExp(` {4}ports:\\n {6}- .*${name}_PORT.*\\n`), '']),
        ),
    },
  },
  {
    id: 'orchard-any-address',
    stack: 'orchard',
    title: 'the API listens on [::], which takes IPv4 as well',
    options: { edit: (dir) => editFile(dir, FILE, ['      PORT: 4000\n', '      PORT: 4000\n      LISTEN: "::"\n']) },
  },
  {
    id: 'orchard-hard-passwords',
    stack: 'orchard',
    title: 'passwords with special characters, encoded where they stand in a URL',
    options: {
      edit: (dir) => {
        editFile(
          dir,
          '.env',
          [/^DB_PASSWORD=.*/m, "DB_PASSWORD='s\"e\\c ret:@/#%'"],
          [/^BROKER_PASSWORD=.*/m, "BROKER_PASSWORD='p@ss:w/rd#1%?&'"],
        );
        editFile(dir, FILE, [/amqp:\/\/grower:\$\{[^}]*\}@/, 'amqp://grower:p%40ss%3Aw%2Frd%231%25%3F%26@']);
      },
    },
  },
  {
    id: 'orchard-no-healthchecks',
    stack: 'orchard',
    title: 'no service has a healthcheck; the press was restarted until the broker was up',
    options: {
      edit: (dir) => editFile(dir, FILE, [/ {4}healthcheck:\n(?: {6}.*\n)+/g, ''], [/service_healthy/g, 'service_started']),
    },
    after: async (stack) => {
      await new Promise((resolve) => setTimeout(resolve, 20_000));
      await compose(stack, 'up', '-d');
    },
  },
  {
    id: 'orchard-slow-start',
    stack: 'orchard',
    title: 'the API was started a moment ago, takes its time, and is within its start period',
    unwitnessed: true,
    options: {},
    after: async (stack) => {
      edit(stack, FILE, '["node", "--watch", "src/index.js"]', '["sh", "-c", "sleep 25 && exec node --watch src/index.js"]');
      await compose(stack, 'up', '-d', '--no-deps', 'server');
    },
  },
  {
    id: 'orchard-tools-asleep',
    stack: 'orchard',
    title: 'a container for working by hand sleeps beside the others, and another stands behind a profile',
    options: {
      edit: (dir) =>
        editFile(dir, FILE, [
          '  database:\n    image',
          '  shell:\n    build: ./server\n    command: ["sleep", "infinity"]\n\n  seed:\n    build: ./server\n    profiles: [seed]\n    command: ["node", "seed.js"]\n\n  database:\n    image',
        ]),
    },
  },
];
