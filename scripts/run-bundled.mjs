import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build as bundle } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Makes one file, .cache/NAME.mjs, of a program in TypeScript (`entry` is its path in the project) and runs it in this process. */
export async function runBundled(name, entry) {
  const outfile = join(root, '.cache', `${name}.mjs`);
  await bundle({
    entryPoints: [join(root, entry)],
    outfile,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
  });
  await import(pathToFileURL(outfile).href);
}
