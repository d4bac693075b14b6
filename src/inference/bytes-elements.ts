const LENGTH_BYTES = 4;

/** The elements of a raw BYTES tensor: each stands after its length, an unsigned little-endian number of four bytes. Views of `bytes`; undefined when the lengths don't add up. */
export function readBytesElements(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.byteLength) {
    if (at + LENGTH_BYTES > bytes.byteLength) return undefined;
    const start = at + LENGTH_BYTES;
    at = start + view.getUint32(at, true);
    if (at > bytes.byteLength) return undefined;
    elements.push(bytes.subarray(start, at));
  }
  return elements;
}

/** The raw form of a BYTES tensor. */
export function writeBytesElements(elements: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(elements.reduce((total, element) => total + LENGTH_BYTES + element.byteLength, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const element of elements) {
    view.setUint32(at, element.byteLength, true);
    bytes.set(element, at + LENGTH_BYTES);
    at += LENGTH_BYTES + element.byteLength;
  }
  return bytes;
}
