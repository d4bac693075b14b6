import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';

const STOPS_WITHIN_MS = 30_000;

/** A server under measurement: the real TorchServe, or Sconce under its torchserve-compatible settings. Both get the same store and the same config.properties. */
export interface Contender {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly inferencePort: number;
}

export interface Started {
  readonly firstPredictionMs: number;
  readonly process: ChildProcess;
}

/** Writes the config of one run; tokens are off so that both do the same work. */
export function writeConfig(folder: string, port: number, models: string, extra: string): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'config.properties');
  const lines = [
    `inference_address=http://127.0.0.1:${port}`,
    `management_address=http://127.0.0.1:${port + 1}`,
    `metrics_address=http://127.0.0.1:${port + 2}`,
    `grpc_inference_port=${port + 3}`,
    `grpc_management_port=${port + 4}`,
    'disable_token_authorization=true',
    'enable_model_api=true',
    'job_queue_size=1000',
    `load_models=${models}`,
    extra,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

/** Starts a contender and waits for its first right answer. Rejects after 120 s. */
export async function startContender(contender: Contender, folder: string, tryOnce: () => Promise<boolean>): Promise<Started> {
  const out = openSync(join(folder, `${contender.name}.out`), 'w');
  const startedAt = performance.now();
  const child = spawn(contender.command, contender.args, {
    cwd: folder,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '',
      LOG_LOCATION: join(folder, 'logs'),
      METRICS_LOCATION: join(folder, 'logs'),
      ...contender.env,
    },
    stdio: ['ignore', out, out],
    detached: true,
  });
  while (performance.now() - startedAt < 120_000) {
    if (child.exitCode !== null && child.exitCode !== 0) break;
    if (await tryOnce().catch(() => false)) return { firstPredictionMs: performance.now() - startedAt, process: child };
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  stopContender(child);
  throw new Error(`${contender.name} did not answer; its output is ${readFileSync(join(folder, `${contender.name}.out`), 'utf8').slice(-2000)}`);
}

/** Ends the whole process group. */
export function stopContender(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGTERM');
  } catch {
    // It has ended already.
  }
}

/** Resolves when nothing listens on a loopback port any more, or 30 s have passed: TorchServe's launcher ends before its server does. */
export async function untilFree(port: number): Promise<void> {
  for (const endAtMs = Date.now() + STOPS_WITHIN_MS; Date.now() < endAtMs; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const server = await listening(port);
    if (server !== undefined) return new Promise((resolve) => server.close(() => resolve()));
  }
}

/** A listener on a loopback port; undefined where the port is taken. */
export function listening(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
