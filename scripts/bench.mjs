// `npm run bench`: bundles bench/ and runs it. `-- --install-peer` first installs the real TorchServe into .cache/peer.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build as bundle } from 'esbuild';
import { build } from './build.mjs';
import { ensurePythonEnvironment } from './setup-python.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const peer = join(root, '.cache', 'peer');

function must(command, args) {
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

if (process.argv.includes('--install-peer') && !existsSync(join(peer, 'bin', 'torchserve'))) {
  console.log('Installing torchserve 0.12.0 …');
  must('python3', ['-m', 'venv', peer]);
  must(join(peer, 'bin', 'pip'), [
    'install',
    '--quiet',
    'torch==2.13.0',
    'torchserve==0.12.0',
    'numpy',
    'onnxruntime',
    'psutil',
    'pyyaml',
    'packaging',
    'captum',
  ]);
}

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
