/** Words live in one place each; this holds the places together: checks ↔ files ↔ tests ↔ runbook. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checks } from '../src/checks/index.ts';
import { LAYERS } from '../src/model/check.ts';
import { isOwnFact, isStackFact, type FactName } from '../src/model/facts.ts';

const ROOT = resolve(import.meta.dirname, '..');
const text = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const filesIn = (folder: string) => readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.ts'));

const codes = [...new Set(checks.flatMap((check) => Object.keys(check.findings).map((reason) => `${check.id}/${reason}`)))];
const named = checks.map((check) => ({ name: `${check.scope === 'stack' ? 'stack-wide ' : ''}${check.id}`, check }));

describe('the registry', () => {
  const list = text('src/checks/index.ts');
  const files = filesIn('src/checks').filter((name) => name !== 'index.ts');

  test('holds every file of the folder, and no other', () => {
    const imported = [...list.matchAll(/from '\.\/([^']+)'/g)].map(([, file]) => file!);
    expect(imported.toSorted()).toEqual(files.toSorted());
    expect(checks).toHaveLength(files.length);
  });

  test('is the list and nothing else', () => expect(list).not.toMatch(/=>|function|if \(/));

  test.each(files)('%s has a test', (file) => expect(existsSync(join(ROOT, 'test/checks', file.replace(/\.ts$/, '.test.ts')))).toBe(true));

  test('an id is of one check, or of one of the stack and one of services', () => {
    const keys = checks.map((check) => `${check.scope} ${check.id}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('codes of two checks of one id do not meet', () =>
    expect(codes).toHaveLength(checks.flatMap((check) => Object.keys(check.findings)).length));

  test('what stands on another comes after it, so that nothing waits in a circle', () => {
    for (const [place, check] of checks.entries()) {
      for (const on of check.after) {
        const before = checks.findIndex((each) => each.id === on);
        expect(before, `${check.id} stands on ${on}`).toBeGreaterThanOrEqual(0);
        expect(before, `${check.id} stands on ${on}`).toBeLessThan(place);
      }
    }
  });

  test('everything stands on the engine', () => {
    for (const check of checks) if (check.id !== 'engine') expect(check.after, check.id).toContain('engine');
  });
});

describe.each(named)('$name', ({ check }) => {
  test('says what it asks, in words', () => {
    expect(check.title).toMatch(/^\S.{8,}[^.?]$/);
    expect(check.question).toMatch(/^\S.{8,}\?$/);
    expect(check.id).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });

  test('asks for facts that it may have', () => {
    for (const need of check.needs as FactName[])
      if (check.scope === 'stack') expect(isStackFact(need) || isOwnFact(need), need).toBe(true);
    for (const need of (check.peerNeeds ?? []) as FactName[]) expect(isStackFact(need), need).toBe(false);
  });

  test.each(Object.entries(check.findings))('%s is described', (reason, spec) => {
    expect(reason).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(LAYERS).toContain(spec.layer);
    for (const sentence of [spec.means, spec.proof]) expect(sentence).toMatch(/^\S.{8,}\.$/s);
  });

  test('every finding is tested', () => {
    const file = check.id === 'compose' && check.scope === 'service' ? 'compose-service' : check.id;
    const tests = text(`test/checks/${file}.test.ts`);
    expect(Object.keys(check.findings).filter((reason) => !tests.includes(reason))).toEqual([]);
  });

  test('every finding is found: its reason stands in the code, beside its declaration', () => {
    const file = check.id === 'compose' && check.scope === 'service' ? 'compose-service' : check.id;
    // What a file is too small for lies in a folder of its name.
    const parts = existsSync(join(ROOT, 'src/checks', file)) ? filesIn(`src/checks/${file}`).map((part) => `${file}/${part}`) : [];
    const source = [`${file}.ts`, ...parts].map((part) => text(`src/checks/${part}`)).join('\n');
    const count = (reason: string) => source.match(new RegExp(`(?<![\\w-])${reason}(?![\\w-])`, 'g'))?.length ?? 0;
    expect(Object.keys(check.findings).filter((reason) => count(reason) < 2)).toEqual([]);
  });
});

describe('the runbook', () => {
  const anchors = [...text('RUNBOOK.md').matchAll(/<!--\s*doctor:\s*([^>]*?)\s*-->/g)].flatMap(([, list]) => list!.split(/[\s,]+/));
  test('has a section for every code', () =>
    expect(
      codes.filter(
        (code) => !anchors.includes(code) && !anchors.includes(`${code.split('/')[0]}/*`) && !anchors.includes(code.split('/')[0]!),
      ),
    ).toEqual([]));
  test('has none for a code that nobody finds', () =>
    expect(
      anchors.filter((anchor) => !codes.includes(anchor) && !checks.some((check) => anchor === check.id || anchor === `${check.id}/*`)),
    ).toEqual([]));
  test('has one for each', () => expect(anchors.filter((anchor, index) => anchors.indexOf(anchor) !== index)).toEqual([]));
});
