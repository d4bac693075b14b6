import { createWriteStream } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { UnpackBudget } from './unpack-limits.js';

/**
 * Writes one file of an archive below `folder`, counting its bytes. The file must not exist, and no link is followed. `checks` see the bytes on their way.
 * Rejects with the first error of any of the streams.
 */
export async function writeEntry(
  folder: string,
  path: string,
  open: () => Readable | Promise<Readable>,
  budget: UnpackBudget,
  checks: readonly Transform[] = [],
): Promise<void> {
  const target = join(folder, path);
  await mkdir(dirname(target), { recursive: true, mode: 0o755 });
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        budget.bytes(chunk.length);
        done(null, chunk);
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
      }
    },
  });
  const content = await open();
  // yauzl's streams may tell of an error before the pipeline listens, and of another while it tears them down: the first one counts.
  const failure = new AbortController();
  content.on('error', (error) => failure.abort(error));
  // `x` is O_EXCL: a link at that name is a file that exists, wherever it leads.
  const file = createWriteStream(target, { flags: 'wx', mode: 0o644 });
  await pipeline([content, ...checks, counter, file], { signal: failure.signal }).catch((error: unknown) => {
    throw failure.signal.aborted ? failure.signal.reason : error;
  });
  await chmod(target, 0o644);
}
