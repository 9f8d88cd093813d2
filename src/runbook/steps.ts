/** Steps: the items of a list, and the commands of a code block under their `# captions`. */
import { plain } from './plain-text.ts';
import type { Block, RunbookStep } from './runbook.ts';
import { isComplete } from './shell.ts';

/** The steps of a section, in its order. */
export const stepsOfBlocks = (blocks: Block[], heading: string): RunbookStep[] => {
  const steps: RunbookStep[] = [];
  let lead: string | null = null;
  for (const block of blocks) {
    if (block.kind === 'paragraph') lead = caption(plain(block.markdown));
    else if (block.kind === 'code') {
      steps.push(...stepsOfCode(block, lead ?? heading.replace(/^\d+[.)]\s*/, '')));
      lead = null;
    } else if (block.kind === 'list') {
      steps.push(...stepsOfList(block, 0));
      lead = null;
    }
  }
  // "Run `docker compose up -d`." may be all there is.
  return steps.length > 0 ? steps : blocks.flatMap((block) => (block.kind === 'paragraph' ? stepOfParagraph(block) : []));
};

const stepOfParagraph = ({ markdown, line }: { markdown: string; line: number }): RunbookStep[] => {
  const { text, command } = inlineCommand(markdown);
  return command === null ? [] : [{ text: caption(text), command, line }];
};

/** What stands over a command: without the colon that leads to it. A long paragraph is told by its last sentence. */
const caption = (text: string): string => {
  const short = text.length > 240 ? text.split(/(?<=[.!?]) (?=[A-Z`{])/).at(-1)! : text;
  return short.slice(0, 400).replace(/\s*[:：]\s*$/, '');
};

const SHELL_LANGUAGES = new Set([
  'bash',
  'sh',
  'shell',
  'zsh',
  'console',
  'terminal',
  'shell-session',
  'shellsession',
  'sh-session',
  'bash-session',
]);

/** Programs whose name opens a command in prose or in a block of no language. */
const PROGRAMS = new Set(
  (
    'docker docker-compose podman just make task npm npx pnpm yarn bun node python python3 pip uv poetry ./manage.py manage.py alembic flask rails rake bin/rails ' +
    'bundle composer php artisan curl wget psql pg_isready createdb createuser redis-cli nginx systemctl service journalctl sudo ls cat stat tail head grep find ' +
    'printenv newgrp groups nslookup chmod chown mkdir rm rmdir cp mv touch sed kill lsof ss netstat ps df du dig nslookup ping nc git sysctl export unset source cd sh bash telnet openssl ' +
    'wsl brew apt apt-get apk colima launchctl ufw iptables ip getent id mysql mariadb mongosh rabbitmqctl celery taskiq cargo go mvn gradle ./gradlew'
  ).split(' '),
);

const startsProgram = (line: string): boolean => {
  const words = line
    .trim()
    .replace(/^\$\s+/, '')
    .split(/\s+/);
  const first = words.find((word) => !/^[A-Za-z_]\w*=/.test(word)) ?? '';
  return PROGRAMS.has(first) || (/^\.{1,2}\/[\w./-]+$/.test(first) && (words.length > 1 || /\.(sh|py|js|rb)$/.test(first)));
};

/** Settings, as in a sample of `.env`: nothing runs. */
const isAssignment = (line: string): boolean => /^\s*(export\s+)?[A-Za-z_]\w*=("[^"]*"|'[^']*'|[^\s;&|]*)\s*(#.*)?$/.test(line);

const MOST_LINES_OF_A_COMMAND = 60;

/** Each `# caption` with the commands under it is a step; commands under none belong to the text over the block. */
const stepsOfCode = (block: { language: string; text: string; line: number }, lead: string): RunbookStep[] => {
  const lines = block.text.split('\n');
  const asShell =
    SHELL_LANGUAGES.has(block.language) || (block.language === '' && lines.some((line) => /^\s*\$ \S/.test(line) || startsProgram(line)));
  if (!asShell) return [];
  const prompted = lines.some((line) => /^\s*[$%] \S/.test(line));
  if (block.language === '' && !prompted && !startsProgram(lines.find((line) => line.trim() !== '' && !/^\s*#/.test(line)) ?? ''))
    return [];

  const steps: RunbookStep[] = [];
  let text = lead;
  let commands: string[] = [];
  let from = block.line;
  const flush = (): void => {
    const written = commands.join('\n').replace(/\n+$/, '');
    if (written !== '' && !written.split('\n').every((line) => line.trim() === '' || isAssignment(line)))
      steps.push({ text, command: written, line: from });
    commands = [];
  };

  let pending: string[] = [];
  let wasCaption = false;
  for (const [i, line] of lines.entries()) {
    if (pending.length > 0) {
      pending.push(prompted ? line.replace(/^> ?/, '') : line);
    } else if (/^\s*#(?!!)/.test(line)) {
      const words = line.replace(/^\s*#+\s?/, '').trim();
      if (words === '') continue;
      if (!wasCaption) flush();
      text = wasCaption ? `${text} ${words}` : words;
      from = block.line + i;
      wasCaption = true;
      continue;
    } else if (line.trim() === '') {
      if (commands.length > 0 && commands.at(-1) !== '') commands.push('');
      continue;
    } else if (prompted) {
      const command = /^\s*[$%] (.*)$/.exec(line)?.[1];
      if (command === undefined) continue; // What the command prints.
      pending = [command];
    } else pending = [line];
    wasCaption = false;
    if (commands.length === 0 && text === lead) from = block.line + i - pending.length + 1;
    if (isComplete(pending.join('\n')) || pending.length >= MOST_LINES_OF_A_COMMAND || i === lines.length - 1) {
      commands.push(...pending);
      pending = [];
    }
  }
  commands.push(...pending);
  flush();
  return steps.map((step) => ({ ...step, text: caption(step.text) }));
};

const MOST_DEPTH = 6;

/** Items of an ordered list are steps; of a bullet list, those with a command. What is nested in an item follows it, or belongs to its text. */
const stepsOfList = (list: { ordered: boolean; items: { blocks: Block[]; line: number }[] }, depth: number): RunbookStep[] =>
  depth > MOST_DEPTH ? [] : list.items.flatMap((item) => stepsOfItem(item, list.ordered, depth));

const stepsOfItem = (item: { blocks: Block[]; line: number }, ordered: boolean, depth: number): RunbookStep[] => {
  const words = item.blocks.flatMap((block) => (block.kind === 'paragraph' ? [block.markdown] : [])).join('\n');
  const blocks = item.blocks.flatMap((block) => (block.kind === 'code' ? stepsOfCode(block, '') : []));
  const nested = item.blocks.flatMap((block) => (block.kind === 'list' ? [block] : []));
  const following = nested.flatMap((list) => stepsOfList(list, depth + 1));
  // Bullets under an item with no command of their own complete its sentence.
  const remarks =
    following.length > 0
      ? []
      : nested.flatMap((list) =>
          list.items.map((each) => plain(each.blocks.flatMap((block) => (block.kind === 'paragraph' ? [block.markdown] : [])).join(' '))),
        );

  if (blocks.length > 0) {
    const text = caption(plain(words));
    // Captions inside the block tell its commands apart; the item's own words come first.
    const own = blocks.map((step, i) => ({
      ...step,
      text: [i === 0 ? text : '', step.text].filter((part) => part !== '').join(': ') || text,
    }));
    return [...own, ...following];
  }
  const { text, command } = inlineCommand(words);
  const whole = [caption(text), remarks.join('; ')].filter((part) => part !== '').join(': ');
  if (whole === '' && command === null) return following;
  return command !== null || ordered ? [{ text: whole, command, line: item.line }, ...following] : following;
};

const INLINE_CODE = /(`+)([^`]+?)\1/g;
/** "Never run `x`", "not `x`", "instead of `x`"; but "if it does not come back, run `x`". */
const NEGATED =
  /(^|[.;:,!?(]\s*)(please )?(never|avoid|don't|do not|must not|but not)\b[^.;!?]*$|\b(not|never|instead of|rather than|without|no longer|unlike)\b[^.;:,!?]*$/i;

/** A command in backticks within a sentence: the one that ends it, else the first that the sentence does not warn of. */
const inlineCommand = (markdown: string): { text: string; command: string | null } => {
  const spans = [...markdown.slice(0, 4000).matchAll(INLINE_CODE)].filter((match) => {
    const code = match[2]!.trim();
    const before = markdown.slice(0, match.index).replaceAll('’', "'");
    // One word alone is a name, unless the sentence leads up to it: "See your groups: `id`".
    return (/\s/.test(code) || /:\s*$/.test(before)) && startsProgram(code) && !NEGATED.test(before);
  });
  const last = spans.at(-1);
  const ends = last !== undefined && /^[\s.)]*$/.test(markdown.slice(last.index + last[0].length));
  const chosen = ends ? last : spans[0];
  if (chosen === undefined) return { text: plain(markdown), command: null };
  const command = chosen[2]!
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ')
    .replace(/^\$\s+/, '');
  const before = plain(markdown.slice(0, chosen.index));
  // Said after a colon, the command is not part of the sentence.
  if (ends && /[:：]$/.test(before)) return { text: before, command };
  return { text: plain(markdown).replace(/\.$/, ''), command };
};
