import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Invariant } from '../errors/admission.js';
import { LoadFailed } from '../errors/backend.js';
import { SconceError } from '../errors/sconce-error.js';
import { NativeGate } from './native-gate.js';
import { ProcessPort } from './process-port.js';
import { type FromThread, packBodies, type ThreadAnswer, type ThreadRequest, type ToThread } from './thread-messages.js';

/** A loaded model as the thread's loop drives it. */
export interface ThreadModel {
  /** What the gateway may know of the model; must survive structured cloning. */
  readonly facts: unknown;
  /**
   * Answers every request of a batch, in order. Called when the batch arrives, which may be while the one before still runs:
   * whatever touches the model waits for `turn`. Should not reject; when it does, the whole batch fails with `Prediction failed`.
   */
  run(requests: readonly ThreadRequest[], turn: Promise<void>): Promise<readonly ThreadAnswer[]>;
  /** Frees what the model holds. */
  close(): Promise<void>;
}

/** The line to the gateway: of a thread, or of a process that serves the same model. */
interface Port {
  readonly data: Promise<unknown>;
  readonly gate: NativeGate;
  onMessage(receive: (message: ToThread) => void): void;
  post(message: FromThread, transfer: readonly ArrayBuffer[]): void;
  end(): void;
}

/**
 * The life of a worker thread, or of a process that is started with the same module: loads the model, answers batches in the order they came, ends when asked.
 * `load` gets the runner's `data` and rejects with LoadFailed; any other error's message becomes the text of one.
 */
export async function serveThread(load: (data: unknown, gate: NativeGate) => Promise<ThreadModel>): Promise<void> {
  const port = isMainThread ? processPort() : threadPort();
  try {
    listen(port, await load(await port.data, port.gate));
  } catch (error) {
    const known = error instanceof SconceError ? error : LoadFailed({ status: 500, message: error instanceof Error ? error.message : String(error) }, error);
    if (known !== error) console.error(error);
    port.post({ kind: 'load-failed', status: known.rendering.http, message: known.message }, []);
    // A thread is ended by its owner; a process that has nothing to do ends by itself.
    if (isMainThread) port.end();
  }
}

function threadPort(): Port {
  const { data, gate } = readWorkerData(workerData);
  return {
    data: Promise.resolve(data),
    gate,
    onMessage: (receive) => void parentPort?.on('message', receive),
    post: (message, transfer) => parentPort?.postMessage(message, transfer),
    end: () => process.exit(0),
  };
}

/** A process is ended from outside whatever it does: nobody closes its gate. */
function processPort(): Port {
  const port = new ProcessPort();
  return {
    data: port.data,
    gate: new NativeGate(),
    onMessage: (receive) => port.onMessage(receive),
    post: (message) => port.post(message),
    end: () => port.end(),
  };
}

function listen(port: Port, model: ThreadModel): void {
  let tail = Promise.resolve();
  let previousDoneAtMs = 0;
  const runBatch = async (message: Extract<ToThread, { kind: 'batch' }>, turn: Promise<void>): Promise<void> => {
    const arrivedAtMs = performance.now();
    let answers: readonly ThreadAnswer[];
    try {
      answers = await model.run(message.requests, turn);
    } catch (error) {
      console.error(error);
      answers = message.requests.map(() => ({ kind: 'failed', status: 503, message: 'Prediction failed' }));
    }
    await turn;
    const doneAtMs = performance.now();
    postAnswers(port, message.id, doneAtMs - Math.max(arrivedAtMs, previousDoneAtMs), answers);
    previousDoneAtMs = doneAtMs;
  };
  port.onMessage((message) => {
    if (message.kind === 'batch') tail = runBatch(message, tail);
    else void tail.then(() => model.close()).finally(() => port.end());
  });
  port.post({ kind: 'loaded', facts: model.facts }, []);
}

function postAnswers(port: Port, id: number, handlerMs: number, answers: readonly ThreadAnswer[]): void {
  const { bodies, transfer } = packBodies(
    answers.map((answer) => (answer.kind === 'answer' ? answer.body : '')),
    false,
  );
  const packed = answers.map((answer, index) => (answer.kind === 'answer' ? { ...answer, body: bodies[index] ?? new Uint8Array() } : answer));
  port.post({ kind: 'done', id, handlerMs, answers: packed }, transfer);
}

function readWorkerData(value: unknown): { readonly data: unknown; readonly gate: NativeGate } {
  if (typeof value === 'object' && value !== null && 'data' in value && 'gate' in value && value.gate instanceof SharedArrayBuffer) {
    return { data: value.data, gate: new NativeGate(value.gate) };
  }
  throw Invariant({ what: 'a worker thread was started without its data' });
}
