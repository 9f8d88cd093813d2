/** The words of a Markdown paragraph. */

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };

/** Markdown of one paragraph or heading as a person would read it aloud: no marks, no links' addresses, code in its backticks. */
export const plain = (markdown: string): string =>
  markdown
    .slice(0, 10_000)
    .replaceAll(/<!--[\s\S]*?(-->|$)/g, '')
    .split(/(`+[^`]*`+)/)
    .map((part, i) => (i % 2 === 1 ? part.replaceAll(/^`+ ?|  ?`+$|`+$/g, '`') : plainOutsideCode(part)))
    .join('')
    .replaceAll(/\s+/g, ' ')
    .trim();

const plainOutsideCode = (text: string): string =>
  text
    .replaceAll(/!?\[([^\]]*)\]\([^)\s]*(?:\s"[^"]*")?\)/g, '$1')
    .replaceAll(/<\/?[a-zA-Z][^>]{0,200}>/g, '')
    .replaceAll(/(\*\*\*|\*\*|~~)(?=\S)(.+?)(?<=\S)\1/gs, '$2')
    .replaceAll(/(?<![\w*])\*(?=[^\s*])([^*]+?)(?<=\S)\*(?![\w*])/g, '$1')
    .replaceAll(/(?<![\w_])(__?)(?=[^\s_])([^_]+?)(?<=\S)\1(?![\w_])/g, '$2')
    .replaceAll(/&(amp|lt|gt|quot|apos|nbsp);/g, (_, name: string) => ENTITIES[name]!)
    .replaceAll(/\\([\\`*_{}[\]()#+\-.!|<>])/g, '$1');
