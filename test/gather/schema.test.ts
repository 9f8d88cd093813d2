import { describe, expect, test } from 'vitest';
import { missedIn } from '../../src/gather/schema.ts';

describe('what a log misses', () => {
  test.each<['postgres' | 'mysql', string, string]>([
    ['postgres', 'asyncpg.exceptions.UndefinedTableError: relation "orders" does not exist', 'orders'],
    ['postgres', 'asyncpg.exceptions.UndefinedColumnError: column "paid" does not exist', '.paid'],
    ['postgres', 'ERROR:  column orders.paid does not exist at character 8', 'orders.paid'],
    ['postgres', 'ERROR:  column "paid" of relation "orders" does not exist', 'orders orders.paid'],
    ['postgres', 'FATAL:  database "shop" does not exist', ''],
    ['mysql', "ER_NO_SUCH_TABLE: Table 'shop.orders' doesn't exist", 'orders'],
    ['mysql', "(1054, \"Unknown column 'paid' in 'field list'\")", '.paid'],
    ['mysql', "ERROR 1054 (42S22): Unknown column 'o.paid' in 'SELECT'", 'o.paid'],
    ['mysql', "Access denied for user 'shop'@'172.18.0.5'", ''],
  ])('of %s: %s', (kind, text, expected) => {
    const { tables, columns } = missedIn(kind, [text, text]);
    const said = [...tables, ...columns.map(({ name, table }) => `${table ?? ''}.${name}`).toSorted()];
    expect(said.join(' ')).toBe(expected);
  });
});
