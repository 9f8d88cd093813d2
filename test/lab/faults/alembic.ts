import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../run.ts';
import type { LabStack } from '../stack.ts';
import { compose, edit, logs, psql, restore, up } from './tools.ts';

const INI = '[alembic]\nscript_location = /app/revisions\n';

const ENV = `import asyncio
import os

from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine


def migrate(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


async def main():
    engine = create_async_engine(os.environ["DATABASE_URL"])
    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(main())
`;

const revision = (id: string, down: string | null, sql: string): string =>
  [
    'from alembic import op',
    '',
    `revision = "${id}"`,
    `down_revision = ${down === null ? 'None' : `"${down}"`}`,
    '',
    'def upgrade():',
    `    op.execute("${sql}")`,
    '',
  ].join('\n');

/** Alembic beside the migrations of the fixture: the entry point runs it too. */
export function withAlembic(stack: LabStack, revisions: { id: string; down?: string; sql?: string }[], then = ''): void {
  const folder = join(stack.dir, 'backend/revisions');
  mkdirSync(join(folder, 'versions'), { recursive: true });
  writeFileSync(join(stack.dir, 'backend/alembic.ini'), INI);
  writeFileSync(join(folder, 'env.py'), ENV);
  for (const { id, down = null, sql = 'select 1' } of revisions)
    writeFileSync(join(folder, 'versions', `${id}.py`), revision(id, down, sql));
  edit(stack, 'backend/entrypoint.sh', 'python -m app.migrate\n', `python -m app.migrate\nalembic upgrade head${then}\n`);
}

export const saysInLog = (stack: LabStack, service: string, text: string): Promise<unknown> =>
  until(`${service} to log ${text}`, async () => (await logs(stack, service)).includes(text), 60_000);

/** The code and the schema as they were. */
export async function healAlembic(stack: LabStack): Promise<void> {
  await compose(stack, 'stop', '-t', '1', 'backend', 'worker');
  restore(stack, 'backend', 'docker-compose.yml');
  await psql(stack, 'drop table if exists alembic_version, takes');
  await compose(stack, 'up', '-d', '--no-deps', '--force-recreate', 'backend', 'worker');
  await up(stack);
}
