// The real TorchServe 0.12 and Sconce, asked the same, side by side; then real clients at Sconce. Closes with one line of figures; exit code 1 when something
// differs that isn't meant to.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildArchives } from '../archives/build-archives.js';
import { CATALOGUE, commonSettings } from '../archives/catalogue.js';
import { archiveGroup } from './archives.js';
import { CLIENT_CHECKS, checkWithClients } from './clients/client-checks.js';
import type { Comparison, ComparisonGroup, Observed } from './comparison.js';
import { KNOWN } from './known-differences.js';
import { type Models, makeModels } from './models.js';
import { type OneServer, type Pair, startPair } from './pair.js';
import { protocolGroups } from './protocol-groups.js';
import { Tally } from './tally.js';

const root = process.env.SCONCE_CONFORMANCE_ROOT ?? process.cwd();
const python = process.env.SCONCE_CONFORMANCE_PYTHON ?? 'python3';
const clientPython = process.env.SCONCE_CONFORMANCE_CLIENTS ?? 'python3';
const peerBin = join(root, '.cache', 'peer', 'bin');
/** Groups whose name holds one of these; all without any. */
const wanted = (process.env.SCONCE_CONFORMANCE_ONLY ?? '').split(',').filter((word) => word !== '');
const isWanted = (name: string): boolean => wanted.length === 0 || wanted.some((word) => name.includes(word));

const tally = new Tally();
let running: Pick<Pair, 'stop'> | undefined;
const interruption = new AbortController();

async function groups(models: Models): Promise<readonly ComparisonGroup[]> {
  const archives = CATALOGUE.filter(({ name }) => isWanted(name));
  console.log(`Making ${archives.length} archives …`);
  const built = await buildArchives(root, python, archives);
  return [
    ...archives.flatMap((archive) => {
      const itsFiles = built.get(archive.name);
      return itsFiles === undefined ? [] : [archiveGroup(root, archive, itsFiles)];
    }),
    ...protocolGroups(models).filter(({ name }) => isWanted(name)),
  ];
}

/** What both servers let models be registered from over the API. To Sconce its operator has to say so. */
function locations(made: string): Readonly<Record<string, string>> {
  return { allowed_urls: 'file://.*,https?://.*', sconce_fetch_hosts: '127.0.0.1', sconce_store_roots: made };
}

/** Groups that can share a pair of servers, together. */
function bySettings(all: readonly ComparisonGroup[]): readonly (readonly ComparisonGroup[])[] {
  const runs = new Map<string, ComparisonGroup[]>();
  for (const group of all) {
    const key = JSON.stringify([group.settings, group.snapshots]);
    runs.set(key, [...(runs.get(key) ?? []), group]);
  }
  return [...runs.values()];
}

async function compare(pair: Pair, group: ComparisonGroup): Promise<void> {
  console.log(`\n## ${group.name}`);
  const known = KNOWN[group.name] ?? [];
  for (const comparison of group.comparisons) {
    const [theirs, ours] = await Promise.all([observed(comparison, pair, 'torchserve'), observed(comparison, pair, 'sconce')]);
    if (interruption.signal.aborted) return;
    tally.compared(comparison, theirs, ours, known);
  }
  tally.closed(known);
}

async function observed(comparison: Comparison, pair: Pair, who: 'torchserve' | 'sconce'): Promise<Observed> {
  try {
    return await comparison.ask(pair[who]);
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

/** A signal lets nothing new begin and ends the servers that run, which ends what waits for them. */
function stopOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      interruption.abort();
      void running?.stop();
    });
  }
}

if (!existsSync(join(peerBin, 'torchserve'))) throw new Error('TorchServe is not installed in .cache/peer');
const folder = mkdtempSync(join(tmpdir(), 'sconce-conformance-'));
stopOnSignals();
try {
  const made = join(folder, 'made');
  mkdirSync(made);
  const models = await makeModels({ root, peerBin, folder: made });
  let run = 0;
  for (const together of bySettings(await groups(models))) {
    if (interruption.signal.aborted) break;
    run += 1;
    const settings = { ...commonSettings(root), ...locations(made), ...together[0]?.settings };
    const store = together.flatMap((group) => group.store);
    const pair = await startPair({ root, peerBin, folder: join(folder, String(run)), settings, store, snapshots: together[0]?.snapshots ?? false });
    running = pair;
    try {
      for (const group of together) if (!interruption.signal.aborted) await compare(pair, group);
    } finally {
      await pair.stop();
    }
  }
  const checks = CLIENT_CHECKS.filter(isWanted);
  if (checks.length > 0 && !interruption.signal.aborted) {
    const started = (server: OneServer): void => {
      running = server;
    };
    await checkWithClients({ root, peerBin, clientPython, folder: join(folder, 'clients'), models, checks, tally, started });
  }
} finally {
  if (process.env.SCONCE_CONFORMANCE_KEEP === undefined) rmSync(folder, { recursive: true, force: true });
  else console.log(`\nLogs are kept in ${folder}`);
}
if (tally.reasons.length > 0) console.log(`\nMeant differences:\n${tally.reasons.map((reason) => `  - ${reason}`).join('\n')}`);
console.log(`\n${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = tally.failed === 0 && tally.passed > 0 && !interruption.signal.aborted ? 0 : 1;
