// `npm run bench`: bundles bench/ and runs it. `-- --install-peer` first installs the real TorchServe into .cache/peer.
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { ensurePeer } from './peer.mjs';
import { runBundled } from './run-bundled.mjs';
import { ensurePythonEnvironment } from './setup-python.mjs';

const log = (line) => console.log(line);

if (process.argv.includes('--install-peer')) await ensurePeer({ log });

process.env.SCONCE_BENCH_ROOT = fileURLToPath(new URL('..', import.meta.url));
process.env.SCONCE_BENCH_PYTHON = await ensurePythonEnvironment({ log });
await build({ force: true });
await runBundled('bench', 'bench/side-by-side.ts');
