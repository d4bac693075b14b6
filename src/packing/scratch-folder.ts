import { rmSync } from 'node:fs';
import { createTempFolder, type TempFolder } from '../platform/temp-folder.js';

/** Folders that are in use. Invariant: each goes by its `remove`, or when the process exits before that. */
const inUse = new Set<string>();

process.on('exit', () => {
  for (const path of inUse) rmSync(path, { recursive: true, force: true });
});

/** A temporary folder that doesn't outlive the process, unless that is killed. */
export async function scratchFolder(prefix: string, parent?: string): Promise<TempFolder> {
  const { path, remove } = await createTempFolder(prefix, parent);
  inUse.add(path);
  return {
    path,
    remove: async () => {
      await remove();
      inUse.delete(path);
    },
  };
}
