import { expect, test } from 'vitest';
import { afterOptionsOf, afterOwnOptions, operandsOf } from '../../src/runbook/docker-words.ts';

test.each([
  ['-f other.yml --profile build up -d', 'up -d'],
  ['--project-directory=x ps', 'ps'],
  ['ps', 'ps'],
])('the options of the program: %s', (given, left) => expect(afterOwnOptions(given.split(' ')).join(' ')).toBe(left));

test.each([
  ['exec', '-T -u root db psql -c x', 'db psql -c x'],
  ['exec', '-t db ls -l', 'db ls -l'],
  ['run', '--rm -e A=1 api -- sh', 'api -- sh'],
])('the options of %s: %s', (command, given, left) => expect(afterOptionsOf(command, given.split(' ')).join(' ')).toBe(left));

test.each([
  ['logs', '--since 10m --until 5m db -f api', 'db api'],
  ['logs', '-f --tail 20 db', 'db'],
  ['logs', '-t db', 'db'],
  ['stop', '-t 5 db', 'db'],
  ['rm', '-s -v -f db', 'db'],
  ['up', '-d --scale worker=2 -w api', 'api'],
  ['kill', '-s HUP proxy', 'proxy'],
  ['ps', '--format json', ''],
])('what %s is about: %s', (command, given, names) => expect(operandsOf(command, given.split(' ')).join(' ')).toBe(names));
