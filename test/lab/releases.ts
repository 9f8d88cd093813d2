/** The engines that the lab can have of its own, each in rooms of its own: they may run side by side. */
import { join } from 'node:path';
import { cacheDir, runDir } from './cache.ts';
import { OLDER_SUITE, SUITE } from './debian.ts';

export type Release = 'newer' | 'older';

interface Making {
  suite: string;
  packages: string[];
  /** Private ranges that are seldom routed; the first one this machine has no route into is used. None is another release's. */
  pools: string[];
}

export const makings: Record<Release, Making> = {
  newer: {
    suite: SUITE,
    packages: ['docker.io', 'docker-cli', 'docker-compose', 'docker-buildx', 'containerd', 'tini-static'],
    pools: ['10.213.0.0/16', '10.187.0.0/16', '172.29.0.0/16', '192.168.240.0/20'],
  },
  // It brings no Compose v2: whoever has this engine has the command line and the plugin from elsewhere, newer ones.
  older: {
    suite: OLDER_SUITE,
    packages: ['docker.io', 'containerd', 'tini'],
    pools: ['10.214.0.0/16', '10.188.0.0/16', '172.30.0.0/16', '192.168.224.0/20'],
  },
};

/** What is dear to make. */
export const cacheOf = (release: Release): string => (release === 'newer' ? cacheDir() : join(cacheDir(), release));

/** Sockets and pids. */
export const roomOf = (release: Release): string => (release === 'newer' ? runDir() : `${runDir()}-${release}`);

export const treeOf = (release: Release): string => join(cacheOf(release), 'packages');
export const binOf = (release: Release): string => join(cacheOf(release), 'bin');
