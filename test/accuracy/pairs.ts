/**
 * Two faults at once. `first` is injected, then `second`, which must still be able to show itself. Where one hides the other, that is said:
 * then only the one that can be seen is expected.
 */
export interface Pair {
  first: string;
  second: string;
  /** The one of the two that nobody can see while the other stands, and why. */
  hides?: { id: string; why: string };
}

export const pairId = ({ first, second }: Pair): string => `${first} + ${second}`;

export const pairs: Pair[] = [
  { first: 'db-stopped', second: 'dist-half-built' },
  { first: 'redis-stopped', second: 'dist-emptied' },
  { first: 'worker-stopped', second: 'dist-emptied' },
  { first: 'worker-stopped', second: 'db-password-volume' },
  { first: 'worker-stopped', second: 'proxy-stale-upstream' },
  { first: 'worker-stopped', second: 'compose-tab' },
  { first: 'worker-stopped', second: 'backend-health-500' },
  { first: 'worker-stopped', second: 'db-too-many-clients' },
  { first: 'worker-stopped', second: 'env-changed-only-restarted' },
  { first: 'worker-stopped', second: 'nginx-port-taken-by-container' },
  { first: 'worker-crash-loop', second: 'proxy-loopback' },
  { first: 'worker-crash-loop', second: 'dist-renamed' },
  { first: 'worker-crash-loop', second: 'db-role-missing' },
  { first: 'worker-other-queue', second: 'dist-unreadable' },
  { first: 'worker-wrong-password', second: 'dist-half-built' },
  { first: 'healthcheck-missing-binary', second: 'worker-crash-loop' },
  { first: 'proxy-config-invalid', second: 'redis-stopped' },
  { first: 'nginx-wrong-root', second: 'db-stopped' },
  { first: 'redis-cannot-save', second: 'db-locked' },
  { first: 'redis-out-of-memory', second: 'db-read-only' },
  { first: 'redis-replica', second: 'dist-emptied' },
  { first: 'redis-password', second: 'nginx-wrong-root' },
  { first: 'backend-wrong-password', second: 'dist-emptied' },
  { first: 'backend-syntax-error', second: 'dist-emptied' },
  { first: 'backend-folder-replaced', second: 'redis-stopped' },
  {
    first: 'db-password-volume',
    second: 'db-stopped',
    hides: { id: 'db-password-volume', why: 'nobody logs in to a database that does not run' },
  },
  { first: 'redis-out-of-memory', second: 'redis-paused', hides: { id: 'redis-out-of-memory', why: 'a paused Redis answers no question' } },
  { first: 'db-locked', second: 'db-paused', hides: { id: 'db-locked', why: 'a paused Postgres lists no sessions' } },
  {
    first: 'env-changed-only-restarted',
    second: 'compose-tab',
    hides: { id: 'env-changed-only-restarted', why: 'files that cannot be read cannot be compared with what runs' },
  },
  {
    first: 'backend-health-500',
    second: 'backend-syntax-error',
    hides: { id: 'backend-health-500', why: 'code that does not parse answers nothing' },
  },

  { first: 'harbor-jobs-stopped', second: 'harbor-store-host-typo' },
  { first: 'harbor-jobs-stopped', second: 'harbor-upstream-port' },
  { first: 'harbor-jobs-no-module', second: 'harbor-edge-config-invalid' },
  { first: 'harbor-jobs-no-module', second: 'harbor-stale-upstream' },
  { first: 'harbor-jobs-other-database', second: 'harbor-store-database-unknown' },
  { first: 'harbor-edge-config-invalid', second: 'harbor-store-stopped' },
  { first: 'harbor-replica-stopped', second: 'harbor-cache-config-unreadable' },
  {
    first: 'harbor-secret-changed',
    second: 'harbor-store-stopped',
    hides: { id: 'harbor-secret-changed', why: 'nobody logs in to a database that does not run' },
  },
  { first: 'orchard-press-no-module', second: 'orchard-web-loopback' },
  { first: 'orchard-press-stopped', second: 'orchard-server-wrong-password' },
  { first: 'orchard-press-script-not-executable', second: 'orchard-database-stopped' },
  { first: 'orchard-web-loopback', second: 'orchard-broker-vhost-missing' },
  { first: 'orchard-folder-replaced', second: 'orchard-server-throws' },
  { first: 'orchard-folder-replaced', second: 'orchard-database-host-typo' },
  {
    first: 'orchard-database-unknown',
    second: 'orchard-database-stopped',
    hides: { id: 'orchard-database-unknown', why: 'nobody chooses a database of a server that does not run' },
  },
  { first: 'granary-socket-elsewhere', second: 'granary-counter-wrong-password' },
  { first: 'granary-clerk-stopped', second: 'granary-gate-loopback' },
  { first: 'granary-table-missing', second: 'granary-socket-forbidden' },
];
