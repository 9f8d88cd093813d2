/** Whether the tables and columns that a client's log misses are missing now in MySQL or MariaDB. Asked only where a log misses some. */
import type { SchemaLook } from '../model/facts.ts';
import { plain } from '../model/plain.ts';
import type { MysqlInquiry } from './mysql-session.ts';
import type { Missed } from './schema.ts';

const names = (values: readonly string[]): string => (values.length === 0 ? "('')" : `(${values.map(() => '?').join(', ')})`);

/** What the login may not see it was not told to miss: for that the server has other words. */
export const askSchema =
  ({ tables, columns }: Missed, found: (schema: Omit<SchemaLook, 'client'>) => void): MysqlInquiry =>
  async (query) => {
    const there = await query('select table_name as name from information_schema.tables where table_schema = database()', []);
    const known = new Set(there.map((row) => (row['name'] ?? '').toLowerCase()));
    const wanted = columns.map((each) => each.name);
    const held =
      wanted.length === 0
        ? []
        : await query(
            `select table_name as source, column_name as name from information_schema.columns where table_schema = database() and column_name in ${names(wanted)}`,
            wanted,
          );
    const has = ({ name, table }: Missed['columns'][number]): boolean =>
      held.some(
        (row) =>
          row['name']?.toLowerCase() === name.toLowerCase() &&
          (table === null || !known.has(table.toLowerCase()) || row['source']?.toLowerCase() === table.toLowerCase()),
      );
    const [named] = await query('select database() as name', []);
    found({
      database: plain(named?.['name'] ?? ''),
      missing: tables.filter((each) => !known.has(each.toLowerCase())),
      columns: columns.filter((each) => !has(each)),
      tables: there.length,
      alembic: null,
    });
  };
