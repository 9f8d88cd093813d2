/** Is what doctor.yaml tells to bear with still what is borne? Asked when all others have been, of what they found. */
import { defineStackCheck, type Finding } from '../model/check.ts';
import type { Fact } from '../model/facts.ts';
import type { JudgedIgnore } from '../model/ignores.ts';

export const config = defineStackCheck({
  id: 'config',
  title: 'doctor.yaml ignores only what is there',
  question: 'Is every finding that doctor.yaml ignores still found, and still within its time?',
  needs: ['own:ignores'],
  after: ['engine'],
  findings: {
    'ignore-expired': {
      severity: 'warn',
      layer: 'own',
      kind: 'cause',
      means: 'The day up to which a finding was to be ignored is over, so that the finding counts again.',
      proof: 'The date in doctor.yaml, and the time of the run.',
    },
    'ignore-unmatched': {
      severity: 'warn',
      layer: 'own',
      kind: 'cause',
      means: 'doctor.yaml ignores a finding that its check, which was asked, does not find.',
      proof: 'The check was asked of that service, and found nothing of that code.',
    },
  },
  evaluate({ facts }) {
    const ignores = facts['own:ignores'] as Fact<JudgedIgnore[]>;
    if (!ignores.ok) return { cannotLook: ignores.reason };
    return { findings: ignores.value.flatMap(findingOf) };
  },
});

const findingOf = ({ ignore, state }: JudgedIgnore): Finding[] => {
  const { finding, service, owner, until, reason, file, place } = ignore;
  const what = service === null ? finding : `${finding} on ${service}`;
  const evidence = [{ source: `${file}:${place.line}`, text: `${what}, until ${until}, by ${owner}: ${reason}` }];
  const values = { owner };
  if (state === 'expired')
    return [
      { reason: 'ignore-expired', message: `${what} was to be ignored until ${until} (${owner}): it counts again`, evidence, values },
    ];
  if (state === 'unmatched')
    return [{ reason: 'ignore-unmatched', message: `${what} is ignored (${owner}), and is not found any more`, evidence, values }];
  return [];
};
