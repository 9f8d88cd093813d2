import { appRows } from './apps.ts';
import { groundRows } from './ground.ts';
import type { CatalogueRow } from './row.ts';

/** Every known failure, from the engine up to the app. */
export const rows: CatalogueRow[] = [...groundRows, ...appRows];
