import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { TestArchive } from './archive.js';

/** Held beside the archives and part of what they are made of. */
const SHARED = ['build.py', 'made.py', 'made_pictures.py'];

export interface BuiltArchive {
  /** The archive, or the folder of one that isn't packed. */
  readonly file: string;
  /** What its maker wrote. */
  readonly madeFolder: string;
}

/**
 * Makes archives with the interpreter of the tests and packs them with the source tree's archiver, or the installed one; gives each by its name. What is made is kept in
 * .cache/archives under a hash of all that it is made from. Rejects with a maker's output when it fails.
 */
export async function buildArchives(root: string, python: string, archives: readonly TestArchive[]): Promise<ReadonlyMap<string, BuiltArchive>> {
  const cache = join(root, '.cache', 'archives');
  mkdirSync(cache, { recursive: true });
  const homes = new Map(archives.map((archive) => [archive.name, join(cache, `${archive.name}@${keyOf(root, archive)}`)]));
  const missing = archives.filter(({ name }) => !existsSync(homes.get(name) ?? ''));
  if (missing.length > 0) {
    for (const { name } of missing) removeOlder(cache, name);
    const jobs = missing.map((archive) => jobOf(root, archive, `${homes.get(archive.name)}.${process.pid}`));
    for (const { made } of jobs) mkdirSync(made, { recursive: true });
    await make(root, python, jobs).catch((error) => {
      for (const { name } of missing) rmSync(`${homes.get(name)}.${process.pid}`, { recursive: true, force: true });
      throw error;
    });
    for (const { name } of missing) settle(`${homes.get(name)}.${process.pid}`, homes.get(name) ?? '');
  }
  return new Map(
    archives.map((archive) => {
      const home = homes.get(archive.name) ?? '';
      return [archive.name, { file: join(home, fileNameOf(archive)), madeFolder: join(home, 'made') }];
    }),
  );
}

function folderOf(root: string, { name, folder = name }: TestArchive): string {
  return join(root, 'test', 'archives', folder);
}

function fileNameOf({ name, pack }: TestArchive): string {
  return pack.format === 'no-archive' ? name : `${name}.${pack.format === 'tgz' ? 'tar.gz' : 'mar'}`;
}

function keyOf(root: string, archive: TestArchive): string {
  const folder = folderOf(root, archive);
  const hash = createHash('sha256').update(JSON.stringify(archive.pack));
  const files = [
    ...readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isFile() && !entry.name.endsWith('.ts') ? [join(folder, entry.name)] : [])),
    ...SHARED.map((name) => join(root, 'test', 'archives', name)),
    join(root, 'python', 'requirements-test.txt'),
    ...sourcesBelow(join(root, 'python', 'model_archiver')),
  ];
  for (const file of files.sort()) hash.update(`\0${basename(file)}\0`).update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}

/** The archiver's own sources, where the source tree has one. */
function sourcesBelow(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((path) => (path.endsWith('.py') ? [join(folder, path)] : []));
}

function jobOf(root: string, archive: TestArchive, home: string) {
  const folder = folderOf(root, archive);
  const made = join(home, 'made');
  const { handler, modelFile, serializedFile, extraFiles, format } = archive.pack;
  const at = (path: string) => (path.startsWith('made:') ? join(made, path.slice('made:'.length)) : path);
  const flags = {
    'model-name': archive.name,
    version: '1.0',
    handler,
    'model-file': modelFile,
    'serialized-file': serializedFile && at(serializedFile),
    'extra-files': extraFiles?.map(at).join(','),
    'config-file': existsSync(join(folder, 'model-config.yaml')) ? 'model-config.yaml' : undefined,
    'archive-format': format,
    'export-path': home,
  };
  const args = Object.entries(flags).flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag}`, value]));
  return { folder, made, staging: join(home, 'staging'), arguments: args };
}

function make(root: string, python: string, jobs: readonly unknown[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(python, ['-W', 'ignore', join(root, 'test', 'archives', 'build.py')], { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    const collect = (chunk: Buffer) => {
      output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`the test archives could not be made:\n${output.slice(-4000)}`))));
    child.stdin.end(JSON.stringify(jobs));
  });
}

function settle(from: string, to: string): void {
  rmSync(join(from, 'staging'), { recursive: true, force: true });
  try {
    renameSync(from, to);
  } catch (error) {
    // Another run made the same meanwhile.
    if (!existsSync(to)) throw error;
    rmSync(from, { recursive: true, force: true });
  }
}

function removeOlder(cache: string, name: string): void {
  for (const entry of readdirSync(cache)) if (new RegExp(`^${name}@[0-9a-f]{16}$`).test(entry)) rmSync(join(cache, entry), { recursive: true, force: true });
}
