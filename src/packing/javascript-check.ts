import { realpath } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { threadEntry } from '../backends/thread-entry.js';
import { PackRefused } from '../errors/packing.js';

export interface HandlerImport {
  readonly directory: string;
  readonly handler: string;
}

export interface ImportOutcome {
  readonly failure: { readonly message: string; readonly stack: string } | undefined;
}

const CHECK_WITHIN_MS = 60_000;
const MAX_LINES = 20;

/** Imports a JavaScript or TypeScript handler on a thread of its own, as a replica would. Rejects with PackRefused, holding the handler's own lines of the stack, when that fails. */
export async function checkJavascriptHandler({ directory, handler }: HandlerImport): Promise<void> {
  const data: HandlerImport = { directory: await realpath(directory), handler };
  const worker = new Worker(threadEntry(import.meta.url, 'handler-import-thread'), { workerData: data, stdout: true, stderr: true });
  const outcome = await ended(worker);
  await worker.terminate();
  if (outcome === undefined) return;
  throw PackRefused({
    message: `The handler ${handler} cannot be imported by Node ${process.version}:\n${ownLines(outcome, data.directory)}\nMend it, or pack all the same with --no-check.`,
  });
}

/** undefined: it went well. */
function ended(worker: Worker): Promise<ImportOutcome['failure']> {
  return new Promise((resolve) => {
    const fail = (message: string, stack = '') => resolve({ message, stack });
    const patience = setTimeout(() => fail(`it did not come back within ${CHECK_WITHIN_MS / 1000} s`), CHECK_WITHIN_MS);
    worker.on('message', ({ failure }: ImportOutcome) => resolve(failure));
    worker.on('error', (error) => fail(`${error.name}: ${error.message}`, error.stack));
    worker.on('exit', (code) => {
      clearTimeout(patience);
      fail(`it ended its thread (exit code ${code})`);
    });
  });
}

/** The message, and the lines of the stack that are in the handler's own files, by their names there. */
function ownLines({ message, stack }: NonNullable<ImportOutcome['failure']>, directory: string): string {
  const url = `${pathToFileURL(directory).href}/`;
  const own = stack
    .split('\n')
    .filter((line) => line.includes(url) || line.includes(`${directory}/`))
    .filter((line) => !message.includes(line.trim()))
    .map((line) => `  ${line.trim()}`);
  return [message, ...own].slice(0, MAX_LINES).join('\n').replaceAll(url, '').replaceAll(`${directory}/`, '');
}
