import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assetsOf } from '../../src/gather/page-assets.ts';

describe('what a page cannot do without', () => {
  it.each([
    ['a script', '<script type="module" src="/_astro/a.js"></script>', ['/_astro/a.js']],
    ['a style', `<link href='/a.css' rel='stylesheet'>`, ['/a.css']],
    ['a preloaded module', '<link rel=modulepreload href=/assets/b.js>', ['/assets/b.js']],
    ['a picture', '<IMG alt="a > b" SRC="logo.png">', ['/logo.png']],
    ['a query and a fragment', '<script src="/a.js?v=1&amp;w=2#x"></script>', ['/a.js']],
    ['a relative path', '<script src="./js/../a.js"></script>', ['/a.js']],
    ['a path with blanks', '<img src="/my%20logo.png">', ['/my logo.png']],
    ['the same twice', '<img src="/a.png"><img src="/a.png">', ['/a.png']],
    ['another origin', '<script src="https://cdn.example/a.js"></script><script src="//cdn.example/b.js"></script>', []],
    ['no file at all', '<img src="data:image/png;base64,AAAA"><img src=""><script>var a = "<img src=/x.png>"</script>', []],
    ['a link of another kind', '<link rel="canonical" href="/page"><link rel="icon" href="/favicon.ico"><a href="/b">b</a>', []],
    ['a comment', '<!-- <script src="/old.js"></script> --><script src="/new.js"></script>', ['/new.js']],
    ['a placeholder', '<script src="{{ asset }}"></script><img src="%PUBLIC_URL%/x.png"><img src="${x}.png">', []],
    ['a comment that never ends', '<script src="/a.js"></script><!-- <script src="/b.js">', ['/a.js']],
  ])('%s', (_, html, expected) => expect(assetsOf(html, '/')).toEqual(expected));

  it('resolves from where the page stands, or from its base', () => {
    expect(assetsOf('<script src="a.js"></script>', '/app/')).toEqual(['/app/a.js']);
    expect(assetsOf('<base href="/other/"><script src="a.js"></script>', '/app/')).toEqual(['/other/a.js']);
    expect(assetsOf('<base href="https://cdn.example/"><script src="a.js"></script>', '/')).toEqual([]);
  });

  it('takes any text, of any length, without trouble', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.constantFrom('<', '>', '"', "'", '<script ', 'src=', '<!--', '-->', '</script>', '%', '&'),
            fc.string({ maxLength: 6 }),
          ),
        ),
        (pieces) => Array.isArray(assetsOf(pieces.join(''), '/')),
      ),
    );
    const started = performance.now();
    assetsOf('<img '.repeat(100_000), '/');
    assetsOf(`<script ${'"'.repeat(99_999)}`, '/');
    assetsOf('<!--'.repeat(100_000), '/');
    assetsOf('<script>'.repeat(50_000), '/');
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
