/** The words of `docker …` and `docker compose …`: which options take the next word with them, and what stays when options are taken away. */
import { afterOptions } from './shell.ts';

const set = (words: string): ReadonlySet<string> => new Set(words.split(' '));

/** Of `docker` and `docker compose` themselves: they stand before the command. */
const OF_PROGRAM = set(
  '-f --file -p --project-name --profile --env-file --project-directory --ansi --progress --parallel --context -c -H --host --config -l ' +
    '--log-level',
);

/** Of their commands. */
const OF_COMMAND = set(
  '-n --tail --since --until -t --time --timeout -u --user -w --workdir -e --env --env-file --index --scale --format -f --file --status -s ' +
    '--signal --entrypoint --name -v --volume -p --publish --network --label -l --mount',
);

/** The same letters, where they take nothing. */
const FLAGS: Readonly<Record<string, ReadonlySet<string>>> = {
  logs: set('-f -t'),
  exec: set('-t'),
  run: set('-t'),
  rm: set('-f -l -s -v'),
  up: set('-w'),
};

/** `-f other.yml --profile build up -d` → `up -d`. */
export const afterOwnOptions = (words: readonly string[]): string[] => afterOptions(words, OF_PROGRAM);

/** `-u root db psql -c 'select 1'`, of exec → `db psql -c 'select 1'`. */
export const afterOptionsOf = (command: string, words: readonly string[]): string[] =>
  afterOptions(words, { has: (word) => OF_COMMAND.has(word) && !FLAGS[command]?.has(word) });

/** What a command is about: `--tail 10 db -f api`, of logs → `db`, `api`. */
export const operandsOf = (command: string, words: readonly string[]): string[] => {
  const [first, ...rest] = afterOptionsOf(command, words);
  return first === undefined ? [] : [first, ...operandsOf(command, rest)];
};
