import { OutputRefused } from '../errors/inputs.js';
import type { OutputRules } from '../inference/input-rules.js';
import type { Answer, ResponsePart } from '../inference/part.js';
import type { HeaderPair } from '../inference/request.js';
import { isJsonType, textOf } from './media-type.js';
import { escapedMarkup } from './text-rule.js';

/** An answer that passes the model's rules for outputs: text comes as text, with its markup written as entities, and numbers are numbers. */
export function ruledAnswer(answer: Answer, rules: OutputRules): Answer {
  let isText: boolean | undefined;
  let isOver = false;
  const part = (given: ResponsePart): void => {
    if (isOver) return;
    const type = typeOf(given.headers);
    isText ??= type === undefined ? !looksLikeJson(given.body) && textOf(given.body) !== undefined : type.startsWith('text/');
    if (rules.finite && (type === undefined || isJsonType(type)) && holdsNoNumber(given.body)) {
      isOver = true;
      return answer.fail(OutputRefused({ what: 'it holds NaN or an infinity' }));
    }
    if (rules.html !== 'escape' || !isText) return answer.part(given);
    const headers = given.headers.map(([name, value]): HeaderPair => [name, name.toLowerCase() === 'content-type' ? 'text/plain; charset=utf-8' : value]);
    // A piece may end amid a character, which holds none of the bytes that are written anew.
    const body = Buffer.from(escapedMarkup(Buffer.from(given.body).toString('latin1')), 'latin1');
    answer.part({ ...given, headers, body });
  };
  return { part, fail: (error) => answer.fail(error) };
}

function typeOf(headers: readonly HeaderPair[]): string | undefined {
  return headers
    .findLast(([name]) => name.toLowerCase() === 'content-type')?.[1]
    .split(';')[0]
    ?.trim()
    .toLowerCase();
}

function looksLikeJson(body: Uint8Array): boolean {
  return /^\s*[[{]/.test(Buffer.from(body.subarray(0, 64)).toString());
}

/** Whole, or to the end: the last one may go on in the next piece. One begins at each quote, whatever follows, so that no text is looked through again and again. */
const STRINGS = /"(?:[^"\\]+|\\.)*(?:"|\\?$)/gs;

/** Python's words for what JSON lacks, outside of strings. */
function holdsNoNumber(body: Uint8Array): boolean {
  const text = textOf(body);
  return text !== undefined && looksLikeJson(body) && /\b(NaN|Infinity)\b/.test(text.replace(STRINGS, '""'));
}
