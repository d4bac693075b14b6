import { cpSync, existsSync, linkSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Contender, listening, startContender, stopContender, untilFree, writeConfig } from '../../bench/peer-server.js';
import { madeInductorCache } from '../archives/inductor-cache.js';
import type { ComparedServer } from './comparison.js';

/** Inference, management, metrics, gRPC inference and gRPC management. */
const PORTS_EACH = 5;

export interface Pair {
  readonly torchserve: ComparedServer;
  readonly sconce: ComparedServer;
  stop(): Promise<void>;
}

export interface OneServer {
  readonly server: ComparedServer;
  stop(): Promise<void>;
}

export interface ServerOptions {
  readonly root: string;
  /** Folder of the real TorchServe's programs; its interpreter runs both servers' workers. */
  readonly peerBin: string;
  /** An empty or missing folder for everything that a server leaves behind. */
  readonly folder: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly store: readonly string[];
  readonly snapshots: boolean;
}

/** The real TorchServe and Sconce, with the same in their stores and the same settings, on ports of their own. Rejects when one doesn't start within 120 s. */
export async function startPair(options: ServerOptions): Promise<Pair> {
  const [torchserve, sconce] = await Promise.allSettled([start('torchserve', options), start('sconce', options)]);
  const stop = async () => {
    await Promise.all([torchserve, sconce].map((one) => (one.status === 'fulfilled' ? one.value.stop() : undefined)));
  };
  if (torchserve.status === 'fulfilled' && sconce.status === 'fulfilled') return { torchserve: torchserve.value.server, sconce: sconce.value.server, stop };
  await stop();
  throw torchserve.status === 'rejected' ? torchserve.reason : sconce.status === 'rejected' ? sconce.reason : undefined;
}

/** Sconce alone. Rejects when it doesn't start within 120 s. */
export function startSconce(options: ServerOptions): Promise<OneServer> {
  return start('sconce', options);
}

async function start(name: 'torchserve' | 'sconce', { root, peerBin, folder, settings, store, snapshots }: ServerOptions): Promise<OneServer> {
  const home = join(folder, name);
  // Each its own: archives that are downloaded are put there.
  const itsStore = join(home, 'store');
  mkdirSync(itsStore, { recursive: true });
  for (const entry of store) put(entry, join(itsStore, basename(entry)));
  const port = await freePorts(PORTS_EACH);
  const python = join(peerBin, 'python');
  const extra = Object.entries({ ...settings, python, ...(name === 'sconce' ? { sconce_cache_dir: join(home, 'cache') } : {}) });
  const config = writeConfig(home, port, '', extra.map(([key, value]) => `${key}=${value}`).join('\n'));
  const args = ['--start', '--foreground', ...(snapshots ? [] : ['--ncs']), '--model-store', itsStore, '--ts-config', config];
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
      TORCHINDUCTOR_CACHE_DIR: name === 'sconce' ? madeInductorCache(root) : join(root, '.cache', 'inductor'),
    },
    inferencePort: port,
  };
  const saysSo = async (): Promise<boolean> => textOf(join(home, `${name}.out`)).includes('Model server started.');
  const started = await startContender(contender, home, saysSo);
  return {
    server: {
      inference: `http://127.0.0.1:${port}`,
      management: `http://127.0.0.1:${port + 1}`,
      metrics: `http://127.0.0.1:${port + 2}`,
      grpcInference: `127.0.0.1:${port + 3}`,
      grpcManagement: `127.0.0.1:${port + 4}`,
      folder: home,
      log: (file) => textOf(join(home, 'logs', file)),
    },
    async stop() {
      stopContender(started.process);
      await untilFree(port);
    },
  };
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
