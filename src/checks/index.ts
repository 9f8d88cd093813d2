/** The registry: sorted as they are reported, from the ground up. Nothing else belongs here. */
import type { Check } from '../model/check.ts';
import { address } from './address.ts';
import { compose } from './compose.ts';
import { composeService } from './compose-service.ts';
import { container } from './container.ts';
import { engine } from './engine.ts';
import { healthcheck } from './healthcheck.ts';
import { host } from './host.ts';
import { hotReload } from './hot-reload.ts';
import { httpHealth } from './http-health.ts';
import { image } from './image.ts';
import { mounts } from './mounts.ts';
import { network } from './network.ts';
import { ports } from './ports.ts';
import { postgres } from './postgres.ts';
import { proxy } from './proxy.ts';
import { redis } from './redis.ts';
import { start } from './start.ts';
import { staticFiles } from './static-files.ts';
import { worker } from './worker.ts';

export const checks: readonly Check[] = [
  engine,
  host,
  compose,
  composeService,
  container,
  start,
  healthcheck,
  image,
  mounts,
  ports,
  network,
  address,
  postgres,
  redis,
  hotReload,
  httpHealth,
  staticFiles,
  proxy,
  worker,
];
