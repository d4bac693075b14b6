import { finished } from 'node:stream/promises';
import { type ResourceLimits, Worker } from 'node:worker_threads';
import { BadInput, HandlerFailed, LoadFailed, PredictionMissing, ResponseTooLarge } from '../errors/backend.js';
import { SconceError } from '../errors/sconce-error.js';
import type { Batch, BatchSink } from '../inference/batch.js';
import { tenantNameOf } from '../inference/tenant.js';
import type { AbandonedThreads } from './abandoned-threads.js';
import type { Runner, RunnerEvents, RunnerSpec } from './backend.js';
import { LineCutter, LineTail } from './line-tail.js';
import { NativeGate } from './native-gate.js';
import { batchMessage, type FromThread, readFromThread, type ThreadAnswer, type ToThread } from './thread-messages.js';

export interface ThreadRunnerOptions {
  readonly spec: RunnerSpec;
  readonly events: RunnerEvents;
  /** The compiled module that the thread starts with; it calls `serveThread`. */
  readonly entry: URL;
  /** Gives what is handed to the thread's `load`; it must survive structured cloning. Called by `load`; may throw LoadFailed. */
  readonly data: () => unknown;
  /** The thread's `process.env`, whole: the server's own is not inherited. */
  readonly environment: Readonly<Record<string, string>>;
  /** Limit of the thread's JavaScript heap in MiB; undefined leaves Node's. */
  readonly maxHeapMb: number | undefined;
  /** Takes over a thread that had to be given up. */
  readonly abandoned: AbandonedThreads;
  /** Called with what the thread told of itself when it had loaded. */
  readonly loaded?: (facts: unknown) => void;
}

/** How long the end of a thread's output is waited for after the thread has ended. */
const LAST_WORDS_MS = 200;
/** What a shell shows for a process killed for memory; the replica tells a death for memory by it. */
const OUT_OF_MEMORY_CODE = 137;

type State = 'created' | 'loading' | 'ready' | 'stopping' | 'gone';

/**
 * A runner whose model lives on a worker thread. States as in `Runner`; invariants: at most one thread; a batch leaves `#running`
 * exactly once, and gives back the place that it had or waited for; after `gone` nothing is told to anyone. A thread inside native code is given up, not ended (see NativeGate).
 */
export class ThreadRunner implements Runner {
  readonly pipelineDepth = 2;
  readonly pid = undefined;
  #state: State = 'created';
  #worker: Worker | undefined;
  readonly #gate = new NativeGate();
  readonly #tail = new LineTail();
  readonly #running = new Map<number, { readonly batch: Batch; readonly sink: BatchSink; readonly leave: () => void }>();
  #expected = false;
  #outOfMemory = false;
  #loading: { resolve(): void; reject(error: SconceError): void } | undefined;
  #loadTimer: NodeJS.Timeout | undefined;
  #stopTimer: NodeJS.Timeout | undefined;
  #whenGone: (() => void)[] = [];

  constructor(private readonly options: ThreadRunnerOptions) {}

  load(): Promise<void> {
    const { spec } = this.options;
    this.#state = 'loading';
    const loaded = new Promise<void>((resolve, reject) => {
      this.#loading = { resolve, reject };
    });
    try {
      this.#worker = this.#startThread(this.options.data());
    } catch (error) {
      const known = error instanceof SconceError ? error : LoadFailed({ status: 500, message: 'The worker thread could not be started.' }, error);
      this.#loadFailed(known);
      setImmediate(() => this.#gone(undefined));
      return loaded;
    }
    this.#loadTimer = setTimeout(() => {
      this.#loadFailed(LoadFailed({ status: 500, message: `The worker thread did not load its model within ${spec.startupTimeoutMs / 1000} s.` }));
      this.#end();
    }, spec.startupTimeoutMs);
    return loaded;
  }

  run(batch: Batch, sink: BatchSink): void {
    const { places, model } = this.options.spec;
    if (places === undefined) {
      this.#running.set(batch.id, { batch, sink, leave: () => undefined });
      return this.#post(batch);
    }
    const tenant = tenantNameOf(model.tenant);
    let takeBack = (): boolean => false;
    // Before the place is taken, which may post at once.
    this.#running.set(batch.id, { batch, sink, leave: () => takeBack() || places.give(tenant) });
    let isHeld = false;
    let isPosted = false;
    takeBack = places.take(tenant, () => {
      isPosted = true;
      if (isHeld) sink.held?.(false);
      this.#post(batch);
    });
    if (isPosted) return;
    isHeld = true;
    sink.held?.(true);
  }

  #post(batch: Batch): void {
    // A request that may be tried again on another worker keeps its body here.
    const handOver = !this.options.spec.model.config.sconce.retryOnWorkerDeath;
    const { message, transfer } = batchMessage(batch.id, batch.requests, handOver);
    this.#worker?.postMessage(message, transfer);
  }

  stop(graceMs: number): Promise<void> {
    if (this.#state === 'created') this.#state = 'gone';
    if (this.#state === 'gone') return Promise.resolve();
    this.#expected = true;
    const gone = new Promise<void>((resolve) => {
      this.#whenGone.push(resolve);
    });
    if (this.#state === 'loading') this.#end();
    if (this.#state === 'ready') {
      this.#state = 'stopping';
      this.#stopTimer = setTimeout(() => this.#end(), graceMs);
      if (this.#running.size === 0) this.#askToEnd();
    }
    return gone;
  }

  kill(): void {
    if (this.#state === 'gone') return;
    if (this.#state === 'created') {
      this.#state = 'gone';
      return;
    }
    this.#expected = true;
    this.#end();
  }

  memoryBytes(): Promise<number | undefined> {
    return Promise.resolve(undefined);
  }

  #startThread(data: unknown): Worker {
    const { spec, entry, environment, maxHeapMb } = this.options;
    const resourceLimits: ResourceLimits = maxHeapMb === undefined ? {} : { maxOldGenerationSizeMb: maxHeapMb };
    const workerData = { data, gate: this.#gate.memory };
    const worker = new Worker(entry, { name: spec.workerName, workerData, env: { ...environment }, stdout: true, stderr: true, resourceLimits });
    this.#cutLines(worker.stdout, 'stdout');
    this.#cutLines(worker.stderr, 'stderr');
    worker.on('message', (message: unknown) => this.#received(message));
    worker.on('messageerror', (error) => this.#crashed(error));
    worker.on('error', (error: unknown) => this.#crashed(error));
    worker.on('exit', (code) => void this.#exited(worker, code));
    return worker;
  }

  #cutLines(stream: NodeJS.ReadableStream, name: 'stdout' | 'stderr'): void {
    const cutter = new LineCutter((line) => this.#output(name, line));
    stream.on('data', (chunk: Buffer) => cutter.write(chunk));
    stream.on('end', () => cutter.end());
  }

  #output(stream: 'stdout' | 'stderr', line: string): void {
    if (this.#state === 'gone') return;
    this.#tail.add(line);
    this.options.events.output(stream, line);
  }

  #received(value: unknown): void {
    const message = readFromThread(value);
    if (this.#state === 'gone' || message === undefined) return;
    if (message.kind === 'done') return this.#done(message);
    if (this.#state !== 'loading') return;
    if (message.kind === 'load-failed') {
      this.#loadFailed(LoadFailed({ status: message.status, message: message.message }));
      return this.#end();
    }
    clearTimeout(this.#loadTimer);
    this.#state = 'ready';
    this.options.loaded?.(message.facts);
    this.#loading?.resolve();
    this.#loading = undefined;
  }

  #done({ id, handlerMs, answers }: Extract<FromThread, { kind: 'done' }>): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    running.leave();
    const { maxResponseBytes } = this.options.spec;
    const tooLarge = answers.some((answer) => answer.kind === 'answer' && answer.body.length > maxResponseBytes);
    for (const index of running.batch.requests.keys()) {
      if (tooLarge) running.sink.fail(index, ResponseTooLarge({ limitBytes: maxResponseBytes }));
      else tell(running.sink, index, answers[index]);
    }
    running.sink.done(handlerMs);
    if (tooLarge) {
      this.#output('stderr', `An answer was longer than max_response_size (${maxResponseBytes} bytes); the worker is replaced.`);
      return this.#end();
    }
    if (this.#state === 'stopping' && this.#running.size === 0) this.#askToEnd();
  }

  #crashed(error: unknown): void {
    this.#outOfMemory = isOutOfMemory(error);
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    for (const line of text.split('\n')) this.#output('stderr', line);
    if (this.#outOfMemory) this.#output('stderr', `The thread's JavaScript heap reached its limit${heapLimit(this.options.maxHeapMb)}.`);
    const message = error instanceof Error ? error.message : text;
    this.#loadFailed(LoadFailed({ status: this.#outOfMemory ? 507 : 500, message }, error));
  }

  #loadFailed(error: SconceError): void {
    clearTimeout(this.#loadTimer);
    this.#loading?.reject(error);
    this.#loading = undefined;
  }

  #askToEnd(): void {
    this.#worker?.postMessage({ kind: 'stop' } satisfies ToThread);
  }

  /** Ends the thread; one that is inside native code is let go, and ends by itself when it comes out. */
  #end(): void {
    const worker = this.#worker;
    if (worker === undefined) return;
    if (this.#gate.close() === 'may-end') {
      void worker.terminate();
      return;
    }
    this.options.abandoned.add(worker);
    this.#loadFailed(LoadFailed({ status: 500, message: 'The worker was stopped while it was loading.' }));
    setImmediate(() => this.#gone(undefined));
  }

  async #exited(worker: Worker, code: number): Promise<void> {
    const quiet = AbortSignal.timeout(LAST_WORDS_MS);
    await Promise.allSettled([finished(worker.stdout, { signal: quiet }), finished(worker.stderr, { signal: quiet })]);
    const lastLine = this.#tail.lines.findLast((line) => line.trim() !== '');
    this.#loadFailed(
      LoadFailed({ status: 500, message: `The worker thread ended while it was loading (exit code ${code})${lastLine ? `: ${lastLine}` : ''}` }),
    );
    // The rejection is heard before the exit.
    setImmediate(() => this.#gone(this.#outOfMemory ? OUT_OF_MEMORY_CODE : code));
  }

  #gone(code: number | undefined): void {
    if (this.#state === 'gone') return;
    this.#state = 'gone';
    clearTimeout(this.#loadTimer);
    clearTimeout(this.#stopTimer);
    for (const { leave } of this.#running.values()) leave();
    this.#running.clear();
    this.options.events.exit({ expected: this.#expected, code, signal: undefined, memoryPeakBytes: undefined, lastLines: this.#tail.lines });
    for (const resolve of this.#whenGone.splice(0)) resolve();
  }
}

function tell(sink: BatchSink, index: number, answer: ThreadAnswer | undefined): void {
  switch (answer?.kind) {
    case 'answer': {
      const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
      return sink.part(index, { status: answer.status, reason: answer.reason, headers: answer.headers, body, last: true });
    }
    case 'invalid':
      return sink.fail(index, BadInput({ what: answer.what }));
    case 'failed':
      return sink.fail(index, HandlerFailed({ status: answer.status, message: answer.message }));
    default:
      return sink.fail(index, PredictionMissing({}));
  }
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

function heapLimit(maxHeapMb: number | undefined): string {
  return maxHeapMb === undefined ? '' : ` of ${maxHeapMb} MiB`;
}
