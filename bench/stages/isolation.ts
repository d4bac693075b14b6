import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pack } from '../archives.js';
import { runFine } from '../fine-load.js';
import { type LoneServer, withLoneServer } from '../lone-server.js';
import { alternate, compareStarts, told } from '../pairs.js';
import { memoryMib } from '../process-memory.js';
import type { Workbench } from '../workbench.js';

const SPAWNS = 7;
/** How many more workers the memory of one is told from. */
const MORE = 3;
const WARMS_UP_S = 0.5;

/** What it costs to run a model in a sandboxed process: Sconce alone, the same model in a process and in a thread of one server, loads alternating between them. */
export async function isolation(bench: Workbench): Promise<void> {
  const { root, store } = bench;
  console.log('\n## Isolation: in a sandboxed process, against a thread of the server');
  for (const name of ['digits_process', 'digits_thread']) cpSync(join(root, 'demo', 'store', 'digits'), join(store, name), { recursive: true });
  for (const name of ['js_process', 'js_thread']) await pack(root, store, name, 'echo.mjs', 'minWorkers: 1\nmaxWorkers: 4\n');
  const models = ['digits_process', 'digits_thread', 'js_process.mar', 'js_thread.mar'];
  const grants = Object.fromEntries(['digits', 'js'].flatMap((name) => ['process', 'thread'].map((kind) => [`${name}_${kind}`, { isolation: kind }])));
  await withLoneServer(bench, { name: 'isolation', models, grants }, async (server) => {
    const floats = JSON.stringify({ image: Array.from({ length: 784 }, (_, n) => Number((((n * 37) % 256) / 255).toFixed(4))) });
    const picture = readFileSync(join(root, 'demo', 'images', '7.png'));
    for (const name of ['digits', 'js']) await compareWorkers(server, name);
    await compareLoads(bench, server, 'digits', 'the ONNX digits model, a PNG', picture, 'image/png');
    await compareLoads(bench, server, 'digits', 'the ONNX digits model, JSON of 784 floats', floats, 'application/json');
    await compareLoads(bench, server, 'js', 'a JavaScript handler that echoes', '"x"', 'application/json');
  });
}

async function compareWorkers({ pid, scale }: LoneServer, name: string): Promise<void> {
  const pair = [`${name}_process`, `${name}_thread`] as const;
  const [inProcess, inThread] = await compareStarts(scale, pair, SPAWNS);
  console.log(`${name}: one more worker until it is ready: ${inProcess.toFixed(1)} ms as a process, ${inThread.toFixed(1)} ms as a thread`);
  const added: number[] = [];
  for (const model of pair) {
    const before = memoryMib(pid).pss;
    await scale(model, 1 + MORE);
    added.push((memoryMib(pid).pss - before) / MORE);
    await scale(model, 1);
  }
  const [processMib = 0, threadMib = 0] = added;
  console.log(
    `${name}: memory of one more worker, shared pages counted once: ${processMib.toFixed(1)} MiB as a process, ${threadMib.toFixed(1)} MiB as a thread`,
  );
}

async function compareLoads(
  bench: Workbench,
  { inference }: LoneServer,
  name: string,
  what: string,
  body: string | Buffer,
  contentType: string,
): Promise<void> {
  for (const connections of [1, 32]) {
    const load = (kind: string, seconds = bench.seconds) =>
      runFine({ url: `${inference}/predictions/${name}_${kind}`, body, contentType, connections, seconds });
    for (const kind of ['process', 'thread']) await load(kind, WARMS_UP_S);
    const pairs = await alternate(
      () => load('process'),
      () => load('thread'),
      bench.rounds,
    );
    const title = `${what}, ${connections} connection${connections > 1 ? 's' : ''}`;
    console.log(`${title}: throughput ${told(pairs, (one) => one.requestsPerSecond, '/s', 0)}`);
    console.log(`${title}: p50 ${told(pairs, (one) => one.p50Ms, ' ms', 2)}`);
    console.log(`${title}: p99 ${told(pairs, (one) => one.p99Ms, ' ms', 2)}`);
  }
}
