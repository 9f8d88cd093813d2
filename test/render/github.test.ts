import { describe, expect, test } from 'vitest';
import { renderAnnotations } from '../../src/render/github.ts';
import * as reports from './reports.ts';

const { check, report } = reports;
const cause = (more: object) => ({ ...reports.oneCause.rootCauses[0]!, evidence: [], ...more });

describe('annotations of GitHub Actions', () => {
  test('a healthy stack has none', () => expect(renderAnnotations(reports.healthy)).toBe(''));

  test('one for each root cause, none for what it explains', () => {
    const lines = renderAnnotations(reports.oneCause).trim().split('\n');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^::error title=store\/postgres%3A postgres\/auth-rejected::store rejects the password/);
  });

  test('what could not be looked at is an error, a warning is a warning', () => {
    expect(renderAnnotations(reports.couldNotLook)).toMatch(/^::error title=[^:]*could not look::/m);
    expect(renderAnnotations(reports.warned)).toMatch(/^::warning /m);
  });

  test('evidence in a file of the project is shown there', () => {
    const evidence = [{ source: 'docker-compose.yml:12', text: 'x' }];
    expect(renderAnnotations(report([], [cause({ evidence })]))).toMatch(/^::error file=docker-compose.yml,line=12,title=/);
  });

  test.each(['http://db:5432', 'postgres 28P01', 'log of api', '/etc/hosts.conf:3'])('"%s" is no file of the project', (source) => {
    expect(renderAnnotations(report([], [cause({ evidence: [{ source, text: 'x' }] })]))).toMatch(/^::error title=/);
  });

  test('a message cannot begin a command of its own', () => {
    const summary = 'broken\n::set-output name=x::y\r\n::error::100%';
    const text = renderAnnotations(report([check('api/http', 'fail')], [cause({ summary })]));
    expect(text.trim().split('\n')).toHaveLength(1);
    expect(text).toContain('100%25');
  });
});
