// Sconce beside the real TorchServe 0.12, same archives, same settings, same machine, one run: throughput, latency, start-up and memory, with ratios.
// Both servers are up during a comparison, and loads alternate between them, so that whatever else the machine does touches both.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { pack } from './archives.js';
import { type Load, type LoadFigures, median, run } from './load.js';
import { type Contender, memoryMib, removeFolder, type Started, startContender, stopContender, writeConfig } from './peer-server.js';

const root = process.env.SCONCE_BENCH_ROOT ?? process.cwd();
const python = process.env.SCONCE_BENCH_PYTHON ?? 'python3';
const seconds = Number(process.env.SCONCE_BENCH_SECONDS ?? '4');
const rounds = Number(process.env.SCONCE_BENCH_ROUNDS ?? '3');
const peerBin = join(root, '.cache', 'peer', 'bin');
const torchserveInstalled = existsSync(join(peerBin, 'torchserve'));

const folder = mkdtempSync(join(tmpdir(), 'sconce-bench-'));
const store = join(folder, 'store');
mkdirSync(store);

interface Row {
  readonly what: string;
  readonly sconce: number;
  readonly torchserve: number | undefined;
  readonly unit: string;
  /** How many times better Sconce is. */
  readonly ratio: number | undefined;
}

const rows: Row[] = [];
let stages = 0;

function note(what: string, unit: string, sconce: number, torchserve: number | undefined, lowerIsBetter = false): void {
  const ratio = torchserve === undefined ? undefined : lowerIsBetter ? torchserve / sconce : sconce / torchserve;
  rows.push({ what, unit, sconce, torchserve, ratio });
  const other = torchserve === undefined ? '' : `  TorchServe ${torchserve.toFixed(2)} ${unit}  ratio ${ratio?.toFixed(2)}×`;
  console.log(`${what.padEnd(62)} Sconce ${sconce.toFixed(2)} ${unit}${other}`);
}

function contenders(models: string, extraSconce: string): { sconce: Contender; torchserve: Contender } {
  // A home of its own for each stage: TorchServe's PID file lies there, and outlives it for a while.
  stages += 1;
  const sconceHome = join(folder, `stage-${stages}`, 'sconce');
  const peerHome = join(folder, `stage-${stages}`, 'torchserve');
  const ours = writeConfig(sconceHome, 28080, models, `python=${python}\nsconce_cache_dir=${join(folder, 'cache')}\n${extraSconce}`);
  const theirs = writeConfig(peerHome, 18080, models, '');
  const args = (config: string) => ['--start', '--foreground', '--ncs', '--model-store', store, '--ts-config', config];
  return {
    sconce: {
      name: 'sconce',
      command: process.execPath,
      args: [join(root, 'bin', 'torchserve'), ...args(ours)],
      env: { TMPDIR: sconceHome },
      inferencePort: 28080,
    },
    torchserve: {
      name: 'torchserve',
      command: join(peerBin, 'torchserve'),
      args: args(theirs),
      env: { TMPDIR: peerHome, TEMP: peerHome, PATH: `${peerBin}:${process.env.PATH ?? ''}` },
      inferencePort: 18080,
    },
  };
}

async function answers(contender: Contender, model: string, body: string | Buffer, contentType: string, right: (text: string) => boolean): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${contender.inferencePort}/predictions/${model}`, {
    method: 'POST',
    body: new Uint8Array(Buffer.from(body)),
    headers: { 'content-type': contentType },
  });
  return response.status === 200 && right(await response.text());
}

async function compare(what: string, load: (port: number, who: 'sconce' | 'torchserve') => Load): Promise<void> {
  const ours: LoadFigures[] = [];
  const theirs: LoadFigures[] = [];
  await run({ ...load(28080, 'sconce'), seconds: 1 });
  if (torchserveInstalled) await run({ ...load(18080, 'torchserve'), seconds: 2 });
  for (let round = 0; round < rounds; round += 1) {
    ours.push(await run(load(28080, 'sconce')));
    if (torchserveInstalled) theirs.push(await run(load(18080, 'torchserve')));
  }
  const failures = [...ours, ...theirs].reduce((sum, figures) => sum + figures.failures, 0);
  if (failures > 0) console.log(`  (${failures} requests failed)`);
  const a = median(ours);
  const b = torchserveInstalled ? median(theirs) : undefined;
  note(`${what}: throughput`, '/s', a.requestsPerSecond, b?.requestsPerSecond);
  note(`${what}: p50`, 'ms', Math.max(a.p50Ms, 0.5), b && Math.max(b.p50Ms, 0.5), true);
  note(`${what}: p99`, 'ms', Math.max(a.p99Ms, 0.5), b && Math.max(b.p99Ms, 0.5), true);
}

interface Stage {
  readonly title: string;
  readonly models: string;
  readonly probe: { readonly model: string; readonly body: string | Buffer; readonly contentType: string; right(text: string): boolean };
  measure(): Promise<void>;
}

async function onStage(stage: Stage): Promise<void> {
  console.log(`\n## ${stage.title}`);
  const { sconce, torchserve } = contenders(stage.models, '');
  const { model, body, contentType, right } = stage.probe;
  const running: Started[] = [];
  try {
    const ours = await startContender(sconce, join(folder, `stage-${stages}`, 'sconce'), () => answers(sconce, model, body, contentType, right));
    running.push(ours);
    let theirs: Started | undefined;
    if (torchserveInstalled) {
      theirs = await startContender(torchserve, join(folder, `stage-${stages}`, 'torchserve'), () => answers(torchserve, model, body, contentType, right));
      running.push(theirs);
    }
    note('start to first right answer', 'ms', ours.firstPredictionMs, theirs?.firstPredictionMs, true);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const memory = (started: Started) => memoryMib(started.process.pid ?? 0);
    note('memory, all processes (resident, shared pages counted once)', 'MiB', memory(ours).pss, theirs && memory(theirs).pss, true);
    await stage.measure();
  } finally {
    for (const { process: child } of running) stopContender(child);
    await Promise.all(
      running.map(
        ({ process: child }) =>
          new Promise((resolve) => (child.exitCode === null && child.signalCode === null ? child.once('exit', resolve) : resolve(undefined))),
      ),
    );
    await portsAreFree([sconce.inferencePort, torchserve.inferencePort]);
  }
}

/** TorchServe's launcher ends before its server does. Waits at most 30 s. */
async function portsAreFree(ports: readonly number[]): Promise<void> {
  for (const endAtMs = Date.now() + 30_000; Date.now() < endAtMs; ) {
    const answers = await Promise.all(
      ports.map((port) =>
        fetch(`http://127.0.0.1:${port}/ping`)
          .then(() => true)
          .catch(() => false),
      ),
    );
    if (!answers.includes(true)) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await new Promise((resolve) => setTimeout(resolve, 2000));
}

const digitsOnnx = join(root, 'demo', 'store', 'digits', 'digits.onnx');
const image = Array.from({ length: 784 }, (_, n) => Number((((n * 37) % 256) / 255).toFixed(4)));
const jsonImage = JSON.stringify({ image });
const binaryImage = Buffer.from(new Float32Array(image).buffer);
const twoWorkers = 'minWorkers: 2\nmaxWorkers: 2\n';

console.log(
  `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${rounds} rounds of ${seconds} s each, medians`,
);
try {
  console.log(`commit ${execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim()}`);
} catch {
  // Not a checkout.
}
if (!torchserveInstalled) console.log('TorchServe is not installed here: figures of Sconce alone. `npm run bench -- --install-peer` installs it.');

try {
  await pack(root, store, 'noop', 'noop.py', twoWorkers);
  await onStage({
    title: 'No-op Python handler, 2 workers',
    models: 'noop.mar',
    probe: { model: 'noop', body: 'x', contentType: 'application/octet-stream', right: (text) => text === 'ok' },
    measure: async () => {
      for (const connections of [1, 32]) {
        await compare(`no-op, ${connections} connection${connections > 1 ? 's' : ''}`, (port) => ({
          url: `http://127.0.0.1:${port}/predictions/noop`,
          body: 'x',
          contentType: 'application/octet-stream',
          connections,
          seconds,
        }));
      }
    },
  });

  await pack(root, store, 'digits_py', 'onnx_digits.py', twoWorkers, { 'digits.onnx': digitsOnnx });
  await pack(root, store, 'digits_py8', 'onnx_digits.py', `${twoWorkers}batchSize: 8\nmaxBatchDelay: 2\n`, { 'digits.onnx': digitsOnnx });
  const native = join(store, 'digits_native');
  mkdirSync(native);
  cpSync(digitsOnnx, join(native, 'digits.onnx'));
  writeFileSync(join(native, 'model-config.yaml'), twoWorkers);
  await onStage({
    title: 'Digits CNN in ONNX: Sconce in-process, TorchServe by a Python handler',
    models: 'digits_py.mar,digits_py8.mar,digits_native',
    probe: { model: 'digits_py8', body: jsonImage, contentType: 'application/json', right: (text) => text.includes('[') },
    measure: async () => {
      const load = (model: string, body: string | Buffer, contentType: string, connections: number, port: number): Load => ({
        url: `http://127.0.0.1:${port}/predictions/${model}`,
        body,
        contentType,
        connections,
        seconds,
      });
      const cases = [
        ['JSON of 784 floats', jsonImage, 'application/json'],
        ['3 136 bytes', binaryImage, 'application/octet-stream'],
      ] as const;
      for (const [title, body, type] of cases) {
        for (const connections of [1, 32]) {
          const theirs = connections === 1 ? 'digits_py' : 'digits_py8';
          await compare(`${title}, ${connections} connection${connections > 1 ? 's' : ''}`, (port, who) =>
            load(who === 'sconce' ? 'digits_native' : theirs, body, type, connections, port),
          );
        }
      }
      await compare('the same Python handler on both, JSON, 32 connections', (port) => load('digits_py8', jsonImage, 'application/json', 32, port));
    },
  });
} finally {
  removeFolder(folder);
}

console.log('\n| what | Sconce | TorchServe 0.12 | ratio |\n| --- | --- | --- | --- |');
for (const { what, unit, sconce, torchserve, ratio } of rows) {
  console.log(
    `| ${what} | ${sconce.toFixed(2)} ${unit} | ${torchserve === undefined ? '–' : `${torchserve.toFixed(2)} ${unit}`} | ${ratio === undefined ? '–' : `${ratio.toFixed(2)}×`} |`,
  );
}
