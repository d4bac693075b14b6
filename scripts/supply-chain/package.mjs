// The package as npm makes it: twice from the same sources, in two folders and at two times, with the same bytes.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the package may hold: a name outside is a file that nobody meant to ship. */
const SHIPPED = [
  /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|SECURITY\.md)$/,
  /^bin\/[a-z-]+$/,
  /^dist\/[\w/.-]+\.js(\.map)?$/,
  /^src\/backends\/javascript\/handler\.ts$/,
  /^python\/(ts|sconce_worker|model_archiver|workflow_archiver)\/[\w/.-]+$/,
  /^python\/(requirements-[a-z]+\.txt|pyproject\.toml)$/,
  /^(templates|demo|docs|proto)\/[\w/.-]+$/,
];
/** Secrets, caches and what belongs to one machine. */
const NEVER = /(^|\/)(\.env.*|\.npmrc|key_file\.json|__pycache__|\.venv|node_modules|logs|\.cache|[^/]+\.(pem|key|p12|jks|pyc|log))(\/|$)/;
const TIMEOUT_MS = 120_000;

/** The package's files and its SHA-256, made of the work tree at `root` in a fresh copy. */
export function packOnce(root) {
  const folder = mkdtempSync(join(tmpdir(), 'sconce-package-'));
  try {
    const tree = join(folder, `copy-${process.hrtime.bigint()}`);
    mkdirSync(tree);
    const { stdout } = must('git', ['ls-files', '--cached', '--others', '--exclude-standard'], root);
    for (const file of stdout.split('\n').filter(Boolean)) cpSync(join(root, file), join(tree, file), { verbatimSymlinks: true });
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
    must(process.execPath, ['scripts/build.mjs', '--force'], tree);
    const [{ filename, files }] = JSON.parse(must('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], tree).stdout);
    const sha256 = createHash('sha256')
      .update(readFileSync(join(folder, filename)))
      .digest('hex');
    return { files: files.map(({ path }) => path), sha256 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One line for each file that has no place in the package, and for each that the package needs and lacks. */
export function contentFindings(files) {
  const stray = files.filter((file) => !SHIPPED.some((pattern) => pattern.test(file)) || NEVER.test(file));
  const missing = ['bin/sconce', 'bin/torchserve', 'dist/main.js', 'python/ts/__init__.py', 'LICENSE', 'SECURITY.md'].filter((file) => !files.includes(file));
  return [...stray.map((file) => `${file} is in the package and must not be`), ...missing.map((file) => `${file} is not in the package`)];
}

function must(command, args, cwd) {
  const done = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: TIMEOUT_MS, maxBuffer: 2 ** 26 });
  if (done.status !== 0) throw new Error(`${command} ${args[0]} failed: ${done.stderr || done.error?.message}`);
  return done;
}
