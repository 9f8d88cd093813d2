/** Markdown → sections → steps, with lines. Takes any text; what is no section or step is prose, and is left alone. */
import { Lexer, type Token, type Tokens } from 'marked';
import { plain } from './plain-text.ts';
import type { Anchor, Block, Runbook, Section } from './runbook.ts';
import { stepsOfBlocks } from './steps.ts';

export const parseRunbook = (text: string, file: string): Runbook => {
  const lines = withoutFrontMatter(text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/)).map(tame);
  const tokens = new Lexer({ gfm: true }).blockTokens(lines.join('\n'), []);
  const drafts = sectionsOf(blocksOf(tokens, 1));
  const ends = endsOf(drafts, lines);
  const sections = drafts.map((draft, i): Section => {
    return {
      heading: draft.heading,
      path: draft.path,
      level: draft.level,
      lines: [draft.line, Math.max(draft.line, ends[i]!)],
      anchors: draft.blocks.flatMap(anchorsOf),
      steps: stepsOfBlocks(draft.blocks, draft.heading),
      blocks: draft.blocks,
      prose: draft.blocks.flatMap((block) => (block.kind === 'paragraph' ? [{ text: plain(block.markdown), line: block.line }] : [])),
    };
  });
  return { file, sections };
};

/** `---` … `---` at the top: YAML, which Markdown would read as a heading. Its lines stay, empty. */
const withoutFrontMatter = (lines: string[]): string[] => {
  if (lines[0]?.trimEnd() !== '---') return lines;
  const end = lines.findIndex((line, i) => i > 0 && /^(---|\.\.\.)\s*$/.test(line));
  return end < 0 ? lines : lines.map((line, i) => (i <= end ? '' : line));
};

/** Nobody nests so deep or writes so long by hand; the parser takes quadratic time, and the stack, for it. */
const MOST_COLUMNS = 10_000;
const MOST_NESTING = /^((?:[ \t]*(?:>|[-+*]|\d{1,9}[.)])(?=[ \t>]|$)){12}).*$/;
const MOST_INDENT = /^[ \t]{48,}/;

const tame = (line: string): string => {
  const cut = line.length > MOST_COLUMNS ? line.slice(0, MOST_COLUMNS) : line;
  return MOST_NESTING.test(cut) ? '' : cut.replace(MOST_INDENT, ' '.repeat(48));
};

/** Where each section ends. A line in bold does not end the section that it is in: that goes on to the next real heading. */
const endsOf = (drafts: Draft[], lines: string[]): number[] => {
  const ends: number[] = [];
  let nextReal = lines.length + 1;
  let next = lines.length + 1;
  for (const [i, { level, line }] of [...drafts.entries()].reverse()) {
    ends[i] = lastWritten(lines, (level === 7 ? next : nextReal) - 1);
    next = line;
    if (level < 7) nextReal = line;
  }
  return ends;
};

const lastWritten = (lines: string[], from: number): number => {
  let line = Math.min(from, lines.length);
  while (line > 1 && lines[line - 1]!.trim() === '') line -= 1;
  return line;
};

const newlines = (text: string): number => text.split('\n').length - 1;

/** The parser's tokens as blocks with lines. Nested tokens keep the line count of their text, so that adding up works at every depth. */
const blocksOf = (tokens: Token[], firstLine: number): Block[] => {
  const blocks: Block[] = [];
  let line = firstLine;
  for (const token of tokens) {
    const start = line + newlines(token.raw.slice(0, token.raw.length - token.raw.trimStart().length));
    line += newlines(token.raw);
    switch (token.type) {
      case 'heading':
        blocks.push({ kind: 'heading', level: (token as Tokens.Heading).depth, markdown: (token as Tokens.Heading).text, line: start });
        break;
      case 'paragraph':
      case 'text':
        blocks.push({ kind: 'paragraph', markdown: (token as Tokens.Paragraph).text, line: start });
        break;
      case 'code': {
        const code = token as Tokens.Code;
        const fenced = code.codeBlockStyle !== 'indented';
        blocks.push({
          kind: 'code',
          language: fenced ? (code.lang ?? '').trim().split(/\s+/)[0]!.toLowerCase() : '',
          text: code.text,
          line: fenced ? start + 1 : start,
        });
        break;
      }
      case 'list': {
        const list = token as Tokens.List;
        let itemLine = start;
        const items = list.items.map((item) => {
          const at = itemLine;
          itemLine += newlines(item.raw);
          return { blocks: blocksOf(item.tokens, at), line: at };
        });
        blocks.push({ kind: 'list', ordered: list.ordered, items, line: start });
        break;
      }
      case 'blockquote':
        blocks.push(...blocksOf((token as Tokens.Blockquote).tokens, start));
        break;
      case 'html':
        blocks.push({ kind: 'html', text: token.raw, line: start });
        break;
      case 'table': {
        const { header, rows } = token as Tokens.Table;
        blocks.push({
          kind: 'table',
          header: header.map(({ text }) => text),
          rows: rows.map((row) => row.map(({ text }) => text)),
          line: start,
        });
        break;
      }
      default: // Spaces, rules, link definitions: nothing that a step could come from.
        break;
    }
  }
  return blocks;
};

interface Draft {
  heading: string;
  path: string[];
  level: number;
  line: number;
  blocks: Block[];
}

const sectionsOf = (blocks: Block[]): Draft[] => {
  const drafts: Draft[] = [];
  const open: Draft[] = [];
  for (const block of blocks) {
    const heading = headingOf(block);
    if (heading) {
      while (open.length > 0 && open.at(-1)!.level >= heading.level) open.pop();
      const path = [...(open.at(-1)?.path ?? []), heading.text];
      const draft: Draft = { heading: heading.text, path, level: heading.level, line: block.line, blocks: [] };
      drafts.push(draft);
      open.push(draft);
      if (block.kind === 'heading') draft.blocks.push({ kind: 'html', text: commentsIn(block.markdown), line: block.line });
    } else if (block.kind === 'html' && /<\/details>/i.test(block.text)) {
      while (open.at(-1)?.level === 7) open.pop();
    } else open.at(-1)?.blocks.push(block);
  }
  return drafts;
};

const headingOf = (block: Block): { text: string; level: number } | null => {
  if (block.kind === 'heading') return { text: plain(block.markdown), level: block.level };
  // Only a short line: a whole paragraph in bold is a warning.
  const bold = block.kind === 'paragraph' ? /^(\*\*|__)([^\n]{1,80}?)\1:?\s*$/.exec(block.markdown.trim()) : null;
  if (bold && !bold[2]!.includes(bold[1]!)) return { text: plain(bold[2]!).replace(/:$/, ''), level: 7 };
  const summary = block.kind === 'html' ? /<summary>([^\n]{1,200}?)<\/summary>/i.exec(block.text) : null;
  return summary ? { text: plain(summary[1]!), level: 7 } : null;
};

/** Comments of a text that is not code, each at its line. */
const commentsIn = (text: string): string =>
  text.replaceAll(/`+[^`\n]*`+/g, '').replaceAll(/<!--[\s\S]{0,2000}?-->|[^\n]/g, (part) => (part.length > 1 ? part : ''));

const ANCHOR = /<!--\s*doctor:([\s\S]{0,2000}?)-->/g;

const anchorsOf = (block: Block): Anchor[] => {
  const text = block.kind === 'html' ? block.text : block.kind === 'paragraph' ? commentsIn(block.markdown) : '';
  return [...text.matchAll(ANCHOR)].flatMap((match) => {
    const codes: Anchor[] = [];
    for (const word of match[1]!.matchAll(/[^\s,]+/g)) {
      codes.push({
        code: word[0],
        line: block.line + newlines(text.slice(0, match.index + '<!--'.length) + match[1]!.slice(0, word.index)),
      });
    }
    return codes;
  });
};
