import { appFaults } from './faults/app.ts';
import { composeFaults } from './faults/compose.ts';
import { containerFaults } from './faults/containers.ts';
import type { Fault } from './faults/fault.ts';
import { granaryFaults } from './faults/granary.ts';
import { harborConnectionFaults } from './faults/harbor-connections.ts';
import { harborContainerFaults } from './faults/harbor-containers.ts';
import { orchardConnectionFaults } from './faults/orchard-connections.ts';
import { orchardContainerFaults } from './faults/orchard-containers.ts';
import { migrationFaults } from './faults/migrations.ts';
import { imageFaults } from './faults/image.ts';
import { mountFaults } from './faults/mounts.ts';
import { networkFaults } from './faults/network.ts';
import { postgresFaults } from './faults/postgres.ts';
import { proxyFaults } from './faults/proxy.ts';
import { redisFaults } from './faults/redis.ts';
import { startOrderFaults } from './faults/start-order.ts';
import { startupFaults } from './faults/startup.ts';
import { staticFaults } from './faults/static-files.ts';

export type { Fault } from './faults/fault.ts';

/** Every fault the lab can inject. */
export const faults: Fault[] = [
  ...containerFaults,
  ...startupFaults,
  ...imageFaults,
  ...mountFaults,
  ...networkFaults,
  ...startOrderFaults,
  ...postgresFaults,
  ...migrationFaults,
  ...redisFaults,
  ...staticFaults,
  ...appFaults,
  ...proxyFaults,
  ...composeFaults,
  ...harborContainerFaults,
  ...harborConnectionFaults,
  ...orchardContainerFaults,
  ...orchardConnectionFaults,
  ...granaryFaults,
];

export function faultById(id: string): Fault {
  const fault = faults.find((known) => known.id === id);
  if (!fault) throw new Error(`no fault "${id}"; see \`npm run lab -- list\``);
  return fault;
}
