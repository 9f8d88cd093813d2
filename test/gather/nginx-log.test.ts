import { describe, expect, it } from 'vitest';
import { readUpstreamError } from '../../src/gather/nginx-log.ts';

const line = (text: string, upstream = 'http://172.18.0.4:8000/api/') =>
  `2026/11/23 07:25:34 [error] 29#29: *1 ${text}, client: 172.18.0.1, server: localhost, request: "GET /api/ HTTP/1.1", upstream: "${upstream}", host: "localhost:9000"`;

describe('what nginx says of its upstreams', () => {
  it.each([
    ['connect() failed (111: Connection refused) while connecting to upstream', 'refused'],
    ['upstream timed out (110: Connection timed out) while connecting to upstream', 'timeout-connecting'],
    ['upstream timed out (110: Operation timed out) while reading response header from upstream', 'timeout-reading'],
    ['connect() failed (113: No route to host) while connecting to upstream', 'unreachable'],
    ['connect() failed (113: Host is unreachable) while connecting to upstream', 'unreachable'],
    ['upstream prematurely closed connection while reading response header from upstream', 'reset'],
    ['recv() failed (104: Connection reset by peer) while reading response header from upstream', 'reset'],
    ['FastCGI sent in stderr: "Primary script unknown" while reading response header from upstream', 'no-script'],
    [
      'FastCGI sent in stderr: "Unable to open primary script: /srv/index.php (No such file or directory)" while reading response header from upstream',
      'no-script',
    ],
    ['FastCGI sent in stderr: "PHP message: PHP Warning: x" while reading response header from upstream', 'other'],
    ['upstream sent invalid header while reading response header from upstream', 'other'],
  ])('%s', (text, kind) => expect(readUpstreamError(line(text))).toEqual({ kind, upstream: 'http://172.18.0.4:8000/api/' }));

  it.each([
    ['(2: No such file or directory)', 'missing'],
    ['(13: Permission denied)', 'forbidden'],
    ['(111: Connection refused)', 'refused'],
    ['(11: Resource temporarily unavailable)', 'full'],
  ])('connect() to a socket file failed %s', (why, kind) => {
    const upstream = 'fastcgi://unix:/run/fpm.sock:';
    expect(readUpstreamError(line(`connect() to unix:/run/fpm.sock failed ${why} while connecting to upstream`, upstream))).toEqual({
      kind,
      upstream,
    });
  });

  it('knows lines that name no address', () => {
    expect(
      readUpstreamError('2026/11/23 07:25:34 [emerg] 1#1: host not found in upstream "backend" in /etc/nginx/conf.d/default.conf:4'),
    ).toEqual({ kind: 'not-found', upstream: null });
    expect(
      readUpstreamError('2026/11/23 07:25:34 [error] 9#9: *1 backend could not be resolved (3: Host not found), client: 172.18.0.1'),
    ).toEqual({ kind: 'not-found', upstream: null });
    expect(readUpstreamError(line('no live upstreams while connecting to upstream', 'http://app/'))).toEqual({
      kind: 'other',
      upstream: 'http://app/',
    });
  });

  it.each([
    ['an access line', '172.18.0.1 - - [23/Nov/2026:07:25:34 +0000] "GET /upstream HTTP/1.1" 502 157 "-" "curl (111: Connection refused)"'],
    ['a notice', '2026/11/23 07:25:34 [notice] 1#1: signal 1 (SIGHUP) received from 33, reconfiguring'],
    [
      'a missing file',
      '2026/11/23 07:25:34 [error] 29#29: *1 open() "/usr/share/nginx/html/x" failed (2: No such file or directory), client: 172.18.0.1',
    ],
    ['a log server that refuses', '2026/11/23 07:25:34 [alert] 29#29: send() failed (111: Connection refused) while logging to syslog'],
  ])('passes over %s', (_, text) => expect(readUpstreamError(text)).toBeNull());
});
