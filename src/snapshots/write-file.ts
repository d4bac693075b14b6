import { mkdir, mkdtemp, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

const GROWING = '.saving-';
/** A file grows for milliseconds: what is older belongs to nobody who lives. */
const ABANDONED_MS = 60_000;

/**
 * Writes a file whole or not at all, for its owner alone; when it resolves, the file outlives a loss of power. Rejects with the file system's error.
 * It grows in a folder of its own: TorchServe takes any other file beside its snapshots for one of them, and doesn't start.
 */
export async function writeFileWhole(folder: string, name: string, content: Buffer): Promise<void> {
  await mkdir(folder, { recursive: true });
  const growing = await mkdtemp(join(folder, GROWING));
  try {
    const file = await open(join(growing, name), 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(join(growing, name), join(folder, name));
  } finally {
    await rm(growing, { recursive: true, force: true });
  }
  const entries = await open(folder, 'r');
  try {
    await entries.sync();
  } finally {
    await entries.close();
  }
}

/** Removes what servers left behind that were killed while they wrote. Never rejects: it is there the next time. */
export async function removeAbandoned(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((found) => found.startsWith(GROWING))) {
    const growing = join(folder, name);
    const stats = await stat(growing).catch(() => undefined);
    if (stats !== undefined && Date.now() - stats.mtimeMs > ABANDONED_MS) await rm(growing, { recursive: true, force: true }).catch(() => undefined);
  }
}
