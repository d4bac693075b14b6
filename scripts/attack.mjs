// `npm run attack`: tries every attack of test/attacks/corpus.json against real servers and tells which held. The tests that try one name its id in their title.
// `-- --only HT,TK3` tries some; `-- --list` says which test tries which, without running one; `-- --json` is for programs.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chosen, idsIn, readCorpus } from './attack/corpus.mjs';
import { report, reportJson } from './attack/report.mjs';
import { readResults } from './attack/results.mjs';
import { allHeld, figures, tally } from './attack/tally.mjs';
import { build } from './build.mjs';
import { ensurePythonEnvironment } from './setup-python.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const vitest = join(root, 'node_modules', '.bin', 'vitest');
const corpus = readCorpus();

const { only, list, json } = parseArgs({ options: { only: { type: 'string' }, list: { type: 'boolean' }, json: { type: 'boolean' } } }).values;
let attacks;
try {
  attacks = chosen(corpus, only);
} catch (error) {
  console.error(error.message);
  process.exit(2);
}

/** Files below `folder` that name one of the attacks and whose name `is` a test's. */
function naming(folder, is) {
  const wanted = new Set(attacks.map(({ id }) => id));
  return readdirSync(join(root, folder), { recursive: true })
    .filter((name) => is(name))
    .map((name) => join(folder, name))
    .filter((file) => idsIn(readFileSync(join(root, file), 'utf8'), corpus).some((id) => wanted.has(id)))
    .sort();
}

/** Runs a command whose output is progress, not the answer: it goes to standard error. Gives the exit code. */
function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', json || list ? 2 : 'inherit', 'inherit'] });
    child.on('error', (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

const suites = [
  ['unit', naming('src', (name) => name.endsWith('.test.ts'))],
  ['system', naming('test', (name) => name.endsWith('.test.ts'))],
].filter(([, files]) => files.length > 0);
const pythonFiles = naming('python/tests', (name) => /(?:^|\/)test_\w+\.py$/.test(name));
const results = mkdtempSync(join(tmpdir(), 'sconce-attack-'));
// Some titles are made by the interpreter: the catalogue of pickles, for one.
const python = await ensurePythonEnvironment({ log: (line) => console.error(line) });

/** Every test of those files, as vitest collects them: titles out of tables are whole. */
async function collected() {
  const tests = [];
  for (const [project, files] of suites) {
    const out = join(results, 'list.json');
    const code = await run(vitest, ['list', '--project', project, ...files, `--json=${out}`]);
    if (code !== 0) throw new Error('the tests could not be collected');
    tests.push(
      ...JSON.parse(readFileSync(out, 'utf8')).map(({ name, file }) => ({ title: name.replaceAll(' > ', ' › '), file: relative(root, file), state: 'passed' })),
    );
  }
  for (const file of pythonFiles)
    for (const [, title] of readFileSync(join(root, file), 'utf8').matchAll(/^ *(?:async )?def (test_\w+)\(/gm)) tests.push({ title, file, state: 'passed' });
  return tests;
}

function printList(told) {
  for (const { id, tries, notTried, tests } of told.attacks) {
    console.log(`${id}  ${tries}`);
    for (const { file, title } of tests) console.log(`     ${file} › ${title}`);
    if (tests.length === 0) console.log(notTried === undefined ? '     NO TEST' : `     not tried: ${notTried}`);
  }
  for (const { id, file, title } of told.strangers) console.log(`${id} is not in the corpus: ${file} › ${title}`);
  const { held, missing, notTried } = figures(told.attacks);
  console.log(`${told.attacks.length} attacks, ${held} with tests, ${missing} without${notTried > 0 ? `, ${notTried} cannot be tried here` : ''}`);
}

async function attack() {
  await build({ force: true });
  const pattern = `(?<![A-Za-z0-9])(${attacks.map(({ id }) => id).join('|')})(?![A-Za-z0-9])`;
  const codes = [];
  for (const [project, files] of suites)
    codes.push(
      await run(vitest, [
        'run',
        '--project',
        project,
        '-t',
        pattern,
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${join(results, `${project}.json`)}`,
        ...files,
      ]),
    );
  if (pythonFiles.length > 0)
    codes.push(
      await run(python, [
        '-m',
        'pytest',
        '-q',
        ...pythonFiles,
        '-k',
        attacks.map(({ id }) => `${id}_`).join(' or '),
        `--junitxml=${join(results, 'python.xml')}`,
      ]),
    );
  // pytest gives 5 where no test was chosen.
  return codes.every((code) => code === 0 || code === 5);
}

try {
  const ran = list ? true : await attack();
  const told = tally(list ? await collected() : readResults(results, root), corpus, attacks);
  if (json) console.log(JSON.stringify(reportJson(told), undefined, 2));
  else if (list) printList(told);
  else for (const line of ['', ...report(told)]) console.log(line);
  if (!ran) console.error('a test file failed: see above');
  process.exitCode = ran && allHeld(told) ? 0 : 1;
} finally {
  rmSync(results, { recursive: true, force: true });
}
