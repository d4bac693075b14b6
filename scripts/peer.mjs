// The real TorchServe 0.12 that Sconce is held against, in .cache/peer: with what its handlers, its archivers and its explanations need.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installTorchvision } from './setup-python.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const TIMEOUT_MS = 15 * 60_000;
const PACKAGES = [
  'torch==2.13.0',
  'torchserve==0.12.0',
  'torch-model-archiver==0.12.0',
  'torch-workflow-archiver==0.2.15',
  'numpy',
  'pillow',
  'onnxruntime',
  'psutil',
  'pyyaml',
  'packaging',
  'captum',
];

/** Folder of the peer's programs. */
export const peerBin = join(root, '.cache', 'peer', 'bin');

/** Installs the peer where it is missing, and brings what makes its torchvision importable up to date. Throws an Error with pip's last lines. */
export async function ensurePeer({ log }) {
  const python = join(peerBin, 'python');
  if (!existsSync(join(peerBin, 'torchserve'))) {
    log('Installing TorchServe 0.12.0 …');
    must('python3', ['-m', 'venv', join(root, '.cache', 'peer')]);
    must(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES]);
  }
  await installTorchvision(python, { log, deadline: Date.now() + TIMEOUT_MS });
}

function must(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', timeout: TIMEOUT_MS });
  if (status !== 0) throw new Error(`${command} ${args.slice(0, 3).join(' ')} … failed${error ? `: ${error.message}` : ''}`);
}
