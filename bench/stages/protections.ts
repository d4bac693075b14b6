import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pack } from '../archives.js';
import { type LoadFigures, run } from '../load.js';
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
/** Two servers that are the same differ by more than what is looked for, from one start to the next, and a machine of two cores from one second to the next. */
const STARTS = 5;
const ROUNDS = 15;
const ROUND_SECONDS = 1;

interface Figures extends LoadFigures {
  readonly processorUs: number;
}

interface Load {
  readonly connections: number;
  /** Of each round: protected, bare. */
  readonly pairs: [Figures, Figures][];
}

interface Side {
  readonly port: number;
  readonly server: Started;
  readonly keys: { readonly inference: string; readonly management: string };
}

/** What everything that protects by default costs: Sconce as it comes, tokens included, beside Sconce with nothing of it, both up at once and loads alternating. */
export async function protections(bench: Workbench): Promise<void> {
  console.log('\n## Protected as it comes, against nothing of it');
  await pack(bench.root, bench.store, 'noop', 'noop.py', 'minWorkers: 1\nmaxWorkers: 2\n');
  const loads = [1, 32].map((connections): Load => ({ connections, pairs: [] }));
  for (let at = 0; at < STARTS; at += 1)
    await withBoth(bench, at % 2 === 0, async (sides) => {
      if (at === 0) await compareStarts(sides);
      for (const { connections, pairs } of loads) pairs.push(...(await alternateLoads(sides, connections)));
    });
  for (const load of loads) tell(load);
}

/** Starts both for as long as `measure` takes. */
async function withBoth(bench: Workbench, bareFirst: boolean, measure: (sides: readonly [guarded: Side, bare: Side]) => Promise<void>): Promise<void> {
  const running: Side[] = [];
  const started = async (name: string, port: number, settings: readonly string[]): Promise<Side> => {
    const side = await start(bench, name, port, settings);
    running.push(side);
    return side;
  };
  try {
    const early = bareFirst ? await started('bare', BARE_PORT, NOTHING) : undefined;
    const guarded = await started('protected', PROTECTED_PORT, ['disable_token_authorization=false']);
    await measure([guarded, early ?? (await started('bare', BARE_PORT, NOTHING))]);
  } finally {
    for (const { server } of running) stopContender(server.process);
    for (const { port } of running) await untilFree(port);
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

async function alternateLoads([guarded, bare]: readonly [Side, Side], connections: number): Promise<[Figures, Figures][]> {
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
        seconds: ROUND_SECONDS,
      });
      return { ...figures, processorUs: ((processorMs(pid) - beforeMs) / figures.requests) * 1000 };
    };
  return alternate(load(guarded), load(bare), ROUNDS);
}

function tell({ connections, pairs }: Load): void {
  const ratio = middle(pairs.map(([one, other]) => one.requestsPerSecond / other.requestsPerSecond));
  const at = `a no-op Python handler, ${connections} connection${connections > 1 ? 's' : ''}, protected and bare`;
  console.log(`${at}: ${told(pairs, (one) => one.processorUs, ' µs', 0)} of processor time a request`);
  console.log(`${at}: ${told(pairs, (one) => one.requestsPerSecond, '/s', 0)}; at least ${LEAST_RATIO} wanted: ${ratio >= LEAST_RATIO ? 'held' : 'MISSED'}`);
}
