import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { refuseSlip, Unpackable, type UnpackBudget } from './unpack-limits.js';
import { writeEntry } from './write-file.js';

/**
 * Unpacks a tar.gz into `folder`, which exists and is empty. What comes before a path's first slash is left out, as TorchServe does: `model/a.py`, `./a.py` and `a.py` are all `a.py`.
 * Throws Unpackable.
 */
export async function unpackTarGz(file: string, folder: string, budget: UnpackBudget): Promise<void> {
  const reader = extract();
  const source = pipeline(createReadStream(file), createGunzip(), reader);
  source.catch(() => undefined);
  try {
    for await (const entry of reader) {
      const { name, type } = entry.header;
      if (type !== 'file' && type !== 'contiguous-file' && type !== 'directory')
        throw new Unpackable(`${name} is a ${type ?? 'thing'} and neither file nor folder`);
      const isFolder = type === 'directory';
      refuseSlip(name);
      const path = budget.path(name.slice(name.indexOf('/') + 1), isFolder);
      if (isFolder) {
        await mkdir(join(folder, path), { recursive: true, mode: 0o755 });
        entry.resume();
      } else await writeEntry(folder, path, () => Readable.from(entry), budget);
    }
    await source;
  } catch (error) {
    reader.destroy();
    if (error instanceof Unpackable) throw error;
    throw new Unpackable(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
