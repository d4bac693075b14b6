// Makes .venv with what the tests need (PyTorch too), or with `--demo` what the demo's Python model needs. Says what it does while it works, and does nothing when it is done already.
//
// A folder that this script works in holds UNFINISHED with its process id. It goes when the folder is whole again; one that was left by a process that has
// ended marks an environment that nobody can trust, which is made anew. Only an environment is ever deleted: a folder with pyvenv.cfg or that mark.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const TIMEOUT_MS = 15 * 60_000;
const PROBE_TIMEOUT_MS = 15_000;
const SAY_EVERY_MS = 5000;
const UNFINISHED = '.sconce-unfinished';
const PIP = ['-m', 'pip', '--disable-pip-version-check', '--no-input'];
/** torchvision's wheels are built beside another torch: it is installed alone, and made importable by test/fixtures/torchvision_shim. */
const TORCHVISION = 'torchvision==0.28.0';
const SHIM = join(root, 'test', 'fixtures', 'torchvision_shim', 'torchvision_shim.py');

/** Folder of the virtual environment, absolute. */
export function environmentFolder() {
  return resolve(root, process.env.SCONCE_VENV_DIR || '.venv');
}

/** Makes the environment where it is missing, out of date or half made, within 15 minutes, and gives its interpreter. Throws an Error to show to the user. */
export async function ensurePythonEnvironment({ log, purpose = 'test' }) {
  const folder = environmentFolder();
  const python = join(folder, 'bin', 'python');
  if (isReady(folder, purpose)) return python;
  const deadline = Date.now() + TIMEOUT_MS;
  await whileAnotherWorks(folder, { log, deadline });
  if (isReady(folder, purpose)) return python;
  if (!(await isUsable(folder, { log, deadline }))) await makeEnvironment(folder, { log, deadline });
  writeFileSync(join(folder, UNFINISHED), String(process.pid));
  try {
    log('Installing PyTorch and what goes with it; the first time this takes minutes …');
    await run(python, [...PIP, 'install', '-r', requirementsOf(purpose)], { log, deadline, what: 'installing packages' });
    if (purpose === 'test') await installTorchvision(python, { log, deadline });
  } catch (error) {
    // pip takes back what it began when it fails by itself; only one that was killed leaves the environment in pieces.
    if (!error.killed) rmSync(join(folder, UNFINISHED), { force: true });
    throw error;
  }
  writeFileSync(`${stampOf(folder, purpose)}.new`, wantedHash(purpose));
  renameSync(`${stampOf(folder, purpose)}.new`, stampOf(folder, purpose));
  rmSync(join(folder, UNFINISHED), { force: true });
  log('The Python environment is ready.');
  return python;
}

/** Whether the environment holds what `purpose` needs; one for the tests serves the demo too. */
function isReady(folder, purpose) {
  if (!existsSync(join(folder, 'bin', 'python')) || existsSync(join(folder, UNFINISHED))) return false;
  const purposes = purpose === 'demo' ? ['demo', 'test'] : ['test'];
  return purposes.some((one) => existsSync(stampOf(folder, one)) && readFileSync(stampOf(folder, one), 'utf8') === wantedHash(one));
}

/** Waits for another process that sets up the same folder. Throws when it is still at it at the deadline. */
async function whileAnotherWorks(folder, { log, deadline }) {
  const mark = join(folder, UNFINISHED);
  let saidAt = 0;
  while (existsSync(mark) && isAlive(Number(readFileSync(mark, 'utf8')))) {
    if (Date.now() > deadline) throw new Error(`Another process still sets up ${folder}. If none does, delete ${mark}.`);
    if (Date.now() - saidAt >= SAY_EVERY_MS) {
      log(`Waiting for another set-up of ${folder} …`);
      saidAt = Date.now();
    }
    await pause(500);
  }
}

function isAlive(pid) {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

async function isUsable(folder, { log, deadline }) {
  if (existsSync(join(folder, UNFINISHED)) || !existsSync(join(folder, 'bin', 'python'))) return false;
  return (await refusal(join(folder, 'bin', 'python'), 'import pip', { log, deadline })) === undefined;
}

async function makeEnvironment(folder, { log, deadline }) {
  const base = await findPython({ log, deadline });
  const isEnvironment = existsSync(join(folder, 'pyvenv.cfg')) || existsSync(join(folder, UNFINISHED));
  if (existsSync(folder) && !isEnvironment && readdirSync(folder).length > 0) {
    throw new Error(`${folder} holds something else than a virtual environment. Move it away, or name another folder in $SCONCE_VENV_DIR.`);
  }
  log(`Making a virtual environment with ${base} …`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, UNFINISHED), String(process.pid));
  await run(base, ['-m', 'venv', folder], { log, deadline, what: 'making the environment' });
}

/** Installs torchvision beside `python`, and what makes it importable there. */
export async function installTorchvision(python, { log, deadline }) {
  await run(python, [...PIP, 'install', '--no-deps', TORCHVISION], { log, deadline, what: 'installing torchvision' });
  const { stdout } = spawnSync(python, ['-c', 'import sysconfig; print(sysconfig.get_paths()["purelib"])'], { encoding: 'utf8', timeout: PROBE_TIMEOUT_MS });
  copyFileSync(SHIM, join(stdout.trim(), 'torchvision_shim.py'));
  writeFileSync(join(stdout.trim(), 'torchvision_shim.pth'), 'import torchvision_shim\n');
}

function requirementsOf(purpose) {
  return join(root, 'python', `requirements-${purpose}.txt`);
}

function stampOf(folder, purpose) {
  return join(folder, `.sconce-${purpose}`);
}

function wantedHash(purpose) {
  const hash = createHash('sha256').update(readFileSync(requirementsOf(purpose)));
  if (purpose === 'test') hash.update(TORCHVISION).update(readFileSync(SHIM));
  return hash.digest('hex');
}

/** The first interpreter that can make environments. Throws with the reason of each that can't. */
async function findPython({ log, deadline }) {
  const reasons = [];
  for (const candidate of new Set([process.env.PYTHON, 'python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3.9'])) {
    if (!candidate) continue;
    const version = 'import sys\nif not (3, 9) <= sys.version_info[:2] <= (3, 13): sys.exit("is Python " + sys.version.split()[0])';
    const missing =
      'try: import venv, ensurepip\nexcept ImportError as error: sys.exit(f"lacks {error.name} (on Debian and Ubuntu: apt install python3-venv)")';
    const reason = await refusal(candidate, `${version}\n${missing}`, { log, deadline });
    if (reason === undefined) return candidate;
    reasons.push(`${candidate} ${reason}`);
  }
  throw new Error(`No Python from 3.9 to 3.13 that can make virtual environments; install one, or name it in $PYTHON.\n  ${reasons.join('\n  ')}`);
}

/** Why `python` doesn't run `code` within PROBE_TIMEOUT_MS; undefined when it does. */
async function refusal(python, code, { log, deadline }) {
  try {
    await run(python, ['-c', code], { log, deadline: Math.min(deadline, Date.now() + PROBE_TIMEOUT_MS), what: `asking ${python}` });
    return undefined;
  } catch (error) {
    if (error.code === 'ENOENT') return 'was not found';
    return error.killed ? 'gave no answer' : (error.output.at(-1) ?? 'failed');
  }
}

/**
 * Runs a command until the deadline; tells every few seconds that it still works. Rejects with its last 20 lines in the message and as `output`, and with
 * `killed` where it had to be ended. It ends with this process.
 */
function run(command, args, { log, deadline, what }) {
  return new Promise((fulfil, reject) => {
    const startedAt = Date.now();
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    let doing = '';
    let killed = false;
    const collect = (chunk) => {
      text = (text + chunk).slice(-20_000);
      const step = String(chunk)
        .match(/(Collecting|Downloading|Installing collected packages|Processing)[^\n]*/g)
        ?.at(-1);
      if (step) doing = ` (${step.slice(0, 60).replace(/\S*\//g, '')})`;
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const kill = () => {
      killed = true;
      child.kill('SIGKILL');
      // What the command started may hold its streams open for ever.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const interrupted = (signal) => {
      kill();
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupted);
    process.on('exit', kill);
    const ticker = setInterval(() => log(`  … ${what}, ${Math.round((Date.now() - startedAt) / 1000)} s${doing}`), SAY_EVERY_MS);
    const timer = setTimeout(kill, Math.max(0, deadline - Date.now()));
    const end = (problem, code) => {
      clearInterval(ticker);
      clearTimeout(timer);
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, interrupted);
      process.off('exit', kill);
      if (problem === undefined) return fulfil();
      const output = text.trimEnd().split('\n').filter(Boolean).slice(-20);
      reject(Object.assign(new Error([`${what} failed: ${problem}`, ...output].join('\n')), { code, killed, output }));
    };
    child.on('error', (error) => end(error.message, error.code));
    child.on('close', (code, signal) => {
      if (code === 0) return end();
      killed ||= signal !== null;
      end(`${command} ${killed ? `was ended after ${Math.round((Date.now() - startedAt) / 1000)} s` : `gave exit code ${code}`}`);
    });
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
