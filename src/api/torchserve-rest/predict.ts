import { BadRequest } from '../../errors/admission.js';
import type { Principal } from '../../inference/principal.js';
import type { HeaderPair, InferencePurpose, InferenceRequest, InputParameter } from '../../inference/request.js';
import type { Log, Observer } from '../../observability/observer.js';
import type { HttpReply, HttpRequest } from '../http-exchange.js';
import { RestAnswer } from './answer.js';
import type { InferencePort } from './inference-port.js';
import { inputsOf } from './parameters.js';

/** What a path says about the prediction that it stands for. */
export interface PredictionWish {
  /** undefined: an input named `model_name` says it. */
  readonly model: string | undefined;
  readonly version: string | undefined;
  readonly purpose: InferencePurpose;
  /** What the path adds to the client's headers, beating them. */
  readonly headers: readonly HeaderPair[];
  /** Whether the query's pairs become inputs. */
  readonly queryIsInput: boolean;
}

export interface PredictOptions {
  readonly gate: InferencePort;
  readonly observer: Observer;
  readonly log: Log;
  /** The OpenAPI document of one model: what OPTIONS on its paths shows. */
  readonly describeModelApi: (model: string) => unknown;
}

/** Turns HTTP requests into inference requests. Sconce's own header `x-sconce-timeout-ms` gives a request a deadline. */
export class Predict {
  readonly #options: PredictOptions;

  constructor(options: PredictOptions) {
    this.#options = options;
  }

  /** Body first, then the model: a body that can't be read is refused even where there is no such model. Throws what is wrong with the request. */
  run(wish: PredictionWish, http: HttpRequest, reply: HttpReply): void {
    const { gate, observer, describeModelApi } = this.#options;
    const inputs = inputsOf(http, wish.queryIsInput);
    const model = wish.model ?? modelNameOf(inputs);
    gate.assertServed(http.principal, model, wish.version);
    if (http.method === 'OPTIONS') {
      reply.json(200, describeModelApi(model));
      return;
    }
    const request = new RestInferenceRequest(http, model, wish, inputs);
    observer.inferenceRequested(model, wish.version);
    gate.submit(request, new RestAnswer(request, reply, this.#options));
  }
}

/** An HTTP request as an inference request. Throws BadRequest for a time-out that is none. */
export class RestInferenceRequest implements InferenceRequest {
  readonly id: string;
  readonly principal: Principal;
  readonly version: string | undefined;
  readonly purpose: InferencePurpose;
  readonly headers: readonly HeaderPair[];
  readonly receivedAtMs: number;
  readonly deadlineAtMs: number | undefined;
  readonly #http: HttpRequest;

  constructor(
    http: HttpRequest,
    readonly model: string,
    wish: PredictionWish,
    readonly inputs: readonly InputParameter[],
  ) {
    this.#http = http;
    this.id = http.id;
    this.principal = http.principal;
    this.version = wish.version;
    this.purpose = wish.purpose;
    this.headers = http.headers.concat(lengthHeader(http), wish.headers);
    this.receivedAtMs = http.receivedAtMs;
    const timeoutMs = timeoutOf(http);
    this.deadlineAtMs = timeoutMs === undefined ? undefined : http.receivedAtMs + timeoutMs;
  }

  get cancelled(): AbortSignal {
    return this.#http.closed;
  }
}

/** TorchServe's server tells a handler the length of a body, in lower case, where the client did not. */
function lengthHeader(http: HttpRequest): readonly HeaderPair[] {
  return http.header('content-length') === undefined ? [['content-length', String(http.body.length)]] : [];
}

function modelNameOf(inputs: readonly InputParameter[]): string {
  const named = inputs.find(({ name }) => name === 'model_name');
  if (named === undefined || named.value.length === 0) throw BadRequest({ message: 'Parameter model_name is required.' });
  return Buffer.from(named.value).toString('utf8');
}

function timeoutOf(http: HttpRequest): number | undefined {
  const text = http.header('x-sconce-timeout-ms');
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw BadRequest({ message: 'x-sconce-timeout-ms must be a whole number of milliseconds from 1 to 999999999.' });
  return Number(text);
}
