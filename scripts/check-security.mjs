// The local static analyser: our own security rules over all code that ships (analysis/rules, each with its samples), and zizmor over the CI's workflows.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const home = join(root, '.cache', 'analysis');
const requirements = join(root, 'analysis', 'requirements.txt');
const rules = join(root, 'analysis', 'rules');
const SHIPPED = ['src', 'python/ts', 'python/sconce_worker', 'python/model_archiver', 'python/workflow_archiver', 'scripts', 'templates', 'demo'];
const QUIET = ['--metrics=off', '--disable-version-check', '--quiet'];
const TIMEOUT_MS = 10 * 60_000;

/** Installs the analysers where they are missing or others than those that are wanted. Throws an Error with the command that failed. */
export function ensureAnalysers() {
  const stamp = join(home, '.complete');
  const wanted = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.log('Installing the static analysers …');
  rmSync(home, { recursive: true, force: true });
  must(process.env.PYTHON || 'python3', ['-m', 'venv', home]);
  must(join(home, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
  writeFileSync(stamp, wanted);
}

/** What the analysers have against files or folders: '' for nothing. */
export function codeFindings(paths) {
  return findings('semgrep', ['scan', ...QUIET, '--error', '--no-git-ignore', '--exclude=*.test.ts', '--config', rules, ...paths]);
}

/** What zizmor has against workflow files; it asks nobody. */
export function workflowFindings(paths) {
  return findings('zizmor', ['--offline', '--quiet', '--no-progress', '--persona=pedantic', '--min-severity=low', ...paths]);
}

function findings(tool, args) {
  const { status, stdout, stderr } = run(tool, args);
  return status === 0 ? '' : `${stdout}${stderr}` || `${tool} gave exit code ${status}`;
}

function run(tool, args) {
  // semgrep starts a program of its own that lies beside it.
  const env = { PATH: `${join(home, 'bin')}:${process.env.PATH}`, HOME: home, SEMGREP_SETTINGS_FILE: join(home, 'settings.yml') };
  return spawnSync(join(home, 'bin', tool), args, { cwd: root, env, encoding: 'utf8', timeout: TIMEOUT_MS, maxBuffer: 2 ** 26 });
}

function must(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: TIMEOUT_MS });
  if (status !== 0) throw new Error(`${command} ${args.slice(0, 3).join(' ')} … failed: ${error?.message ?? stderr}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  ensureAnalysers();
  const samples = run('semgrep', ['scan', '--test', ...QUIET, rules]);
  if (samples.status !== 0) console.error(`The rules no longer find their samples:\n${samples.stdout}${samples.stderr}`);
  const found = [codeFindings(SHIPPED), workflowFindings(['.github'])].filter((text) => text !== '');
  for (const text of found) console.error(text);
  if (samples.status !== 0 || found.length > 0) process.exit(1);
  console.log('security: every rule finds its samples, and nothing else is found');
}
