/**
 * Which section answers a finding. The team's runbooks come first, the shipped one is last. Of the team's: a section that names
 * the code in a comment, else one whose heading names the code or the check, else one whose heading means it. A section for something else
 * costs an hour, so that in doubt there is no match, and the shipped section is taken.
 */
import type { Role } from '../model/stack.ts';
import { effectOfStep } from './effect.ts';
import type { Runbook, RunbookStep, Section } from './runbook.ts';
import {
  isChapterOfTrouble,
  isCoveredBy,
  meaningOf,
  namesService,
  ROLE_OF,
  speaksOfAnother,
  TOPICS,
  type Concept,
  type Meaning,
} from './vocabulary.ts';

export interface About {
  service: string | null;
  role: Role | null;
  /** Role of the service at the other end of the connection, where the finding is about one. */
  targetRole: Role | null;
  /** Every service that the finding speaks of: its own, the client, the target. */
  affected: readonly string[];
  services: readonly { name: string; role: Role }[];
}

export interface Match {
  section: Section;
  runbook: Runbook;
  /** Why this section, for people. */
  why: string;
  how: 'anchor' | 'heading' | 'meaning' | 'shipped';
}

/** The section that somebody named by its heading. */
export const sectionNamed = (heading: string, runbooks: readonly Runbook[]): Match | null => {
  const wanted = heading.trim().toLowerCase();
  for (const runbook of runbooks) {
    const section = runbook.sections.find((each) => each.heading.trim().toLowerCase() === wanted);
    if (section) return { section, runbook, how: 'anchor', why: 'doctor.yaml names its heading' };
  }
  return null;
};

export const sectionFor = (code: string, about: About, runbooks: readonly Runbook[]): Match | null => {
  const teams = runbooks.slice(0, -1);
  for (const find of [byAnchor, byHeading, (of: string, runbook: Runbook) => byMeaning(of, about, runbook)]) {
    for (const runbook of teams) {
      if (runbook.onlyNamed && find !== byAnchor) continue;
      const match = find(code, runbook);
      if (match) return match;
    }
  }
  const match = runbooks.length > 0 ? byAnchor(code, runbooks.at(-1)!) : null;
  const none = teams.length > 0 ? `no section of ${teams.map(({ file }) => file).join(' or ')} is about it` : match?.why;
  return match && { ...match, how: 'shipped', why: none! };
};

/** Headings of the parts of one procedure. */
const PART =
  /^(step \d+.*|symptoms?|(possible |likely )?causes?|diagnos(is|e|tics?)|solutions?|fix(es)?|(the |quick |how to )fix( it)?|resolution|remed(y|ies)|steps?|actions?|mitigation|workarounds?|verif(y|ication)|checks?|commands?|recovery|what to do|investigation|debugging)\W*$/i;

/** "Check the logs" is a step, not a problem. */
const LOOKING = /^(\d+[.)] *)?(check|verify|inspect|look|view|see|test|confirm|ensure|try|list|show|run)\b/i;
const DOING = /^(\d+[.)]|(restart|rebuild|recreate|stop|start|clear|remove|update|reinstall|open|create|wait)\b)/i;

/** Anything else below a heading is another problem. Among lines in bold, numbered ones and orders are steps too. */
const isPart = (heading: string, level: number): boolean =>
  PART.test(heading) || LOOKING.test(heading) || (level === 7 && DOING.test(heading));

/** Counted once for a runbook: sections are asked about one by one. `-1`: it is none of them. */
const places = new WeakMap<readonly Section[], Map<Section, number>>();

const placeIn = ({ sections }: Runbook, section: Section): number => {
  const known = places.get(sections) ?? new Map(sections.map((each, index) => [each, index]));
  places.set(sections, known);
  return known.get(section) ?? -1;
};

/** The parts of a section that have headings of their own. */
export const partsOf = (section: Section, runbook: Runbook): Section[] => {
  const parts: Section[] = [];
  for (let i = placeIn(runbook, section) + 1; i < runbook.sections.length; i += 1) {
    const part = runbook.sections[i]!;
    if (part.level <= section.level) break;
    if (part.path.slice(section.path.length).every((heading, i, below) => isPart(heading, i === below.length - 1 ? part.level : 0)))
      parts.push(part);
  }
  return parts;
};

/** A section with its parts. */
export const withParts = (section: Section, runbook: Runbook): { steps: RunbookStep[]; lines: [number, number] } => {
  const parts = partsOf(section, runbook);
  return {
    steps: [section, ...parts].flatMap(({ steps }) => steps),
    lines: [section.lines[0], Math.max(section.lines[1], ...parts.map(({ lines }) => lines[1]))],
  };
};

const checkOf = (code: string): string => code.slice(0, code.indexOf('/'));

const byAnchor = (code: string, runbook: Runbook): Match | null => {
  for (const name of [code, `${checkOf(code)}/*`]) {
    const section = runbook.sections.find(({ anchors }) => anchors.some((anchor) => anchor.code === name));
    if (section) return { section, runbook, how: 'anchor', why: `its comment names ${name}` };
  }
  return null;
};

const canBeFollowed = (section: Section, runbook: Runbook): boolean =>
  // Nobody's first aid is to delete everything: a section of nothing else is taken only where the team names the code.
  withParts(section, runbook).steps.some((step) => effectOfStep(step.text, step.command) !== 'destructive');

/** What stands in every document, whatever its title. */
const GENERAL =
  /^\W*(\d+[.)]\s*)?(set(ting)?[ -]?up|install\w*|getting started|quick ?start|architecture|overview|introduction|prerequisites|requirements|usage|commands|(quick|useful|everyday|common|handy|basic) commands|cheat ?sheet|contacts?|escalation|on-?call|contents|table of contents|links|references|see also|logs?|logging|monitoring|deploy\w*|development|configuration|about|services|conventions|before you (start|begin)|first (aid|steps)|general|glossary|backups?|restor\w*|maintenance|upgrad\w*|release\w*)\b/i;
/** A document's own title is mostly about more than trouble. */
const TITLE_OF_TROUBLE = /trouble-?shoot|\bfaq\b|(common|known|frequent) (problems|issues|errors|failures)/i;

/** Is it one problem of a chapter of problems, with something to do? Those are what findings should lead to. */
export const isProblem = (section: Section, runbook: Runbook): boolean => {
  const chapters = section.path
    .slice(0, -1)
    .filter((heading, i) => isChapterOfTrouble(heading) && (i > 0 || TITLE_OF_TROUBLE.test(heading) || !isTitle(heading, runbook)));
  const next = runbook.sections[placeIn(runbook, section) + 1];
  const isChapter = next !== undefined && next.level > section.level && next.level < 7 && isChapterOfTrouble(section.heading);
  return (
    chapters.length > 0 &&
    !isChapter &&
    !PART.test(section.heading) &&
    !LOOKING.test(section.heading) &&
    !GENERAL.test(section.heading) &&
    // A line in bold is mostly a part of what stands above it.
    section.level < 7 &&
    section.steps.some(({ command }) => command !== null)
  );
};

/** The one heading above all others. */
const isTitle = (heading: string, { sections }: Runbook): boolean =>
  sections[0]?.heading === heading && sections.filter(({ level }) => level === sections[0]!.level).length === 1;

const inTrouble = (section: Section): boolean => section.path.slice(0, -1).some(isChapterOfTrouble);

/** `<!-- doctor: ignore -->`: the team says that no finding leads here. */
export const IGNORED = 'ignore';
export const isIgnored = ({ anchors }: Section): boolean => anchors.some(({ code }) => code === IGNORED);

const byHeading = (code: string, runbook: Runbook): Match | null => {
  const named = runbook.sections.find(
    (section) =>
      section.heading.includes('/') &&
      section.heading
        .toLowerCase()
        .split(/[^a-z0-9/-]+/)
        .includes(code) &&
      !isIgnored(section) &&
      canBeFollowed(section, runbook),
  );
  if (named) return { section: named, runbook, how: 'heading', why: `its heading names ${code}` };
  const check = checkOf(code);
  // "Redis" may head anything; among problems it heads what is wrong with redis.
  const whole = runbook.sections.find(
    (section) =>
      section.heading.trim().toLowerCase() === check && inTrouble(section) && !isIgnored(section) && canBeFollowed(section, runbook),
  );
  return whole ? { section: whole, runbook, how: 'heading', why: `its heading names the check ${check}` } : null;
};

const answers = new WeakMap<Runbook, Section[]>();

/** The sections that may answer by what their headings mean. */
const answering = (runbook: Runbook): Section[] => {
  const known =
    answers.get(runbook) ??
    runbook.sections.filter(
      (section) => !PART.test(section.heading) && !LOOKING.test(section.heading) && !isIgnored(section) && canBeFollowed(section, runbook),
    );
  answers.set(runbook, known);
  return known;
};

const byMeaning = (code: string, about: About, runbook: Runbook): Match | null => {
  let best: { section: Section; score: number; concepts: readonly Concept[] } | null = null;
  for (const section of answering(runbook)) {
    const concepts = fits(code, about, section);
    if (concepts === null) continue;
    const score = concepts.length * 2 + (about.affected.some((name) => namesService(section.heading, name)) ? 1 : 0);
    // Of equals the first.
    if (best === null || score > best.score) best = { section, score, concepts };
  }
  return best && { section: best.section, runbook, how: 'meaning', why: `its heading is about ${best.concepts.map(inWords).join(', ')}` };
};

const inWords = (concept: Concept): string => concept.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** The concepts that make a heading fit, or `null`. */
const fits = (code: string, about: About, section: Section): readonly Concept[] | null => {
  const own = rememberedMeaning(section.heading, about.services);
  if (own.unknown.length > 0 || own.concepts.size === 0) return null;
  if (!own.isTrouble && !inTrouble(section)) return null;
  const concepts = withChapter(own, section, about.services);
  const topic = TOPICS.find(
    ({ of, beside = [], codes }) =>
      codes.some((pattern) => isCoveredBy(code, pattern)) &&
      of.every((concept) => concepts.has(concept)) &&
      [...concepts].every((concept) => of.includes(concept) || beside.includes(concept)),
  );
  if (topic === undefined || speaksOfAnother(section.heading, code)) return null;
  if (topic.toward !== undefined && topic.toward !== about.targetRole) return null;
  if (topic.byRole && !isOfRole(concepts, about, section)) return null;
  return namesAnother(about, section, concepts) ? null : [...concepts];
};

/** Every finding asks the same of every heading. */
const remembered = new WeakMap<About['services'], Map<string, Meaning>>();

const rememberedMeaning = (heading: string, services: About['services']): Meaning => {
  const known = remembered.get(services) ?? new Map<string, Meaning>();
  remembered.set(services, known);
  const meaning =
    known.get(heading) ??
    meaningOf(
      heading,
      services.map(({ name }) => name),
    );
  known.set(heading, meaning);
  return meaning;
};

/** "Connection refused" below "Redis" is about redis. A chapter with words of its own ("Deployment") says nothing. */
const withChapter = (own: Meaning, section: Section, services: About['services']): ReadonlySet<Concept> => {
  const chapter = section.path.at(-2);
  if (chapter === undefined) return own.concepts;
  const { concepts, unknown } = rememberedMeaning(chapter, services);
  const subjects = [...concepts].filter((concept) => concept in ROLE_OF || concept === 'static');
  return unknown.length > 0 ? own.concepts : new Set([...own.concepts, ...subjects]);
};

const isOfRole = (concepts: ReadonlySet<Concept>, about: About, section: Section): boolean => {
  if (about.service !== null && section.path.slice(-2).some((heading) => namesService(heading, about.service!))) return true;
  const roles = [...concepts].flatMap((concept) => ROLE_OF[concept] ?? []);
  // "Frontend" may be any service; only its name would tell.
  if (concepts.has('static')) return false;
  return roles.length === 0 || (about.role !== null && roles.includes(about.role));
};

/** Does the heading name a service that the finding is not about? A word such as "db" or "frontend" may be the subject, not the service. */
const namesAnother = (about: About, section: Section, concepts: ReadonlySet<Concept>): boolean =>
  about.services.some(({ name, role }) => {
    if (about.affected.includes(name) || !namesService(section.heading, name)) return false;
    if (about.affected.some((other) => namesService(other, name) && namesService(section.heading, other))) return false;
    const isSubject = [...meaningOf(name, []).concepts].some((concept) => concept !== 'app' && concepts.has(concept));
    return !isSubject || role === about.role || role === about.targetRole;
  });
