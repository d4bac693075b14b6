// The public types of a JavaScript or TypeScript handler: `import type { Handler } from 'sconce/handler'`. This file imports nothing.

/** Text, bytes as they are, any JSON value, an answer with status and headers of its own, or an error for this one request. */
export type HandlerResult = string | Uint8Array | JsonValue | HandlerResponse | Error;

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Recognised by its keys: `body` and at least one of the others, nothing else. */
export interface HandlerResponse {
  /** HTTP status, 200 if absent. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | JsonValue;
}

/** One named input of a request. */
export interface HandlerInput {
  readonly name: string;
  /** Bare media type, lower case; '' when the client gave none. */
  readonly contentType: string;
  readonly bytes: Uint8Array;
  text(): string;
  /** Throws a HandlerError with status 400 when the bytes are no JSON. What came as application/json has been checked before. */
  json(): unknown;
}

export interface HandlerRequest {
  readonly id: string;
  readonly purpose: 'predict' | 'explain' | 'describe';
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** In the client's order. A request with a plain body has one, named `body`. */
  readonly inputs: readonly HandlerInput[];
  input(name: string): HandlerInput | undefined;
  /** Of the main input: `data`, else `body`, else the first. Empty when there is none. */
  readonly bytes: Uint8Array;
  text(): string;
  json(): unknown;
}

export interface HandlerContext {
  readonly modelName: string;
  readonly modelVersion: string;
  /** Absolute path of the unpacked model. */
  readonly modelDirectory: string;
  /** The whole of model-config.yaml. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Most requests that one call brings. */
  readonly batchSize: number;
  /** `W-9000-name_1.0`, as in the logs. */
  readonly workerName: string;
  /** Loads an ONNX file of the model directory. Use this and no session of your own: ending a thread inside someone else's native code ends the server. */
  loadOnnx(file: string, options?: { readonly threads?: number }): Promise<OnnxSession>;
  /** An error to throw or to return for one request: its status and message reach the client. */
  error(status: number, message: string): Error;
}

/** Values of a tensor, flat and row-major; float16 as its bits, bool as bytes, int64 and uint64 as BigInts. */
export interface OnnxTensor {
  /** Such as `float32`. */
  readonly type: string;
  readonly dims: readonly number[];
  readonly data:
    | Float32Array
    | Float64Array
    | Int8Array
    | Int16Array
    | Int32Array
    | BigInt64Array
    | Uint8Array
    | Uint16Array
    | Uint32Array
    | BigUint64Array
    | string[];
}

export interface OnnxSession {
  /** A free axis is its name, a string. */
  readonly inputs: readonly { readonly name: string; readonly type: string; readonly dims: readonly (number | string)[] }[];
  readonly outputs: readonly { readonly name: string; readonly type: string; readonly dims: readonly (number | string)[] }[];
  /** Runs the model. Blocks the handler's thread, and no other. */
  run(inputs: Readonly<Record<string, OnnxTensor>>): Promise<Record<string, OnnxTensor>>;
  release(): Promise<void>;
}

/**
 * A model's own code. Either `handle`, or any of `preprocess` → `inference` → `postprocess`, each given what the one before returned.
 * The last of them returns one result per request, in order.
 */
export interface Handler {
  /** Once, before the first request. A rejection means that the model cannot be loaded. */
  initialize?(context: HandlerContext): void | Promise<void>;
  handle?(requests: readonly HandlerRequest[], context: HandlerContext): readonly HandlerResult[] | Promise<readonly HandlerResult[]>;
  preprocess?(requests: readonly HandlerRequest[], context: HandlerContext): unknown;
  inference?(data: unknown, context: HandlerContext): unknown;
  postprocess?(data: unknown, context: HandlerContext): readonly HandlerResult[] | Promise<readonly HandlerResult[]>;
  /** When the model goes. */
  close?(): void | Promise<void>;
}

/** An error whose status and message reach the client. A handler without access to this package makes one with `context.error`. */
export class HandlerError extends Error {
  override readonly name = 'HandlerError';

  constructor(
    /** 400 to 599. */
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}
