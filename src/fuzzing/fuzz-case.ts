/** Where an input comes from: the report and the seed name it by this word. */
export type Family = 'schema' | 'tensors' | 'sample' | 'boundary' | 'bytes' | 'prompts';

/** One request to throw at a model. */
export interface FuzzCase {
  readonly family: Family;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** A JSON value as a request. NaN and the infinities go as Python's words. */
export function jsonCase(family: Family, value: unknown): FuzzCase {
  const text = JSON.stringify(value, (_, member: unknown) => (typeof member === 'number' && !Number.isFinite(member) ? `\u0000${member}\u0000` : member));
  return { family, contentType: 'application/json', body: Buffer.from((text ?? 'null').replace(/"\\u0000(NaN|-?Infinity)\\u0000"/g, '$1')) };
}
