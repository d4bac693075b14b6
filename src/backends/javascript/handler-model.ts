import { LoadFailed } from '../../errors/backend.js';
import type { NativeGate } from '../native-gate.js';
import type { ThreadAnswer, ThreadRequest } from '../thread-messages.js';
import type { ThreadModel } from '../thread-server.js';
import { type HandlerContext, HandlerError } from './handler.js';
import { answersFrom, answerToError } from './handler-answer.js';
import { userStack } from './handler-failure.js';
import { type HandlerFunctions, importHandler } from './handler-module.js';
import { openHandlerSession } from './handler-onnx.js';
import { ReceivedRequest } from './received-request.js';

/** Everything a thread has to know to load a handler. Survives structured cloning. */
export interface HandlerModelData {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly directory: string;
  readonly handler: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  readonly batchSize: number;
  readonly workerName: string;
  readonly intraOpThreads: number;
  readonly devTracebacks: boolean;
}

/** A handler on its thread. Batches run one after the other; a handler sees only requests whose JSON could be read. */
export class HandlerModel implements ThreadModel {
  readonly facts = undefined;

  private constructor(
    private readonly handler: HandlerFunctions,
    private readonly context: HandlerContext,
    private readonly devTracebacks: boolean,
  ) {}

  /** Imports and initialises the handler. Rejects with LoadFailed whose text is the handler's error message. */
  static async open(data: HandlerModelData, gate: NativeGate): Promise<HandlerModel> {
    const { directory, modelName, modelVersion, config, batchSize, workerName, intraOpThreads, devTracebacks } = data;
    const context: HandlerContext = {
      modelName,
      modelVersion,
      modelDirectory: directory,
      config,
      batchSize,
      workerName,
      loadOnnx: (file, options) => openHandlerSession(directory, file, options?.threads ?? intraOpThreads, gate),
      error: (status, message) => new HandlerError(status, message),
    };
    const handler = await orLoadFailed('', devTracebacks, () => importHandler(directory, data.handler));
    await orLoadFailed('initialize failed: ', devTracebacks, async () => handler.initialize?.(context));
    return new HandlerModel(handler, context, devTracebacks);
  }

  async run(requests: readonly ThreadRequest[], turn: Promise<void>): Promise<readonly ThreadAnswer[]> {
    await turn;
    const read = requests.map(readRequest);
    const received = read.flatMap((one) => (one instanceof ReceivedRequest ? [one] : []));
    const answers = received.length === 0 ? [] : await this.#answer(received);
    let next = 0;
    return read.map((one) => {
      if (!(one instanceof ReceivedRequest)) return one;
      const answer = answers[next];
      next += 1;
      return answer ?? { kind: 'failed', status: 503, message: 'Prediction failed' };
    });
  }

  async close(): Promise<void> {
    await this.handler.close?.();
  }

  async #answer(requests: readonly ReceivedRequest[]): Promise<readonly ThreadAnswer[]> {
    const { handle, preprocess, inference, postprocess } = this.handler;
    try {
      if (handle !== undefined) return answersFrom(await handle(requests, this.context), requests, this.devTracebacks);
      let data: unknown = requests;
      for (const step of [preprocess, inference, postprocess]) data = step === undefined ? data : await step(data, this.context);
      return answersFrom(data, requests, this.devTracebacks);
    } catch (error) {
      const answer = answerToError(error, requests, this.devTracebacks);
      return requests.map(() => answer);
    }
  }
}

/** Rejects with LoadFailed for whatever `step` throws, and writes its stack to the log. */
async function orLoadFailed<T>(headline: string, devTracebacks: boolean, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (LoadFailed.is(error)) throw error;
    const stack = userStack(error);
    console.error(stack);
    const message = `${headline}${error instanceof Error ? error.message : String(error)}`;
    throw LoadFailed({ status: 500, message, traceback: devTracebacks ? stack : undefined }, error);
  }
}

function readRequest(request: ThreadRequest): ReceivedRequest | ThreadAnswer {
  try {
    return new ReceivedRequest(request);
  } catch (error) {
    return error instanceof HandlerError ? { kind: 'invalid', what: error.message } : answerToError(error, [request], false);
  }
}
