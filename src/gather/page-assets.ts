/** The scripts, styles and pictures of the same origin that a page names. Pure, for any text. */

/** The relations of a link without which the page is broken. */
const NEEDED_LINK = /\b(stylesheet|modulepreload|preload)\b/i;
const PLACEHOLDER = /[{}<>]|\$\(|%[A-Z_]{3,}%/;
const MOST_BYTES = 1024 * 1024;
const MOST_ASSETS = 100;
const TAG_BYTES = 4096;

/** Paths of URLs, decoded, without query; `pagePath` is where the page stands, such as `/app/`. */
export const assetsOf = (html: string, pagePath: string): string[] => {
  let base = new URL(encodeURI(pagePath), ORIGIN);
  const found = new Set<string>();
  for (const { tag, attributes } of tagsOf(html.slice(0, MOST_BYTES))) {
    const named = attribute(attributes, tag === 'link' || tag === 'base' ? 'href' : 'src');
    if (named === null || named === '' || PLACEHOLDER.test(named)) continue;
    const url = resolve(named, base);
    if (tag === 'base') base = url ?? base;
    else if (url?.origin === ORIGIN && (tag !== 'link' || NEEDED_LINK.test(attribute(attributes, 'rel') ?? '')))
      found.add(decode(url.pathname));
  }
  return [...found].slice(0, MOST_ASSETS);
};

/** Opening tags, without those in comments and in what is no markup. One pass: each step goes on from where the last one ended. */
const tagsOf = function* (html: string): Generator<{ tag: string; attributes: string }> {
  const lower = html.toLowerCase();
  for (let at = html.indexOf('<'); at >= 0; at = html.indexOf('<', at)) {
    if (html.startsWith('<!--', at)) {
      at = html.indexOf('-->', at);
      if (at < 0) return;
      continue;
    }
    const [tag] = /^[a-z]+/.exec(lower.slice(at + 1, at + 12)) ?? [];
    if (tag === undefined) {
      at += 1;
      continue;
    }
    const end = endOfTag(html, at);
    if (end < 0) return;
    if (['script', 'link', 'img', 'base'].includes(tag))
      yield { tag, attributes: html.slice(at + 1 + tag.length, Math.min(end, at + TAG_BYTES)) };
    at = ['script', 'style', 'template'].includes(tag) ? lower.indexOf(`</${tag}`, end) : end;
    if (at < 0) return;
  }
};

/** The `>` that stands in no quotes; -1 where there is none. */
const endOfTag = (html: string, from: number): number => {
  const STOP = /["'>]/g;
  STOP.lastIndex = from;
  for (let stop = STOP.exec(html); stop; stop = STOP.exec(html)) {
    if (stop[0] === '>') return stop.index;
    const close = html.indexOf(stop[0], stop.index + 1);
    if (close < 0) return -1;
    STOP.lastIndex = close + 1;
  }
  return -1;
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
