import { tmpdir } from 'node:os';
import type { Backend, Runner, RunnerExit, RunnerSpec } from '../backends/backend.js';
import { looksOutOfMemory, probableCause } from '../backends/crash-log.js';
import { DeviceAllocator } from '../backends/device-allocator.js';
import { WorkerIds } from '../backends/worker-ids.js';
import type { Settings } from '../config/settings.js';
import { BackendUnavailable, PredictionMissing, ResponseTimedOut, WorkerDied } from '../errors/backend.js';
import { NotEnoughDevices } from '../errors/model.js';
import { RequestCancelled } from '../errors/scheduling.js';
import type { SconceError } from '../errors/sconce-error.js';
import { parallelLevelOf } from '../inference/model-config.js';
import type { ResponsePart } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { ServableModel } from '../inference/servable-model.js';
import { NO_LIMITS } from '../inference/worker-limits.js';
import type { Log } from '../observability/observer.js';
import type { Accelerators } from '../platform/accelerators.js';
import { createTempFolder } from '../platform/temp-folder.js';
import { resolveLimits, type VersionLimits } from '../registry/version-limits.js';
import { createAuthenticity, createExaminingPool } from './authenticity.js';
import { createBackends, workerEnvironment } from './backends.js';
import { createPlacement, findAccelerators } from './devices.js';
import { createArchiveCache, createIntake, createSources, createUnpackingPool } from './intake.js';
import { createAuthorSandbox, serverFiles } from './sandbox.js';
import { createScanner, createScanningPool } from './scanning.js';
import { timerMs } from './timer-ms.js';

export interface AskOptions {
  readonly settings: Settings;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Folder that holds the model, absolute, and the model's name there. */
  readonly store: string;
  readonly url: string;
  readonly handler: string | undefined;
  readonly interpreter: string;
  /** A line that the model's code, or an installer, wrote. */
  readonly output: (line: string) => void;
  readonly log: Log;
  /** Gives up: what runs is ended by force. */
  readonly aborted: AbortSignal;
}

/** What is asked of the model, and where its answer goes, part by part. */
export interface Question {
  request(model: ServableModel): InferenceRequest;
  part(part: ResponsePart): void;
}

export type Outcome =
  | { readonly kind: 'answered'; readonly handlerMs: number }
  /** `why`: in one line, where the worker was too slow or ended under the request. */
  | { readonly kind: 'failed'; readonly error: SconceError; readonly why?: string };

/** For a worker that is told to stop while nothing runs on it. */
const GRACE_MS = 2000;

/**
 * Asks a model once, with no server: one worker, no listener, no queue, no retry. The model comes in through the server's intake and runs on its backends;
 * whoever asks is its author, so tracebacks are told. Nothing of it is left when this settles. Rejects with the errors of the intake and of loading.
 */
export async function askOnce(options: AskOptions, question: Question): Promise<Outcome> {
  const { settings, env, cwd, store, url, handler, interpreter, output, log, aborted } = options;
  const closing: (() => Promise<unknown>)[] = [];
  const givenUp = new Promise<never>((_, reject) => {
    aborted.addEventListener('abort', () => reject(RequestCancelled({})), { once: true });
  });
  givenUp.catch(() => undefined); // Most runs are not given up.
  const step = <T>(promise: Promise<T>): Promise<T> => Promise.race([promise, givenUp]);
  try {
    const runFolder = await createTempFolder('sconce-', env.TEMP || tmpdir());
    closing.push(() => runFolder.remove());
    const pool = createUnpackingPool();
    closing.push(() => pool.stop());
    const scanning = createScanningPool();
    closing.push(() => scanning.stop());
    const examining = createExaminingPool();
    closing.push(() => examining.stop());
    const environment = workerEnvironment(settings, env);
    const workDirectory = runFolder.path;
    const accelerators = findAccelerators(settings, env);
    // Whoever runs a model of his own bounds it himself.
    const confinement = { limits: NO_LIMITS, groups: undefined };
    const sandbox = createAuthorSandbox(settings, serverFiles(settings, cwd, []));
    // One worker has nobody to share an imported PyTorch with, and may not need it.
    const backends = createBackends(
      { ...settings, warmPython: false },
      { runDirectory: workDirectory, interpreter, environment, cwd, logFolder: workDirectory, accelerators, confinement, sandbox, devTracebacks: true, log },
    );
    for (const backend of backends.values()) closing.push(() => backend.stop());
    const intake = createIntake(settings, {
      store,
      rules: undefined,
      env,
      cwd,
      cache: createArchiveCache(settings, { env, pool, log }),
      sources: createSources(settings, { env, cwd, log }),
      scanner: createScanner(settings, { env, cwd, pool: scanning, log }),
      authenticity: createAuthenticity(settings, { cwd, pool: examining, log }),
      workDirectory,
      interpreter,
      environment,
      installerOutput: (_, line) => output(line),
      stopping: aborted,
      log,
    });
    const admitted = await step(intake.admit({ url, handler }));
    closing.push(() => intake.release(admitted, { deleteDownloaded: false }));
    const model = await step(intake.prepare(admitted, aborted));
    const backend = backends.get(model.backend);
    if (backend === undefined) throw BackendUnavailable({ backend: model.backend, why: 'it is not part of this build' });
    await step(backend.prepare(model));
    const limits = limitsOf(model, settings);
    const worker = new LoneWorker(backend, specOf(model, limits, { settings, accelerators, log }), output);
    closing.push(() => worker.stop(aborted));
    await step(worker.load());
    return await step(worker.ask(question, model, limits.responseTimeoutS));
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

function limitsOf(model: ServableModel, settings: Settings): VersionLimits {
  const { defaultResponseTimeoutS: responseTimeoutS, defaultStartupTimeoutS: startupTimeoutS, jobQueueSize: queueSize } = settings;
  return resolveLimits(model, {}, undefined, { responseTimeoutS, startupTimeoutS, queueSize, startupWorkers: 1, registerWorkers: 1 });
}

function specOf(
  model: ServableModel,
  limits: VersionLimits,
  { settings, accelerators, log }: { readonly settings: Settings; readonly accelerators: Accelerators; readonly log: Log },
): RunnerSpec {
  const devices = new DeviceAllocator(accelerators.count);
  if (devices.capacity(model.config) === 0) throw NotEnoughDevices({ model: model.name, parallelLevel: parallelLevelOf(model.config) });
  const key = `${model.name}_${model.version}`;
  const workerId = new WorkerIds(settings.initialWorkerPort, settings.initialDistributionPort).take(parallelLevelOf(model.config));
  return {
    model,
    workerId,
    workerName: `W-${workerId}-${key}`,
    device: devices.next(key, model.config),
    share: createPlacement(settings, log).share(0, 1, model.config),
    batchSize: limits.batchSize,
    startupTimeoutMs: timerMs(limits.startupTimeoutS),
    maxResponseBytes: Number.MAX_SAFE_INTEGER,
  };
}

/** One runner that is asked one thing. */
class LoneWorker {
  readonly #runner: Runner;
  readonly #exit: Promise<RunnerExit>;

  constructor(backend: Backend, spec: RunnerSpec, output: (line: string) => void) {
    let tell: (exit: RunnerExit) => void = () => undefined;
    this.#exit = new Promise((resolve) => {
      tell = resolve;
    });
    this.#runner = backend.createRunner(spec, { output: (_, line) => output(line), exit: (exit) => tell(exit) });
  }

  load(): Promise<void> {
    return this.#runner.load();
  }

  ask(question: Question, model: ServableModel, timeoutS: number): Promise<Outcome> {
    return new Promise((resolve) => {
      let failure: SconceError | undefined;
      let isAnswered = false;
      const timer = setTimeout(() => {
        resolve({ kind: 'failed', error: ResponseTimedOut({}), why: `no answer within the response time-out of ${timeoutS} s` });
        this.#runner.kill();
      }, timerMs(timeoutS));
      const settle = (outcome: Outcome): void => {
        clearTimeout(timer);
        resolve(outcome);
      };
      void this.#exit.then((exit) =>
        settle({ kind: 'failed', error: failure ?? WorkerDied({ outOfMemory: looksOutOfMemory(exit) }), why: probableCause(exit, undefined) }),
      );
      this.#runner.run(
        { id: 1, requests: [question.request(model)] },
        {
          part: (_, part) => {
            isAnswered ||= part.last;
            question.part(part);
          },
          fail: (_, error) => {
            failure ??= error;
          },
          done: (handlerMs) =>
            settle(failure === undefined && isAnswered ? { kind: 'answered', handlerMs } : { kind: 'failed', error: failure ?? PredictionMissing({}) }),
        },
      );
    });
  }

  async stop(aborted: AbortSignal): Promise<void> {
    const giveUp = () => this.#runner.kill();
    if (aborted.aborted) giveUp();
    else aborted.addEventListener('abort', giveUp, { once: true });
    await this.#runner.stop(GRACE_MS);
  }
}
