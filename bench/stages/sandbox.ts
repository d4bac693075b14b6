import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pack } from '../archives.js';
import { type LoadFigures, run } from '../load.js';
import { removeFolder, startContender, stopContender, untilFree, writeConfig } from '../peer-server.js';
import type { Workbench } from '../workbench.js';

const PORT = 28180;
/** Each against the same model without: both live in one server, and loads alternate between them. */
const PAIRS = [
  ['a no-op Python handler', 'noop', 'noop_bare', 'text'],
  ['a JavaScript handler in a sandboxed process, against a thread', 'js_process', 'js', 'text'],
  ['an ONNX model in a sandboxed process, against a thread', 'digits_process', 'digits', 'image'],
] as const;
const SPAWNS = 15;

/** What the sandbox costs: Sconce alone, with and without it. */
export async function sandbox(bench: Workbench): Promise<void> {
  const { root, store, folder, seconds } = bench;
  console.log('\n## The sandbox: with it and without');
  for (const name of ['noop', 'noop_bare']) await pack(root, store, name, 'noop.py', 'minWorkers: 1\nmaxWorkers: 2\n');
  for (const name of ['js', 'js_process']) await pack(root, store, name, 'echo.mjs', 'minWorkers: 1\nmaxWorkers: 2\n');
  for (const name of ['digits', 'digits_process']) {
    mkdirSync(join(store, name));
    cpSync(join(root, 'demo', 'store', 'digits', 'digits.onnx'), join(store, name, 'digits.onnx'));
  }
  const grants = { noop_bare: { sandbox: 'off' }, js_process: { isolation: 'process' }, digits_process: { isolation: 'process' } };
  const home = join(folder, 'sandbox');
  const extra = `python=${bench.python}\nsconce_cache_dir=${join(folder, 'cache')}\ndefault_workers_per_model=1\nsconce_grants=${JSON.stringify(grants)}\n`;
  const models = ['noop.mar', 'noop_bare.mar', 'js.mar', 'js_process.mar', 'digits', 'digits_process'].join(',');
  const config = writeConfig(home, PORT, models, extra);
  const args = [join(root, 'bin', 'torchserve'), '--start', '--foreground', '--ncs', '--model-store', store, '--ts-config', config];
  const contender = { name: 'sconce', command: process.execPath, args, env: { TMPDIR: home }, inferencePort: PORT };
  const { process: server } = await startContender(contender, home, async () => (await fetch(`http://127.0.0.1:${PORT}/ready`)).ok);
  try {
    await compareStarts();
    const image = JSON.stringify({ image: Array.from({ length: 784 }, (_, n) => Number((((n * 37) % 256) / 255).toFixed(4))) });
    for (const [what, enclosed, bare, kind] of PAIRS) {
      for (const connections of [1, 32]) {
        const load = (model: string): Promise<LoadFigures> =>
          run({
            url: `http://127.0.0.1:${PORT}/predictions/${model}`,
            body: kind === 'text' ? '"x"' : image,
            contentType: 'application/json',
            connections,
            seconds,
          });
        await compareLoads(
          `${what}, ${connections} connection${connections > 1 ? 's' : ''}`,
          () => load(enclosed),
          () => load(bare),
          bench.rounds,
        );
      }
    }
  } finally {
    stopContender(server);
    await new Promise((resolve) => (server.exitCode === null ? server.once('exit', resolve) : resolve(undefined)));
    await untilFree(PORT);
    removeFolder(home);
  }
}

/** From the wish for one more worker to its readiness. */
async function compareStarts(): Promise<void> {
  const scale = async (model: string, workers: number): Promise<number> => {
    const startedAt = performance.now();
    const path = `/models/${model}?min_worker=${workers}&max_worker=${workers}&synchronous=true`;
    const response = await fetch(`http://127.0.0.1:${PORT + 1}${path}`, { method: 'PUT' });
    if (!response.ok) throw new Error(await response.text());
    return performance.now() - startedAt;
  };
  const times = new Map<string, number[]>([
    ['noop', []],
    ['noop_bare', []],
  ]);
  for (let round = 0; round < SPAWNS; round += 1) {
    for (const [model, taken] of times) {
      taken.push(await scale(model, 2));
      await scale(model, 1);
    }
  }
  const [enclosed = 0, bare = 0] = [...times.values()].map(middle);
  console.log(
    `one more Python worker until it is ready: ${enclosed.toFixed(1)} ms in the sandbox, ${bare.toFixed(1)} ms without: ${(enclosed - bare).toFixed(1)} ms added`,
  );
}

async function compareLoads(what: string, enclosed: () => Promise<LoadFigures>, bare: () => Promise<LoadFigures>, rounds: number): Promise<void> {
  const ratios: number[] = [];
  const figures: [number, number][] = [];
  for (let round = 0; round < rounds; round += 1) {
    // Each goes first as often as the other.
    const [first, second] = round % 2 === 0 ? [enclosed, bare] : [bare, enclosed];
    const [a, b] = [await first(), await second()];
    const [inside, outside] = round % 2 === 0 ? [a, b] : [b, a];
    if (inside.failures + outside.failures > 0) console.log(`  (${inside.failures} and ${outside.failures} requests failed)`);
    ratios.push(inside.requestsPerSecond / outside.requestsPerSecond);
    figures.push([inside.requestsPerSecond, outside.requestsPerSecond]);
  }
  const [within, without] = [0, 1].map((side) => middle(figures.map((pair) => pair[side] ?? 0)));
  console.log(
    `${what}: ${within?.toFixed(0)}/s and ${without?.toFixed(0)}/s, ratio ${middle(ratios).toFixed(3)} (from ${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)})`,
  );
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
