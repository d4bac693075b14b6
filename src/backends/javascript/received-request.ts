import type { InputParameter } from '../../inference/request.js';
import type { ThreadRequest } from '../thread-messages.js';
import { HandlerError, type HandlerInput, type HandlerRequest } from './handler.js';

/** A request as a handler sees it. */
export class ReceivedRequest implements HandlerRequest {
  readonly id: string;
  readonly purpose: HandlerRequest['purpose'];
  readonly headers: Readonly<Record<string, string>>;
  readonly inputs: readonly HandlerInput[];

  /** Throws a HandlerError (400) when an input that calls itself JSON is none: so it fails before its batch reaches the handler. */
  constructor(request: ThreadRequest) {
    this.id = request.id;
    this.purpose = request.purpose;
    this.headers = Object.fromEntries(request.headers.map(([name, value]) => [name.toLowerCase(), value]));
    this.inputs = request.inputs.map((input) => new ReceivedInput(input));
  }

  input(name: string): HandlerInput | undefined {
    return this.inputs.findLast((input) => input.name === name);
  }

  get bytes(): Uint8Array {
    return this.#main?.bytes ?? new Uint8Array();
  }

  text(): string {
    return this.#main?.text() ?? '';
  }

  json(): unknown {
    if (this.#main === undefined) throw new HandlerError(400, 'The request has no body.');
    return this.#main.json();
  }

  get #main(): HandlerInput | undefined {
    return this.input('data') ?? this.input('body') ?? this.inputs[0];
  }
}

class ReceivedInput implements HandlerInput {
  readonly name: string;
  readonly contentType: string;
  readonly bytes: Uint8Array;
  #json: { readonly value: unknown } | undefined;

  constructor({ name, contentType, value }: InputParameter) {
    this.name = name;
    this.contentType = contentType;
    this.bytes = value;
    if (contentType === 'application/json' || contentType.endsWith('+json')) this.json();
  }

  text(): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength).toString();
  }

  json(): unknown {
    this.#json ??= { value: this.#parse() };
    return this.#json.value;
  }

  #parse(): unknown {
    try {
      return JSON.parse(this.text());
    } catch (error) {
      throw new HandlerError(400, `The JSON of "${this.name}" cannot be read: ${error instanceof Error ? error.message : 'it is broken'}`);
    }
  }
}
