import { marked } from 'marked';
import { describe, expect, test } from 'vitest';
import { renderMarkdown } from '../../src/render/markdown.ts';
import type { Report } from '../../src/model/report.ts';
import * as reports from './reports.ts';

const all = Object.values(reports).filter((each): each is Report => typeof each === 'object' && 'schemaVersion' in each);
const html = (report: Report): string => marked.parse(renderMarkdown(report), { async: false });

describe('Markdown', () => {
  test('one cause', async () => {
    await expect(renderMarkdown(reports.oneCause)).toMatchFileSnapshot('goldens/one-cause.md');
  });

  test.each(all.map((report, index) => [index, report] as const))('report %i has no markup but ours', (_, report) => {
    const text = renderMarkdown(report);
    expect(text).not.toContain('‹secret');
    const tags = new Set([...html(report).matchAll(/<([a-z0-9]+)/g)].map(([, tag]) => tag));
    for (const tag of tags)
      expect([
        'h2',
        'h3',
        'p',
        'code',
        'pre',
        'ol',
        'li',
        'table',
        'thead',
        'tbody',
        'tr',
        'th',
        'td',
        'blockquote',
        'em',
        'strong',
      ]).toContain(tag);
  });

  test('the other candidates, and the look that would decide', () => {
    expect(renderMarkdown(reports.undecided)).toContain(
      'Or `api/http-health`: api takes the connection and does not answer\n\nDecide: `docker compose logs --tail 50 api`',
    );
  });

  test('each command is one block of code, to be copied', () => {
    const commands = reports.oneCause.rootCauses[0]!.remedy!.steps.flatMap(({ command }) => command ?? []);
    expect(html(reports.oneCause).match(/<pre>/g)?.length).toBeGreaterThanOrEqual(commands.length);
  });

  test('text of the stack’s makes no link, no mention, no cell, no heading', () => {
    const message = '# @everyone see [this](http://evil.example) | <img src=x> `a``b` https://evil.example *now*';
    const { report, check } = reports;
    const made = html(
      report([check('api/container', 'fail', { code: 'container/exited', message, evidence: [{ source: 'log', text: message }] })]),
    );
    expect(made).not.toMatch(/<a |<img|<h1/);
    expect(renderMarkdown(report([check('api/container', 'fail', { message })]))).not.toContain('@everyone');
  });
});
