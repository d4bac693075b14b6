const TYPES: readonly (readonly [RegExp, string])[] = [
  [/\.json$/i, 'application/json'],
  [/\.png$/i, 'image/png'],
  [/\.jpe?g$/i, 'image/jpeg'],
  [/\.txt$/i, 'text/plain'],
];

/** The content type that a file is sent with unless one is given. `undefined` is standard input. */
export function contentTypeOf(file: string | undefined): string {
  return TYPES.find(([ending]) => ending.test(file ?? ''))?.[1] ?? 'application/octet-stream';
}
