import { FormMalformed } from '../../errors/admission.js';
import type { InputParameter } from '../../inference/request.js';

/** Of a broken pair, in the error. */
const SHOWN_CHARACTERS = 200;

/**
 * The pairs of an `application/x-www-form-urlencoded` body. TorchServe's reading of the odd cases is kept: text with neither `=` nor `&` is no
 * parameter (`curl -d '{…}'` sends such a body), a name without `=` counts only when `&` follows it, and a line break ends the body.
 * Throws FormMalformed for a broken percent escape and for a name that is empty.
 */
export function parseUrlEncoded(body: Uint8Array): InputParameter[] {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  const parameters: InputParameter[] = [];
  const pieces = text.split('&');
  for (const [index, piece] of pieces.entries()) {
    const equals = piece.indexOf('=');
    if (equals === -1) {
      if (index < pieces.length - 1 && piece !== '') parameters.push(parameter(piece, ''));
      continue;
    }
    const value = piece.slice(equals + 1);
    const lineEnd = value.search(/[\r\n]/);
    if (equals === 0) throw FormMalformed({ message: 'A form field has no name' });
    parameters.push(parameter(piece.slice(0, equals), lineEnd === -1 ? value : value.slice(0, lineEnd)));
    if (lineEnd !== -1) break;
  }
  return parameters;
}

function parameter(name: string, value: string): InputParameter {
  const brokenName = brokenEscape(name);
  if (brokenName !== -1) throw FormMalformed({ message: `Bad string: '${shown(name)}'` });
  const brokenValue = brokenEscape(value);
  if (brokenValue !== -1) throw FormMalformed({ message: `Invalid hex byte at index '${brokenValue}' in string: '${shown(value)}'` });
  return { name: decode(name), contentType: '', value: Buffer.from(decode(value)) };
}

/** Where the first percent sign stands that no byte follows; -1 for none. */
function brokenEscape(text: string): number {
  return text.search(/%(?![0-9a-f]{2})/i);
}

function shown(text: string): string {
  return text.slice(0, SHOWN_CHARACTERS);
}

function decode(text: string): string {
  const spaced = text.replaceAll('+', ' ');
  if (!spaced.includes('%')) return spaced;
  return spaced.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
}
