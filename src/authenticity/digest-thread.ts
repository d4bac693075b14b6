import { join } from 'node:path';
import { digestOf } from './file-digest.js';
import { treeOf } from './tree-files.js';

export interface DigestTask {
  readonly folder: string;
  readonly maxFiles: number;
}

/** One file of a model. */
export interface FileDigest {
  /** With `/` between. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Hex. */
  readonly sha256: string;
}

/** Lists a folder's files in code-point order, links left out; runs on a thread of its own. Rejects for a folder of more than `maxFiles`. */
export default async function run({ folder, maxFiles }: DigestTask): Promise<readonly FileDigest[]> {
  const found: FileDigest[] = [];
  for (const path of (await treeOf(folder, maxFiles, 'leave out')).files) {
    const { digest: sha256, sizeBytes } = await digestOf(join(folder, path));
    found.push({ path, sizeBytes, sha256 });
  }
  return found;
}
