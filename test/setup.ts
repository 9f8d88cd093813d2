/** Properties are tried on the same cases in every run, so that a change is what makes a test fail; `FC_SEED=<n>` tries others. */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['FC_SEED'] ?? 20_261_123) });

// The size of the screen that the tests are started from is nothing to them.
delete process.env['COLUMNS'];
delete process.env['LINES'];
