import { describe, expect, it } from 'vitest';
import { engine } from '../../src/checks/engine.ts';
import type { EngineFact } from '../../src/model/facts.ts';
import { ask, fact, findingsOf, gap, inShort, makeStack } from './make.ts';

const found = (parts: Partial<EngineFact>): EngineFact => ({
  host: 'unix:///var/run/docker.sock',
  source: 'default socket',
  state: 'ok',
  detail: '',
  version: '28.5.2',
  apiVersion: '1.51',
  elsewhere: null,
  ...parts,
});

const look = (parts: Partial<EngineFact>) => ask(engine, { stack: makeStack(), facts: { engine: fact(found(parts)) } });

const elsewhere = { host: 'unix:///home/me/.colima/docker.sock', source: 'context colima', containers: 4 };

describe('engine', () => {
  it.each<[string, Partial<EngineFact>, string]>([
    ['answers', {}, 'pass'],
    ['no socket', { state: 'socket-missing', detail: 'connect ENOENT' }, 'fail socket-missing'],
    ['a socket and nobody behind it', { state: 'refused', detail: 'connect ECONNREFUSED' }, 'fail not-running'],
    ['a socket that is not ours to open', { state: 'permission-denied', detail: 'connect EACCES' }, 'fail permission-denied'],
    ['silence', { state: 'no-answer' }, 'fail no-answer'],
    ['an old engine', { state: 'too-old', apiVersion: '1.24' }, 'fail too-old'],
    ['another server', { state: 'not-docker' }, 'fail unreachable'],
    ['a host that is away', { state: 'unreachable', host: 'tcp://10.0.0.9:2375' }, 'fail unreachable'],
    ['TLS that fails', { state: 'tls' }, 'fail unreachable'],
    ['the containers on another engine', { elsewhere }, 'fail wrong-context'],
    ['no answer here, the containers on another engine', { state: 'socket-missing', elsewhere }, 'fail wrong-context'],
    ['another engine that has none either', { elsewhere: { ...elsewhere, containers: 0 } }, 'pass'],
  ])('%s', (_, parts, expected) => {
    expect(inShort(engine, look(parts))).toBe(expected);
  });

  it('every finding blocks whatever needs the engine', () => {
    expect(Object.values(engine.findings).every((spec) => spec.blocks && spec.layer === 'engine')).toBe(true);
  });

  it('quotes what the system said, and where', () => {
    const [finding] = findingsOf(look({ state: 'refused', detail: 'connect ECONNREFUSED /var/run/docker.sock' }));
    expect(finding.message).toContain('unix:///var/run/docker.sock');
    expect(finding.evidence[0]!.text).toBe('connect ECONNREFUSED /var/run/docker.sock');
  });

  it('names the context that has the stack', () => {
    const [finding] = findingsOf(look({ elsewhere }));
    expect(finding.values).toEqual({ context: 'colima', socket: elsewhere.host });
  });

  it('names the address of one that no context has', () => {
    const [finding] = findingsOf(look({ elsewhere: { ...elsewhere, source: 'socket /home/me/.colima/docker.sock' } }));
    expect(finding.values).toEqual({ socket: elsewhere.host });
  });

  it('could not look', () => {
    expect(ask(engine, { stack: makeStack(), facts: { engine: gap('the run was cut short') } })).toEqual({
      cannotLook: 'the run was cut short',
    });
  });
});
