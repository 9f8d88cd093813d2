/** Report → the JSON document of the contract. */
import { plainLines } from '../model/plain.ts';
import type { Report } from '../model/report.ts';
import { hideMarks } from '../model/secrets.ts';

/** Any answer of the doctor as one document. Texts are made plain here too: `jq -r` would print them raw. */
export const renderJson = (document: Report | object): string =>
  `${JSON.stringify(document, (_, value: unknown) => (typeof value === 'string' ? hideMarks(plainLines(value)) : value), 2)}\n`;
