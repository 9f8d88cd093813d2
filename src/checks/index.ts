/** The registry: sorted as they are reported, from the ground up. Nothing else belongs here. */
import type { Check } from '../model/check.ts';
import { address } from './address.ts';
import { balancer } from './balancer.ts';
import { behindProxy } from './behind-proxy.ts';
import { composeService } from './compose-service.ts';
import { compose } from './compose.ts';
import { config } from './config.ts';
import { container } from './container.ts';
import { engine } from './engine.ts';
import { healthcheck } from './healthcheck.ts';
import { host } from './host.ts';
import { hotReload } from './hot-reload.ts';
import { httpHealth } from './http-health.ts';
import { image } from './image.ts';
import { migrations } from './migrations.ts';
import { mongodb } from './mongodb.ts';
import { mounts } from './mounts.ts';
import { mysql } from './mysql.ts';
import { network } from './network.ts';
import { pooler } from './pooler.ts';
import { ports } from './ports.ts';
import { postgres } from './postgres.ts';
import { proxy } from './proxy.ts';
import { rabbitmq } from './rabbitmq.ts';
import { redis } from './redis.ts';
import { startOrder } from './start-order.ts';
import { startup } from './startup.ts';
import { staticFiles } from './static-files.ts';
import { worker } from './worker.ts';

export const checks: readonly Check[] = [
  engine,
  host,
  compose,
  composeService,
  container,
  startOrder,
  healthcheck,
  image,
  mounts,
  startup,
  ports,
  network,
  address,
  postgres,
  redis,
  mysql,
  rabbitmq,
  mongodb,
  pooler,
  migrations,
  hotReload,
  httpHealth,
  staticFiles,
  proxy,
  balancer,
  behindProxy,
  worker,
  config,
];
