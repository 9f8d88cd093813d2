/** One mistake in a place that several services share fails in each of them: the same words, of the same line, or of the same code. */
import type { Located } from '../model/check.ts';
import type { SharedValue } from '../model/facts.ts';
import { serviceNamed, type Service, type Stack } from '../model/stack.ts';
import { overlaps } from './folders.ts';

/** May two of these be one fault, so that the places of their values are worth a look? */
export const mayShareValue = (found: readonly Located[]): boolean => {
  const alike = found.filter((each) => each.severity === 'fail' && variableOf(each) !== null).flatMap((each) => likenessOf(each) ?? []);
  return new Set(alike).size < alike.length;
};

export interface SharedFault {
  /** `common.env:3`, `/app/settings.py:12`; `null` where no line is known. */
  at: string | null;
  variable: string | null;
}

/** What two findings of one likeness have in common beyond their words; `null`: they are two faults. */
export const sharedFault = (one: Located, other: Located, stack: Stack, shared: readonly SharedValue[]): SharedFault | null => {
  if (one.service === other.service) return null;
  const variable = variableOf(one);
  const file = one.finding.values?.['file'];
  if (one.spec.ofCode) {
    const services = [one, other].map(({ service }) => serviceNamed(stack, service ?? ''));
    return services[0] && services[1] && sameCode(services[0], services[1], file) ? { at: file ?? null, variable: null } : null;
  }
  if (variable === null) return null;
  const line = shared.find(
    (each) => each.variable === variable && each.services.includes(one.service!) && each.services.includes(other.service!),
  );
  return line ? { at: `${line.file}:${line.line}`, variable } : null;
};

/** The same for findings that say the same, each of its own service; `null`: a finding that no other is like. */
export const likenessOf = ({ code, spec, service, finding }: Located): string | null =>
  spec.kind === 'cause' && service !== null
    ? [code, finding.values?.['file'], finding.values?.['variable'], sayingOf(finding.message, service)].join('\n')
    : null;

const sayingOf = (message: string, service: string): string =>
  message.replaceAll(new RegExp(`(?<![\\w.-])${literally(service)}(?![\\w-])`, 'g'), '\u0000');

const literally = (text: string): string => text.replaceAll(/[^\w]/g, '\\$&');

const variableOf = ({ finding }: Located): string | null => finding.values?.['variable']?.replace(/^env /, '') ?? null;

/** Made of the same image or recipe, or the file comes from the same folder of the host. */
const sameCode = (one: Service, other: Service, file: string | undefined): boolean => {
  const [a, b] = [one.containers[0], other.containers[0]];
  const path = file?.replace(/:\d+$/, '');
  const sources = [a, b].map(
    (each) =>
      path !== undefined &&
      each?.mounts
        .filter(({ destination }) => overlaps(destination, path))
        .toSorted((x, y) => y.destination.length - x.destination.length)[0],
  );
  const [from, to] = sources;
  if (from || to) return Boolean(from && to && from.source === to.source && from.destination === to.destination);
  if (a && b && a.imageId !== '' && a.imageId === b.imageId) return true;
  const [made, remade] = [one.spec?.build, other.spec?.build];
  return Boolean(
    made && remade && !made.inline && !remade.inline && made.context === remade.context && made.dockerfile === remade.dockerfile,
  );
};
