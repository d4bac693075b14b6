// Sconce beside the real TorchServe 0.12, same archives, same settings, same machine, one run: throughput, latency, start-up and memory, with ratios.
// Both servers are up during a comparison, and loads alternate between them, so that whatever else the machine does touches both.
// `npm run bench -- --only scale` runs one stage.
import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { Report } from './report.js';
import { digits } from './stages/digits.js';
import { isolation } from './stages/isolation.js';
import { noop } from './stages/noop.js';
import { protections } from './stages/protections.js';
import { sandbox } from './stages/sandbox.js';
import { scale } from './stages/scale.js';
import { Workbench } from './workbench.js';

/** `sandbox` tells what the sandbox alone costs, and what all protections do together. */
const STAGES: Readonly<Record<string, readonly ((bench: Workbench) => Promise<void>)[]>> = {
  noop: [noop],
  digits: [digits],
  scale: [scale],
  sandbox: [sandbox, protections],
  isolation: [isolation],
};

const at = process.argv.indexOf('--only');
const only = at < 0 ? undefined : process.argv[at + 1];
const wanted = Object.entries(STAGES).filter(([name]) => only === undefined || name === only);
if (wanted.length === 0) throw new Error(`--only takes one of ${Object.keys(STAGES).join(', ')}`);

const report = new Report();
const bench = new Workbench(process.env.SCONCE_BENCH_ROOT ?? process.cwd(), report);
console.log(
  `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${bench.rounds} rounds of ${bench.seconds} s each, medians`,
);
try {
  console.log(`commit ${execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: bench.root, encoding: 'utf8' }).trim()}`);
} catch {
  // Not a checkout.
}
if (!bench.torchserveInstalled) console.log('TorchServe is not installed here: figures of Sconce alone. `npm run bench -- --install-peer` installs it.');

try {
  for (const stage of wanted.flatMap(([, stages]) => stages)) await stage(bench);
} finally {
  bench.remove();
}
report.table();
