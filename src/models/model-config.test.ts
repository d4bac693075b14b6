import { describe, expect, it } from 'vitest';
import { KeptLog } from '../../test/fixtures/silent-observer.js';
import type { ModelConfig } from '../inference/model-config.js';
import { noModelConfig, parseModelConfig } from './model-config.js';

function read(content: string): { readonly config: ModelConfig; readonly lines: readonly string[] } {
  const log = new KeptLog();
  return { config: parseModelConfig(content, 'model-config.yaml', log), lines: log.lines };
}

describe('model-config.yaml', () => {
  it('gives every key that the front end knows, and all of the document to the handler', () => {
    const { config, lines } = read(`
minWorkers: 1
maxWorkers: 4
batchSize: 8
maxBatchDelay: 50
responseTimeout: 60
startupTimeout: 90
deviceType: gpu
deviceIds: [0, 1]
parallelType: pp
parallelLevel: 2
maxRetryTimeoutInSec: 0
clientTimeoutInMills: 1000
jobQueueSize: 5
useJobTicket: true
continuousBatching: true
sequenceBatching: yes
sequenceMaxIdleMSec: 10
sequenceTimeoutMSec: 20
maxSequenceJobQueueSize: 3
maxNumSequence: 6
asyncCommunication: off
useVenv: false
handler: { depth: [1, { deep: true }] }
`);

    expect(lines).toEqual([]);
    expect(config).toMatchObject({
      minWorkers: 1,
      maxWorkers: 4,
      batchSize: 8,
      maxBatchDelayMs: 50,
      responseTimeoutS: 60,
      startupTimeoutS: 90,
      deviceType: 'gpu',
      deviceIds: [0, 1],
      parallelType: 'pp',
      parallelLevel: 2,
      maxRetryTimeoutS: 0,
      clientTimeoutMs: 1000,
      jobQueueSize: 5,
      useJobTicket: true,
      continuousBatching: true,
      sequenceBatching: true,
      sequenceMaxIdleMs: 10,
      sequenceTimeoutMs: 20,
      maxSequenceJobQueueSize: 3,
      maxNumSequence: 6,
      asyncCommunication: false,
      useVenv: false,
      file: 'model-config.yaml',
    });
    expect(config.raw.handler).toEqual({ depth: [1, { deep: true }] });
  });

  it('forces what must be at least one, and ignores what is negative', () => {
    expect(read('minWorkers: 0\nmaxWorkers: -1\nbatchSize: -5\nmaxBatchDelay: -1\nresponseTimeout: 0\nstartupTimeout: -3').config).toMatchObject({
      minWorkers: 1,
      maxWorkers: undefined,
      batchSize: 1,
      maxBatchDelayMs: undefined,
      responseTimeoutS: undefined,
      startupTimeoutS: undefined,
    });
    expect(read('maxBatchDelay: 0').config.maxBatchDelayMs).toBeUndefined();
  });

  it.each([
    ['batchSize: many', 'batchSize', 'a whole number'],
    ['batchSize: "8"', 'batchSize', 'a whole number'],
    ['jobQueueSize: 1.5', 'jobQueueSize', 'a whole number'],
    ['jobQueueSize: 3000000000', 'jobQueueSize', 'a whole number'],
    ['useVenv: 1', 'useVenv', 'true or false'],
    ['deviceType: tpu', 'deviceType', 'cpu, gpu'],
    ['parallelType: dp', 'parallelType', 'pp, tp, pptp, custom'],
    ['deviceIds: [0, one]', 'deviceIds', 'a list of whole numbers'],
    ['sconce: 5', 'sconce', 'a mapping'],
    ['sconce: { retryOnWorkerDeath: 3 }', 'sconce.retryOnWorkerDeath', 'true or false'],
    ['sconce: { python: [a] }', 'sconce.python', 'a name out of sconce_pythons'],
    ['sconce: { recycle: { afterSeconds: -1 } }', 'sconce.recycle.afterSeconds', 'a number greater than 0'],
    ['sconce: { limits: { memoryMb: lots } }', 'sconce.limits.memoryMb', 'a number greater than 0'],
    ['sconce: { limits: 5 }', 'sconce.limits', 'a mapping'],
  ])('with %j keeps the rest and says what is ignored', (content, key, allowed) => {
    const { config, lines } = read(`${content}\nmaxNumSequence: 9`);

    expect(lines).toEqual([`WARN model-config.yaml: ${key} is ignored; allowed: ${allowed}`]);
    expect(config.maxNumSequence).toBe(9);
  });

  it('takes the parallel level from the key that stands last', () => {
    expect(read('torchrun: { nproc-per-node: 4 }').config).toMatchObject({ parallelLevel: 4, torchrun: { 'nproc-per-node': 4 } });
    expect(read('parallelLevel: 2\ntorchrun: { nproc-per-node: 4 }').config.parallelLevel).toBe(4);
    expect(read('torchrun: { nproc-per-node: 4 }\nparallelLevel: 2').config.parallelLevel).toBe(2);
    expect(read('parallelLevel: 2\ntorchrun: { nnodes: 1 }').config.parallelLevel).toBe(2);
  });

  it('with a parallel level but no type says that the level counts for nothing', () => {
    expect(read('parallelLevel: 2').lines).toEqual(['WARN model-config.yaml: parallelLevel is ignored; allowed: only together with parallelType']);
    expect(read('parallelLevel: 2\nparallelType: tp').lines).toEqual([]);
  });

  it('counts the last of a key that stands twice, and merges what an anchor names', () => {
    expect(read('batchSize: 1\nbatchSize: 4').config.batchSize).toBe(4);
    expect(read('defaults: &d { batchSize: 3 }\n<<: *d').config.batchSize).toBe(3);
  });

  it('fills in our own block', () => {
    expect(noModelConfig().sconce).toEqual({
      retryOnWorkerDeath: true,
      recycleAfterS: undefined,
      recycleAfterRequests: undefined,
      recycleMemoryGrowthBytes: undefined,
      intraOpThreads: 1,
    });
    expect(
      read('sconce: { retryOnWorkerDeath: false, intraOpThreads: 0.2, recycle: { afterSeconds: 60, afterRequests: 10, memoryGrowthMb: 2 } }').config.sconce,
    ).toEqual({ retryOnWorkerDeath: false, recycleAfterS: 60, recycleAfterRequests: 10, recycleMemoryGrowthBytes: 2 ** 21, intraOpThreads: 1 });
  });

  it('takes limits of its workers in the units of their names', () => {
    expect(read('sconce: { limits: { memoryMb: 0.5, processes: 8, fileMb: 2, logKbPerS: 3 } }').config.sconce.limits).toEqual({
      memoryBytes: 2 ** 19,
      processes: 8,
      fileBytes: 2 ** 21,
      openFiles: undefined,
      logBytesPerS: 3072,
    });
  });

  it('names an interpreter, also by what YAML takes for a number', () => {
    expect([read('sconce: { python: py312 }'), read('sconce: { python: 3.12 }')].map(({ config, lines }) => [config.sconce.python, lines])).toEqual([
      ['py312', []],
      ['3.12', []],
    ]);
  });

  it.each([
    ['a: [1', 'cannot be read'],
    ['- a\n- b', 'is not a mapping'],
    ['just text', 'is not a mapping'],
    ['a: 1\n---\nb: 2', 'cannot be read'],
  ])('that cannot be used is told of and counts as none', (content, why) => {
    const { config, lines } = read(content);

    expect(config).toEqual(noModelConfig());
    expect(lines).toEqual([expect.stringContaining(`ERROR model-config.yaml ${why}`)]);
  });

  it.each([
    ['YM1 is nested without end', '['.repeat(200_000), 'It is nested deeper than 50 levels'],
    ['YM1 multiplies by its aliases', aliasBomb(9), 'Its aliases stand for more than 1000 copies'],
    ['YM2 names a class of Java (CVE-2022-1471)', 'a: !!javax.script.ScriptEngineManager [x]', 'Unresolved tag'],
    ['YM2 names a function of Python', 'a: !!python/object/apply:os.system [id]', 'Unresolved tag'],
    ['YM2 includes a file', 'a: !include /etc/passwd', 'Unresolved tag'],
  ])('that %s is refused with its model: no mistake of an honest author', (_, content, why) => {
    expect(() => read(content)).toThrow(`model-config.yaml is refused: ${why}`);
  });

  it('YM4 with figures beyond measure leaves them out, and those below the least are the least', () => {
    const { config } = read('minWorkers: 1000000000000\nbatchSize: -1\nmaxBatchDelay: 1.0e+308\nresponseTimeout: 0\njobQueueSize: .inf\ndeviceIds: [1, x]\n');

    expect(config).toMatchObject({ minWorkers: undefined, batchSize: 1, maxBatchDelayMs: undefined, responseTimeoutS: undefined, jobQueueSize: undefined });
    expect(config.deviceIds).toBeUndefined();
  });

  it('that is empty counts as a file that sets nothing', () => {
    expect(read('# nothing\n')).toEqual({ config: { ...noModelConfig(), file: 'model-config.yaml' }, lines: [] });
  });
});

/** Lists of nine aliases each of the list before it. */
function aliasBomb(levels: number): string {
  const lines = Array.from(
    { length: levels },
    (_, level) =>
      `a${level}: &a${level} [${Array(9)
        .fill(level === 0 ? 'x' : `*a${level - 1}`)
        .join()}]`,
  );
  return lines.join('\n');
}
