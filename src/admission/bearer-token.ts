import { hash } from 'node:crypto';

const BEARER = /^Bearer[ \t]+(\S+)[ \t]*$/;
/** Longer than any token or JWT of ours. */
const MAX_TOKEN_CHARS = 16_384;

/** The token in the one value of the header `authorization`. `missing`: there is no such header; `wrong`: there are two, or it holds no bearer token. */
export function bearerToken(values: readonly string[]): { readonly token: string } | 'missing' | 'wrong' {
  const [value, another] = values;
  if (value === undefined || value === '') return 'missing';
  if (another !== undefined || value.length > MAX_TOKEN_CHARS) return 'wrong';
  const token = BEARER.exec(value)?.[1];
  return token === undefined ? 'wrong' : { token };
}

/** What is kept and compared of a token: all digests are of one length. */
export function digestOf(token: string): Buffer {
  // By way of a string: asked for a buffer, Node takes memory of its own for it, which takes longer than the digest.
  return Buffer.from(hash('sha256', token, 'binary'), 'binary');
}
