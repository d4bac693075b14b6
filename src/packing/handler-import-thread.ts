import { parentPort, workerData } from 'node:worker_threads';
import { importHandler } from '../backends/javascript/handler-module.js';
import { SconceError } from '../errors/sconce-error.js';
import type { HandlerImport, ImportOutcome } from './javascript-check.js';

// The thread in which `sconce pack` imports a handler. Its data is a HandlerImport: nothing else starts this module.
const { directory, handler } = workerData as HandlerImport;
const outcome: ImportOutcome = await importHandler(directory, handler).then(
  () => ({ failure: undefined }),
  (error: unknown) => ({ failure: told(error) }),
);
parentPort?.postMessage(outcome);

function told(error: unknown): NonNullable<ImportOutcome['failure']> {
  if (error instanceof SconceError) return { message: error.message, stack: '' };
  return error instanceof Error ? { message: `${error.name}: ${error.message}`, stack: error.stack ?? '' } : { message: String(error), stack: '' };
}
