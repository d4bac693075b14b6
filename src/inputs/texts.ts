import { JSON_LENGTH_HEADER, mixedBodyOf } from '../inference/binary-tensors.js';
import type { Inspected } from './inspector.js';
import { isJsonType, sniffedType, textOf } from './media-type.js';
import { textPlaces } from './places.js';

/** The texts of a request that pointers name; with none, all of it that is text. */
export function textsOf({ inputs, headers }: Inspected, pointers: readonly string[]): readonly string[] {
  return inputs.flatMap(({ contentType, value }) => {
    const mixed = headers.some(([name]) => name.toLowerCase() === JSON_LENGTH_HEADER) ? mixedBodyOf(headers, value) : undefined;
    if (mixed !== undefined && mixed !== 'broken') return textsOfBytes(mixed.json, 'application/json', pointers);
    return textsOfBytes(value, contentType === '' ? sniffedType(value) : contentType, pointers);
  });
}

/** Those of one body of a media type. */
export function textsOfBytes(bytes: Uint8Array, type: string, pointers: readonly string[]): readonly string[] {
  const text = textOf(bytes);
  if (text === undefined) return [];
  const json = isJsonType(type) ? jsonOf(text) : undefined;
  if (json === undefined) return pointers.length === 0 && text !== '' ? [text] : [];
  return textPlaces({ value: json }, pointers).map((place) => place.text);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
