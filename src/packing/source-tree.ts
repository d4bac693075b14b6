import { existsSync } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Finding } from './finding.js';
import type { IgnoreRules } from './ignore-rules.js';

/** A file that goes into the archive. */
export interface SourceFile {
  /** In the archive, with `/` between. */
  readonly name: string;
  /** On disk; absolute. */
  readonly path: string;
  readonly sizeBytes: number;
}

export interface SourceTree {
  /** By name. */
  readonly files: ReadonlyMap<string, SourceFile>;
  /** What the rules left out, folders with a slash behind. */
  readonly leftOut: readonly string[];
  readonly findings: readonly Finding[];
}

/**
 * The files of a folder in the order of their names. Links are followed while they stay in the folder: what lies elsewhere was perhaps never meant to be handed on.
 */
export async function sourceTree(folder: string, rules: IgnoreRules): Promise<SourceTree> {
  const root = await realpath(folder);
  const files = new Map<string, SourceFile>();
  const leftOut: string[] = [];
  const findings: Finding[] = [];

  const visit = async (directory: string, prefix: string, above: readonly string[]): Promise<void> => {
    const entries = await readdir(directory, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const name = prefix + entry.name;
      const path = join(directory, entry.name);
      const real = entry.isSymbolicLink() ? await realpath(path).catch(() => undefined) : path;
      const isFolder = real !== undefined && (await stat(real)).isDirectory();
      if (rules.leavesOut(name, isFolder) || (isFolder && existsSync(join(path, 'pyvenv.cfg')))) {
        leftOut.push(isFolder ? `${name}/` : name);
      } else if (name.includes('\\')) {
        findings.push({ code: 'name-refused', message: `${name} has a backslash in its name, which archives cannot hold, and is left out: rename it` });
      } else if (real === undefined) {
        findings.push({ code: 'link-to-nothing', message: `${name} is a link to nothing and is left out: remove it, or put the file there` });
      } else if (!real.startsWith(root + sep) && real !== root) {
        findings.push({
          code: 'link-leaves-folder',
          message: `${name} is a link out of the folder and is left out: copy what it leads to, or name that with --extra-files`,
        });
      } else if (isFolder) {
        if (above.includes(real)) {
          findings.push({ code: 'endless-link', message: `${name} is a link to a folder that it lies in and is left out: remove it` });
        } else await visit(path, `${name}/`, [...above, real]);
      } else if ((await stat(real)).isFile()) {
        files.set(name, await sourceFile(name, path));
      } else findings.push({ code: 'no-file', message: `${name} is neither file nor folder and is left out: remove it` });
    }
  };

  await visit(root, '', [root]);
  return { files, leftOut, findings };
}

export async function sourceFile(name: string, path: string): Promise<SourceFile> {
  return { name, path, sizeBytes: (await stat(path)).size };
}
