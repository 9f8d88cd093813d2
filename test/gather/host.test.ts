import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { gatherHost } from '../../src/gather/host.ts';
import { runDoctor } from '../../src/index.ts';
import type { Fact, HostFact } from '../../src/model/facts.ts';
import { readRecording } from '../../src/recording/recording.ts';
import { canUnshare, containerOf, engineOf, startBox } from './namespace.ts';

const signal = new AbortController().signal;
const local = { ...engineOf(), host: 'unix:///run/docker.sock' };
const abroad = { ...containerOf({}), state: { ...containerOf({}).state, status: 'running' as const, pid: process.pid } };

describe('the machine under the engine', () => {
  it('is another one where its processes are not the containers', async () => {
    expect(await gatherHost(local, [abroad], [], signal)).toMatchObject({ elsewhere: true, disk: null, crossings: [] });
    expect(await gatherHost({ ...local, host: 'tcp://10.0.0.9:2376' }, [abroad], [], signal)).toMatchObject({ elsewhere: true });
  });

  it('is not known while nothing runs', async () => {
    const stopped = { ...abroad, state: { ...abroad.state, status: 'exited' as const, pid: 0 } };
    expect(await gatherHost(local, [stopped], [], signal)).not.toHaveProperty('elsewhere');
  });

  it.skipIf(!canUnshare)('is this one where a process here is the container', async () => {
    const box = await startBox({});
    try {
      expect(await gatherHost(local, [abroad, box.container], [], signal)).not.toHaveProperty('elsewhere');
    } finally {
      box.stop();
    }
  });

  it('is said once, and fails nothing', async () => {
    const file = fileURLToPath(new URL('../../fixtures/recordings/healthy-reference.json.gz', import.meta.url));
    const notesWith = async (change: Partial<HostFact>) => {
      const recording = await readRecording(file);
      const host = recording.facts['host'] as Fact<HostFact> & { ok: true };
      const facts = { ...recording.facts, host: { ...host, value: { ...host.value, ...change } } };
      const { status, notes } = await runDoctor({ replay: { ...recording, facts }, env: {} });
      return { status, notes };
    };
    expect(await notesWith({})).toEqual({ status: 'pass', notes: [] });
    expect(await notesWith({ elsewhere: true, disk: null })).toEqual({
      status: 'pass',
      notes: [expect.stringMatching(/the engine runs on another kernel/)],
    });
  });
});
