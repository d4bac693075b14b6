// Makes .venv with what the tests need (PyTorch too), or with `--demo` what the demo's Python model needs. Says what it does while it works, and does nothing when it is done already.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const TIMEOUT_MS = 15 * 60_000;
const SAY_EVERY_MS = 5000;
/** torchvision's wheels are built beside another torch: it is installed alone, and made importable by test/fixtures/torchvision_shim. */
const TORCHVISION = 'torchvision==0.28.0';

/** Folder of the virtual environment. */
export function environmentFolder() {
  return process.env.SCONCE_VENV_DIR ?? join(root, '.venv');
}

/** The interpreter of the environment if it is ready for `purpose` (`test` or `demo`), else undefined. */
export function readyPython(purpose = 'test') {
  const folder = environmentFolder();
  const purposes = purpose === 'demo' ? ['demo', 'test'] : ['test'];
  return purposes.some((one) => existsSync(stampOf(folder, one)) && readFileSync(stampOf(folder, one), 'utf8') === wantedHash(one))
    ? pythonOf(folder)
    : undefined;
}

/** Makes the environment where it is missing or out of date, and gives its interpreter. Throws an Error to show to the user. */
export async function ensurePythonEnvironment({ log, purpose = 'test' }) {
  const ready = readyPython(purpose);
  if (ready !== undefined) return ready;
  const folder = environmentFolder();
  const python = pythonOf(folder);
  if (!existsSync(python)) {
    const base = await findPython();
    log(`Making a virtual environment with ${base} …`);
    rmSync(folder, { recursive: true, force: true });
    await run(base, ['-m', 'venv', folder], log, 'making the environment');
  }
  log('Installing PyTorch and what goes with it; this takes a minute or two the first time …');
  await run(
    python,
    ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '-r', join(root, requirementsOf(purpose))],
    log,
    'installing packages',
  );
  if (purpose === 'test') await installTorchvision(python, log);
  writeFileSync(`${stampOf(folder, purpose)}.new`, wantedHash(purpose));
  renameSync(`${stampOf(folder, purpose)}.new`, stampOf(folder, purpose));
  log('The Python environment is ready.');
  return python;
}

async function installTorchvision(python, log) {
  await run(python, ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--no-deps', TORCHVISION], log, 'installing torchvision');
  const { stdout } = spawnSync(python, ['-c', 'import sysconfig; print(sysconfig.get_paths()["purelib"])'], { encoding: 'utf8' });
  copyFileSync(join(root, 'test', 'fixtures', 'torchvision_shim', 'torchvision_shim.py'), join(stdout.trim(), 'torchvision_shim.py'));
  writeFileSync(join(stdout.trim(), 'torchvision_shim.pth'), 'import torchvision_shim\n');
}

function requirementsOf(purpose) {
  return join('python', `requirements-${purpose}.txt`);
}

function pythonOf(folder) {
  return join(folder, 'bin', 'python');
}

function stampOf(folder, purpose) {
  return join(folder, `.sconce-${purpose}`);
}

function wantedHash(purpose) {
  return createHash('sha256')
    .update(readFileSync(join(root, requirementsOf(purpose))))
    .update(purpose === 'test' ? TORCHVISION : '')
    .digest('hex');
}

async function findPython() {
  const candidates = [process.env.PYTHON, 'python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3.9'].filter(Boolean);
  for (const candidate of candidates) {
    const works = await new Promise((resolve) => {
      const child = spawn(candidate, ['-c', 'import sys, venv; sys.exit(0 if (3, 9) <= sys.version_info[:2] <= (3, 13) else 1)'], { stdio: 'ignore' });
      child.on('error', () => resolve(false));
      child.on('exit', (code) => resolve(code === 0));
    });
    if (works) return candidate;
  }
  throw new Error(`No Python from 3.9 to 3.13 with the venv module was found (tried ${candidates.join(', ')}). Install one, or name it in $PYTHON.`);
}

/** Runs a command within the time limit; tells every few seconds that it still works. Rejects with its last lines. */
function run(command, args, log, what) {
  return new Promise((resolve, reject) => {
    const startedAt = Date.now();
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: TIMEOUT_MS, killSignal: 'SIGKILL' });
    let output = '';
    let doing = '';
    const collect = (chunk) => {
      output = (output + chunk).slice(-20_000);
      const step = String(chunk)
        .match(/(Collecting|Downloading|Installing collected packages|Processing)[^\n]*/g)
        ?.at(-1);
      if (step) doing = ` (${step.slice(0, 60).replace(/\S*\//g, '')})`;
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const ticker = setInterval(() => log(`  … ${what}, ${Math.round((Date.now() - startedAt) / 1000)} s${doing}`), SAY_EVERY_MS);
    const end = (error) => {
      clearInterval(ticker);
      if (error) reject(new Error(`${what} failed: ${error}\n${output.trimEnd().split('\n').slice(-20).join('\n')}`));
      else resolve();
    };
    child.on('error', (error) => end(error.message));
    child.on('close', (code, signal) => end(code === 0 ? undefined : `${command} ended with ${signal ?? code}`));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const python = await ensurePythonEnvironment({ log: (line) => console.log(line), purpose: process.argv.includes('--demo') ? 'demo' : 'test' });
    console.log(python);
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
