import type { Outcome } from '../composition/ask-once.js';
import { LoadFailed } from '../errors/backend.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { ResponsePart } from '../inference/part.js';
import type { HeaderPair } from '../inference/request.js';

/** Prints an answer as it comes: bodies as they are, or at the end one JSON object. */
export class PrintedAnswer {
  readonly #bodies: Uint8Array[] = [];
  #status = 200;
  #headers: readonly HeaderPair[] = [];
  #isFirst = true;

  constructor(private readonly json: boolean) {}

  part({ status, headers, body }: ResponsePart): void {
    if (this.#isFirst) {
      this.#status = status;
      this.#headers = headers;
    }
    this.#isFirst = false;
    if (this.json) this.#bodies.push(body);
    else process.stdout.write(body);
  }

  /** Gives the exit code. With `withTraceback` the traceback follows the message: unless the model's own output has shown it already. */
  end(outcome: Outcome, withTraceback: boolean): number {
    if (this.json) this.#printJson(outcome);
    else if (process.stdout.isTTY && !this.#isFirst) process.stdout.write('\n');
    if (outcome.kind === 'answered') {
      if (this.#status >= 200 && this.#status < 300) return 0;
      process.stderr.write(`The answer's status is ${this.#status}.\n`);
      return 1;
    }
    const { error, why } = outcome;
    const { message, traceback } = partsOf(error);
    process.stderr.write(`${headOf(error)}${message}${why === undefined ? '' : ` (${why})`}\n`);
    if (withTraceback && traceback !== undefined) process.stderr.write(`${traceback}\n`);
    return 1;
  }

  #printJson(outcome: Outcome): void {
    const headers = Object.fromEntries(this.#headers);
    const told =
      outcome.kind === 'answered'
        ? { status: this.#status, headers, handlerMs: outcome.handlerMs, ...bodyOf(Buffer.concat(this.#bodies)) }
        : { status: outcome.error.rendering.http, error: { code: outcome.error.code, ...partsOf(outcome.error), why: outcome.why } };
    process.stdout.write(`${JSON.stringify(told, undefined, 2)}\n`);
  }
}

/** TorchServe's own texts, which are one line. */
const ONE_LINERS = new Set([
  'Prediction failed',
  'Out of resources',
  'Invalid model predict output',
  'number of batch response mismatched',
  'Unsupported model output data type.',
]);

/** An error's text, and what its author is told behind it. */
function partsOf({ code, message }: SconceError): { readonly message: string; readonly traceback?: string } {
  const first = message.indexOf('\n');
  const isOneLine = first >= 0 && (code === LoadFailed.code || ONE_LINERS.has(message.slice(0, first)));
  const at = isOneLine ? first : message.search(/\n( {2}\+ Exception Group )?Traceback \(most recent call last\):/);
  return at < 0 ? { message } : { message: message.slice(0, at), traceback: message.slice(at + 1) };
}

/** What stands before an error's message: the status that a server would answer the request with, if it came so far. */
function headOf(error: SconceError): string {
  if (error.code === LoadFailed.code) return 'The model could not be loaded: ';
  return error.reason === undefined ? '' : `${error.rendering.http} `;
}

/** JSON as a value, other text as text, anything else in base64. */
function bodyOf(bytes: Buffer): { readonly body: unknown } | { readonly bodyBase64: string } {
  const text = bytes.toString();
  if (!Buffer.from(text).equals(bytes)) return { bodyBase64: bytes.toString('base64') };
  try {
    return { body: JSON.parse(text) };
  } catch {
    return { body: text }; // Text that is no JSON.
  }
}
