import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { unpackTarGz } from './tar.js';
import { Unpackable, UnpackBudget, type UnpackLimits } from './unpack-limits.js';
import { unpackZip } from './zip.js';

const MAX_REASON_CHARS = 500;

/** What the thread is asked to do. */
export type UnpackTask =
  | { readonly do: 'hash'; readonly file: string; readonly maxBytes: number }
  | { readonly do: 'unpack'; readonly file: string; readonly format: 'zip' | 'tar.gz'; readonly folder: string; readonly limits: UnpackLimits };

/** `hash` is set for a hash task. A refusal is a value, since errors lose their class between threads. */
export type UnpackOutcome = { readonly ok: true; readonly hash: string } | { readonly ok: false; readonly why: string };

async function hashOf(file: string, maxBytes: number): Promise<string> {
  const { size } = await stat(file);
  if (size > maxBytes) throw new Unpackable(`it is longer than ${maxBytes} bytes`);
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

async function unpack({ file, format, folder, limits }: Extract<UnpackTask, { do: 'unpack' }>): Promise<string> {
  const { size } = await stat(file);
  const budget = new UnpackBudget(limits, size);
  if (format === 'zip') await unpackZip(file, folder, budget);
  else await unpackTarGz(file, folder, budget);
  return '';
}

/** Names of entries may hold anything, and the reason goes to the log. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.slice(0, MAX_REASON_CHARS).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ');
}

/** Runs on a thread of its own. */
export default async function run(task: UnpackTask): Promise<UnpackOutcome> {
  try {
    return { ok: true, hash: task.do === 'hash' ? await hashOf(task.file, task.maxBytes) : await unpack(task) };
  } catch (error) {
    return { ok: false, why: oneLine(error instanceof Error ? error.message : String(error)) };
  }
}
