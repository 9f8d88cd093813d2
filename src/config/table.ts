/** All that `doctor.yaml` may hold. `doctor.schema.json` is made from it (`npm run docs`). */
import type { MapRule, Rule } from './rule.ts';

export const ROLES = [
  'postgres',
  'redis',
  'mysql',
  'rabbitmq',
  'mongodb',
  'pooler',
  'nginx',
  'haproxy',
  'http',
  'worker',
  'build-only',
  'one-shot',
  'unknown',
] as const;

export const ID = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const ID_WANTS = 'small letters, digits and single dashes, such as orders-exist';
const SERVICE: Rule = { type: 'text', says: 'A service of the stack.' };
const VARIABLE: Rule = { type: 'text', says: 'The name of a variable.', pattern: /^[A-Za-z_][\w.-]*$/, wants: 'the name of a variable' };
const PORT = { type: 'integer', least: 1, most: 65_535 } as const;

const EXPECT: Rule = {
  type: 'written',
  says: 'What must come: this very text, or a comparison of numbers such as "> 0", "<= 5", "!= 0".',
};
const TEXT_EXPECTATIONS: Record<string, Rule> = {
  expect: EXPECT,
  contains: { type: 'written', says: 'A text that must stand in it.' },
  matches: { type: 'regex', says: 'A regular expression that must match.' },
};
const AS: Rule = {
  type: 'text',
  says: "The service with whose credentials it is asked. Absent: the server's own, else its first client's.",
};

const KINDS: Record<string, MapRule> = {
  http: {
    type: 'map',
    says: 'A GET request. Without "service" it needs "url", and is sent from this machine.',
    short: 'path',
    keys: {
      path: { type: 'text', says: 'The path to ask for.', pattern: /^\/\S*$/, wants: 'a path that begins with /' },
      url: {
        type: 'text',
        says: 'The whole address, asked from this machine.',
        pattern: /^https?:\/\/[^\s@]+$/,
        wants: 'an http:// or https:// address without a password',
      },
      port: { ...PORT, says: 'The port inside the container. Absent: the one found for the service.' },
      status: {
        type: 'some',
        says: 'The status wanted, or several. Absent: any from 200 to 399.',
        of: { type: 'integer', least: 100, most: 599, says: 'A status.' },
      },
      contains: TEXT_EXPECTATIONS['contains']!,
      matches: TEXT_EXPECTATIONS['matches']!,
    },
  },
  tcp: {
    type: 'map',
    says: 'A TCP connection, with nothing sent. With "host" it is made from inside the service, or from this machine where no service is named.',
    short: 'port',
    keys: {
      host: {
        type: 'text',
        says: 'Another host, as the service would call it.',
        pattern: /^(?:[\w][\w.-]*|\[?[0-9a-fA-F:]+\]?)$/,
        wants: 'a host name or an address',
      },
      port: { ...PORT, says: 'The port.' },
    },
    required: ['port'],
  },
  postgres: {
    type: 'map',
    says: 'A query, in a read-only transaction; the first column of its first row is compared.',
    short: 'query',
    keys: {
      query: { type: 'text', says: 'One SQL statement.' },
      expect: EXPECT,
      as: AS,
      database: { type: 'text', says: 'Another database than that of the credentials.' },
    },
    required: ['query'],
  },
  redis: {
    type: 'map',
    says: 'One command that only reads.',
    short: 'command',
    keys: {
      command: { type: 'some', says: 'The command, as one line or word by word.', of: { type: 'written', says: 'A word.' } },
      expect: EXPECT,
      as: AS,
      database: { type: 'integer', least: 0, most: 10_000, says: 'The index of the database.' },
    },
    required: ['command'],
  },
  exec: {
    type: 'map',
    says: 'A command inside the container, run exactly as written: keep it harmless. A line goes to sh -c, a list is run as it is.',
    short: 'command',
    keys: {
      command: { type: 'some', says: 'The command.', of: { type: 'written', says: 'A word.' } },
      exit_code: { type: 'integer', least: 0, most: 255, says: 'The exit code wanted (0).' },
      ...TEXT_EXPECTATIONS,
    },
    required: ['command'],
  },
  file: {
    type: 'map',
    says: 'A file inside the container.',
    short: 'path',
    keys: {
      path: { type: 'text', says: 'Its absolute path.', pattern: /^\//, wants: 'an absolute path' },
      exists: { type: 'switch', says: 'Whether it must be there (true).' },
      contains: TEXT_EXPECTATIONS['contains']!,
      matches: TEXT_EXPECTATIONS['matches']!,
    },
    required: ['path'],
  },
  log: {
    type: 'map',
    says: 'The last 200 lines that the service wrote since its start.',
    short: 'pattern',
    keys: {
      pattern: { type: 'regex', says: 'A regular expression, held against each line.' },
      present: { type: 'switch', says: 'Whether a line must match (false: none may).' },
    },
    required: ['pattern'],
  },
  env: {
    type: 'map',
    says: "A variable of the container. Of a secret only whether it is set can be asked: its value is not the doctor's to know.",
    short: 'name',
    keys: {
      name: VARIABLE,
      exists: { type: 'switch', says: 'Whether it must be set (true).' },
      ...TEXT_EXPECTATIONS,
    },
    required: ['name'],
  },
};

export const CHECK_KINDS = Object.keys(KINDS);

export const TABLE: MapRule = {
  type: 'map',
  says: 'What a team tells stack-doctor about its stack. Everything may be left out.',
  keys: {
    runbook: { type: 'text', says: "The team's runbook (Markdown), relative to this file." },
    services: {
      type: 'named',
      says: 'What the doctor cannot find out by itself, by service.',
      name: /^[a-zA-Z0-9._-]+$/,
      wants: 'the name of a service',
      of: {
        type: 'map',
        says: 'One service.',
        keys: {
          role: { type: 'text', says: 'What the service is.', oneOf: ROLES },
          health_path: { type: 'text', says: 'The path that tells its health.', pattern: /^\/\S*$/, wants: 'a path that begins with /' },
          url: {
            type: 'text',
            says: 'Where this machine reaches it over HTTP, if not where the doctor would look.',
            pattern: /^https?:\/\/[^\s@/?#]+(\/\S*)?$/,
            wants: 'an http:// or https:// address without a password',
          },
          credentials: {
            type: 'map',
            says: 'Where the address of this server, with user and password, is written.',
            keys: { service: SERVICE, variable: VARIABLE },
            required: ['service', 'variable'],
          },
        },
      },
    },
    checks: {
      type: 'named',
      says: 'Checks without code, by id.',
      name: ID,
      wants: ID_WANTS,
      of: {
        type: 'map',
        says: 'One check: a question, and one of the kinds.',
        keys: {
          service: { type: 'some', says: 'The service it is asked of, or several.', of: SERVICE },
          question: { type: 'text', says: 'What is asked, as a question: "Are there orders?"' },
          title: { type: 'text', says: 'The good state, as a sentence: "There are orders".' },
          severity: { type: 'text', says: 'What it is when the answer is no (fail).', oneOf: ['fail', 'warn'] },
          kind: {
            type: 'text',
            says: 'Whether a failure is the fault itself, or may come of another one (symptom).',
            oneOf: ['symptom', 'cause'],
          },
          runbook: { type: 'text', says: 'The heading of the section that says what to do.' },
          timeout: { type: 'duration', most: 8_000, says: 'How long an answer may take (2s; at most 8s).' },
          ...KINDS,
        },
        required: ['question'],
        oneOf: CHECK_KINDS,
      },
    },
    ignore: {
      type: 'list',
      says: 'Findings that the team bears with for a while.',
      of: {
        type: 'map',
        says: 'One finding on one service.',
        keys: {
          finding: {
            type: 'text',
            says: 'Its code: "ports/closed".',
            pattern: /^[a-z][a-z0-9-]*\/[a-z][a-z0-9-]*$/,
            wants: 'the code of a finding, such as ports/closed',
          },
          service: { type: 'text', says: 'The service. Absent: a finding of the whole stack.' },
          reason: { type: 'text', says: 'Why it is borne.' },
          owner: { type: 'text', says: 'Who answers for it.' },
          until: { type: 'date', says: 'The last day on which it is ignored.' },
        },
        required: ['finding', 'reason', 'owner', 'until'],
      },
    },
    thresholds: {
      type: 'map',
      says: 'Where good ends.',
      keys: {
        disk_free: { type: 'size', says: "What the disk under Docker's data must have left (16MiB)." },
        slow_health: { type: 'duration', most: 8_000, says: 'When an answer of a health path is late (2.5s).' },
        blocked_for: { type: 'duration', most: 86_400_000, says: 'How long sessions may wait for a lock of an idle transaction (1s).' },
        clock_apart: { type: 'duration', most: 86_400_000, says: "By how much the engine's clock may differ (5s)." },
      },
    },
    plugins: {
      type: 'list',
      says: 'Checks with code: files (./doctor/kafka.mjs) or installed packages, by name.',
      of: { type: 'text', says: 'A path that begins with ./ or /, or the name of a package.' },
    },
  },
};
