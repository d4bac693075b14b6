import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Env = Readonly<Record<string, string | undefined>>;

/** The word in a server's command line by which it is told from other processes. */
export const SERVER_ENTRY = 'server-process.js';

/** TorchServe's PID file: in the folder that Python's tempfile would choose. */
function pidFilePath(env: Env): string {
  const folder = [env.TMPDIR, env.TEMP, env.TMP].find((candidate) => candidate !== undefined && existsSync(candidate)) ?? tmpdir();
  return join(folder, '.model_server.pid');
}

export function writePidFile(env: Env, pid: number): void {
  writeFileSync(pidFilePath(env), String(pid));
}

export function removePidFile(env: Env): void {
  rmSync(pidFilePath(env), { force: true });
}

/** The number in the PID file; undefined when there is none, or no number in it. */
export function recordedPid(env: Env): number | undefined {
  const path = pidFilePath(env);
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, 'utf8').trim();
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** The recorded server, if that process is alive and is one. */
export function runningServer(env: Env): number | undefined {
  const pid = recordedPid(env);
  return pid !== undefined && isAlive(pid) && commandLine(pid).includes(SERVER_ENTRY) ? pid : undefined;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function commandLine(pid: number): string {
  const file = `/proc/${pid}/cmdline`;
  if (existsSync(file)) return readFileSync(file, 'latin1');
  try {
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}
