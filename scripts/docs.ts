/** `npm run docs`: writes the pages that come from the code. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { schemaText } from '../src/config/json-schema.ts';
import { findingsPage } from '../test/catalogue/findings-page.ts';

const DOCS = fileURLToPath(new URL('../docs/', import.meta.url));
mkdirSync(DOCS, { recursive: true });
writeFileSync(`${DOCS}findings.md`, findingsPage());
writeFileSync(fileURLToPath(new URL('../doctor.schema.json', import.meta.url)), schemaText());
