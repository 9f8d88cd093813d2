/** Which of the known errors say that a program cannot start on what it is given, and which that its migrations fail. */
import type { KnownError } from './log-signatures.ts';

/** The reasons of check `startup`, by the id of the line that tells. */
const STARTUP: Record<string, string> = {
  'postgres-version': 'data-version',
  'postgres-wal': 'wal-damaged',
  'postgres-init': 'init-script-failed',
  'postgres-no-password': 'password-missing',
  'mysql-no-password': 'password-missing',
  'mongodb-version': 'mongodb-data-version',
  'redis-rdb': 'dump-too-new',
  'redis-aof': 'append-file-damaged',
  disk: 'disk-full',
  'python-module': 'module-missing',
  'node-module': 'module-missing',
  'node-native': 'native-module',
  'asgi-app': 'app-not-found',
  'python-syntax': 'code-error',
  'python-import': 'code-error',
  'php-parse': 'code-error',
  'php-file': 'code-error',
  'python-setting': 'setting-missing',
  setting: 'setting-missing',
  'node-heap': 'heap-limit',
  'node-lockfile': 'lockfile-outdated',
  'node-corepack': 'corepack-keys',
  'pid-file': 'stale-pid-file',
  'map-count': 'map-count',
  avx: 'cpu-unsupported',
};

/** The reasons of check `migrations`. */
const MIGRATIONS: Record<string, string> = {
  'alembic-heads': 'multiple-heads',
  'alembic-revision': 'unknown-revision',
  'alembic-race': 'concurrent-run',
  'prisma-migration': 'failed',
  schema: 'schema-missing',
};

export const startupReason = ({ id }: Pick<KnownError, 'id'>): string | null => STARTUP[id] ?? null;

export const migrationReason = ({ id }: Pick<KnownError, 'id'>): string | null => MIGRATIONS[id] ?? null;
