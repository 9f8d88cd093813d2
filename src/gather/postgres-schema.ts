/** Whether the tables and columns that a client's log misses are missing now, and how far its migrations are. Asked only where a log misses some. */
import type { SchemaLook } from '../model/facts.ts';
import { plain } from '../model/plain.ts';
import type { Inquiry } from './postgres-session.ts';
import type { Missed } from './schema.ts';

/** Names are quoted, because `to_regclass` would fold `User` to `user`. */
const quoted = (name: string): string =>
  name
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');

const USERS = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'";

const TABLES = `
select count(*)::text as tables, to_regclass('alembic_version')::text as alembic
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and ${USERS}`;

/** The name before the dot may be an alias: then any table may be meant, and a column that one of them has is not missing. */
const COLUMNS = `
select name, source from unnest($1::text[], $2::text[], $3::text[]) as asked(name, source, quoted)
where not exists (
  select 1 from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where a.attname = name and a.attnum > 0 and not a.attisdropped and ${USERS}
    and (quoted = '' or to_regclass(quoted) is null or c.oid = to_regclass(quoted)))`;

export const askSchema =
  ({ tables, columns }: Missed, found: (schema: Omit<SchemaLook, 'client'>) => void): Inquiry =>
  async (query, database) => {
    const missing = await query(
      'select name from unnest($1::text[], $2::text[]) as asked(name, quoted) where to_regclass(quoted) is null',
      [tables, tables.map(quoted)],
    );
    const without =
      columns.length === 0
        ? []
        : await query(COLUMNS, [
            columns.map((each) => each.name),
            columns.map((each) => each.table ?? ''),
            columns.map((each) => (each.table === null ? '' : quoted(each.table))),
          ]);
    const [counted] = await query(TABLES, []);
    const isAlembic = counted?.['alembic'] !== null && counted?.['alembic'] !== undefined;
    const versions = isAlembic ? await query('select version_num as version from alembic_version limit 5', []).catch(() => []) : [];
    found({
      database,
      missing: missing.map((row) => plain(row['name'] ?? '')),
      columns: without.map((row) => ({ name: plain(row['name'] ?? ''), table: plain(row['source'] ?? '') || null })),
      tables: Number(counted?.['tables'] ?? 0),
      alembic: isAlembic ? versions.map((row) => plain((row['version'] ?? '').slice(0, 100))) : null,
    });
  };
