// The real TorchServe 0.12 and Sconce, asked the same, side by side. Closes with one line of figures; exit code 1 when something differs that isn't meant to.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildArchives } from '../archives/build-archives.js';
import { CATALOGUE, commonSettings } from '../archives/catalogue.js';
import { archiveGroup } from './archives.js';
import type { Comparison, ComparisonGroup, Observed } from './comparison.js';
import { type Difference, differences } from './difference.js';
import { KNOWN } from './known-differences.js';
import { type Pair, startPair } from './pair.js';

const root = process.env.SCONCE_CONFORMANCE_ROOT ?? process.cwd();
const python = process.env.SCONCE_CONFORMANCE_PYTHON ?? 'python3';
const peerBin = join(root, '.cache', 'peer', 'bin');
/** Groups whose name holds one of these; all without any. */
const wanted = (process.env.SCONCE_CONFORMANCE_ONLY ?? '').split(',').filter((word) => word !== '');

let passed = 0;
let failed = 0;
const meant = new Set<string>();
let running: Pair | undefined;
let interrupted = false;

async function groups(): Promise<readonly ComparisonGroup[]> {
  const archives = CATALOGUE.filter(({ name }) => wanted.length === 0 || wanted.some((word) => name.includes(word)));
  console.log(`Making ${archives.length} archives …`);
  const built = await buildArchives(root, python, archives);
  return archives.flatMap((archive) => {
    const itsFiles = built.get(archive.name);
    return itsFiles === undefined ? [] : [archiveGroup(root, archive, itsFiles, KNOWN[archive.name] ?? [])];
  });
}

/** Groups that can share a pair of servers, together. */
function bySettings(all: readonly ComparisonGroup[]): readonly (readonly ComparisonGroup[])[] {
  const runs = new Map<string, ComparisonGroup[]>();
  for (const group of all) {
    const key = JSON.stringify(group.settings);
    runs.set(key, [...(runs.get(key) ?? []), group]);
  }
  return [...runs.values()];
}

async function compare(pair: Pair, group: ComparisonGroup): Promise<void> {
  console.log(`\n## ${group.name}`);
  for (const comparison of group.comparisons) {
    if (interrupted) return;
    const [theirs, ours] = await Promise.all([observed(comparison, pair, 'torchserve'), observed(comparison, pair, 'sconce')]);
    if (interrupted) return;
    report(comparison, differences(theirs, ours, comparison), theirs);
  }
}

async function observed(comparison: Comparison, pair: Pair, who: 'torchserve' | 'sconce'): Promise<Observed> {
  try {
    return await comparison.ask(pair[who]);
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

function report({ name }: Comparison, found: readonly Difference[], theirs: Observed): void {
  const unmeant = found.filter(({ known }) => known === undefined);
  for (const { known } of found) if (known !== undefined) meant.add(known.reason);
  const wrong = wrongness(theirs);
  const isWrong = wrong !== undefined && !found.some(({ place, known }) => place === 'verdict' && known !== undefined);
  if (unmeant.length === 0 && !isWrong) {
    passed += 1;
    console.log(`  same   ${name}${found.length > 0 ? ` (but for ${found.map(({ place }) => place).join(', ')}: meant)` : ''}`);
    return;
  }
  failed += 1;
  console.log(`  DIFFER ${name}`);
  if (isWrong) console.log(`    TorchServe's answer is not the one that the archive expects: ${wrong.slice(0, 1500)}`);
  for (const { place, torchserve, sconce } of unmeant) console.log(`    ${place}\n      TorchServe ${shown(torchserve)}\n      Sconce     ${shown(sconce)}`);
}

/** Why an answer isn't to be trusted though the other server gives the same: its own check refuses it, or it never came. */
function wrongness(theirs: Observed): string | undefined {
  if (typeof theirs !== 'object' || theirs === null) return undefined;
  if ('failure' in theirs) return String(theirs.failure);
  return 'verdict' in theirs && theirs.verdict !== 'right' ? String(theirs.verdict) : undefined;
}

function shown(value: Observed | undefined): string {
  const text = value === undefined ? 'has none' : JSON.stringify(value);
  return text.length > 1000 ? `${text.slice(0, 1000)} …` : text;
}

/** A signal lets nothing new begin and ends the servers that run, which ends what waits for them. */
function stopOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      interrupted = true;
      void running?.stop();
    });
  }
}

if (!existsSync(join(peerBin, 'torchserve'))) throw new Error('TorchServe is not installed in .cache/peer');
const folder = mkdtempSync(join(tmpdir(), 'sconce-conformance-'));
stopOnSignals();
try {
  let run = 0;
  for (const together of bySettings(await groups())) {
    if (interrupted) break;
    run += 1;
    const settings = { ...commonSettings(root), ...together[0]?.settings };
    const store = together.flatMap((group) => group.store);
    running = await startPair({ root, peerBin, folder: join(folder, String(run)), settings, store });
    try {
      for (const group of together) if (!interrupted) await compare(running, group);
    } finally {
      await running.stop();
    }
  }
} finally {
  if (process.env.SCONCE_CONFORMANCE_KEEP === undefined) rmSync(folder, { recursive: true, force: true });
  else console.log(`\nLogs are kept in ${folder}`);
}
if (meant.size > 0) console.log(`\nMeant differences:\n${[...meant].map((reason) => `  - ${reason}`).join('\n')}`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 && !interrupted ? 0 : 1;
