/** The nouns of a runbook. */

export interface Runbook {
  /** Only sections that name a code count: it is a plugin's, and knows nothing else. */
  onlyNamed?: boolean;
  /** As it is to be shown. */
  file: string;
  /** Where it is to be read again; absent where the text came from nowhere. */
  path?: string;
  /** In the order of the file. */
  sections: Section[];
}

export interface Section {
  heading: string;
  /** The headings that lead here, from the top, its own last. */
  path: string[];
  /** 1–6 for `#`–`######`; 7 for a line in bold and the summary of a fold, which people use as headings. */
  level: number;
  /** From its heading to its last line before the next heading, from 1. */
  lines: [number, number];
  /** Codes of findings named in a comment `<!-- doctor: check/reason, … -->`. */
  anchors: Anchor[];
  steps: RunbookStep[];
  /** What it is made of, without the parts that have headings. */
  blocks: Block[];
  /** Its paragraphs, as plain text. */
  prose: { text: string; line: number }[];
}

/** A piece of Markdown, with its first line. `code`: the first line of what is in the fence. */
export type Block =
  | { kind: 'heading'; level: number; markdown: string; line: number }
  | { kind: 'paragraph'; markdown: string; line: number }
  | { kind: 'code'; language: string; text: string; line: number }
  | { kind: 'list'; ordered: boolean; items: { blocks: Block[]; line: number }[]; line: number }
  | { kind: 'table'; header: string[]; rows: string[][]; line: number }
  | { kind: 'html'; text: string; line: number };

export interface Anchor {
  code: string;
  line: number;
}

export interface RunbookStep {
  text: string;
  /** As written, placeholders and all; may have several lines. */
  command: string | null;
  line: number;
}
