// Lints and checks the format of all Python code with ruff from the project's virtual environment.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { ensurePythonEnvironment } from './setup-python.mjs';

const FOLDERS = ['python', 'scripts', 'demo', 'test'];
const python = await ensurePythonEnvironment({ log: (line) => console.log(line) });
const ruff = join(dirname(python), 'ruff');
for (const args of [
  ['check', ...FOLDERS],
  ['format', '--check', ...FOLDERS],
]) {
  const { status } = spawnSync(ruff, [...args, '--config', 'python/pyproject.toml'], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
