import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { BadInput, LoadFailed } from '../../../errors/backend.js';
import { fromHalfBits } from '../../../inference/half-float.js';
import type { TensorSpec } from '../signature.js';
import { ImageReader, planImage } from './image.js';
import { readPipelineConfig } from './pipeline-config.js';

const NCHW: TensorSpec = { name: 'picture', type: 'float32', dims: ['N', 3, 8, 8] };

/** 16 x 8, red on the left, blue on the right. */
const halves = sharp({ create: { width: 16, height: 8, channels: 3, background: { r: 255, g: 0, b: 0 } } }).composite([
  { input: { create: { width: 8, height: 8, channels: 3, background: { r: 0, g: 0, b: 255 } } }, left: 8, top: 0 },
]);

async function read(
  image: Record<string, unknown>,
  bytes: Uint8Array,
  spec: TensorSpec = NCHW,
  maxPixels = 1_000_000,
): Promise<{ dims: readonly number[]; values: number[] }> {
  const config = readPipelineConfig({ preprocess: { image } }).image;
  if (config === undefined) throw new Error('no image block');
  const reader = await ImageReader.open(planImage(config, spec, maxPixels));
  const { dims, data } = await reader.read(bytes);
  return {
    dims,
    values: Array.from<number | bigint | string, number>(data, (value) => (spec.type === 'float16' ? fromHalfBits(Number(value)) : Number(value))),
  };
}

async function solid(r: number, g: number, b: number, format: 'png' | 'jpeg' | 'webp' | 'gif' | 'tiff' | 'avif' = 'png'): Promise<Uint8Array> {
  return sharp({ create: { width: 20, height: 10, channels: 3, background: { r, g, b } } })
    .toFormat(format)
    .toBuffer();
}

describe('pictures become tensors', () => {
  it.each(['png', 'jpeg', 'webp', 'gif', 'tiff', 'avif'] as const)('a %s is decoded, resized and scaled, channel by channel', async (format) => {
    const { dims, values } = await read({}, await solid(255, 0, 0, format));

    expect(dims).toEqual([1, 3, 8, 8]);
    expect(values[0]).toBeCloseTo(1, 1);
    expect(values[64]).toBeCloseTo(0, 1);
    expect(values[191]).toBeCloseTo(0, 1);
  });

  it('mean and std are taken per channel', async () => {
    const { values } = await read({ mean: [0.5, 0.25, 0], std: [0.5, 0.25, 2] }, await solid(255, 0, 255));

    expect([values[0], values[64], values[128]]).toEqual([1, -1, 0.5]);
  });

  it('an input with its colours last gets them last', async () => {
    const { dims, values } = await read({}, await solid(255, 0, 51), { name: 'picture', type: 'float32', dims: [1, 4, 4, 3] });

    expect(dims).toEqual([1, 4, 4, 3]);
    expect(values.slice(0, 3)).toEqual([1, 0, Math.fround(0.2)]);
  });

  it('BGR turns the channels round', async () => {
    const { values } = await read({ order: 'BGR' }, await solid(255, 0, 51));

    expect([values[0], values[128]]).toEqual([Math.fround(0.2), 1]);
  });

  it('a byte input takes the pixels as they are', async () => {
    const { values } = await read({}, await solid(200, 100, 50), { name: 'picture', type: 'uint8', dims: ['N', 3, 2, 2] });

    expect(values).toEqual([200, 200, 200, 200, 100, 100, 100, 100, 50, 50, 50, 50]);
  });

  it('a half-precision input gets halves', async () => {
    const { values } = await read({ scale: 100 }, await solid(150, 0, 0), { name: 'picture', type: 'float16', dims: ['N', 3, 2, 2] });

    expect(values[0]).toBe(1.5);
  });

  it('a grey model sees brightness, a colour model sees a grey picture three times', async () => {
    const grey = await sharp(await solid(120, 120, 120))
      .toColourspace('b-w')
      .png()
      .toBuffer();

    const one = await read({ scale: 1 }, await solid(255, 255, 255), { name: 'picture', type: 'float32', dims: ['N', 1, 2, 2] });
    const three = await read({ scale: 1 }, grey, { name: 'picture', type: 'float32', dims: ['N', 3, 2, 2] });

    expect(one.values).toEqual([255, 255, 255, 255]);
    expect(three.values).toEqual(Array(12).fill(120));
  });

  it('transparency is dropped', async () => {
    const seeThrough = await sharp({ create: { width: 4, height: 4, channels: 4, background: { r: 255, g: 0, b: 0, alpha: 0.5 } } })
      .png()
      .toBuffer();

    expect((await read({}, seeThrough)).values.slice(0, 1)).toEqual([1]);
  });

  it('stretching keeps both halves, cropping the middle keeps half of each', async () => {
    const bytes = await halves.clone().png().toBuffer();

    const stretched = await read({ kernel: 'nearest' }, bytes);
    const cropped = await read({ kernel: 'nearest', resize: 'shorter-side', resizeTo: 8, crop: 'center' }, bytes);

    for (const { values } of [stretched, cropped]) expect(values.slice(0, 8)).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
  });

  it('an upright picture of a turned camera is turned only when asked', async () => {
    const turned = await halves.clone().withMetadata({ orientation: 6 }).png().toBuffer();

    const asStored = await read({ kernel: 'nearest' }, turned);
    const upright = await read({ kernel: 'nearest', orient: true }, turned);

    expect(asStored.values.slice(0, 8)).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
    expect(upright.values.slice(0, 8)).toEqual(Array(8).fill(1));
  });
});

describe('pictures that are refused', () => {
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>');

  it.each([
    ['no picture', Buffer.from('hello'), 'none of JPEG, PNG'],
    ['nothing', Buffer.alloc(0), 'it is empty'],
    ['a drawing in SVG', svg, 'none of JPEG, PNG'],
  ])('%s', async (_, bytes, message) => {
    await expect(read({}, bytes)).rejects.toThrow(message);
  });

  it('a picture of too many pixels is refused before it is decoded', async () => {
    const failure = await read({}, await solid(1, 2, 3), NCHW, 199).catch((error: unknown) => error);

    expect(BadInput.is(failure) && failure.message).toContain('exceeds pixel limit');
  });

  it('half a picture is refused', async () => {
    const whole = await solid(1, 2, 3, 'jpeg');

    await expect(read({}, whole.subarray(0, whole.length / 2))).rejects.toThrow('The image cannot be read');
  });
});

describe('a pipeline that contradicts its model cannot be loaded', () => {
  it.each([
    ['another size', { size: [4, 4] }, NCHW, 'the pipeline makes float32 of 3 channel(s), 4 x 4, NCHW'],
    ['another element type', { dtype: 'uint8' }, NCHW, 'the pipeline makes uint8'],
    ['a free size', {}, { ...NCHW, dims: ['N', 3, 'h', 'w'] }, 'its size is free: give size: [height, width]'],
    ['no picture', {}, { ...NCHW, dims: ['N', 10] }, 'a picture needs four axes'],
    ['two means', { mean: [0, 0] }, NCHW, 'image.mean needs 1 or 3 values, has 2'],
    ['a crop larger than the picture', { resize: 'shorter-side', resizeTo: 4, crop: 'center' }, NCHW, 'has to be at least 8'],
  ] as const)('%s', async (_, image, spec, message) => {
    const failure = await read(image, Buffer.alloc(0), spec).catch((error: unknown) => error);

    expect(LoadFailed.is(failure) && failure.message).toContain(message);
  });
});
