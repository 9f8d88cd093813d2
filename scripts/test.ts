/** `npm test`: everything, in the order in which a failure is cheapest to see. Ends with one line that counts. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const QUICK = ['format:check', 'lint', 'types', 'knip', 'build', 'publint'];
const PROJECTS = process.argv.includes('--quick') ? ['unit'] : ['unit', 'live'];

const run = (command: string, args: string[]): boolean => {
  const { status } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], shell: process.platform === 'win32' });
  return status === 0;
};

const failed: string[] = [];
const counts = { passed: 0, failed: 0, skipped: 0 };
const results = mkdtempSync(join(tmpdir(), 'stack-doctor-test-'));

for (const step of QUICK) {
  console.log(`\n== ${step}`);
  if (!run('npm', ['run', '--silent', step])) failed.push(step);
}

for (const project of PROJECTS) {
  console.log(`\n== ${project} tests`);
  const file = join(results, `${project}.json`);
  if (!run('npx', ['vitest', 'run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${file}`]))
    failed.push(`${project} tests`);
  count(file);
}
rmSync(results, { recursive: true, force: true });

function count(file: string): void {
  try {
    const result = JSON.parse(readFileSync(file, 'utf8')) as { numPassedTests: number; numFailedTests: number; numPendingTests: number };
    counts.passed += result.numPassedTests;
    counts.failed += result.numFailedTests;
    counts.skipped += result.numPendingTests;
  } catch {
    counts.failed += 1; // The runner died before it could say anything.
  }
}

console.log(failed.length > 0 ? `\nfailed: ${failed.join(', ')}` : '\nall steps passed');
console.log(`tests: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(failed.length > 0 ? 1 : 0);
