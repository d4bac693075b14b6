import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { z } from 'zod';
import type { DigestTask, FileDigest } from '../authenticity/digest-thread.js';
import type { ServableModel } from '../inference/servable-model.js';
import { billOfMaterials, type InstalledPackage } from '../models/bill-of-materials.js';
import { TaskPool, threadEntry } from '../threads/task-pool.js';
import { HOME } from './backends.js';

const packageJson = z.object({ version: z.string() });
const MAX_REQUIREMENTS_BYTES = 4 * 2 ** 20;

/** A thread that lists and hashes models' files. */
export function createDigestPool(): TaskPool<DigestTask, readonly FileDigest[]> {
  return new TaskPool<DigestTask, readonly FileDigest[]>(threadEntry('../authenticity/digest-thread.js', import.meta.url), 1);
}

/** Writes the bill of a served model: of its archive as it came, whatever a handler has written into its folder since. */
export function billWriter(pool: Pick<TaskPool<DigestTask, readonly FileDigest[]>, 'run'>, maxFiles: number): (model: ServableModel) => Promise<unknown> {
  return async (model) => {
    const folder = model.tree ?? model.directory;
    const files = await pool.run({ folder, maxFiles });
    const toolVersion = packageJson.parse(JSON.parse(await readFile(join(HOME, 'package.json'), 'utf8'))).version;
    const requirements = await requirementsOf(folder, model.requirementsFile);
    return billOfMaterials({ model, files, requirements, installed: await installedIn(model.python?.packages), toolVersion });
  };
}

async function requirementsOf(folder: string, name: string | undefined): Promise<string> {
  const path = resolve(folder, name ?? '');
  if (name === undefined || !path.startsWith(folder + sep) || !existsSync(path)) return '';
  return (await stat(path)).size > MAX_REQUIREMENTS_BYTES ? '' : readFile(path, 'utf8');
}

/** Packages by the folders that installers leave: `name-version.dist-info`. */
async function installedIn(packages: string | undefined): Promise<readonly InstalledPackage[]> {
  if (packages === undefined) return [];
  const names = await readdir(packages).catch(() => []);
  return names.sort().flatMap((entry) => {
    const [, name, version] = /^(.+?)-([^-]+)\.dist-info$/.exec(entry) ?? [];
    return name === undefined || version === undefined ? [] : [{ name, version }];
  });
}
