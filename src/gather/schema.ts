/** What a client's log misses in its database: tables and columns, in the words of the servers and of the drivers. */
import type { LogLine, SchemaLook } from '../model/facts.ts';
import type { Service } from '../model/stack.ts';
import type { Gathering } from './gathering.ts';

export interface Missed {
  tables: string[];
  columns: NonNullable<SchemaLook['columns']>;
}

const MOST_NAMES = 20;

const TABLE: Record<'postgres' | 'mysql', RegExp[]> = {
  postgres: [/relation "([^"]{1,200})" does not exist/g],
  mysql: [/Table '[^'.]{1,100}\.([^']{1,200})' doesn't exist/g],
};

/** Groups: `table`, `name`. */
const COLUMN: Record<'postgres' | 'mysql', RegExp[]> = {
  postgres: [
    /column "(?<name>[^"]{1,200})" of relation "(?<table>[^"]{1,200})" does not exist/g,
    /column "(?<name>[^"]{1,200})" does not exist/g,
    /column (?<table>\w{1,100})\.(?<name>\w{1,100}) does not exist/g,
  ],
  mysql: [
    /Unknown column '(?:(?<table>[^'.]{1,100})\.)?(?<name>[^']{1,100})' in '?(?:field list|where clause|order clause|on clause|SELECT|WHERE|ON|ORDER BY|INSERT INTO)\b/g,
  ],
};

export const missedIn = (kind: 'postgres' | 'mysql', texts: readonly string[]): Missed => {
  const tables = texts.flatMap((text) => TABLE[kind].flatMap((pattern) => [...text.matchAll(pattern)].map((found) => found[1]!)));
  const columns = texts.flatMap((text) =>
    COLUMN[kind].flatMap((pattern) =>
      [...text.matchAll(pattern)].map(({ groups }) => ({ name: groups!['name']!, table: groups!['table'] ?? null })),
    ),
  );
  const once = new Map(columns.map((each) => [`${each.table}\n${each.name}`, each]));
  return { tables: [...new Set(tables)].slice(-MOST_NAMES), columns: [...once.values()].slice(-MOST_NAMES) };
};

/** Of a client of the server `own`. */
export const missedBy = async (
  kind: 'postgres' | 'mysql',
  client: Service | undefined,
  own: string,
  given: Gathering,
): Promise<Missed | null> => {
  if (!client || client.name === own) return null;
  const log = await given.fact('logs', client);
  const missed = missedIn(kind, log.ok ? log.value.lines.map(({ text }: LogLine) => text) : []);
  return missed.tables.length + missed.columns.length > 0 ? missed : null;
};
