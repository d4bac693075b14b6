import { join } from 'node:path';
import { removeFolder, startContender, stopContender, untilFree, writeConfig } from './peer-server.js';
import type { Workbench } from './workbench.js';

const PORT = 28180;

/** Sconce alone, with one worker for each of the models. */
export interface LoneServer {
  readonly pid: number;
  readonly inference: string;
  /** Brings a model to so many workers and gives how long that took, ms. */
  scale(model: string, workers: number): Promise<number>;
}

/** Starts it in a folder of this name for as long as `measure` takes. */
export async function withLoneServer(
  bench: Workbench,
  { name, models, grants }: { readonly name: string; readonly models: readonly string[]; readonly grants: object },
  measure: (server: LoneServer) => Promise<void>,
): Promise<void> {
  const home = join(bench.folder, name);
  const extra = `python=${bench.python}\nsconce_cache_dir=${join(bench.folder, 'cache')}\ndefault_workers_per_model=1\nsconce_grants=${JSON.stringify(grants)}\n`;
  const config = writeConfig(home, PORT, models.join(','), extra);
  const args = [join(bench.root, 'bin', 'torchserve'), '--start', '--foreground', '--ncs', '--model-store', bench.store, '--ts-config', config];
  const contender = { name: 'sconce', command: process.execPath, args, env: { TMPDIR: home }, inferencePort: PORT };
  const { process: server } = await startContender(contender, home, async () => (await fetch(`http://127.0.0.1:${PORT}/ready`)).ok);
  try {
    await measure({ pid: server.pid ?? 0, inference: `http://127.0.0.1:${PORT}`, scale });
  } finally {
    stopContender(server);
    await new Promise((resolve) => (server.exitCode === null ? server.once('exit', resolve) : resolve(undefined)));
    await untilFree(PORT);
    removeFolder(home);
  }
}

async function scale(model: string, workers: number): Promise<number> {
  const startedAt = performance.now();
  const path = `/models/${model}?min_worker=${workers}&max_worker=${workers}&synchronous=true`;
  const response = await fetch(`http://127.0.0.1:${PORT + 1}${path}`, { method: 'PUT' });
  if (!response.ok) throw new Error(await response.text());
  return performance.now() - startedAt;
}
