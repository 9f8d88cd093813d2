/** Placeholders of a runbook, `{service}`, and how a value gets into prose or, quoted, into a shell command. */
import { isMark } from '../model/secrets.ts';

/** Every placeholder that the doctor fills, with its one meaning. A check gives the values in `Finding.values`; `service` is always there. */
export const PLACEHOLDERS = {
  service: 'the service that the finding is about',
  client: 'the service that wants something of it',
  target: 'the service that it wants something of',
  upstream: 'where nginx passes requests to, as its configuration spells it',
  container: 'the name of the container',
  owner: 'who holds what is wanted: the port, the lock, the connections',
  project: 'the name of the Compose project',
  network: 'the network',
  volume: 'the volume, by the name that `docker volume ls` shows',
  image: 'the image',
  host: 'the host name as the client spells it',
  nearest: 'the name that was probably meant',
  port: 'the port in question, on the side where the fault is',
  containerPort: 'the port inside the container',
  hostPort: 'the port on the host',
  user: 'the database user',
  database: 'the database, by name or number',
  vhost: 'the virtual host of RabbitMQ',
  authSource: 'the database of MongoDB that keeps the user',
  queue: 'the queue',
  variable: 'the environment variable',
  file: 'the file that needs the edit',
  line: 'the line of that file',
  path: 'the path inside the container',
  hostPath: 'the path on the host',
  program: 'the program that the container should run',
  url: 'the address that was asked',
  pid: 'the number of the database session or process',
  socket: 'the address of the Docker engine',
  context: 'the Docker context that has the stack',
} as const satisfies Record<string, string>;

export type Placeholder = keyof typeof PLACEHOLDERS;

export const isPlaceholder = (name: string): name is Placeholder => Object.hasOwn(PLACEHOLDERS, name);

/** `{name}`, but neither the shell's `${name}` nor Docker's `{{.Name}}`. */
const PLACEHOLDER = /(?<![${\\])\{([a-z][A-Za-z]{1,29})\}(?!\})/g;

/** The names in braces, as written, known or not. */
export const placeholdersIn = (text: string): string[] => [...new Set([...text.matchAll(PLACEHOLDER)].map((match) => match[1]!))];

// oxlint-disable-next-line no-control-regex -- these are what must not reach a terminal: C0, C1, line separators, bidi controls
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/;

/** Visibly to be replaced; a shell refuses it, so that nothing runs by mistake. */
const toReplace = (name: string): string => `<${name}>`;

/** Means nothing to a shell wherever it stands, quoted or not. */
const PLAIN = /^[A-Za-z0-9_./:@+][A-Za-z0-9_./:@%+,=-]*$/;

/** One word for any POSIX shell. */
const shellQuote = (value: string): string => (PLAIN.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`);

/** What may stand in a command: no secret, nothing that could pass for an option, nothing that a terminal would obey. */
const isSafeValue = (value: string | undefined): value is string =>
  value !== undefined && value !== '' && value.length <= 500 && !value.startsWith('-') && !isMark(value) && !CONTROL.test(value);

/**
 * Is the end of `text` inside quotes? There a value may be read twice (`sh -c '…'`, `psql -c "…"`, `"$(…)"`), so that no
 * quoting of ours would hold.
 */
const endsInQuotes = (text: string): boolean => {
  let quote = '';
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i]!;
    if (char === '\\' && quote !== "'") i += 1;
    else if (quote !== '') quote = char === quote ? '' : quote;
    else if (char === "'" || char === '"') quote = char;
    else if (char === '#' && (i === 0 || /\s/.test(text[i - 1]!))) {
      const newline = text.indexOf('\n', i);
      if (newline < 0) return true;
      i = newline;
    }
  }
  return quote !== '';
};

/** Here-documents, `$'…'` and backticks have rules of their own: only a value that needs no quoting goes into a command with one. */
const OWN_RULES = /<<|\$'|`/;

/**
 * A command with its placeholders filled and quoted for the shell. What cannot be filled safely stands as `<name>`, which is visibly
 * to be replaced, and which a shell refuses. Unknown names stay as written.
 */
export const fillCommand = (command: string, values: Record<string, string>): string => {
  let end = 0;
  let filled = '';
  for (const match of command.matchAll(PLACEHOLDER)) {
    const name = match[1]!;
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined && !isPlaceholder(name)) continue;
    let from = match.index;
    let to = from + match[0].length;
    if (!isSafeValue(value)) filled += command.slice(end, from) + toReplace(name);
    else if (PLAIN.test(value)) filled += command.slice(end, from) + value;
    else {
      // `"{path}"`: the quotes are there for the value, and ours take their place.
      const around = command[from - 1];
      if ((around === '"' || around === "'") && command[to] === around && !endsInQuotes(command.slice(0, from - 1))) {
        from -= 1;
        to += 1;
      }
      const quotable = !OWN_RULES.test(command) && !endsInQuotes(command.slice(0, from));
      filled += command.slice(end, from) + (quotable ? shellQuote(value) : toReplace(name));
    }
    end = to;
  }
  return filled + command.slice(end);
};

/**
 * A sentence with its placeholders filled. Control characters become spaces, a secret stays out. What is not known is told by its
 * meaning ("the service that wants something of it"), within backticks as `<name>`.
 */
export const fillText = (text: string, values: Record<string, string>): string =>
  text
    .split('`')
    .map((part, i) =>
      part.replaceAll(PLACEHOLDER, (whole, name: string) => {
        const value = Object.hasOwn(values, name) ? values[name] : undefined;
        if (value !== undefined && value !== '' && !isMark(value)) return value.replaceAll(new RegExp(CONTROL, 'g'), ' ').slice(0, 500);
        if (isPlaceholder(name) && i % 2 === 0) return PLACEHOLDERS[name];
        return isPlaceholder(name) || value !== undefined ? toReplace(name) : whole;
      }),
    )
    .join('`');
