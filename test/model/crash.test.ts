import { describe, expect, it } from 'vitest';
import { crashIn, raisedIn } from '../../src/model/crash.ts';
import type { LogLine } from '../../src/model/facts.ts';

const linesOf = (text: string): LogLine[] =>
  text
    .trim()
    .split('\n')
    .map((line) => ({ time: '2026-11-23T06:59:00.000Z', stream: 'stderr', text: line }));

/** As Celery writes it: the task, the traceback, with the library's frame innermost. */
const FAILED = `
[2026-11-23 06:59:00,000: ERROR/ForkPoolWorker-1] Task ledger.charge[1f5e-22] raised unexpected: KeyError('amount')
Traceback (most recent call last):
  File "/usr/lib/python3/dist-packages/celery/app/trace.py", line 453, in trace_task
    R = retval = fun(*args, **kwargs)
  File "/srv/tasks.py", line 12, in charge
    return json.loads(order, object_hook=pick)
  File "/usr/lib/python3.14/json/decoder.py", line 361, in raw_decode
    obj, end = self.scan_once(s, idx)
KeyError: 'amount'`;

describe('what a program that goes on wrote down', () => {
  it("names the app's own line, not the library's", () =>
    expect(raisedIn(linesOf(FAILED))).toEqual([
      { error: "KeyError: 'amount'", at: '/srv/tasks.py:12', time: '2026-11-23T06:59:00.000Z', task: 'ledger.charge' },
    ]));

  it('is over once the same task succeeded', () =>
    expect(raisedIn(linesOf(`${FAILED}\n[…: INFO/ForkPoolWorker-1] Task ledger.charge[2a] succeeded in 0.1s: None`))).toEqual([]));

  it('is not over because another task did', () =>
    expect(raisedIn(linesOf(`${FAILED}\n[…: INFO/ForkPoolWorker-1] Task ledger.mail[2a] succeeded in 0.1s: None`))).toHaveLength(1));

  it('is nothing where a library alone failed', () =>
    expect(raisedIn(linesOf(FAILED.replace('/srv/tasks.py', '/usr/lib/python3/dist-packages/x.py')))).toEqual([]));
});

describe("PHP's last words", () => {
  it("have the app's own frame, where the library threw", () =>
    expect(
      crashIn(
        linesOf(`
PHP Fatal error:  Uncaught TypeError: Argument #1 must be of type string in /srv/vendor/acme/log.php:7
Stack trace:
#0 /srv/vendor/acme/log.php(3): write()
#1 /srv/src/Kernel.php(42): Acme\\Log->open()
#2 {main}
  thrown in /srv/vendor/acme/log.php on line 7`),
      ),
    ).toEqual({ error: 'TypeError: Argument #1 must be of type string', at: '/srv/src/Kernel.php:42' }));

  it('may be of code that does not parse', () =>
    expect(crashIn(linesOf('PHP Parse error:  syntax error, unexpected token "}" in /srv/index.php on line 9'))).toEqual({
      error: 'syntax error, unexpected token "}"',
      at: '/srv/index.php:9',
    }));
});
