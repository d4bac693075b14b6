// Lints and checks the format of python/ with ruff from the project's virtual environment.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { ensurePythonEnvironment } from './setup-python.mjs';

const python = await ensurePythonEnvironment({ log: (line) => console.log(line) });
const ruff = join(dirname(python), 'ruff');
for (const args of [
  ['check', 'python', 'scripts', 'demo'],
  ['format', '--check', 'python', 'scripts', 'demo'],
]) {
  const { status } = spawnSync(ruff, [...args, '--config', 'python/pyproject.toml'], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
