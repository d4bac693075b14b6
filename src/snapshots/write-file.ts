import { mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Writes a file whole or not at all, for its owner alone; when it resolves, the file outlives a loss of power. Rejects with the file system's error.
 * It grows in a folder of its own: TorchServe takes any other file beside its snapshots for one of them, and doesn't start.
 */
export async function writeFileWhole(folder: string, name: string, content: Buffer): Promise<void> {
  await mkdir(folder, { recursive: true });
  const growing = await mkdtemp(join(folder, '.saving-'));
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
