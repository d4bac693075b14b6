import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { answers } from '../answers-ready.js';
import type { Models } from '../models.js';
import { type OneServer, startSconce } from '../pair.js';
import type { Tally } from '../tally.js';

/** What is asked of Sconce alone, by clients that others wrote. */
export const CLIENT_CHECKS: readonly string[] = ['client-triton', 'client-kserve', 'client-reflection', 'client-schemathesis'];

const RUNS_AT_MOST_MS = 180_000;
const OUTCOME = z.object({ name: z.string(), ok: z.boolean(), because: z.string().optional() });
/** Answers are right by these; which request makes which status is compared with TorchServe elsewhere. */
const SCHEMATHESIS_CHECKS = 'not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance';

export interface CheckingWithClients {
  readonly root: string;
  readonly peerBin: string;
  /** Interpreter that has the clients. */
  readonly clientPython: string;
  readonly folder: string;
  readonly models: Models;
  /** Of CLIENT_CHECKS. */
  readonly checks: readonly string[];
  readonly tally: Tally;
  /** Told of the server as soon as it runs, so that a signal can end it. */
  readonly started: (server: OneServer) => void;
}

/** Serves an ONNX model and Python handlers, lets the clients ask for them, and tells the tally each check. */
export async function checkWithClients({ root, peerBin, clientPython, folder, models, checks, tally, started }: CheckingWithClients): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const onnx = join(folder, 'double.onnx');
  copyFileSync(join(root, 'test', 'fixtures', 'onnx', 'double.onnx'), onnx);
  const store = [onnx, models.open, models.instances, models.speaker];
  const settings = { ts_open_inference_protocol: 'true', load_models: store.map((path) => basename(path)).join(','), default_workers_per_model: '1' };
  const server = await startSconce({ root, peerBin, folder, settings, store, snapshots: false });
  started(server);
  try {
    await answers(`${server.server.inference}/ready`);
    const { inference, management, metrics, grpcInference, grpcManagement } = server.server;
    const run = (script: string, args: readonly string[]) => runChecks(clientPython, join(root, 'test', 'conformance', 'clients', script), args, tally);
    for (const check of checks) {
      console.log(`\n## ${check}`);
      if (check === 'client-triton') await run('triton.py', [new URL(inference).host, grpcInference]);
      if (check === 'client-kserve') await run('kserve_sdk.py', [inference, grpcInference]);
      if (check === 'client-reflection') await run('reflection.py', [grpcInference, grpcManagement]);
      if (check === 'client-schemathesis')
        for (const [name, address] of Object.entries({ inference, management, metrics })) await fuzz(clientPython, name, address, folder, tally);
    }
  } finally {
    await server.stop();
  }
}

async function runChecks(python: string, script: string, args: readonly string[], tally: Tally): Promise<void> {
  const { code, output } = await ended(python, ['-B', '-W', 'ignore', script, ...args]);
  let told = 0;
  for (const line of output.split('\n').filter((one) => one.startsWith('{'))) {
    const { name, ok, because = '' } = OUTCOME.parse(JSON.parse(line));
    told += 1;
    if (ok) tally.holds(`right  ${name}`);
    else tally.fails(`WRONG  ${name}`, because.trimEnd().split('\n'));
  }
  if (code !== 0 || told === 0) tally.fails(`WRONG  ${basename(script)} ended with ${code}`, output.trimEnd().split('\n').slice(-20));
}

/** Requests made of a port's own OpenAPI document, the same in each run: none may end in a fault, and each answer must be as the document says. */
async function fuzz(python: string, name: string, address: string, folder: string, tally: Tally): Promise<void> {
  const bounds = ['--seed', '7', '--max-examples', '20', '--phases', 'examples,coverage,fuzzing', '--request-timeout', '30', '--generation-database', 'none'];
  const args = ['run', `${address}/api-description`, '--url', address, '--checks', SCHEMATHESIS_CHECKS, ...bounds, '--no-color'];
  const { code, output } = await ended(join(python, '..', 'schemathesis'), args, folder);
  const figures = /Test cases:\n +(.*)/.exec(output)?.[1] ?? 'no test cases';
  if (code === 0) tally.holds(`right  the ${name} document holds (${figures})`);
  else tally.fails(`WRONG  the ${name} document does not hold`, output.split('\n'));
}

/** Exit code and all output; -1 where it had to be ended. `cwd` is for what the program leaves behind. */
function ended(command: string, args: readonly string[], cwd = process.cwd()): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: RUNS_AT_MOST_MS });
    let output = '';
    const collect = (chunk: Buffer) => {
      output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, output }));
  });
}
