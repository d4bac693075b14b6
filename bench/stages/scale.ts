import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pack } from '../archives.js';
import { privateMib } from '../process-memory.js';
import { SCONCE_PORT, TORCHSERVE_PORT, type Workbench } from '../workbench.js';

const MODEL = 'torchscript';
const FEW = 1;
const MANY = 4;
/** Enough at once, and often enough, for every worker to have had some. */
const PREDICTIONS = 64;

interface Worker {
  readonly id: string;
  readonly pid: number;
  readonly status: string;
}

/** A TorchScript model under BaseHandler: what another worker of it costs, in time and in memory. */
export async function scale(bench: Workbench): Promise<void> {
  const { root, store, folder, python } = bench;
  const weights = join(folder, 'model.pt');
  execFileSync(python, [join(root, 'bench', 'handlers', 'make_torchscript.py'), weights], { stdio: 'inherit' });
  const config = `minWorkers: ${FEW}\nmaxWorkers: ${MANY}\n`;
  await pack(root, store, MODEL, 'torchscript_mlp.py', config, { 'model.pt': weights }, { serializedFile: 'model.pt' });
  await bench.onStage({
    title: `TorchScript under BaseHandler, from ${FEW} to ${MANY} workers`,
    models: `${MODEL}.mar`,
    probe: { model: MODEL, body: '[1]', contentType: 'application/json', right: (text) => text.startsWith('[') },
    measure: async () => {
      const ours: Growth[] = [];
      const theirs: Growth[] = [];
      for (let round = 0; round < bench.rounds; round += 1) {
        ours.push(await grow(SCONCE_PORT));
        if (bench.torchserveInstalled) theirs.push(await grow(TORCHSERVE_PORT));
      }
      const both = (of: (growth: Growth) => number): [number, number | undefined] => [
        median(ours.map(of)),
        theirs.length === 0 ? undefined : median(theirs.map(of)),
      ];
      bench.report.note(`from ${FEW} to ${MANY} workers, synchronous`, 'ms', ...both((growth) => growth.ms), true);
      bench.report.note('private memory of each additional worker', 'MiB', ...both((growth) => growth.privateMib), true);
    },
  });
}

interface Growth {
  readonly ms: number;
  /** Of an additional worker, after it has answered. */
  readonly privateMib: number;
}

async function grow(port: number): Promise<Growth> {
  await scaleTo(port, FEW);
  const [first] = await settled(port, FEW);
  const startedAt = performance.now();
  await scaleTo(port, MANY);
  const ms = performance.now() - startedAt;
  const workers = await settled(port, MANY);
  await Promise.all(Array.from({ length: PREDICTIONS }, () => predict(port)));
  const additional = workers.filter((worker) => worker.pid !== first?.pid);
  return { ms, privateMib: median(additional.map((worker) => privateMib(worker.pid))) };
}

async function scaleTo(port: number, count: number): Promise<void> {
  const query = `min_worker=${count}&max_worker=${count}&synchronous=true&timeout=60`;
  const response = await fetch(`http://127.0.0.1:${port + 1}/models/${MODEL}?${query}`, { method: 'PUT' });
  if (!response.ok) throw new Error(`scaling to ${count} on port ${port + 1} gave ${response.status}: ${await response.text()}`);
}

/** The workers, once there are so many and all of them ready. Rejects after 60 s. */
async function settled(port: number, count: number): Promise<readonly Worker[]> {
  for (const endAtMs = Date.now() + 60_000; Date.now() < endAtMs; ) {
    const response = await fetch(`http://127.0.0.1:${port + 1}/models/${MODEL}`);
    const [version] = (await response.json()) as { workers: Worker[] }[];
    const workers = version?.workers ?? [];
    if (workers.length === count && workers.every((worker) => worker.status === 'READY')) return workers;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the server on port ${port + 1} did not come to ${count} workers`);
}

async function predict(port: number): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`http://127.0.0.1:${port}/predictions/${MODEL}`, { method: 'POST', body: '[1]', headers });
  if (response.status !== 200) throw new Error(`a prediction gave ${response.status}`);
  await response.arrayBuffer();
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
