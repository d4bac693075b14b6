import { existsSync } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { PackRefused } from '../errors/packing.js';
import type { Finding } from './finding.js';
import { IgnoreRules, wildcards } from './ignore-rules.js';
import { type SourceFile, sourceFile, sourceTree } from './source-tree.js';

/** Within an extra folder only this is left out, as by torch-model-archiver. */
const IN_FOLDERS = ['.*/', '__pycache__/', '__MACOSX/'];

/**
 * The files of `--extra-files`: comma lists of files, folders and wildcards in a path's last part. A file goes to the archive's root, of a folder its contents.
 * Rejects with PackRefused for a path that is not there.
 */
export async function extraFiles(
  items: readonly string[],
  cwd: string,
): Promise<{ readonly files: readonly SourceFile[]; readonly findings: readonly Finding[] }> {
  const files: SourceFile[] = [];
  const findings: Finding[] = [];
  for (const item of items.flatMap((list) => list.split(',')).map((part) => part.trim())) {
    if (item === '') continue;
    const found = await matches(resolve(cwd, item));
    if (found === undefined) throw PackRefused({ message: `File does not exist: ${item}` });
    if (found.length === 0) findings.push({ code: 'wildcard-matches-nothing', message: `--extra-files: ${item} matches no file: mend it, or take it out` });
    for (const path of found) {
      if (!(await stat(path)).isDirectory()) {
        files.push(await sourceFile(basename(path), path));
        continue;
      }
      const tree = await sourceTree(await realpath(path), new IgnoreRules(IN_FOLDERS));
      files.push(...tree.files.values());
      findings.push(...tree.findings);
    }
  }
  return { files, findings };
}

/** undefined: a plain path that is not there. */
async function matches(path: string): Promise<readonly string[] | undefined> {
  if (existsSync(path)) return [path];
  if (!/[*?]|\[.*\]/.test(basename(path))) return undefined;
  const pattern = new RegExp(`^${wildcards(basename(path))}$`);
  const names = existsSync(dirname(path)) ? await readdir(dirname(path)) : [];
  return names
    .filter((name) => !name.startsWith('.') && pattern.test(name))
    .sort()
    .map((name) => join(dirname(path), name));
}
