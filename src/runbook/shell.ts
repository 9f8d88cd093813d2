/** Just enough of the shell's grammar to tell which programs a command line runs, and with which words. */

/** One program with its words, as written between `;`, `|`, `&&` and the like. */
export interface SimpleCommand {
  words: string[];
  /** Files that it writes by `>` or `>>`. */
  writes: string[];
  /** The text that it reads by `<<`. */
  input: string;
}

const isSpace = (char: string | undefined): boolean => char === ' ' || char === '\t' || char === '\r';

/** From just after an opening bracket to just after the one that closes it, quotes respected. */
const closing = (text: string, from: number): number => {
  let depth = 1;
  let quote = '';
  for (let i = from; i < text.length; i += 1) {
    const char = text[i]!;
    if (char === '\\' && quote !== "'") i += 1;
    else if (quote !== '') quote = char === quote ? '' : quote;
    else if (char === "'" || char === '"') quote = char;
    else if (char === '(') depth += 1;
    else if (char === ')' && (depth -= 1) === 0) return i + 1;
  }
  return text.length;
};

/**
 * Every program that a text runs, those within `$(…)` and backticks too. Never throws: what is not shell gives words of no known
 * program.
 */
export const simpleCommands = (text: string, depth = 0): SimpleCommand[] => {
  if (depth > 5) return [{ words: [text], writes: [], input: '' }];
  const found: SimpleCommand[] = [];
  const nested: string[] = [];
  let current: SimpleCommand = { words: [], writes: [], input: '' };
  /** `null` between words: a word may be empty, as in `''`. */
  let word: string | null = null;
  let redirect: '' | '>' | '<' | '<<' | '<<<' = '';
  let waiting: { end: string; command: SimpleCommand }[] = [];

  const endWord = (): void => {
    if (word === null) return;
    if (redirect === '>') current.writes.push(word);
    else if (redirect === '<<') waiting.push({ end: word.replace(/^-/, ''), command: current });
    else if (redirect === '<<<') current.input += word;
    else if (redirect === '') current.words.push(word);
    redirect = '';
    word = null;
  };
  const endCommand = (): void => {
    endWord();
    if (current.words.length > 0 || current.writes.length > 0) found.push(current);
    current = { words: [], writes: [], input: '' };
    redirect = '';
  };
  /** Takes `$(…)` or `…` in backticks out of the text, to be read on its own. */
  const substitution = (at: number): number => {
    const end = text[at] === '`' ? text.indexOf('`', at + 1) + 1 || text.length : closing(text, at + 2);
    const inner = text.slice(text[at] === '`' ? at + 1 : at + 2, end - 1);
    nested.push(inner);
    // `$(command -v mariadb || command -v mysql)` is the name of a program.
    word = (word ?? '') + (/^\s*(?:command -v|which) ([\w.-]+)/.exec(inner)?.[1] ?? '');
    return end;
  };

  let i = 0;
  while (i < text.length) {
    const char = text[i]!;
    if (char === '\\') {
      if (text[i + 1] !== '\n') word = (word ?? '') + (text[i + 1] ?? '');
      i += 2;
    } else if (char === "'") {
      const end = text.indexOf("'", i + 1);
      word = (word ?? '') + text.slice(i + 1, end < 0 ? undefined : end);
      i = end < 0 ? text.length : end + 1;
    } else if (char === '"') {
      word ??= '';
      i += 1;
      while (i < text.length && text[i] !== '"') {
        if (text[i] === '`' || text.startsWith('$(', i)) i = substitution(i);
        else if (text[i] === '\\') {
          const next = text[i + 1] ?? '';
          if (next !== '\n') word += '$`"\\'.includes(next) ? next : `\\${next}`;
          i += 2;
        } else word += text[i++]!;
      }
      i += 1;
    } else if (char === '`' || text.startsWith('$(', i)) {
      word ??= '';
      i = substitution(i);
    } else if (char === '#' && word === null) {
      const end = text.indexOf('\n', i);
      i = end < 0 ? text.length : end;
    } else if (char === '\n') {
      endCommand();
      i += 1;
      for (const { end, command } of waiting) {
        while (i < text.length) {
          const lineEnd = text.indexOf('\n', i);
          const line = text.slice(i, lineEnd < 0 ? undefined : lineEnd);
          i = lineEnd < 0 ? text.length : lineEnd + 1;
          if (line.trim() === end) break;
          command.input += `${line}\n`;
        }
      }
      waiting = [];
    } else if (char === ';' || char === '|' || char === '&' || char === '(' || char === ')') {
      // `2>&1` and `&>file` are redirections.
      if (char === '&' && redirect === '>') {
        word = '&';
        i += 1;
      } else if (char === '&' && text[i + 1] === '>') i += 1;
      else {
        endCommand();
        i += 1;
      }
    } else if (char === '>' || char === '<') {
      if (word !== null && /^\d$/.test(word)) word = null;
      endWord();
      const operator = /^(>>|>\||>|<<<|<<|<)/.exec(text.slice(i, i + 3))![0];
      redirect = operator.startsWith('>') ? '>' : (operator as '<' | '<<' | '<<<');
      i += operator.length;
    } else if (isSpace(char)) {
      endWord();
      i += 1;
    } else {
      word = (word ?? '') + char;
      i += 1;
    }
  }
  endCommand();
  return [...found, ...nested.flatMap((inner) => simpleCommands(inner, depth + 1))];
};

/** Is the text a whole command, with no quote, bracket, here-document or line continuation left open? */
export const isComplete = (text: string): boolean => {
  let quote = '';
  let depth = 0;
  let hereDocument: string | null = null;
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    if (hereDocument !== null) {
      if (line.trim() === hereDocument) hereDocument = null;
      continue;
    }
    let next: string | null = null;
    for (let i = 0; i < line.length; i += 1) {
      const char = line[i]!;
      if (char === '\\' && quote !== "'") {
        if (i === line.length - 1 && index === lines.length - 1) return false;
        i += 1;
      } else if (quote !== '') quote = char === quote ? '' : quote;
      else if (char === "'" || char === '"') quote = char;
      else if (char === '#' && (i === 0 || isSpace(line[i - 1]))) break;
      else if (char === '(' || char === '{') depth += 1;
      else if (char === ')' || char === '}') depth -= 1;
      else if (char === '<' && line[i + 1] === '<' && line[i + 2] !== '<') {
        next = /^<<-?\s*['"]?([A-Za-z_]\w*)['"]?/.exec(line.slice(i))?.[1] ?? null;
        i += 1;
      } else if (line.startsWith('<<<', i)) i += 2;
    }
    if (quote === '') hereDocument = next;
  }
  const last = lines.at(-1)!;
  return quote === '' && depth <= 0 && hereDocument === null && !/(&&|\|\||\|)\s*$/.test(last);
};

/** From the first word that is no option, where some options take the next word with them; after `--`, whatever it is. */
export const afterOptions = (words: readonly string[], takesNext: { has(word: string): boolean }): string[] => {
  let i = 0;
  while (i < words.length && words[i]!.startsWith('-') && words[i] !== '-') {
    if (words[i] === '--') return words.slice(i + 1);
    i += takesNext.has(words[i]!) ? 2 : 1;
  }
  return words.slice(i);
};
