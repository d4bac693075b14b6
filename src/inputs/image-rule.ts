import { InputRefused } from '../errors/inputs.js';
import type { ImageRules } from '../inference/input-rules.js';
import { readImageHead } from './image-head.js';
import { imageFormatOf } from './media-type.js';

/** Holds an image to its rules by its head, before anything decodes it. Throws InputRefused: 415 for a format, 422 for a size or a broken head. */
export function checkImage(bytes: Uint8Array, place: string, rules: ImageRules): void {
  const format = imageFormatOf(bytes);
  if (format === undefined || !rules.formats.includes(format))
    throw InputRefused({ status: 415, place, rule: 'images.formats', what: `it has to be one of ${rules.formats.join(', ')}` });
  const head = readImageHead(bytes, format);
  const refused = (rule: string, what: string): Error => InputRefused({ status: 422, place, rule: `images.${rule}`, what });
  if (head === undefined) throw refused('head', 'its head cannot be read');
  if (head.frames > rules.maxFrames) throw refused('maxFrames', `more than ${rules.maxFrames} frames`);
  if (Math.max(head.width, head.height) > rules.maxSide) throw refused('maxSide', `wider or higher than ${rules.maxSide} pixels`);
  if (head.width * head.height * head.frames > rules.maxPixels) throw refused('maxPixels', `more than ${rules.maxPixels} pixels`);
}
