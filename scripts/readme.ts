/** Renews the README's picture: what the program prints for a recorded stack, at 80 columns. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { withPicture } from '../test/readme/picture.ts';

const README = fileURLToPath(new URL('../README.md', import.meta.url));
writeFileSync(README, withPicture(readFileSync(README, 'utf8')));
