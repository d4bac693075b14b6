import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { SconceError } from '../../errors/sconce-error.js';
import type { Fetched, Fetcher } from './fetcher.js';

/** Told of a transfer as it goes on. */
export type Progress = (doneBytes: number, sizeBytes: number | undefined) => void;

export interface TransferOptions {
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

const MAX_RESUMPTIONS = 5;
const FIRST_PAUSE_MS = 200;
/** Slower than this over so long is not going to end. */
const LEAST_BYTES_PER_S = 1024;
const SLOW_FOR_MS = 30_000;

/**
 * Brings one URL into a fresh file. What breaks off in the middle goes on from there, where the source can tell that it is still the same. Gives the SHA-256
 * of the whole, hex. Rejects with what the last try ended with; the file is the caller's to remove.
 */
export async function transfer(url: URL, path: string, fetcher: Fetcher, options: TransferOptions): Promise<string> {
  const { signal } = options;
  const file = await open(path, 'wx', 0o644);
  const written: Written = { file, hash: createHash('sha256'), doneBytes: 0, tag: undefined };
  try {
    for (let tries = 0; ; tries += 1) {
      try {
        const { tag, doneBytes } = written;
        const fetched = await fetcher(url, signal, tag === undefined || doneBytes === 0 ? undefined : { fromByte: doneBytes, tag });
        if (!fetched.isContinued) await beginAnew(written);
        written.tag = fetched.tag;
        await write(fetched, written, options);
        return written.hash.digest('hex');
      } catch (error) {
        const mayGoOn = written.tag !== undefined && tries < MAX_RESUMPTIONS && !(error instanceof TooLong || error instanceof SconceError || signal.aborted);
        if (!mayGoOn) throw error;
      }
      await pause(FIRST_PAUSE_MS * 2 ** tries, undefined, { signal });
    }
  } finally {
    await file.close();
  }
}

/** What lies in the file: `hash` and `doneBytes` are of that, neither more nor less. */
interface Written {
  readonly file: FileHandle;
  hash: Hash;
  doneBytes: number;
  tag: string | undefined;
}

async function beginAnew(written: Written): Promise<void> {
  await written.file.truncate(0);
  written.hash = createHash('sha256');
  written.doneBytes = 0;
}

async function write({ body, sizeBytes }: Fetched, written: Written, { maxBytes, signal, progress }: TransferOptions): Promise<void> {
  const slow = watchRate(() => written.doneBytes);
  addAbortSignal(AbortSignal.any([signal, slow.signal]), body);
  try {
    for await (const chunk of body) {
      const bytes = Buffer.from(chunk);
      if (written.doneBytes + bytes.length > maxBytes) throw new TooLong(`the archive is longer than ${maxBytes} bytes`);
      await written.file.write(bytes, 0, bytes.length, written.doneBytes);
      written.hash.update(bytes);
      written.doneBytes += bytes.length;
      progress(written.doneBytes, sizeBytes);
    }
  } finally {
    slow.stop();
  }
  if (sizeBytes !== undefined && written.doneBytes < sizeBytes) throw new Error(`it ended after ${written.doneBytes} of ${sizeBytes} bytes`);
}

class TooLong extends Error {}

function watchRate(bytes: () => number): { readonly signal: AbortSignal; stop(): void } {
  const given = new AbortController();
  let before = bytes();
  const timer = setInterval(() => {
    const now = bytes();
    if (now - before < (LEAST_BYTES_PER_S * SLOW_FOR_MS) / 1000) given.abort(new Error(`slower than ${LEAST_BYTES_PER_S} bytes a second`));
    before = now;
  }, SLOW_FOR_MS);
  timer.unref();
  return { signal: given.signal, stop: () => clearInterval(timer) };
}
