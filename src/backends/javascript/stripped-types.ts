import { transformSync } from '@swc/wasm-typescript';

/**
 * A module's text with blanks in place of types, so that lines and columns stay what they are in the file. Throws a SyntaxError whose stack shows the
 * place: for what cannot be parsed, and for syntax that is more than types (`enum`), which newer Nodes refuse too.
 */
export function strippedTypes(text: string, path: string): string {
  try {
    return transformSync(text, { mode: 'strip-only', module: true, filename: path }).code;
  } catch (thrown) {
    throw asSyntaxError(thrown, path);
  }
}

/** What the stripper throws is a plain object. */
function asSyntaxError(thrown: unknown, path: string): unknown {
  if (typeof thrown !== 'object' || thrown === null || !('message' in thrown) || thrown instanceof Error) return thrown;
  const line = 'startLine' in thrown ? `:${String(thrown.startLine)}` : '';
  const snippet = 'snippet' in thrown ? `${String(thrown.snippet).trimEnd()}\n` : '';
  const error = new SyntaxError(String(thrown.message));
  error.stack = `${path}${line}\n${snippet}SyntaxError: ${error.message}`;
  return error;
}
