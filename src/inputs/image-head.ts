import { imageSize } from 'image-size';
import type { ImageFormat } from '../inference/input-rules.js';

/** What an image says of itself. Pixels, for one frame. */
export interface ImageHead {
  readonly width: number;
  readonly height: number;
  readonly frames: number;
}

/** Frames counted at most: more is more than anybody allows. */
const MANY = 1_000_000;

/** Reads an image's head and counts its frames, without decoding a pixel. undefined where the head is broken. */
export function readImageHead(bytes: Uint8Array, format: ImageFormat): ImageHead | undefined {
  try {
    const { width, height } = imageSize(bytes);
    const frames = FRAMES[format](new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return Number.isSafeInteger(width) && Number.isSafeInteger(height) && width > 0 && height > 0 ? { width, height, frames } : undefined;
  } catch {
    return undefined;
  }
}

const FRAMES: Readonly<Record<ImageFormat, (view: DataView) => number>> = {
  png: pngFrames,
  jpeg: () => 1,
  gif: gifFrames,
  webp: webpFrames,
  bmp: () => 1,
  tiff: tiffFrames,
};

/** The number in the acTL chunk of an animated PNG. https://www.w3.org/TR/png-3/#acTL-chunk */
function pngFrames(view: DataView): number {
  for (let at = 8; at + 12 <= view.byteLength; at += 12 + view.getUint32(at)) {
    const type = view.getUint32(at + 4);
    if (type === 0x6163544c) return view.getUint32(at + 8);
    if (type === 0x49444154) return 1;
  }
  return 1;
}

/** Image descriptors; https://www.w3.org/Graphics/GIF/spec-gif89a.txt */
function gifFrames(view: DataView): number {
  let frames = 0;
  let at = 13 + colourTable(view.getUint8(10));
  while (at < view.byteLength && frames < MANY) {
    const block = view.getUint8(at);
    if (block === 0x3b) break;
    if (block === 0x2c) {
      frames += 1;
      at += 11 + colourTable(view.getUint8(at + 9));
    } else at += 2;
    for (let size = view.getUint8(at); size > 0; size = view.getUint8(at)) at += 1 + size;
    at += 1;
  }
  return Math.max(1, frames);
}

function colourTable(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

/** ANMF chunks; https://developers.google.com/speed/webp/docs/riff_container */
function webpFrames(view: DataView): number {
  let frames = 0;
  for (let at = 12; at + 8 <= view.byteLength; at += 8 + view.getUint32(at + 4, true) + (view.getUint32(at + 4, true) % 2)) {
    if (view.getUint32(at) === 0x414e4d46) frames += 1;
  }
  return Math.max(1, frames);
}

/** Image file directories, each of which names the next; a circle counts as too many. */
function tiffFrames(view: DataView): number {
  const isLittle = view.getUint16(0) === 0x4949;
  const seen = new Set<number>();
  for (let at = view.getUint32(4, isLittle); at !== 0; at = view.getUint32(at + 2 + 12 * view.getUint16(at, isLittle), isLittle)) {
    if (seen.has(at) || seen.size >= MANY) return MANY;
    seen.add(at);
  }
  return Math.max(1, seen.size);
}
