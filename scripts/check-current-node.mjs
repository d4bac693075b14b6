// Runs the unit tests on a current Node as well as on the floor that CI runs on. The binary comes from the package registry.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';

const VERSION = process.env.SCONCE_CURRENT_NODE ?? '24';
const root = fileURLToPath(new URL('..', import.meta.url));
const name = `node-${process.platform}-${process.arch}`;
const home = join(root, '.cache', `node-${VERSION}`);
const binary = join(home, 'node_modules', name, 'bin', 'node');

if (!existsSync(binary)) {
  console.log(`Fetching Node ${VERSION} (${name}) …`);
  const { status } = spawnSync('npm', ['install', '--prefix', home, '--no-save', '--ignore-scripts', `${name}@${VERSION}`], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
await build();
const version = spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim();
console.log(`Unit tests on Node ${version}`);
const { status } = spawnSync(binary, [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--project', 'unit'], { cwd: root, stdio: 'inherit' });
process.exit(status ?? 1);
