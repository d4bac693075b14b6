import type { ResponsePart } from '../../inference/part.js';
import type { HeaderPair } from '../../inference/request.js';

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the characters that must not reach a header line
const UNFIT = /[\u0000-\u0008\u000a-\u001f\u007f]|[^\u0000-\u00ff]/;
/** The server frames the message itself: a handler that words these would split or desynchronise the connection. */
const FRAMING = new Set(['connection', 'content-length', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade']);

/** The phrase and headers of a worker's answer that may stand in an HTTP head: others, and those that frame the message, are left out. */
export function headOf(phrase: string, headers: readonly HeaderPair[]): Pick<ResponsePart, 'reason' | 'headers'> {
  return {
    reason: UNFIT.test(phrase) ? '' : phrase,
    headers: headers.length === 0 ? headers : headers.filter(([name, value]) => TOKEN.test(name) && !UNFIT.test(value) && !FRAMING.has(name.toLowerCase())),
  };
}
