import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Load, type LoadFigures, median, run } from './load.js';
import { type Contender, removeFolder, type Started, startContender, stopContender, untilFree, writeConfig } from './peer-server.js';
import { memoryMib } from './process-memory.js';
import type { Report } from './report.js';

export const SCONCE_PORT = 28080;
export const TORCHSERVE_PORT = 18080;
/** What a server does after its first answer, or leaves behind at its end, is over by then. */
const SETTLES_WITHIN_MS = 2000;

export interface Stage {
  readonly title: string;
  /** Value of load_models. */
  readonly models: string;
  readonly probe: { readonly model: string; readonly body: string | Buffer; readonly contentType: string; right(text: string): boolean };
  measure(): Promise<void>;
}

/** A model store and the two servers on it, up together for the length of a stage. */
export class Workbench {
  readonly seconds = Number(process.env.SCONCE_BENCH_SECONDS ?? '4');
  readonly rounds = Number(process.env.SCONCE_BENCH_ROUNDS ?? '3');
  readonly python = process.env.SCONCE_BENCH_PYTHON ?? 'python3';
  readonly folder = mkdtempSync(join(tmpdir(), 'sconce-bench-'));
  readonly store = join(this.folder, 'store');
  readonly #peerBin: string;
  readonly torchserveInstalled: boolean;
  #stages = 0;

  constructor(
    readonly root: string,
    readonly report: Report,
  ) {
    this.#peerBin = join(root, '.cache', 'peer', 'bin');
    this.torchserveInstalled = existsSync(join(this.#peerBin, 'torchserve'));
    mkdirSync(this.store);
  }

  remove(): void {
    removeFolder(this.folder);
  }

  async onStage(stage: Stage): Promise<void> {
    console.log(`\n## ${stage.title}`);
    this.#stages += 1;
    const { sconce, torchserve } = this.#contenders(stage.models);
    const running: Started[] = [];
    try {
      const ours = await startContender(sconce, this.#home('sconce'), () => answers(sconce, stage.probe));
      running.push(ours);
      let theirs: Started | undefined;
      if (this.torchserveInstalled) {
        theirs = await startContender(torchserve, this.#home('torchserve'), () => answers(torchserve, stage.probe));
        running.push(theirs);
      }
      this.report.note('start to first right answer', 'ms', ours.firstPredictionMs, theirs?.firstPredictionMs, true);
      await new Promise((resolve) => setTimeout(resolve, SETTLES_WITHIN_MS));
      const memory = (started: Started) => memoryMib(started.process.pid ?? 0);
      this.report.note('memory, all processes (resident, shared pages counted once)', 'MiB', memory(ours).pss, theirs && memory(theirs).pss, true);
      await stage.measure();
    } finally {
      for (const { process: child } of running) stopContender(child);
      await Promise.all(
        running.map(
          ({ process: child }) =>
            new Promise((resolve) => (child.exitCode === null && child.signalCode === null ? child.once('exit', resolve) : resolve(undefined))),
        ),
      );
      await Promise.all([sconce, torchserve].map(({ inferencePort }) => untilFree(inferencePort)));
      await new Promise((resolve) => setTimeout(resolve, SETTLES_WITHIN_MS));
    }
  }

  /** Throughput and latency, loads alternating between the servers. */
  async compare(what: string, load: (port: number, who: 'sconce' | 'torchserve') => Load): Promise<void> {
    const ours: LoadFigures[] = [];
    const theirs: LoadFigures[] = [];
    await run({ ...load(SCONCE_PORT, 'sconce'), seconds: 1 });
    if (this.torchserveInstalled) await run({ ...load(TORCHSERVE_PORT, 'torchserve'), seconds: 2 });
    for (let round = 0; round < this.rounds; round += 1) {
      ours.push(await run(load(SCONCE_PORT, 'sconce')));
      if (this.torchserveInstalled) theirs.push(await run(load(TORCHSERVE_PORT, 'torchserve')));
    }
    const failures = [...ours, ...theirs].reduce((sum, figures) => sum + figures.failures, 0);
    if (failures > 0) console.log(`  (${failures} requests failed)`);
    const a = median(ours);
    const b = this.torchserveInstalled ? median(theirs) : undefined;
    this.report.note(`${what}: throughput`, '/s', a.requestsPerSecond, b?.requestsPerSecond);
    this.report.note(`${what}: p50`, 'ms', Math.max(a.p50Ms, 0.5), b && Math.max(b.p50Ms, 0.5), true);
    this.report.note(`${what}: p99`, 'ms', Math.max(a.p99Ms, 0.5), b && Math.max(b.p99Ms, 0.5), true);
  }

  /** One for each stage: TorchServe's PID file lies there, and outlives it for a while. */
  #home(name: string): string {
    return join(this.folder, `stage-${this.#stages}`, name);
  }

  #contenders(models: string): { sconce: Contender; torchserve: Contender } {
    const sconceHome = this.#home('sconce');
    const peerHome = this.#home('torchserve');
    const ours = writeConfig(sconceHome, SCONCE_PORT, models, `python=${this.python}\nsconce_cache_dir=${join(this.folder, 'cache')}\n`);
    const theirs = writeConfig(peerHome, TORCHSERVE_PORT, models, '');
    const args = (config: string) => ['--start', '--foreground', '--ncs', '--model-store', this.store, '--ts-config', config];
    return {
      sconce: {
        name: 'sconce',
        command: process.execPath,
        args: [join(this.root, 'bin', 'torchserve'), ...args(ours)],
        env: { TMPDIR: sconceHome },
        inferencePort: SCONCE_PORT,
      },
      torchserve: {
        name: 'torchserve',
        command: join(this.#peerBin, 'torchserve'),
        args: args(theirs),
        env: { TMPDIR: peerHome, TEMP: peerHome, PATH: `${this.#peerBin}:${process.env.PATH ?? ''}` },
        inferencePort: TORCHSERVE_PORT,
      },
    };
  }
}

async function answers(contender: Contender, { model, body, contentType, right }: Stage['probe']): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${contender.inferencePort}/predictions/${model}`, {
    method: 'POST',
    body: new Uint8Array(Buffer.from(body)),
    headers: { 'content-type': contentType },
  });
  return response.status === 200 && right(await response.text());
}
