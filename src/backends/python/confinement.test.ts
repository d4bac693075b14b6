import { describe, expect, it } from 'vitest';
import { KeptLog } from '../../../test/fixtures/silent-observer.js';
import { NO_LIMITS } from '../../inference/worker-limits.js';
import { confine, outOfMemory, STRUCK, verdictOf } from './confinement.js';

const LIMITS = { ...NO_LIMITS, memoryBytes: 300 * 2 ** 20, processes: 64 };
const KILLED = { code: undefined, signal: 'SIGKILL' };

describe('the verdict on a worker', () => {
  it.each([
    ['memory', KILLED, 'killed: it reached its memory limit of 300 MiB'],
    ['memory', { code: 1, signal: undefined }, 'exit code 1 after one of its processes was killed for its memory limit of 300 MiB'],
    ['tenant-memory', KILLED, 'killed: the workers of its tenant reached the memory limit that they have together'],
    ['machine-memory', KILLED, 'killed: the machine or its container ran out of memory'],
    ['processes', KILLED, 'killed: it reached its limit of 64 processes and threads'],
    ['processes', { code: undefined, signal: 'SIGSEGV' }, 'ended by SIGSEGV after it reached its limit of 64 processes and threads'],
    ['none', KILLED, undefined],
    ['unknown', KILLED, undefined],
  ] as const)('that struck %s and ended with %j is: %s', (struck, end, verdict) => {
    expect(verdictOf(struck, end, LIMITS)).toBe(verdict);
  });

  it('tells whether memory ran out wherever somebody saw', () => {
    expect(STRUCK.map((struck) => [struck, outOfMemory(struck)])).toEqual([
      ['none', false],
      ['unknown', undefined],
      ['memory', true],
      ['tenant-memory', true],
      ['machine-memory', true],
      ['processes', false],
    ]);
  });
});

it('the log says what workers may use and that nothing but looks holds them where control groups are not wanted', async () => {
  const log = new KeptLog();

  const { groups } = await confine({ ...LIMITS, openFiles: 100 }, false, log);

  expect(groups).toBeUndefined();
  expect(log.lines.join('\n')).toContain('300 MiB of memory, 64 processes and threads, files of any amount, 100 open files');
  expect(log.lines.join('\n')).toContain('sconce_control_groups is false');
});
