import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where Sconce's workers keep what inductor compiled, from run to run. */
export function inductorCache(root: string): string {
  return join(root, '.cache', 'inductor-shared');
}

/** Makes the folder, writable for every user, since each worker is one of its own; gives its path. */
export function madeInductorCache(root: string): string {
  const folder = inductorCache(root);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o777);
  return folder;
}
