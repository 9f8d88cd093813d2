/** The stacks the lab knows. They have nothing in common but that Compose starts them. */
export type StackShape = 'shootout' | 'harbor' | 'orchard' | 'granary';

interface Shape {
  /** What must stay up; empty: every service. `--wait` takes a service that ends for a failure. */
  stays: string[];
  /** The port that people use, and a path that answers 200 when all behind it works. */
  front: { port: string; path: string };
  /** A proxy that looks its upstream up once, and the service behind it. */
  proxy?: { service: string; behind: string; reload: string[] };
}

const NGINX_RELOAD = ['nginx', '-s', 'reload'];

export const shapes: Record<StackShape, Shape> = {
  shootout: { stays: [], front: { port: 'nginx', path: '/health' }, proxy: { service: 'nginx', behind: 'backend', reload: NGINX_RELOAD } },
  harbor: {
    stays: ['edge', 'api', 'jobs', 'primary', 'pantry'],
    front: { port: 'edge', path: '/office/status' },
    proxy: { service: 'edge', behind: 'api', reload: NGINX_RELOAD },
  },
  orchard: { stays: [], front: { port: 'web', path: '/api/apples' } },
  granary: {
    stays: [],
    front: { port: 'gate', path: '/api/sacks' },
    // HAProxy's master takes this for "start anew with what is on disk".
    proxy: { service: 'gate', behind: 'counter', reload: ['sh', '-c', 'kill -USR2 1'] },
  },
};

/** One stack serves all faults of its shape. */
export const byShape = <T extends { stack?: StackShape }>(all: T[]): [StackShape, T[]][] =>
  (Object.keys(shapes) as StackShape[])
    .map((shape): [StackShape, T[]] => [shape, all.filter(({ stack = 'shootout' }) => stack === shape)])
    .filter(([, those]) => those.length > 0);
