// `npm run conformance`: the real TorchServe 0.12, installed into .cache/peer where it is missing, and Sconce, asked the same. `-- NAME …` asks only the groups
// whose names hold one of the words.
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build as bundle } from 'esbuild';
import { build } from './build.mjs';
import { ensurePeer } from './peer.mjs';
import { ensurePythonEnvironment } from './setup-python.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const log = (line) => console.log(line);

process.env.SCONCE_CONFORMANCE_ROOT = root;
process.env.SCONCE_CONFORMANCE_PYTHON = await ensurePythonEnvironment({ log });
process.env.SCONCE_CONFORMANCE_ONLY = process.argv.slice(2).join(',');
await ensurePeer({ log });
await build({ force: true });
const outfile = join(root, '.cache', 'conformance.mjs');
await bundle({
  entryPoints: [join(root, 'test', 'conformance', 'conformance.ts')],
  outfile,
  bundle: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
});
await import(pathToFileURL(outfile).href);
