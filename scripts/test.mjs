// `npm test`: sets up what the tests need (a virtual environment with PyTorch too), runs every suite, tells which attacks of the corpus held, and closes with one line of figures.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readCorpus } from './attack/corpus.mjs';
import { report } from './attack/report.mjs';
import { readResults } from './attack/results.mjs';
import { allHeld, tally } from './attack/tally.mjs';
import { build } from './build.mjs';
import { ensurePythonEnvironment } from './setup-python.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const results = join(root, '.cache', 'test-results');

function run(command, args) {
  console.log(`\n> ${[command.replace(root, ''), ...args].join(' ')}`);
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit' });
    child.on('error', (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

function vitestFigures(file) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(file, 'utf8'));
    return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

function pytestFigures(file) {
  try {
    const head = /<testsuite [^>]*>/.exec(readFileSync(file, 'utf8'))[0];
    const figure = (name) => Number(new RegExp(`${name}="(\\d+)"`).exec(head)[1]);
    const failed = figure('failures') + figure('errors');
    return { passed: figure('tests') - failed - figure('skipped'), failed, skipped: figure('skipped') };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

const python = await ensurePythonEnvironment({ log: (line) => console.log(line) });
await build({ force: true });
rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });

const reporters = (name) => ['--reporter=default', '--reporter=json', `--outputFile.json=${join(results, `${name}.json`)}`];
const vitest = join(root, 'node_modules', '.bin', 'vitest');
const codes = [];
codes.push(await run(vitest, ['run', '--project', 'unit', ...reporters('unit')]));
codes.push(await run(vitest, ['run', '--project', 'system', ...reporters('system')]));
codes.push(await run(python, ['-m', 'pytest', '-q', 'python/tests', `--junitxml=${join(results, 'python.xml')}`]));

const suites = [vitestFigures(join(results, 'unit.json')), vitestFigures(join(results, 'system.json')), pytestFigures(join(results, 'python.xml'))];
const sum = (key) => suites.reduce((total, suite) => total + suite[key], 0);
const skipped = sum('skipped');
const attacks = tally(readResults(results, root), readCorpus());
console.log('');
for (const line of report(attacks, { brief: true })) console.log(line);
console.log(`\n${sum('passed')} passed, ${sum('failed')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exit(codes.every((code) => code === 0) && allHeld(attacks) ? 0 : 1);
