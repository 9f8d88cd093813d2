/** What is asked of a service, and by whom. One part of the program: the drivers, which are large, are loaded when they are used. */
import type { ServiceFactName } from '../model/facts.ts';
import type { ServiceGatherer } from './gathering.ts';
import { gatherHaproxy } from './haproxy.ts';
import { gatherHttp } from './http.ts';
import { gatherInside } from './inside.ts';
import { gatherLogs } from './logs.ts';
import { gatherMongodb } from './mongodb.ts';
import { gatherMysql } from './mysql.ts';
import { gatherMaking } from './making.ts';
import { gatherMounts } from './mounts.ts';
import { gatherNginx } from './nginx.ts';
import { gatherPackages } from './packages.ts';
import { gatherPooler } from './pooler.ts';
import { gatherPostgres } from './postgres.ts';
import { gatherProgram } from './program.ts';
import { gatherPublished } from './published.ts';
import { gatherRabbitmq } from './rabbitmq.ts';
import { gatherReach } from './reach.ts';
import { gatherRedis } from './redis.ts';
import { gatherSource } from './source.ts';
import { gatherWebroot } from './webroot.ts';

export { readHaproxyUpstreams } from './haproxy.ts';
export { readUpstreams } from './nginx.ts';
export { readPoolers } from './pooler-setup.ts';

export const SERVICE_GATHERERS: { [N in ServiceFactName]: ServiceGatherer<N> } = {
  logs: gatherLogs,
  inside: gatherInside,
  reach: gatherReach,
  postgres: gatherPostgres,
  redis: gatherRedis,
  mysql: gatherMysql,
  rabbitmq: gatherRabbitmq,
  mongodb: gatherMongodb,
  pooler: gatherPooler,
  http: gatherHttp,
  nginx: gatherNginx,
  haproxy: gatherHaproxy,
  webroot: gatherWebroot,
  source: gatherSource,
  published: gatherPublished,
  mounts: gatherMounts,
  making: gatherMaking,
  program: gatherProgram,
  packages: gatherPackages,
};
