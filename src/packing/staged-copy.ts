import { constants } from 'node:fs';
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TempFolder } from '../platform/temp-folder.js';
import { MANIFEST_NAME } from './model-description.js';
import { scratchFolder } from './scratch-folder.js';
import type { SourceFile } from './source-tree.js';

/** Above this a file is linked to: weights, which an import does not read, let alone write. */
const LINK_ABOVE_BYTES = 16 * 2 ** 20;

/** A folder as a worker would have it: the archive's files and its manifest. What the handler's import does to it does not reach the user's own. Whoever calls removes it. */
export async function stagedCopy(files: Iterable<SourceFile>, manifest: string): Promise<TempFolder> {
  const staged = await scratchFolder('sconce-pack-');
  try {
    for (const { name, path, sizeBytes } of files) {
      const target = join(staged.path, name);
      await mkdir(dirname(target), { recursive: true });
      if (sizeBytes > LINK_ABOVE_BYTES) await symlink(path, target);
      else await copyFile(path, target, constants.COPYFILE_FICLONE);
    }
    await mkdir(join(staged.path, dirname(MANIFEST_NAME)), { recursive: true });
    await writeFile(join(staged.path, MANIFEST_NAME), manifest);
    return staged;
  } catch (error) {
    await staged.remove();
    throw error;
  }
}
