import { describe, expect, it } from 'vitest';
import { behindProxy } from '../../src/checks/behind-proxy.ts';
import type { Fact, HttpTry } from '../../src/model/facts.ts';
import type { Role } from '../../src/model/stack.ts';
import { findingsOf, httpTry, logLine, logOf, reasonsOf, stopped } from './attempts.ts';
import { ask, fact, gap, makeConnection, makeService, makeStack, NOW } from './make.ts';

const through = (status: number): HttpTry => httpTry({ url: 'http://172.18.0.2/shop', answer: { status, body: 'oops' } });
const itself = (status: number): HttpTry => httpTry({ url: 'http://172.18.0.6:8000/shop', answer: { status, body: 'oops' } });

const stack = (proxy: Role = 'nginx', source = 'site.conf:9', role: Role = 'http') =>
  makeStack({
    services: [makeService({ role }), makeService({ name: 'front', role: proxy }), makeService({ name: 'db', role: 'postgres' })],
    connections: [makeConnection({ from: 'front', to: 'app', kind: 'http', host: 'app', port: 8000, source }), makeConnection()],
  });

/** nginx passes on; HAProxy was asked beside the app itself. */
const nginx = (http: HttpTry, upstream = 'app:8000') => ({ nginx: fact({ proxied: [{ location: '/', upstream, http }] }) });
const haproxy = (http: HttpTry, direct: HttpTry | null, more: object = {}) => ({
  haproxy: fact({
    upstreams: [{ host: 'app', backend: 'b' }],
    asked: [{ backend: 'b', http, onPurpose: false, direct: direct ? [{ host: 'app', http: direct }] : [], ...more }],
  }),
});
const other = (http: HttpTry, behind?: { service: string; http: HttpTry }[]) => ({
  http: fact({ tries: [http], ...(behind ? { behind } : {}) }),
});

const judge = (front: Record<string, Fact<unknown>>, log: string[] = [], time = NOW) =>
  ask(behindProxy, {
    stack: stack(),
    service: 'app',
    facts: {
      logs: fact(
        logOf(
          'p-app-1',
          log.map((text) => logLine(text, time)),
        ),
      ),
    },
    peers: { front },
  });

describe('whose error it is', () => {
  it.each<[string, Record<string, Fact<unknown>>, string[]]>([
    ['nginx: all is well', nginx(through(200)), []],
    ['nginx: a page of the app', nginx(through(500)), ['server-error']],
    ['nginx: an empty page, as of PHP', nginx(httpTry({ answer: { status: 500, body: '' } })), ['server-error']],
    ['nginx: a page of its own', nginx(httpTry({ answer: { status: 500, body: '<hr><center>nginx/1.30.0</center>' } })), ['skip']],
    ['nginx: nobody answered', nginx(through(502)), ['skip']],
    ['nginx: nobody answered in time', nginx(through(504)), ['skip']],
    ['nginx: one of several', nginx(through(500), 'app:8000, other:8000'), ['skip']],
    ['nginx: could not be asked', { nginx: gap('no') }, ['skip']],
    ['HAProxy: the app says the same', haproxy(through(500), itself(500)), ['server-error']],
    ['HAProxy: the app says 500, and is held to be dead for it', haproxy(through(503), itself(500)), ['server-error']],
    ['HAProxy: the app is well by itself', haproxy(through(503), itself(200)), ['skip']],
    ['HAProxy: the app could not be asked', haproxy(through(503), null), ['skip']],
    ['HAProxy: it answers so on purpose', haproxy(through(503), itself(500), { onPurpose: true }), ['skip']],
    ['Caddy: the app says the same', other(through(500), [{ service: 'app', http: itself(500) }]), ['server-error']],
    ['Caddy: the app is well by itself', other(through(502), [{ service: 'app', http: itself(200) }]), []],
    ['Caddy: another one fails', other(through(500), [{ service: 'other', http: itself(500) }]), ['skip']],
    ['Caddy: nobody was asked', other(through(500)), ['skip']],
  ])('%s', (_, front, expected) => expect(reasonsOf(judge(front))).toEqual(expected));
});

describe('through a socket file', () => {
  const upstream = 'unix:/run/app.sock';
  const stackOf = (host: string) =>
    makeStack({
      services: [makeService({ role: 'http' }), makeService({ name: 'front', role: 'nginx' })],
      connections: [makeConnection({ from: 'front', to: 'app', kind: 'socket', host, port: 0, source: 'site.conf:9' })],
    });
  const silent = httpTry({ trial: stopped('protocol', 'timeout', 'ETIMEDOUT', 'no answer') });
  it.each<[string, HttpTry, string, string[]]>([
    ['an error of the app', through(500), upstream, ['server-error']],
    ['no answer in time', silent, upstream, ['no-answer']],
    ['nginx gave up', through(504), upstream, ['no-answer']],
    ['nobody listens', through(502), upstream, ['skip']],
    ['nginx itself takes no connections', httpTry({ trial: stopped('tcp', 'timeout', 'ETIMEDOUT', 'no') }), upstream, ['skip']],
    ["somebody else's socket", through(500), 'unix:/run/other.sock', ['skip']],
  ])('%s', (_, http, host, expected) => {
    const verdict = ask(behindProxy, {
      stack: stackOf(host),
      service: 'app',
      facts: { logs: fact(logOf('p-app-1', [])) },
      peers: { front: nginx(http, upstream) },
    });
    expect(reasonsOf(verdict)).toEqual(expected);
  });

  it.each<[string, HttpTry, string[]]>([
    ['a page', through(200), []],
    ['a path that the app does not know', through(404), []],
    ['a redirect, which nginx gives by itself', through(301), ['no-answer']],
    ['a refusal, which nginx gives by itself', through(403), ['no-answer']],
  ])('one path waits for news, and another gives %s', (_, http, expected) => {
    const proxied = [silent, http].map((each) => ({ upstream, http: each }));
    const verdict = ask(behindProxy, {
      stack: stackOf(upstream),
      service: 'app',
      facts: { logs: fact(logOf('p-app-1', [])) },
      peers: { front: { nginx: fact({ proxied }) } },
    });
    expect(reasonsOf(verdict)).toEqual(expected);
  });
});

describe('what the log says', () => {
  const failures = haproxy(through(500), itself(500));
  const evidence = (...given: Parameters<typeof judge>) => findingsOf(judge(...given))[0]!.evidence.map(({ text }) => text);

  it('is told, the last word first, and only of now', () => {
    expect(evidence(failures, ['Traceback (most recent call last):', 'RuntimeError: no such thing', 'INFO: done'])).toEqual([
      'status 500: oops',
      'status 500: oops',
      'RuntimeError: no such thing',
    ]);
    expect(evidence(failures, ['PHP Fatal error:  Uncaught Exception: x in /srv/index.php:3'])).toHaveLength(3);
    expect(evidence(failures, ['RuntimeError: no such thing'], '2026-11-23T05:00:00.000Z')).toHaveLength(2);
    expect(evidence(failures, ['10.0.0.1 - "GET /errors/ERRORS HTTP/1.1" 200'])).toHaveLength(2);
  });

  it('points at the database that it speaks of', () => {
    const [finding] = findingsOf(
      judge(failures, ['asyncpg.exceptions.InvalidPasswordError: password authentication failed for user "app"']),
    );
    expect(finding!.suspects).toContainEqual({ service: 'db', code: 'postgres/*' });
    expect(findingsOf(judge(failures))[0]!.suspects).toBeUndefined();
  });
});

describe('applies', () => {
  const applies = (given: ReturnType<typeof stack>) =>
    behindProxy.appliesTo(
      given.services.find(({ name }) => name === 'app')!,
      given,
    );
  it.each<[string, Parameters<typeof stack>, boolean]>([
    ['to what nginx passes on', [], true],
    ['to what HAProxy passes on', ['haproxy'], true],
    ['to what Caddy passes on', ['http', 'Caddyfile:2'], true],
    ['to what speaks FastCGI', ['nginx', 'site.conf:9', 'unknown'], true],
    ['not to an app that another app asks', ['http', 'env API_URL'], false],
    ['not to a proxy behind a proxy', ['nginx', 'site.conf:9', 'haproxy'], false],
  ])('%s', (_, given, expected) => expect(applies(stack(...given))).toBe(expected));
});
