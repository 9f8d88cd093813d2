import { spawnSync } from 'node:child_process';

/** Is `docker compose` on this machine? It needs no engine to read files. */
export const hasCompose = (): boolean => spawnSync('docker', ['compose', 'version']).status === 0;
