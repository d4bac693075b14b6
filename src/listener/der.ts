// DER (X.690): tag, length, content. As much of it as certificates need.

/** Writes one element. */
export function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const lengthBytes = Buffer.from(length.toString(16).padStart(length > 0xff_ff ? 6 : length > 0xff ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | lengthBytes.length]), lengthBytes, content]);
}

export const sequence = (...parts: Buffer[]): Buffer => der(0x30, Buffer.concat(parts));
export const set = (...parts: Buffer[]): Buffer => der(0x31, Buffer.concat(parts));
export const explicit = (number: number, content: Buffer): Buffer => der(0xa0 | number, content);
export const integer = (bytes: Buffer): Buffer => der(0x02, bytes);
/** `hex`: its encoded numbers. */
export const objectId = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
export const utf8String = (text: string): Buffer => der(0x0c, Buffer.from(text));
export const bitString = (bytes: Buffer): Buffer => der(0x03, Buffer.concat([Buffer.from([0]), bytes]));
