import { describe, expect, it } from 'vitest';
import type { Section } from '../../src/runbook/runbook.ts';
import { parseRunbook } from '../../src/runbook/parse.ts';
import { anchorsOf, verifyRunbook } from '../../src/runbook/verify.ts';

const CODES = ['a/one', 'a/two', 'b/one'];
const whole = '### One\n<!-- doctor: a/one, a/two -->\n\n1. x\n\n### Two\n<!-- doctor: b/one -->\n\n1. x {service}\n';
const shippedWith = (text: string) => parseRunbook(text, 'RUNBOOK.md');

describe('runbooks', () => {
  it('that fit give no problem', () => {
    expect(verifyRunbook([shippedWith(whole)], CODES)).toEqual({ problems: [], warnings: [], notes: [] });
    expect(anchorsOf(shippedWith(whole)).map(({ code, line }) => [code, line])).toEqual([
      ['a/one', 2],
      ['a/two', 2],
      ['b/one', 7],
    ]);
  });

  it.each<[string, string, [number | null, string][]]>([
    ['a code with no section', whole.replace(', a/two', ''), [[null, 'a/two has no section']]],
    ['a section for no code', whole.replace('b/one', 'b/one, c/one'), [[7, 'no finding has the code c/one (is it a/one or b/one?)']]],
    ['two sections for a code', whole.replace('b/one', 'b/one, a/one'), [[7, 'a/one has a section already, at line 2']]],
    ['a section that no finding leads to', `${whole}\n### Three\n\n1. x\n`, [[11, 'the section "Three" is for no finding']]],
    ['a placeholder that nobody fills', whole.replace('{service}', '{servicename}'), [[9, 'nothing fills the placeholder {servicename}']]],
    ['a section with nothing in it', whole.replace('\n1. x\n\n', '\n'), [[1, 'the section "One" has no steps']]],
  ])('are told of %s', (_, text, problems) => {
    expect(verifyRunbook([shippedWith(text)], CODES).problems.map(({ line, text: said }) => [line, said])).toEqual(problems);
  });

  it('of a team need not have everything', () => {
    const team = parseRunbook('## Ann\n<!-- doctor: a/* -->\n\nAsk.\n\n## Other\n\n```bash\njq {query} x\n```\n', 'team.md');
    expect(verifyRunbook([team, shippedWith(whole)], CODES)).toEqual({
      problems: [],
      warnings: [],
      notes: [{ file: 'team.md', line: null, text: 'b/one is left to RUNBOOK.md' }],
    });
    const place = { file: 'team.md', heading: 'Other', lines: [6, 10] as [number, number] };
    const reach = { entries: [{ code: 'b/one', place, why: 'x', how: 'meaning' as const }], reached: new Set<Section>() };
    expect(verifyRunbook([team, shippedWith(whole)], CODES, reach).notes).toEqual([
      { file: 'team.md', line: 6, text: 'b/one is found by its heading' },
    ]);
  });

  it('of a team must mean something with what they name', () => {
    const team = parseRunbook('## Ann\n<!-- doctor: a/three, c/* -->\n\n1. Ask {nobody}.\n', 'team.md');
    expect(verifyRunbook([team, shippedWith(whole)], CODES).problems).toEqual([
      { file: 'team.md', line: 2, text: 'no finding has the code a/three' },
      { file: 'team.md', line: 2, text: 'no finding has the code c/*' },
      { file: 'team.md', line: 4, text: 'nothing fills the placeholder {nobody}' },
    ]);
  });
});
