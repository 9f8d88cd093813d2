import { describe, expect, test } from 'vitest';
import {
  builtStages,
  commandIn,
  copyOf,
  ignoredBy,
  isKnownMissing,
  originOf,
  plainSources,
  scriptOf,
  stagesOf,
} from '../../src/gather/dockerfile.ts';

const copied = (text: string, target: string | null = null) =>
  builtStages(stagesOf(text), target)?.flatMap(({ instructions }) =>
    instructions.flatMap((each) => {
      const copy = copyOf(each);
      return copy ? plainSources(copy).map((source) => `${copy.line} ${source}`) : [];
    }),
  ) ?? null;

describe('what a build copies', () => {
  test.each<[string, string, string[]]>([
    ['several at once', 'FROM a\nCOPY x y /app/', ['2 x', '2 y']],
    ['flags', 'FROM a\nCOPY --chown=1:1 --chmod=755 x /app', ['2 x']],
    ['a list', 'FROM a\nCOPY ["a b", "/app"]', ['2 a b']],
    ['continued, with a comment inside', 'FROM a\nCOPY x \\\n  # why\n  y \\\n  /app', ['2 x', '2 y']],
    ['another escape', '# escape=`\nFROM a\nCOPY x `\n y /app', ['3 x', '3 y']],
    ['Windows line ends', 'FROM a\r\nCOPY x /app\r\n', ['2 x']],
    ['small letters', 'from a\ncopy x /app', ['2 x']],
    ['another stage', 'FROM a AS one\nRUN true\nFROM b\nCOPY --from=one /x /y', []],
    ['a heredoc that looks like a COPY', 'FROM a\nRUN <<EOF\nCOPY no /app\nEOF\nCOPY x /app', ['5 x']],
    ['a file that stands in the Dockerfile', 'FROM a\nCOPY <<EOF /etc/motd\nhello\nEOF', []],
    ['patterns, variables, URLs', 'FROM a\nCOPY *.json $X ${Y} /app\nADD https://example.com/x /x', []],
    ['a stage that nobody builds', 'FROM a AS unused\nCOPY gone /x\nFROM b\nCOPY x /app', ['4 x']],
    ['a stage that is copied from', 'FROM a AS one\nCOPY x /x\nFROM b\nCOPY --from=one /x /y', ['2 x']],
    ['a stage that is mounted', 'FROM a AS one\nCOPY x /x\nFROM b\nRUN --mount=type=bind,from=one,target=/x true', ['2 x']],
    ['a stage that is stood on', 'FROM a AS one\nCOPY x /x\nFROM one\nCOPY y /y', ['4 y', '2 x']],
  ])('%s', (_, text, expected) => expect(copied(text)).toEqual(expected));

  test('of a target', () => {
    const text = 'FROM a AS dev\nCOPY dev.txt /\nFROM a AS prod\nCOPY prod.txt /';
    expect(copied(text, 'DEV')).toEqual(['2 dev.txt']);
    expect(copied(text, 'no-such')).toBeNull();
  });
});

describe('.dockerignore', () => {
  test.each<[string, string, string, number | null]>([
    ['nothing', 'src', '', null],
    ['a name', 'dist', 'node_modules\ndist\n', 2],
    ['a name with a slash', './dist/', '/dist/', 1],
    ['a folder above', 'dist/app.js', 'dist', 1],
    ['a star does not cross a folder', 'a/b.log', '*.log', null],
    ['two stars do', 'a/b.log', '**/*.log', 1],
    ['two stars at the end', 'dist/x/y', 'dist/**', 1],
    ['taken in again', 'dist', 'dist\n!dist', null],
    ['taken in again from below', 'src', '*\n!src/app.py', null],
    ['all but one', 'other', '*\n!src', 1],
    ['comments', 'dist', '# dist\n\n', null],
    ['Windows line ends', 'dist', 'dist\r\n', 1],
    ['a class of characters: nobody says', 'dist', '[d]ist', null],
    ['the whole context', '.', '*', null],
    ['a name that begins like it', 'dist2', 'dist', null],
  ])('%s', (_, source, text, expected) => expect(ignoredBy(source, text)).toBe(expected));
});

describe('the program that runs', () => {
  const script = (text: string) => {
    const line = commandIn(stagesOf(text), 'ENTRYPOINT');
    return line && scriptOf(line, '/app');
  };
  test.each<[string, string, object | null]>([
    ['a list', 'FROM a\nENTRYPOINT ["/start.sh"]', { path: '/start.sh', direct: true, interpreted: false }],
    ['a relative one', 'FROM a\nENTRYPOINT ["./start.sh"]', { path: '/app/start.sh' }],
    ['a shell around it', 'FROM a\nENTRYPOINT ./start.sh', { path: '/app/start.sh', direct: false, interpreted: false }],
    ['a shell that is given it', 'FROM a\nENTRYPOINT ["sh", "start.sh"]', { path: '/app/start.sh', interpreted: true }],
    ['a program of the PATH', 'FROM a\nENTRYPOINT ["uvicorn"]', null],
    ['a line of a shell', 'FROM a\nENTRYPOINT ["sh", "-c", "x"]', null],
    ['none', 'FROM a', null],
  ])('%s', (_, text, expected) => (expected === null ? expect(script(text)).toBeNull() : expect(script(text)).toMatchObject(expected)));

  const origin = (path: string, text: string) =>
    originOf(path, stagesOf(text), (source) => source === 'scripts' || source === '.')?.source ?? null;
  test.each<[string, string, string, string | null]>([
    ['by its name', '/start.sh', 'FROM a\nCOPY run.sh /start.sh', 'run.sh'],
    ['into a folder', '/opt/run.sh', 'FROM a\nCOPY run.sh other.sh /opt/', 'run.sh'],
    ['with a folder', '/opt/run.sh', 'FROM a\nCOPY scripts /opt', 'scripts/run.sh'],
    ['with the whole context', '/app/run.sh', 'FROM a\nWORKDIR /app\nCOPY . .', 'run.sh'],
    ['from nowhere', '/bin/run', 'FROM a\nCOPY run.sh /start.sh', null],
  ])('comes %s', (_, path, text, expected) => expect(origin(path, text)).toBe(expected));
});

describe('what an image is known to lack', () => {
  const lacks = (program: string, text: string) => isKnownMissing(program, stagesOf(text));
  test.each<[string, string, string, boolean]>([
    ['slim', 'curl', 'FROM python:3.12-slim-bookworm\nRUN pip install flask', true],
    ['alpine, curl', 'curl', 'FROM node:22-alpine3.20', true],
    ['alpine, wget', 'wget', 'FROM node:22-alpine', false],
    ['the full image', 'curl', 'FROM python:3.12', false],
    ['debian', 'wget', 'FROM debian:12', true],
    ['installed', 'curl', 'FROM python:3.12-slim\nRUN apt-get update && apt-get install -y curl', false],
    ['installed on a line of its own', 'curl', 'FROM python:3.12-slim\nRUN apt-get install -y \\\n  git \\\n  curl', false],
    ['a script that may install it', 'curl', 'FROM python:3.12-slim\nRUN ./install.sh', false],
    ['a list of packages from a file', 'curl', 'FROM debian\nRUN xargs apt-get install -y < packages.txt', false],
    ['brought from another image', 'curl', 'FROM alpine\nCOPY --from=x /usr/bin/curl /usr/bin/', false],
    ['an image of somebody', 'curl', 'FROM registry.example.com/python:3.12-slim', false],
    ['a variable', 'curl', 'FROM python:${VERSION}-slim', false],
  ])('%s', (_, program, text, expected) => expect(lacks(program, text)).toBe(expected));
});
