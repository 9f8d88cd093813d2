/** What a step does to the stack. What is not known to only look counts as a change. */
import type { Effect } from '../model/report.ts';
import { afterOptionsOf, afterOwnOptions } from './docker-words.ts';
import { afterOptions, simpleCommands, type SimpleCommand } from './shell.ts';

const RANK: Record<Effect, number> = { 'read-only': 0, changes: 1, destructive: 2 };
const worstOf = (effects: Effect[]): Effect => effects.reduce((worst, next) => (RANK[next] > RANK[worst] ? next : worst), 'read-only');

const set = (words: string): ReadonlySet<string> => new Set(words.split(' '));
/** A map, since a command may be called `constructor`. */
const table = (rows: Record<string, string>): ReadonlyMap<string, ReadonlySet<string>> =>
  new Map(Object.entries(rows).map(([name, words]) => [name, set(words)]));

/** Programs that only look, whatever their options. */
const LOOKS = set(
  'ls cat head tail less more stat ping ping6 nslookup dig getent host nc ncat ss netstat lsof ps top htop df du free id whoami groups ' +
    'printenv echo printf pwd cd which type file test [ true false : sleep grep egrep fgrep zgrep rg diff cmp md5sum sha1sum sha256sum sort ' +
    'uniq wc tr cut jq column date uname uptime nproc hostname pg_isready realpath readlink basename dirname findmnt dmesg journalctl lsblk tree ' +
    'traceroute tracepath mtr strings xxd od hexdump getenforce nl seq lsns pgrep pidof ip route exit ',
);

/** `program subcommand` that only looks. */
const LOOKING_SUBCOMMANDS = table({
  compose: 'logs ps top images config convert port ls events version stats volumes wait',
  docker: 'ps logs inspect images top port stats info version diff events history search wait',
  'docker container': 'ls list ps logs inspect top port stats diff wait',
  'docker image': 'ls list inspect history',
  'docker volume': 'ls list inspect',
  'docker network': 'ls list inspect',
  'docker context': 'ls list show inspect',
  'docker system': 'df info events',
  'docker builder': 'du',
  'docker buildx': 'ls du inspect version',
  'docker manifest': 'inspect',
  git: 'status log diff show ls-files ls-tree check-ignore check-attr rev-parse blame describe',
  systemctl: 'status show cat is-active is-enabled is-failed list-units list-unit-files',
  ufw: 'status',
  brew: 'list info',
  npm: 'ls list view outdated',
  pnpm: 'ls list why outdated',
  pip: 'list show freeze check',
  alembic: 'current heads history show branches check',
  colima: 'status list',
  rabbitmqctl:
    'list_queues list_users list_vhosts list_permissions list_connections list_channels list_consumers list_exchanges list_bindings status report',
  'rabbitmq-diagnostics': 'alarms listeners status ping check_running check_port_connectivity memory_breakdown report',
});

/** `program subcommand` that loses something whatever its options. */
const LOSING_SUBCOMMANDS = table({
  docker: 'rmi',
  'docker container': 'prune',
  'docker image': 'rm remove prune',
  'docker volume': 'rm remove prune',
  'docker system': 'prune',
});

const LOSING_PROGRAMS = set('dropdb dropuser shred wipefs pg_resetwal mkfs fdisk');

const REDIS_LOOKS = set(
  'ping info get mget hget hgetall hlen llen lrange scard smembers zcard zrange xlen xinfo xpending exists type ttl keys scan dbsize time ' +
    'role echo strlen lastsave randomkey',
);
const REDIS_LOSES = set('flushall flushdb del unlink ltrim xtrim shutdown');

/** Is this letter among the short options (`-sfv`), or this word among the long ones? */
const hasOption = (words: string[], letter: string, ...long: string[]): boolean =>
  words.some(
    (word) =>
      (letter !== '' && /^-[A-Za-z]+$/.test(word) && word.includes(letter)) ||
      long.some((name) => word === name || word.startsWith(`${name}=`)),
  );

const bySql = (sql: string): Effect => {
  if (/\b(drop|truncate|delete\s+from)\b/i.test(sql)) return 'destructive';
  if (/\b(pg_terminate_backend|pg_cancel_backend|pg_reload_conf|pg_promote|setval|nextval|pg_switch_wal|into)\b/i.test(sql))
    return 'changes';
  const statements = sql.split(/[;\n]/).map((part) => part.trim());
  return statements.every((part) =>
    /^($|--|select\b|show\b|explain\s+select\b|table\b|values\b|\\(?!password|!|i\b|copy|o\b|g)|[a-z_]+\s*(,|from|where|order|group|and)\b)/i.test(
      part,
    ),
  )
    ? 'read-only'
    : 'changes';
};

/** The texts given to `psql -c`, `mysql -e`, `--command=…`. */
const sqlOf = (words: string[], input: string, letter: string, long: string): string | null => {
  const given = words.flatMap((word, i) =>
    word === `-${letter}` || word === long || new RegExp(`^-[A-Za-z]*${letter}$`).test(word)
      ? [words[i + 1] ?? '']
      : word.startsWith(`${long}=`)
        ? [word.slice(long.length + 1)]
        : [],
  );
  if (input !== '') given.push(input);
  return given.length === 0 ? null : given.join(';\n');
};

const ofCompose = (given: string[], input: string): Effect => {
  const words = afterOwnOptions(given);
  const [verb = '', ...rest] = words;
  if (verb === 'exec') return effectOfWords(afterOptionsOf(verb, rest).slice(1), input);
  if (verb === 'run') {
    const inner = afterOptionsOf(verb, rest).slice(1);
    return worstOf(['changes', inner.length > 0 ? effectOfWords(inner, input) : 'changes']);
  }
  if (verb === 'down') return hasOption(rest, 'v', '--volumes', '--rmi') ? 'destructive' : 'changes';
  if (verb === 'rm') return hasOption(rest, 'v', '--volumes') ? 'destructive' : 'changes';
  // New anonymous volumes: what the old ones held is lost to the service.
  if (verb === 'up' || verb === 'create') return hasOption(rest, 'V', '--renew-anon-volumes') ? 'destructive' : 'changes';
  if (verb === 'config' || verb === 'convert') return hasOption(rest, 'o', '--output', '--lock-image-digests') ? 'changes' : 'read-only';
  return LOOKING_SUBCOMMANDS.get('compose')!.has(verb) ? 'read-only' : 'changes';
};

const ofDocker = (given: string[], input: string): Effect => {
  const words = afterOwnOptions(given);
  const [verb = '', ...rest] = words;
  if (verb === 'compose') return ofCompose(rest, input);
  if (verb === 'exec' || (verb === 'container' && rest[0] === 'exec')) {
    return effectOfWords(afterOptionsOf('exec', verb === 'exec' ? rest : rest.slice(1)).slice(1), input);
  }
  if (verb === 'rm' || (verb === 'container' && (rest[0] === 'rm' || rest[0] === 'remove'))) {
    return hasOption(rest, 'v', '--volumes') ? 'destructive' : 'changes';
  }
  if (LOSING_SUBCOMMANDS.get('docker')!.has(verb) || LOSING_SUBCOMMANDS.get(`docker ${verb}`)?.has(rest[0] ?? '')) return 'destructive';
  if (LOOKING_SUBCOMMANDS.get('docker')!.has(verb) || LOOKING_SUBCOMMANDS.get(`docker ${verb}`)?.has(rest[0] ?? '')) return 'read-only';
  return 'changes';
};

const ofGit = (words: string[]): Effect => {
  const [verb = '', ...rest] = afterOptions(words, set('-C -c'));
  if (verb === 'clean') return hasOption(rest, 'n', '--dry-run') ? 'read-only' : 'destructive';
  if (verb === 'reset' && rest.includes('--hard')) return 'destructive';
  // Both throw away edits that are in no commit.
  if (verb === 'restore' && !rest.includes('--staged')) return 'destructive';
  if (verb === 'checkout' && (rest.includes('--') || rest.includes('.') || hasOption(rest, 'f', '--force'))) return 'destructive';
  if (verb === 'branch') return rest.every((word) => set('-a -r -v -vv --list --show-current').has(word)) ? 'read-only' : 'changes';
  // A key without a value is asked for.
  if (verb === 'config') return isGitQuestion(rest) ? 'read-only' : 'changes';
  return LOOKING_SUBCOMMANDS.get('git')!.has(verb) ? 'read-only' : 'changes';
};

const isGitQuestion = (words: string[]): boolean => {
  const [options, others] = [words.filter((word) => word.startsWith('-')), words.filter((word) => !word.startsWith('-'))];
  const isAsked = others.length === 0 || (others.length === 1 && options.every((option) => set('--global --local --system').has(option)));
  return options.some((option) => set('--get --get-all --get-regexp -l --list').has(option)) || (others.length > 0 && isAsked);
};

const ofRedis = (words: string[], input: string): Effect => {
  const rest = afterOptions(words, set('-h -p -s -a -u -n -r -i -t --user --pass --cert --key --cacert'));
  const commands = [rest, ...input.split('\n').map((line) => line.trim().split(/\s+/))].filter((command) => (command[0] ?? '') !== '');
  if (commands.length === 0) return hasOption(words, '', '--bigkeys', '--stat', '--latency', '--scan') ? 'read-only' : 'changes';
  return worstOf(
    commands.map(([verb = '', sub = '']): Effect => {
      const name = verb.toLowerCase();
      if (REDIS_LOSES.has(name)) return 'destructive';
      const looksAt =
        name === 'client' ? /^(list|info|getname|id)$/i : /^(get|usage|doctor|stats|list|getkeys|count|docs|info|whoami|help)$/i;
      if (['client', 'config', 'memory', 'slowlog', 'command', 'acl', 'latency', 'object'].includes(name) && looksAt.test(sub))
        return 'read-only';
      return REDIS_LOOKS.has(name) ? 'read-only' : 'changes';
    }),
  );
};

const ofProgram = (program: string, rest: string[], input: string): Effect => {
  switch (program) {
    case 'docker':
      return ofDocker(rest, input);
    case 'docker-compose':
      return ofCompose(rest, input);
    case 'git':
      return ofGit(rest);
    case 'rm':
      return hasOption(rest, 'r', '--recursive') || hasOption(rest, 'R') || rest.some((word) => /[*?]/.test(word))
        ? 'destructive'
        : 'changes';
    case 'find':
      if (rest.some((word) => word === '-delete')) return 'destructive';
      if (!rest.some((word) => /^-(exec|execdir|ok|okdir)$/.test(word))) return 'read-only';
      return effectOfWords(rest.slice(rest.findIndex((word) => /^-(exec|execdir|ok|okdir)$/.test(word)) + 1), '');
    case 'sed':
      return hasOption(rest, 'i', '--in-place') || rest.some((word) => /^-i/.test(word)) ? 'changes' : 'read-only';
    case 'awk':
      return 'read-only';
    case 'dd':
      return rest.some((word) => word.startsWith('of=')) ? 'destructive' : 'read-only';
    case 'truncate':
      return 'destructive';
    case 'curl':
      return hasOption(
        rest,
        'd',
        '--data',
        '--data-raw',
        '--data-binary',
        '--json',
        '--form',
        '--upload-file',
        '--output',
        '--remote-name',
      ) ||
        rest.some((word) => /^-[A-Za-z]*[FTO]$/.test(word)) ||
        rest.some((word, i) => /^(-[A-Za-z]*o)$/.test(word) && rest[i + 1] !== '/dev/null' && rest[i + 1] !== '-') ||
        rest.some((word, i) => /^(-[A-Za-z]*X|--request)$/.test(word) && !/^(GET|HEAD|OPTIONS)$/.test(rest[i + 1] ?? '')) ||
        rest.some((word) => /^(-X|--request=)(?!GET|HEAD|OPTIONS)[A-Z]/.test(word))
        ? 'changes'
        : 'read-only';
    case 'wget':
      return rest.some(
        (word, i) =>
          word === '--spider' || /^-[a-z]*O-$/.test(word) || (/^-[a-z]*O$/.test(word) && /^(-|\/dev\/null)$/.test(rest[i + 1] ?? '')),
      ) && !rest.some((word) => word.startsWith('--post'))
        ? 'read-only'
        : 'changes';
    case 'nginx':
      return rest.length > 0 && rest.every((word) => /^-[tTvVqh]+$/.test(word)) ? 'read-only' : 'changes';
    case 'psql':
      return hasOption(rest, 'l', '--list', '--version') ? 'read-only' : bySql(sqlOf(rest, input, 'c', '--command') ?? 'unknown');
    case 'mysql':
    case 'mariadb':
      return bySql(sqlOf(rest, input, 'e', '--execute') ?? 'unknown');
    case 'redis-cli':
    case 'valkey-cli':
      return ofRedis(rest, input);
    case 'sysctl':
      return rest.some((word) => word === '-w' || word === '-p' || word === '--system' || word.includes('=')) ? 'changes' : 'read-only';
    case 'mount':
      return rest.length === 0 ? 'read-only' : 'changes';
    case 'iptables':
    case 'nft':
      return rest.some((word) => /^(-L|-S|-nL|-nvL|-vnL|--list|--list-rules|list)$/.test(word)) ? 'read-only' : 'changes';
    case 'date':
    case 'hostname':
      return rest.some((word) => !word.startsWith('+') && !/^-[uRIsifA]/.test(word)) ? 'changes' : 'read-only';
    case 'ip':
    case 'route':
      return rest.some((word) => /^(add|del|delete|set|change|replace|flush)$/.test(word)) ? 'changes' : 'read-only';
    case 'dmesg':
      return hasOption(rest, 'C', '--clear') || hasOption(rest, 'c') ? 'changes' : 'read-only';
    default:
      break;
  }
  if (LOSING_PROGRAMS.has(program) || program.startsWith('mkfs.')) return 'destructive';
  if (LOOKS.has(program)) return 'read-only';
  if (rest.length === 1 && /^(--version|--help|-V|version)$/.test(rest[0]!)) return 'read-only';
  if (LOSING_SUBCOMMANDS.get(program)?.has(rest[0] ?? '')) return 'destructive';
  return LOOKING_SUBCOMMANDS.get(program)?.has(rest[0] ?? '') ? 'read-only' : 'changes';
};

/** Words that run the words after them. */
const WRAPPERS = table({
  sudo: '-u --user -g --group',
  doas: '-u',
  gosu: '',
  env: '-u --unset -C',
  time: '-o -f',
  nohup: '',
  command: '',
  exec: '-a',
  nice: '-n',
  watch: '-n --interval',
  timeout: '-s --signal -k --kill-after',
  xargs: '-n -I -L -P -d -s',
  // oxlint-disable-next-line unicorn/no-thenable -- the shell's word
  then: '',
  do: '',
  else: '',
  if: '',
  while: '',
  until: '',
  '!': '',
  '{': '',
});
const SHELLS = set('sh bash ash dash zsh ksh');
/** Grammar, or the list of a `for`: nothing runs. */
const GRAMMAR = set('fi done esac } for case');

function effectOfWords(given: string[], input: string): Effect {
  let words = given;
  while (words.length > 0 && /^[A-Za-z_]\w*=/.test(words[0]!)) words = words.slice(1);
  const first = words[0];
  if (first === undefined || GRAMMAR.has(first)) return 'read-only';
  // Whatever a variable or a substitution names.
  if (first === '') return 'changes';
  const program = first.slice(first.lastIndexOf('/') + 1);
  const rest = words.slice(1);
  const ownOptions = WRAPPERS.get(program);
  if (ownOptions !== undefined) {
    const inner = afterOptions(rest, ownOptions);
    if (program === 'command' && rest[0]?.startsWith('-v')) return 'read-only';
    if (inner.length === 0) return program === 'env' || program === 'xargs' ? 'read-only' : 'changes';
    // gosu takes a user before the command, timeout a time.
    return effectOfWords(program === 'gosu' || program === 'timeout' ? inner.slice(1) : inner, input);
  }
  if (SHELLS.has(program)) {
    const at = rest.findIndex((word) => /^-[a-z]*c$/.test(word));
    return at < 0 ? (input === '' ? 'changes' : worstOf(['changes', effectOfText(input)])) : effectOfText(rest[at + 1] ?? '', input);
  }
  return ofProgram(program, rest, input);
}

const ofSimple = ({ words, writes, input }: SimpleCommand, passedOn: string): Effect => {
  const written: Effect = writes.some((file) => file !== '/dev/null' && !/^&\d?$/.test(file) && !/^\d$/.test(file))
    ? 'changes'
    : 'read-only';
  return worstOf([written, effectOfWords(words, input || passedOn)]);
};

const effectOfText = (text: string, input = ''): Effect =>
  text.length > 20_000 ? 'changes' : worstOf(simpleCommands(text).map((command) => ofSimple(command, input)));

/** The worst that a command does, by all its programs. */
export const effectOf = (command: string): Effect => effectOfText(command);

const LOSES_IN_WORDS =
  /\bthis (permanently |irrevocably )?(deletes|destroys|wipes|loses|erases|drops|discards)\b(?! (nothing|no )\b)|\ball (data|volumes) (is|are|will be) (lost|deleted|removed|wiped)|\b(delete|drop|wipe|erase|destroy|remove|prune)s? (all |the |your |every )*(named |anonymous |old )?(data\b|databases?\b|volumes?\b|everything)/i;
const ONLY_LOOKS =
  /^(first |then |now |next |finally |also )?(check|look|see|read|compare|verify|confirm|inspect|watch|view|list|show|find|note|observe|review|ask|wait|test|identify|count|is|are|does|do|has|have|what|which|who|where|when)\b/i;
const ALSO_CHANGES =
  /(\b(then|and|or)|[.,;:]) (edit|set|change|fix|correct|restart|recreate|rebuild|remove|delete|add|replace|install|move|rename|run|stop|start|kill|put|write|raise|lower|free|update|give|make|let|use)\b/i;

/** A step that is a sentence: it says itself what it does. */
export const effectOfProse = (text: string): Effect => {
  if (LOSES_IN_WORDS.test(text)) return 'destructive';
  return ONLY_LOOKS.test(text.trim()) && !ALSO_CHANGES.test(text) ? 'read-only' : 'changes';
};

/** The effect of a step: of its command, or of the sentence alone. A sentence that warns of a loss is believed. */
export const effectOfStep = (text: string, command: string | null): Effect =>
  command === null ? effectOfProse(text) : worstOf([effectOf(command), LOSES_IN_WORDS.test(text) ? 'destructive' : 'read-only']);
