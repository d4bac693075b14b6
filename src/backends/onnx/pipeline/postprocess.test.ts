import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tensor } from '../tensors.js';
import { readLabels } from './labels.js';
import { readPipelineConfig } from './pipeline-config.js';
import { Postprocess } from './postprocess.js';
import { rankingJson, topK } from './ranking.js';
import { softmax } from './softmax.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-labels-'));
  writeFileSync(join(folder, 'plain.json'), '{"0": "cat", "2": "dog"}');
  writeFileSync(join(folder, 'pairs.json'), '{"0": ["n01", "cat"], "1": ["n02", "dog"]}');
  writeFileSync(join(folder, 'types.json'), '{"object_type_names": ["background", "person"]}');
  writeFileSync(join(folder, 'list.json'), '["cat", "dog"]');
  writeFileSync(join(folder, 'broken.json'), '{');
  symlinkSync(join(folder, 'list.json'), join(folder, 'linked.json'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function processed(steps: readonly unknown[], tensor: Tensor): Promise<unknown> {
  const postprocess = await Postprocess.open(readPipelineConfig({ postprocess: steps }).postprocess, folder);
  const result = postprocess.apply(tensor);
  return result.kind === 'rows' ? result.json : { dims: result.tensor.dims, type: result.tensor.type, values: [...result.tensor.data].map(Number) };
}

const scores = (...rows: readonly (readonly number[])[]): Tensor => ({
  type: 'float32',
  dims: [rows.length, rows[0]?.length ?? 0],
  data: Float32Array.from(rows.flat()),
});

describe('labels', () => {
  it.each([
    ['plain.json', ['cat', '1', 'dog']],
    ['pairs.json', ['cat', 'dog', '2']],
    ['types.json', ['background', 'person', '2']],
    ['list.json', ['cat', 'dog', '2']],
    ['linked.json', ['cat', 'dog', '2']],
    [
      ['x', 'y'],
      ['x', 'y', '2'],
    ],
    [undefined, ['0', '1', '2']],
  ])('%j names the classes, and the index stands where there is no name', async (config, names) => {
    expect([0, 1, 2].map(await readLabels(config, folder))).toEqual(names);
  });

  it.each([
    ['absent.json', 'not in the model'],
    ['../x.json', 'not in the model'],
    ['/etc/hostname', 'not in the model'],
    ['broken.json', 'is no label file'],
  ])('%s cannot be loaded', async (file, message) => {
    await expect(readLabels(file, folder)).rejects.toThrow(message);
  });
});

describe('steps', () => {
  it('softmax and topk give labels in descending order, also when the labels are numbers', async () => {
    expect(await processed(['softmax', { topk: { k: 2 } }, { round: 3 }], scores([0, 3, 1, 2], [9, 0, 0, 0]))).toEqual([
      '{"1":0.644,"3":0.237}',
      '{"0":1,"1":0}',
    ]);
  });

  it('a threshold names all that reach it', async () => {
    expect(await processed(['sigmoid', { threshold: { min: 0.5, labels: ['a', 'b', 'c'] } }, { round: 2 }], scores([1, -1, 2]))).toEqual([
      '{"c":0.88,"a":0.73}',
    ]);
  });

  it('a threshold after topk shortens it', async () => {
    expect(await processed([{ topk: { k: 2, labels: ['a', 'b', 'c'] } }, { threshold: 3 }], scores([1, 2, 3]))).toEqual(['{"c":3}']);
  });

  it('argmax gives indices, or names with labels', async () => {
    expect(await processed(['argmax'], scores([0, 2], [3, 1]))).toEqual({ dims: [2], type: 'int32', values: [1, 0] });
    expect(await processed([{ argmax: { labels: ['a', 'b'] } }], scores([0, 2], [3, 1]))).toEqual(['"b"', '"a"']);
  });

  it('argmax over the classes of a segmentation leaves a map', async () => {
    const tensor: Tensor = { type: 'float32', dims: [1, 2, 1, 3], data: Float32Array.of(1, 5, 1, 2, 4, 2) };

    expect(await processed([{ argmax: { axis: 1 } }], tensor)).toEqual({ dims: [1, 1, 3], type: 'int32', values: [1, 0, 1] });
  });

  it('scores beside axes of length 1 are still one vector', async () => {
    expect(await processed([{ topk: { k: 1 } }], { type: 'float32', dims: [1, 3, 1, 1], data: Float32Array.of(1, 3, 2) })).toEqual(['{"1":3}']);
  });

  it('half-precision scores are decoded and stay half-precision', async () => {
    expect(await processed(['softmax'], { type: 'float16', dims: [1, 2], data: Uint16Array.of(0x3c00, 0x3c00) })).toEqual({
      dims: [1, 2],
      type: 'float16',
      values: [0x3800, 0x3800],
    });
  });

  const unfit: readonly (readonly [string, readonly unknown[], Tensor, string])[] = [
    ['several vectors per example', ['topk'], { type: 'float32', dims: [1, 2, 2], data: new Float32Array(4) }, 'one vector of scores per example'],
    ['an axis that is not there', [{ softmax: { axis: 4 } }], scores([1, 2]), 'the output has 2 axes'],
    ['strings', ['softmax'], { type: 'string', dims: [1], data: ['a'] }, 'the model gave strings'],
    ['labels before scores', ['topk', 'softmax'], scores([1, 2]), 'the one before it gave labels'],
  ];

  it.each(unfit)('%s cannot be processed', async (_, steps, tensor, message) => {
    await expect(processed(steps, tensor)).rejects.toThrow(message);
  });
});

describe('ranking', () => {
  it('the k best come as sorting all of them would give them', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 10 }), (values, k) => {
        const sorted = values.map((score, index) => ({ label: String(index), score })).sort((a, b) => b.score - a.score);

        expect(topK(Float64Array.from(values), k, String)).toEqual(sorted.slice(0, k));
      }),
    );
  });

  it('of two classes with one name the better counts', () => {
    expect(
      rankingJson([
        { label: 'cat', score: 0.6 },
        { label: 'cat', score: 0.1 },
        { label: 'dog', score: Number.NaN },
      ]),
    ).toBe('{"cat":0.6,"dog":null}');
  });
});

describe('softmax', () => {
  it('every line sums to one, also for very large scores', () => {
    const values = Float64Array.of(1000, 1001, -1000, 0);

    softmax(values, [2, 2], 1);

    expect((values[0] ?? 0) + (values[1] ?? 0)).toBeCloseTo(1, 12);
    expect(values[3]).toBe(1);
  });
});
