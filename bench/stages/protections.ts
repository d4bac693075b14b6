import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pack } from '../archives.js';
import { run } from '../load.js';
import { alternate, middle, told } from '../pairs.js';
import { removeFolder, type Started, startContender, stopContender, untilFree, writeConfig } from '../peer-server.js';
import { processorMs } from '../process-family.js';
import type { Workbench } from '../workbench.js';

const SPAWNS = 15;
const PROTECTED_PORT = 28280;
const BARE_PORT = 28380;
/** What may be lost to everything that is on by default. */
const LEAST_RATIO = 0.95;
const MOST_MORE_MS = 5;
const NOTHING = [
  'sconce_sandbox=off',
  'sconce_scan=off',
  'sconce_audit_log=off',
  'sconce_control_groups=false',
  'sconce_min_body_bytes_per_s=0',
  'sconce_worker_log_kb_per_s=0',
];

/** Both sides are sent the same: a header more is the client's, not a protection's. */
const ANY_KEYS = { inference: '0'.repeat(22), management: '0'.repeat(22) };
/** A machine of two cores differs from itself by more than what is looked for. */
const LEAST_ROUNDS = 15;

interface Side {
  readonly port: number;
  readonly server: Started;
  readonly keys: { readonly inference: string; readonly management: string };
}

/** What everything that protects by default costs: Sconce as it comes, tokens included, beside Sconce with nothing of it, both up at once and loads alternating. */
export async function protections(bench: Workbench): Promise<void> {
  console.log('\n## Protected as it comes, against nothing of it');
  await pack(bench.root, bench.store, 'noop', 'noop.py', 'minWorkers: 1\nmaxWorkers: 2\n');
  const sides: Side[] = [];
  try {
    const guarded = await start(bench, 'protected', PROTECTED_PORT, ['disable_token_authorization=false']);
    sides.push(guarded);
    const bare = await start(bench, 'bare', BARE_PORT, NOTHING);
    sides.push(bare);
    await compareStarts(sides);
    for (const connections of [1, 32]) await compareLoads(bench, [guarded, bare], connections);
  } finally {
    for (const { server } of sides) stopContender(server.process);
    for (const { port } of sides) await untilFree(port);
    for (const name of ['protected', 'bare']) removeFolder(join(bench.folder, name));
  }
}

async function start(bench: Workbench, name: string, port: number, settings: readonly string[]): Promise<Side> {
  const home = join(bench.folder, name);
  mkdirSync(home, { recursive: true });
  const extra = [`python=${bench.python}`, `sconce_cache_dir=${join(bench.folder, `${name}-cache`)}`, 'default_workers_per_model=1', ...settings];
  const config = writeConfig(home, port, 'noop.mar', `${extra.join('\n')}\n`);
  const args = [join(bench.root, 'bin', 'torchserve'), '--start', '--foreground', '--ncs', '--model-store', bench.store, '--ts-config', config];
  const contender = { name: 'sconce', command: process.execPath, args, env: { TMPDIR: home }, inferencePort: port };
  const server = await startContender(contender, home, async () => (await fetch(`http://127.0.0.1:${port}/ready`)).ok);
  return { port, server, keys: name === 'bare' ? ANY_KEYS : keysIn(home) };
}

function keysIn(home: string): Side['keys'] {
  const { inference, management } = JSON.parse(readFileSync(join(home, 'key_file.json'), 'utf8'));
  return { inference: inference.key, management: management.key };
}

const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });

async function scale({ port, keys }: Side, workers: number): Promise<number> {
  const startedAt = performance.now();
  const url = `http://127.0.0.1:${port + 1}/models/noop?min_worker=${workers}&max_worker=${workers}&synchronous=true`;
  const response = await fetch(url, { method: 'PUT', headers: bearer(keys.management) });
  if (!response.ok) throw new Error(await response.text());
  return performance.now() - startedAt;
}

async function compareStarts(sides: readonly Side[]): Promise<void> {
  const times: number[][] = sides.map(() => []);
  for (let round = 0; round < SPAWNS; round += 1)
    for (const [at, side] of sides.entries()) {
      times[at]?.push(await scale(side, 2));
      await scale(side, 1);
    }
  const more = times[0]?.map((ms, round) => ms - (times[1]?.[round] ?? 0)) ?? [];
  const [guarded = 0, bare = 0] = times.map(middle);
  const added = guarded - bare;
  console.log(
    `one more Python worker until it is ready: ${guarded.toFixed(1)} ms protected, ${bare.toFixed(1)} ms bare: ${added.toFixed(1)} ms added (rounds from ${Math.min(...more).toFixed(1)} to ${Math.max(...more).toFixed(1)}); at most ${MOST_MORE_MS} wanted: ${added <= MOST_MORE_MS ? 'held' : 'MISSED'}`,
  );
}

async function compareLoads(bench: Workbench, [guarded, bare]: readonly [Side, Side], connections: number): Promise<void> {
  const load =
    ({ port, keys, server }: Side) =>
    async () => {
      const pid = server.process.pid ?? 0;
      const beforeMs = processorMs(pid);
      const figures = await run({
        url: `http://127.0.0.1:${port}/predictions/noop`,
        body: '"x"',
        contentType: 'application/json',
        headers: bearer(keys.inference),
        connections,
        seconds: Math.min(3, bench.seconds),
      });
      return { ...figures, processorUs: ((processorMs(pid) - beforeMs) / figures.requests) * 1000 };
    };
  const pairs = await alternate(load(guarded), load(bare), Math.max(LEAST_ROUNDS, bench.rounds));
  const ratio = middle(pairs.map(([one, other]) => one.requestsPerSecond / other.requestsPerSecond));
  const at = `a no-op Python handler, ${connections} connection${connections > 1 ? 's' : ''}, protected and bare`;
  console.log(`${at}: ${told(pairs, (one) => one.processorUs, ' µs', 0)} of processor time a request`);
  console.log(`${at}: ${told(pairs, (one) => one.requestsPerSecond, '/s', 0)}; at least ${LEAST_RATIO} wanted: ${ratio >= LEAST_RATIO ? 'held' : 'MISSED'}`);
}
