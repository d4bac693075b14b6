import type { Metadata, Sharp } from 'sharp';
import { BadInput, LoadFailed } from '../../../errors/backend.js';
import { toHalfBits } from '../../../inference/half-float.js';
import { ELEMENT_FORMATS, type ElementType, type TensorData } from '../element-type.js';
import { describeSpec, type TensorSpec } from '../signature.js';
import { sizeOf, type Tensor } from '../tensors.js';
import type { ImageConfig } from './pipeline-config.js';

/** A picture's way to the model, every default filled in from the model's input. */
export interface ImagePlan {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  readonly layout: 'NCHW' | 'NHWC';
  readonly type: ElementType;
  readonly config: ImageConfig;
  /** Pictures of more pixels are refused before they are decoded. */
  readonly maxPixels: number;
}

/** Fits the pipeline's image block to the input that takes the picture. Throws LoadFailed when they contradict each other. */
export function planImage(config: ImageConfig, spec: TensorSpec, maxPixels: number): ImagePlan {
  const where = `model-config.yaml: pipeline.preprocess.image: the model's input "${spec.name}" is ${describeSpec(spec)}`;
  if (spec.dims.length !== 4) throw LoadFailed({ status: 500, message: `${where}; a picture needs four axes` });
  const layout = config.layout ?? (isColour(spec.dims[3]) && !isColour(spec.dims[1]) ? 'NHWC' : 'NCHW');
  const [, channelAxis, heightAxis, widthAxis] = layout === 'NCHW' ? spec.dims : [spec.dims[0], spec.dims[3], spec.dims[1], spec.dims[2]];
  const channels = config.channels ?? (channelAxis === 1 ? 1 : 3);
  const [height, width] = config.size ?? [heightAxis, widthAxis];
  if (typeof height !== 'number' || typeof width !== 'number')
    throw LoadFailed({ status: 500, message: `${where}; its size is free: give size: [height, width]` });
  const type = config.dtype ?? spec.type;
  if (disagrees(channelAxis, channels) || disagrees(heightAxis, height) || disagrees(widthAxis, width) || type !== spec.type) {
    throw LoadFailed({ status: 500, message: `${where}; the pipeline makes ${type} of ${channels} channel(s), ${height} x ${width}, ${layout}` });
  }
  for (const key of ['mean', 'std'] as const) {
    if (config[key].length !== 1 && config[key].length !== channels) {
      throw LoadFailed({
        status: 500,
        message: `model-config.yaml: pipeline.preprocess.image.${key} needs 1 or ${channels} values, has ${config[key].length}`,
      });
    }
  }
  if (config.resizeTo !== undefined && config.resizeTo < Math.max(height, width)) {
    throw LoadFailed({
      status: 500,
      message: `model-config.yaml: pipeline.preprocess.image.resizeTo has to be at least ${Math.max(height, width)}, the size cropped from it`,
    });
  }
  return { height, width, channels, layout, type, config, maxPixels };
}

/** Formats that are decoded. The rest of what the image library knows (SVG, PDF, its own formats) stays closed. */
const LOADERS = ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'].flatMap((format) => [`VipsForeignLoad${format}Buffer`]);

type OpenSharp = (bytes: Uint8Array, options: { limitInputPixels: number; failOn: 'error' }) => Sharp;

/** Reads encoded pictures (JPEG, PNG, WebP, GIF, TIFF, AVIF) into tensors of one row. Decoding happens off the calling thread. */
export class ImageReader {
  readonly #tables: readonly TensorData[];

  private constructor(
    private readonly plan: ImagePlan,
    private readonly openSharp: OpenSharp,
  ) {
    this.#tables = Array.from({ length: plan.channels }, (_, channel) => valueTable(plan, channel));
  }

  /** Loads the image library. */
  static async open(plan: ImagePlan): Promise<ImageReader> {
    const { default: sharp } = await import('sharp');
    sharp.concurrency(1);
    sharp.cache(false);
    sharp.block({ operation: ['VipsForeignLoad'] });
    sharp.unblock({ operation: LOADERS });
    return new ImageReader(plan, sharp);
  }

  /** Decodes, resizes, crops, normalises and lays out one picture. Rejects with BadInput when it cannot be read or is too large. */
  async read(bytes: Uint8Array): Promise<Tensor> {
    try {
      return this.#layOut(await this.#pixels(bytes));
    } catch (error) {
      throw BadInput({ what: `The image cannot be read: ${reason(error, bytes)}` }, error);
    }
  }

  async #pixels(bytes: Uint8Array): Promise<Uint8Array> {
    const { plan } = this;
    const { config, height, width, channels } = plan;
    const opened = this.openSharp(bytes, { limitInputPixels: plan.maxPixels, failOn: 'error' });
    let image = config.orient ? opened.autoOrient() : opened;
    if (config.resize === 'stretch') image = image.resize({ width, height, fit: 'fill', kernel: config.kernel });
    else {
      const resized = shorterSideTo(config.resizeTo ?? Math.max(height, width), await opened.metadata(), config.orient);
      const [left, top] = [Math.round((resized.width - width) / 2), Math.round((resized.height - height) / 2)];
      image = image.resize({ ...resized, fit: 'fill', kernel: config.kernel }).extract({ left, top, width, height });
    }
    image = image.toColourspace(channels === 1 ? 'b-w' : 'srgb').removeAlpha();
    const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    return info.channels === channels ? data : changeChannels(data, info.channels, channels);
  }

  /** From interleaved bytes to the model's layout, each byte through its channel's table. */
  #layOut(pixels: Uint8Array): Tensor {
    const { height, width, channels, layout, type, config } = this.plan;
    const nchw = layout === 'NCHW';
    const dims = nchw ? [1, channels, height, width] : [1, height, width, channels];
    const data = ELEMENT_FORMATS[type].create(sizeOf(dims));
    const plane = height * width;
    for (let channel = 0; channel < channels; channel += 1) {
      const source = config.order === 'BGR' ? channels - 1 - channel : channel;
      const table = this.#tables[channel];
      if (table === undefined || !isNumeric(table) || !isNumeric(data)) continue;
      const [start, stride] = nchw ? [channel * plane, 1] : [channel, channels];
      for (let pixel = 0; pixel < plane; pixel += 1) data[start + pixel * stride] = table[pixels[pixel * channels + source] ?? 0] ?? 0;
    }
    return { type, dims, data };
  }
}

/** The model's value for each of the 256 values a byte can have, in one channel: (byte / scale - mean) / std. */
function valueTable({ type, config }: ImagePlan, channel: number): TensorData {
  const mean = config.mean[channel] ?? config.mean[0] ?? 0;
  const std = config.std[channel] ?? config.std[0] ?? 1;
  const whole = type !== 'float32' && type !== 'float64' && type !== 'float16';
  const table = ELEMENT_FORMATS[type].create(256);
  if (!isNumeric(table)) return table;
  // An input of whole numbers takes the pixels as they are, unless the pipeline says otherwise.
  const asIs = whole && config.scale === 255 && mean === 0 && std === 1;
  for (let byte = 0; byte < 256; byte += 1) {
    const value = asIs ? byte : (byte / config.scale - mean) / std;
    table[byte] = type === 'float16' ? toHalfBits(value) : whole ? Math.round(value) : value;
  }
  return table;
}

function isNumeric(data: TensorData): data is Exclude<TensorData, string[] | BigInt64Array | BigUint64Array> {
  return !Array.isArray(data) && !(data instanceof BigInt64Array) && !(data instanceof BigUint64Array);
}

function shorterSideTo(side: number, metadata: Metadata, orient: boolean): { readonly width: number; readonly height: number } {
  const { width, height } = orient ? metadata.autoOrient : metadata;
  return width <= height
    ? { width: side, height: Math.max(side, Math.trunc((side * height) / width)) }
    : { width: Math.max(side, Math.trunc((side * width) / height)), height: side };
}

/** Grey pictures for a colour model get their one value three times; anything beyond the wanted channels goes. */
function changeChannels(pixels: Uint8Array, has: number, wants: number): Uint8Array {
  const changed = new Uint8Array((pixels.length / has) * wants);
  for (let at = 0; at < changed.length; at += 1) changed[at] = pixels[Math.floor(at / wants) * has + Math.min(at % wants, has - 1)] ?? 0;
  return changed;
}

function isColour(axis: number | string | undefined): boolean {
  return axis === 1 || axis === 3;
}

function disagrees(axis: number | string | undefined, value: number): boolean {
  return typeof axis === 'number' && axis !== value;
}

/** The image library's reason, in its first line; it tells of the bytes, never of the machine. */
function reason(error: unknown, bytes: Uint8Array): string {
  if (bytes.byteLength === 0) return 'it is empty.';
  const text = error instanceof Error ? (error.message.split('\n')[0] ?? '') : '';
  return text.includes('unsupported image format') ? 'it is none of JPEG, PNG, WebP, GIF, TIFF and AVIF.' : `${text}.`;
}
