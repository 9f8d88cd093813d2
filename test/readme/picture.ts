/** The README's terminal picture, made by the program from a recording of a really broken stack. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../dist/cli.cjs', import.meta.url));
const RECORDING = fileURLToPath(new URL('../../fixtures/recordings/dist-deleted-and-rebuilt.json.gz', import.meta.url));
const PICTURE = /(<!-- picture:.*? -->\n)[\s\S]*?(<!-- \/picture -->)/;

/** As on the live run: without the note on the replay, and without its duration, which says nothing. */
const picture = (): string => {
  const { stdout } = spawnSync(process.execPath, [CLI, '--replay', RECORDING], {
    encoding: 'utf8',
    env: { ...process.env, COLUMNS: '80', LINES: '40', NO_COLOR: '1', LANG: 'C.UTF-8' },
  });
  return `\`\`\`console\n$ doctor\n${stdout
    .replace(/\nNote: replay of[\s\S]*$/, '')
    .trimEnd()
    .replace(/ · \d+(\.\d+)? m?s\b/, '')}\n\`\`\`\n`;
};

export const withPicture = (readme: string): string =>
  readme.replace(PICTURE, (_, open: string, close: string) => `${open}${picture()}${close}`);
