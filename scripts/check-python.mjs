// Lints python/, checks its format, and that what users run needs nothing newer than Python 3.9, with tools from the project's virtual environment.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { ensurePythonEnvironment } from './setup-python.mjs';

const python = await ensurePythonEnvironment({ log: (line) => console.log(line) });
const RUFF = ['--config', 'python/pyproject.toml'];
for (const [tool, args] of [
  ['ruff', ['check', 'python', 'scripts', 'demo', 'templates', 'test', ...RUFF]],
  ['ruff', ['format', '--check', 'python', 'scripts', 'demo', 'templates', 'test', ...RUFF]],
  ['vermin', ['--quiet', '--no-tips', '--violations', '--target=3.9-', 'python/ts', 'python/sconce_worker', 'demo', 'templates']],
]) {
  const { status } = spawnSync(join(dirname(python), tool), args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
