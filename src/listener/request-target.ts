import { IllegalArgument } from '../errors/admission.js';

/** The path of a request target: what stands before `?` or `#`, without scheme and authority where a client sent the absolute form. */
export function pathOf(target: string): string {
  const end = target.search(/[?#]/);
  const path = end === -1 ? target : target.slice(0, end);
  if (path.startsWith('/')) return path;
  return path.replace(/^https?:\/\/[^/]*/i, '');
}

/**
 * Splits a path into its segments after decoding all of it, so that `%2F` separates segments as `/` does. Doubled slashes give empty segments, trailing
 * empty ones are dropped. Bytes that are no UTF-8 become U+FFFD. A `%` without two hex digits throws IllegalArgument.
 */
export function segmentsOf(path: string): readonly string[] {
  const decoded = path.includes('%') ? percentDecode(path) : path;
  const segments = decoded.split('/');
  if (segments[0] === '') segments.shift();
  while (segments.length > 0 && segments[segments.length - 1] === '') segments.pop();
  return segments;
}

/** The decoded pairs after `?`, up to `#`. Throws IllegalArgument as `segmentsOf` does. */
export function queryOf(target: string): URLSearchParams {
  const start = target.indexOf('?');
  if (start === -1) return new URLSearchParams();
  const fragment = target.indexOf('#', start);
  const raw = fragment === -1 ? target.slice(start + 1) : target.slice(start + 1, fragment);
  assertEscapes(raw);
  return new URLSearchParams(raw);
}

function percentDecode(text: string): string {
  assertEscapes(text);
  try {
    return decodeURIComponent(text);
  } catch (error) {
    // The escapes are well-formed, so what fails is their UTF-8.
    if (!(error instanceof URIError)) throw error;
    return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
  }
}

function assertEscapes(text: string): void {
  const at = text.search(/%(?![0-9a-f]{2})/i);
  if (at === -1) return;
  if (at + 2 >= text.length) throw IllegalArgument({ message: `unterminated escape sequence at index ${at} of: ${text}` });
  throw IllegalArgument({ message: `invalid hex byte '${text.slice(at + 1, at + 3)}' at index ${at + 1} of '${text}'` });
}
