import type { Log, Observer } from './observer.js';

/** An observer that hears nothing. */
export const SILENT_OBSERVER: Observer = {
  inferenceRequested() {},
  inferenceAnswered() {},
  inferenceRefused() {},
  queueTime() {},
  workerThreadTime() {},
  workerLoaded() {},
  httpAnswered() {},
  grpcAnswered() {},
  tokenRefused() {},
  workerOutput() {},
};

/** A log that nobody reads. */
export const SILENT_LOG: Log = { debug() {}, info() {}, warn() {}, error() {}, named: () => SILENT_LOG };
