// `npm run bench`: bundles bench/ and runs it. `-- --install-peer` first installs the real TorchServe into .cache/peer.
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build as bundle } from 'esbuild';
import { build } from './build.mjs';
import { ensurePeer, isPeerInstalled } from './peer.mjs';
import { ensurePythonEnvironment } from './setup-python.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

if (process.argv.includes('--install-peer') && !isPeerInstalled()) await ensurePeer({ log: (line) => console.log(line) });

process.env.SCONCE_BENCH_ROOT = root;
process.env.SCONCE_BENCH_PYTHON = await ensurePythonEnvironment({ log: (line) => console.log(line) });
await build({ force: true });
const outfile = join(root, '.cache', 'bench.mjs');
await bundle({
  entryPoints: [join(root, 'bench', 'side-by-side.ts')],
  outfile,
  bundle: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
});
await import(pathToFileURL(outfile).href);
