import type { ImageFormat } from '../inference/input-rules.js';

const STARTS: readonly (readonly [ImageFormat, readonly (number | undefined)[]])[] = [
  ['png', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ['jpeg', [0xff, 0xd8, 0xff]],
  ['gif', [0x47, 0x49, 0x46, 0x38]],
  ['webp', [0x52, 0x49, 0x46, 0x46, undefined, undefined, undefined, undefined, 0x57, 0x45, 0x42, 0x50]],
  ['bmp', [0x42, 0x4d]],
  ['tiff', [0x49, 0x49, 0x2a, 0x00]],
  ['tiff', [0x4d, 0x4d, 0x00, 0x2a]],
];

/** The format that an image's first bytes tell; undefined for what is no image that we know. */
export function imageFormatOf(bytes: Uint8Array): ImageFormat | undefined {
  return STARTS.find(([, start]) => start.every((byte, index) => byte === undefined || bytes[index] === byte))?.[0];
}

/** The media type that the bytes themselves tell: an image's, JSON where it begins as such, text where it is UTF-8, or `application/octet-stream`. */
export function sniffedType(bytes: Uint8Array): string {
  const image = imageFormatOf(bytes);
  if (image !== undefined) return `image/${image}`;
  const head = textOf(bytes.subarray(0, 4096), bytes.byteLength > 4096);
  if (head === undefined || head.includes('\u0000')) return 'application/octet-stream';
  if (/^\s*[[{]/.test(head)) return 'application/json';
  return /^\s*<(!doctype|html|svg|\?xml|script)/i.test(head) ? 'text/html' : 'text/plain';
}

/** UTF-8, strictly; undefined for anything else. `isCut`: the last character may lack bytes. */
export function textOf(bytes: Uint8Array, isCut = false): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut });
  } catch {
    return undefined;
  }
}

/** Whether a declared type and the bytes can belong together: an image has to be the image that it says, JSON and text have to be text, and no text is an image. */
export function agrees(declared: string, sniffed: string): boolean {
  if (declared === '' || declared === 'application/octet-stream') return true;
  if (declared.startsWith('image/')) return sniffed === (declared === 'image/jpg' ? 'image/jpeg' : declared);
  if (isJsonType(declared)) return sniffed !== 'application/octet-stream' && !sniffed.startsWith('image/');
  if (declared.startsWith('text/')) return sniffed !== 'application/octet-stream' && !sniffed.startsWith('image/');
  return true;
}

/** `application/json` and what is written in it. */
export function isJsonType(type: string): boolean {
  return type === 'application/json' || type.endsWith('+json');
}
