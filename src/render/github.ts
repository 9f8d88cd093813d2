/** Report → workflow commands: GitHub Actions shows them as annotations of the run. */
import type { Evidence } from '../model/check.ts';
import type { Report } from '../model/report.ts';
import { shown } from './words.ts';

/** GitHub shows no more of one kind for a step. */
const MOST = 10;

export const renderAnnotations = (report: Report): string => {
  const unseen = report.checks.filter(({ status }) => status === 'error');
  const warned = report.checks.filter(({ status, causedBy }) => status === 'warn' && causedBy === null);
  const errors = [
    ...report.rootCauses.map(({ id, code, summary, evidence }) => command('error', `${id}: ${code}`, summary, evidence)),
    ...unseen.map(({ id, reason, message }) => command('error', `${id}: could not look`, reason ?? message, [])),
  ];
  const warnings = warned.map(({ id, code, message, evidence }) => command('warning', `${id}: ${code ?? ''}`, message, evidence));
  return [...errors.slice(0, MOST), ...warnings.slice(0, MOST)].map((line) => `${line}\n`).join('');
};

const command = (kind: 'error' | 'warning', title: string, message: string, evidence: Evidence[]): string => {
  const properties = { ...place(evidence), title };
  const list = Object.entries(properties).map(([key, value]) => `${key}=${property(shown(value))}`);
  return `::${kind} ${list.join(',')}::${data(shown(message))}`;
};

/** Evidence that stands in a file of the project is shown beside its line. */
const place = (evidence: Evidence[]): Record<string, string> => {
  for (const { source } of evidence) {
    const [, file, line] = /^(?!\/|[a-z]+:)(\S+\.[\w-]+):(\d+)$/i.exec(source) ?? [];
    if (file !== undefined && line !== undefined) return { file, line };
  }
  return {};
};

const data = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (text: string): string => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
