// Real clients of other servers (Triton's, KServe's), gRPC reflection and schemathesis, in .cache/clients.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const REQUIREMENTS = join(root, 'test', 'conformance', 'clients', 'requirements.txt');
/** Its requirements are those of a model server; what its clients need is in the file. */
const KSERVE = 'kserve==0.17.1';
const TIMEOUT_MS = 15 * 60_000;

/** Installs the clients where they are missing or out of date; gives the interpreter that has them. Throws an Error when that fails. */
export function ensureClients({ log }) {
  const folder = join(root, '.cache', 'clients');
  const python = join(folder, 'bin', 'python');
  const stamp = join(folder, '.sconce-clients');
  const wanted = createHash('sha256').update(readFileSync(REQUIREMENTS)).update(KSERVE).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return python;
  log('Installing the clients of other servers …');
  rmSync(folder, { recursive: true, force: true });
  must('python3', ['-m', 'venv', folder]);
  must(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', REQUIREMENTS]);
  must(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', KSERVE]);
  writeFileSync(stamp, wanted);
  return python;
}

function must(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', timeout: TIMEOUT_MS });
  if (status !== 0) throw new Error(`${command} ${args.slice(0, 3).join(' ')} … failed${error ? `: ${error.message}` : ''}`);
}
