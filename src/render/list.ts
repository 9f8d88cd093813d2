/** `doctor list`: every check with its question, and the services it applies to here. */
import { SCHEMA_VERSION } from '../model/report.ts';
import { width } from './fit.ts';
import { renderJson } from './json.ts';
import { createPen } from './pen.ts';
import type { Terminal } from './pen.ts';
import { count } from './words.ts';

export interface ListedCheck {
  id: string;
  title: string;
  question: string;
  /** Full codes. */
  findings: string[];
  /** Service names; empty for a check of the whole stack, and where no stack could be seen. */
  appliesTo: string[];
}

export interface CheckListing {
  checks: ListedCheck[];
  /** `[]`: no stack could be seen, and `note` says why. */
  services: { name: string; role: string; reason: string }[];
  note: string | null;
}

export const renderList = ({ checks, services, note }: CheckListing, terminal: Terminal & { verbose: boolean }): string => {
  const pen = createPen(terminal);
  const narrow = pen.columns < 60;
  const nameWidth = Math.max(0, ...checks.map(({ id }) => width(id)));
  const hang = narrow ? 2 : nameWidth + 2;
  const lines: string[] = [];
  for (const { id, question, findings, appliesTo } of checks) {
    lines.push(
      ...pen.paragraph(pen.say(question), {
        lead: pen.paint(id, 'bold') + ' '.repeat(nameWidth + 2 - width(id)),
        leadWidth: nameWidth + 2,
        hang,
      }),
    );
    if (appliesTo.length > 0)
      lines.push(...pen.paragraph(appliesTo.map((name) => pen.say(name)).join(', '), { lead: ' '.repeat(hang), styles: ['dim'] }));
    if (terminal.verbose)
      lines.push(...findings.flatMap((code) => pen.paragraph(pen.say(code), { lead: ' '.repeat(hang), styles: ['dim'] })));
  }
  if (services.length > 0) {
    const serviceWidth = Math.max(...services.map(({ name }) => width(pen.say(name))));
    lines.push('', pen.paint(`${count(services.length, 'service')} here`, 'bold'));
    for (const { name, role, reason } of services) {
      const shownName = pen.say(name);
      const lead = `  ${shownName}${' '.repeat(serviceWidth - width(shownName))}  `;
      lines.push(
        ...pen.paragraph(`${pen.say(role)} (${pen.say(reason)})`, {
          lead,
          hang: Math.min(width(lead), 8),
        }),
      );
    }
  }
  const codes = terminal.verbose ? '' : 'Codes of findings: doctor list -v. ';
  const hint = `Ask one: doctor check <check, service, or service/check>. ${codes}A finding: doctor explain <code>.`;
  lines.push('', ...pen.paragraph(hint));
  if (note !== null) lines.push(...pen.paragraph(`Note: ${pen.say(note)}`, { hang: 6, styles: ['dim'] }));
  return `${lines.join('\n')}\n`;
};

export const renderListJson = (listing: CheckListing, tool: { name: string; version: string }): string =>
  renderJson({ schemaVersion: SCHEMA_VERSION, tool, ...listing });
