/** Whether the tables that a client's log misses are missing now, and how far its migrations are. Asked only where a log speaks of a missing table. */
import type { PostgresFact } from '../model/facts.ts';
import { plain } from '../model/plain.ts';
import type { Inquiry } from './postgres-session.ts';

export type Schema = NonNullable<PostgresFact['schemas']>[number];

const MOST_NAMES = 20;
const MISSING = /relation "([^"]{1,200})" does not exist/g;

/** As the log spells them: `shop.orders`. */
export const missingIn = (texts: readonly string[]): string[] =>
  [...new Set(texts.flatMap((text) => [...text.matchAll(MISSING)].map((found) => found[1]!)))].slice(-MOST_NAMES);

/** Names are quoted, because `to_regclass` would fold `User` to `user`. */
const quoted = (name: string): string =>
  name
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');

const TABLES = `
select count(*)::text as tables, to_regclass('alembic_version')::text as alembic
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`;

export const askSchema =
  (names: readonly string[], found: (schema: Omit<Schema, 'client'>) => void): Inquiry =>
  async (query, database) => {
    const missing = await query(
      'select name from unnest($1::text[], $2::text[]) as asked(name, quoted) where to_regclass(quoted) is null',
      [names, names.map(quoted)],
    );
    const [counted] = await query(TABLES, []);
    const isAlembic = counted?.['alembic'] !== null && counted?.['alembic'] !== undefined;
    const versions = isAlembic ? await query('select version_num as version from alembic_version limit 5', []).catch(() => []) : [];
    found({
      database,
      missing: missing.map((row) => plain(row['name'] ?? '')),
      tables: Number(counted?.['tables'] ?? 0),
      alembic: isAlembic ? versions.map((row) => plain((row['version'] ?? '').slice(0, 100))) : null,
    });
  };
