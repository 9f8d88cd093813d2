/** The scripts, styles and pictures of the same origin that a page names. Pure, for any text. */

const TAG = /<(script|link|img|base)\b((?:[^>"']|"[^"]*"|'[^']*')*)>/gi;
const NOT_MARKUP = /<!--[^]*?(?:-->|$)|(<(script|style|template)\b(?:[^>"']|"[^"]*"|'[^']*')*>)[^]*?(?=<\/\2\s*>|$)/gi;
/** The relations of a link without which the page is broken. */
const NEEDED_LINK = /\b(stylesheet|modulepreload|preload)\b/i;
const PLACEHOLDER = /[{}<>]|\$\(|%[A-Z_]{3,}%/;
const MOST_BYTES = 1024 * 1024;
const MOST_ASSETS = 100;

/** Paths of URLs, decoded, without query; `pagePath` is where the page stands, such as `/app/`. */
export const assetsOf = (html: string, pagePath: string): string[] => {
  let base = new URL(encodeURI(pagePath), ORIGIN);
  const found = new Set<string>();
  const markup = html.slice(0, MOST_BYTES).replace(NOT_MARKUP, (_, tag: string | undefined) => tag ?? '');
  for (const [, name = '', attributes = ''] of markup.matchAll(TAG)) {
    const tag = name.toLowerCase();
    const named = attribute(attributes, tag === 'link' || tag === 'base' ? 'href' : 'src');
    if (named === null || named === '' || PLACEHOLDER.test(named)) continue;
    const url = resolve(named, base);
    if (tag === 'base') base = url ?? base;
    else if (url?.origin === ORIGIN && (tag !== 'link' || NEEDED_LINK.test(attribute(attributes, 'rel') ?? ''))) found.add(decode(url.pathname));
  }
  return [...found].slice(0, MOST_ASSETS);
};

/** Stands for the page's own, whatever that is. */
const ORIGIN = 'http://page.invalid';

const attribute = (attributes: string, name: string): string | null => {
  const [, double, single, bare] = new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))`, 'i').exec(attributes) ?? [];
  const value = double ?? single ?? bare;
  return value === undefined ? null : value.trim().replaceAll('&amp;', '&');
};

const resolve = (reference: string, base: URL): URL | null => (URL.canParse(reference, base.href) ? new URL(reference, base) : null);

const decode = (path: string): string => {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
};
