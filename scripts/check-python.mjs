// Lints our Python, checks its format, and that what users run needs nothing newer than Python 3.9, with tools from the project's virtual environment.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { ensurePythonEnvironment } from './setup-python.mjs';

const python = await ensurePythonEnvironment({ log: (line) => console.log(line) });
const RUFF = ['--config', 'python/pyproject.toml'];
const OURS = ['python', 'scripts', 'demo', 'templates', 'test', 'bench'];
const FOR_USERS = ['python/ts', 'python/sconce_worker', 'python/model_archiver', 'python/workflow_archiver', 'demo', 'templates'];
for (const [tool, args] of [
  ['ruff', ['check', ...OURS, ...RUFF]],
  ['ruff', ['format', '--check', ...OURS, ...RUFF]],
  ['vermin', ['--quiet', '--no-tips', '--violations', '--target=3.9-', ...FOR_USERS]],
]) {
  const { status } = spawnSync(join(dirname(python), tool), args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
