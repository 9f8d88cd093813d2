/** What a terminal can show, by its environment. */

interface Given {
  env: Record<string, string | undefined>;
  isTTY: boolean;
}

/** `--no-color`, then FORCE_COLOR, then NO_COLOR: what is said for this call outweighs what is set for all. */
export const wantsColour = ({ env, isTTY, color }: Given & { color: boolean }): boolean => {
  if (!color) return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  if (env['NO_COLOR']) return false;
  return isTTY && env['TERM'] !== 'dumb';
};

/** The Linux console and dumb terminals lack the glyphs. Of the locale, the first that is set counts (POSIX). */
export const showsUnicode = ({ env, platform }: { env: Given['env']; platform: string }): boolean => {
  const term = env['TERM'] ?? '';
  if (term === 'dumb' || term === 'linux') return false;
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'];
  if (locale) return /utf-?8/i.test(locale);
  // macOS is UTF-8 throughout, and sets no locale outside a login shell. So are Windows' newer terminals, which name themselves.
  if (platform === 'win32') return Boolean(env['WT_SESSION'] || env['TERM_PROGRAM'] || term);
  return platform === 'darwin';
};

/** Of one side of the screen: what the terminal says; without one, what COLUMNS or LINES says (`watch` sets both). 0: not known. */
export const extentOf = (isTTY: boolean, size: number | undefined, set: string | undefined): number => {
  if (isTTY) return size ?? 0;
  const given = Number(set);
  return Number.isInteger(given) && given > 0 ? given : 0;
};
