import { editFile } from './edit-file.ts';
import { compose } from './faults/tools.ts';
import type { HealthyVariant } from './healthy-variant.ts';
import { shapes } from './shapes.ts';

const FILE = 'docker-compose.yml';
const STAYS = shapes.harbor.stays;

export const harborVariants: HealthyVariant[] = [
  { id: 'harbor', stack: 'harbor', title: 'the fixture as it is: no healthchecks, two replicas, a migration that has ended', options: {} },
  {
    id: 'harbor-three-replicas',
    stack: 'harbor',
    title: 'the API is scaled to three',
    options: { up: ['--wait', '--scale', 'api=3', ...STAYS] },
  },
  {
    id: 'harbor-unpublished',
    stack: 'harbor',
    title: 'nothing is published: the edge is reached by another proxy',
    unwitnessed: true,
    options: { edit: (dir) => editFile(dir, FILE, [/ {4}ports:\n {6}- .*EDGE_PORT.*\n/, '']) },
  },
  {
    id: 'harbor-hard-passwords',
    stack: 'harbor',
    title: 'passwords with every special character, encoded where they stand in a URL',
    options: {
      edit: (dir) => {
        editFile(dir, '.env', [/PANTRY_PASSWORD=.*/, "PANTRY_PASSWORD='p@ss:w/rd#1%?&+='"]);
        editFile(dir, 'app.env', [/redis:\/\/:.*@/, 'redis://:p%40ss%3Aw%2Frd%231%25%3F%26%2B%3D@']);
        editFile(dir, 'secrets/store_password.txt', [/^.*$/, 's"e\'c\\ret :@/#%{}\n']);
      },
    },
  },
  {
    id: 'harbor-restart-policies',
    stack: 'harbor',
    title: 'every service has another restart policy',
    options: {
      edit: (dir) =>
        editFile(
          dir,
          FILE,
          ['    restart: always\n', '    restart: unless-stopped\n'],
          ['    restart: always\n', '    restart: on-failure:5\n'],
          ['    restart: always\n', '    restart: "no"\n'],
        ),
    },
  },
  {
    id: 'harbor-profile-inactive',
    stack: 'harbor',
    title: 'a service stands behind a profile that nobody asked for',
    options: {
      edit: (dir) =>
        editFile(dir, FILE, [
          '  primary:\n',
          '  adminer:\n    <<: *app\n    profiles: [tools]\n    command: ["python", "-m", "http.server"]\n    ports: ["8099:8000"]\n\n  primary:\n',
        ]),
    },
  },
  {
    id: 'harbor-migration-removed',
    stack: 'harbor',
    title: 'the container of the finished migration was removed',
    options: {},
    after: async (stack) => {
      await compose(stack, 'rm', '-fv', 'schema');
    },
  },
  {
    id: 'harbor-replicas-renewed',
    stack: 'harbor',
    title: 'the API was made anew a moment ago and the edge was told of it',
    options: {},
    after: async (stack) => {
      await compose(stack, 'up', '-d', '--no-deps', '--force-recreate', 'api');
      await stack.exec('edge', ['nginx', '-s', 'reload']);
    },
  },
];
