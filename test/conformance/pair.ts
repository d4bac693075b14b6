import { cpSync, existsSync, linkSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Contender, listening, type Started, startContender, stopContender, untilFree, writeConfig } from '../../bench/peer-server.js';
import type { ServerUnderTest } from '../archives/run-step.js';

/** Inference, management, metrics, gRPC inference and gRPC management. */
const PORTS_EACH = 5;

export interface Pair {
  readonly torchserve: ServerUnderTest;
  readonly sconce: ServerUnderTest;
  stop(): Promise<void>;
}

export interface PairOptions {
  readonly root: string;
  /** Folder of the real TorchServe's programs; its interpreter runs both servers' workers. */
  readonly peerBin: string;
  /** An empty or missing folder for everything that the two leave behind. */
  readonly folder: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly store: readonly string[];
}

/** The real TorchServe and Sconce, with the same store and the same settings, on ports of their own. Rejects when one doesn't start within 120 s. */
export async function startPair({ root, peerBin, folder, settings, store }: PairOptions): Promise<Pair> {
  const shared = join(folder, 'store');
  mkdirSync(shared, { recursive: true });
  for (const entry of store) put(entry, join(shared, basename(entry)));
  const running: { readonly started: Started; readonly port: number }[] = [];
  const launch = async (name: 'torchserve' | 'sconce'): Promise<ServerUnderTest> => {
    const home = join(folder, name);
    const port = await freePorts(PORTS_EACH);
    const python = join(peerBin, 'python');
    const extra = Object.entries({ ...settings, python, ...(name === 'sconce' ? { sconce_cache_dir: join(home, 'cache') } : {}) });
    const config = writeConfig(home, port, '', extra.map(([key, value]) => `${key}=${value}`).join('\n'));
    const args = ['--start', '--foreground', '--ncs', '--model-store', shared, '--ts-config', config];
    const contender: Contender = {
      name,
      command: name === 'sconce' ? process.execPath : join(peerBin, 'torchserve'),
      args: name === 'sconce' ? [join(root, 'bin', 'torchserve'), ...args] : args,
      env: {
        TMPDIR: home,
        TEMP: home,
        PATH: `${peerBin}:${process.env.PATH ?? ''}`,
        // One thread each: what several add up comes in another order.
        OMP_NUM_THREADS: '1',
        TORCHINDUCTOR_CACHE_DIR: join(root, '.cache', 'inductor'),
      },
      inferencePort: port,
    };
    running.push({ started: await startContender(contender, home, () => answersPing(port)), port });
    return {
      inference: `http://127.0.0.1:${port}`,
      management: `http://127.0.0.1:${port + 1}`,
      log: (file) => textOf(join(home, 'logs', file)),
    };
  };
  const stop = async () => {
    for (const { started } of running) stopContender(started.process);
    await Promise.all(running.map(({ port }) => untilFree(port)));
  };
  const [torchserve, sconce] = await Promise.allSettled([launch('torchserve'), launch('sconce')]);
  if (torchserve.status === 'fulfilled' && sconce.status === 'fulfilled') return { torchserve: torchserve.value, sconce: sconce.value, stop };
  await stop();
  throw torchserve.status === 'rejected' ? torchserve.reason : sconce.status === 'rejected' ? sconce.reason : undefined;
}

function put(from: string, to: string): void {
  if (existsSync(to)) return;
  if (statSync(from).isDirectory()) return cpSync(from, to, { recursive: true });
  try {
    linkSync(from, to);
  } catch {
    // Another file system.
    cpSync(from, to);
  }
}

async function answersPing(port: number): Promise<boolean> {
  return (await fetch(`http://127.0.0.1:${port}/ping`)).status === 200;
}

function textOf(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** The first of `count` ports in a row that are free now. */
async function freePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const first = 20_000 + Math.floor(Math.random() * 12_000);
    const servers = await Promise.all(Array.from({ length: count }, (_, offset) => listening(first + offset)));
    await Promise.all(servers.map((server) => server && new Promise((resolve) => server.close(resolve))));
    if (!servers.includes(undefined)) return first;
  }
  throw new Error(`no ${count} free ports in a row`);
}
