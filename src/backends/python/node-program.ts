import { realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HostedProgram } from '../hosted-program.js';

/** The words that start a program of this package in a process of its own; the last one is for `ps`. */
export function nodeWords({ entry }: HostedProgram, workerName: string): readonly string[] {
  return [realpathSync(process.execPath), fileURLToPath(entry), workerName];
}

/** What it has to read beside its model: Node, the compiled package, and the packages that it imports. */
export function nodeReads({ entry }: HostedProgram): readonly string[] {
  const file = fileURLToPath(entry);
  const dist = file.slice(0, file.lastIndexOf('/dist/') + '/dist'.length);
  const home = dirname(dist);
  // Of an installed package the others lie beside it, in the outermost folder of packages.
  const outer = home.indexOf('/node_modules/');
  const packages = outer < 0 ? join(home, 'node_modules') : home.slice(0, outer + '/node_modules'.length);
  return [realpathSync(process.execPath), dist, join(home, 'package.json'), packages, resolve(realpathSync(packages))];
}
