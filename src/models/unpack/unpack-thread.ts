import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { readSealedZip } from '../../authenticity/zip-seal.js';
import { unpackTarGz } from './tar.js';
import { Unpackable, UnpackBudget, type UnpackLimits } from './unpack-limits.js';
import { unpackZip } from './zip.js';

const MAX_REASON_CHARS = 500;
const COPY_BYTES = 2 ** 20;

/** What the thread is asked to do. */
export type UnpackTask =
  | { readonly do: 'hash'; readonly file: string; readonly maxBytes: number }
  | { readonly do: 'take'; readonly file: string; readonly to: string; readonly maxBytes: number }
  | { readonly do: 'seal'; readonly file: string }
  | { readonly do: 'unpack'; readonly file: string; readonly format: 'zip' | 'tar.gz'; readonly folder: string; readonly limits: UnpackLimits };

/** `hash` is that of a hash task, of the bytes that were taken, or the seal of an archive (see src/authenticity/zip-seal.ts; '' where it has none). A refusal is a value, since errors lose their class between threads. */
export type UnpackOutcome = { readonly ok: true; readonly hash: string } | { readonly ok: false; readonly why: string };

async function hashOf(file: string, maxBytes: number): Promise<string> {
  const { size } = await stat(file);
  if (size > maxBytes) throw new Unpackable(`it is longer than ${maxBytes} bytes`);
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Copies and hashes in one reading: what the hash is of is what the copy is. */
async function take({ file, to, maxBytes }: Extract<UnpackTask, { do: 'take' }>): Promise<string> {
  const source = await open(file);
  try {
    const hash = createHash('sha256');
    let sizeBytes = 0;
    const measured = async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        sizeBytes += chunk.length;
        if (sizeBytes > maxBytes) throw new Unpackable(`it is longer than ${maxBytes} bytes`);
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(source.createReadStream({ autoClose: false, highWaterMark: COPY_BYTES }), measured, createWriteStream(to, { flags: 'wx', mode: 0o600 }));
    return hash.digest('hex');
  } finally {
    await source.close();
  }
}

async function unpack({ file, format, folder, limits }: Extract<UnpackTask, { do: 'unpack' }>): Promise<string> {
  const { size } = await stat(file);
  const budget = new UnpackBudget(limits, size);
  if (format === 'zip') await unpackZip(file, folder, budget);
  else await unpackTarGz(file, folder, budget);
  return '';
}

async function outcomeOf(task: UnpackTask): Promise<string> {
  switch (task.do) {
    case 'hash':
      return hashOf(task.file, task.maxBytes);
    case 'take':
      return take(task);
    case 'seal':
      return (await readSealedZip(task.file))?.seal ?? '';
    case 'unpack':
      return unpack(task);
  }
}

/** Names of entries may hold anything, and the reason goes to the log. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.slice(0, MAX_REASON_CHARS).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ');
}

/** Runs on a thread of its own. */
export default async function run(task: UnpackTask): Promise<UnpackOutcome> {
  try {
    return { ok: true, hash: await outcomeOf(task) };
  } catch (error) {
    return { ok: false, why: oneLine(error instanceof Error ? error.message : String(error)) };
  }
}
