import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Settings } from '../config/settings.js';
import type { Protection } from '../observability/protections.js';

/** Whether others can put models into the folders that models are served from, those of tenants among them; undefined where there is no such folder. */
export function storeProtection(
  { modelStore, workflowStore, storeRoots }: Pick<Settings, 'modelStore' | 'workflowStore' | 'storeRoots'>,
  cwd: string,
  ofTenants: readonly string[],
): Protection | undefined {
  const folders = [modelStore, workflowStore, ...storeRoots, ...ofTenants].flatMap((path) => (path === undefined || path === '' ? [] : [resolve(cwd, path)]));
  if (folders.length === 0) return undefined;
  const open = [...new Set(folders)].filter(isAnybodys);
  return open.length === 0
    ? { name: 'model store', holds: true, says: 'not everybody can put models into it' }
    : { name: 'model store', holds: false, says: `anybody on this machine can put models into ${open.join(', ')}; chmod o-w ends that` };
}

/** Sticky or not: everybody may add files to a folder that everybody may write to. */
function isAnybodys(folder: string): boolean {
  return ((statSync(folder, { throwIfNoEntry: false })?.mode ?? 0) & 0o002) !== 0;
}
