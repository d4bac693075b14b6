import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, lstatSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

type Env = Readonly<Record<string, string | undefined>>;

/** The word in a server's command line by which it is told from other processes. */
export const SERVER_ENTRY = 'server-process.js';

/** TorchServe's PID file: in the folder that Python's tempfile would choose, the first that can be written to. */
function pidFilePath(env: Env): string {
  const folder = [env.TMPDIR, env.TEMP, env.TMP, '/tmp', '/var/tmp', '/usr/tmp'].find((candidate) => candidate && isWritableFolder(candidate)) ?? '.';
  return join(folder, '.model_server.pid');
}

function isWritableFolder(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return statSync(path).isDirectory();
  } catch {
    return false; // Not there or not ours to write: the next candidate is tried.
  }
}

/** Replaces what lies there: a link that somebody laid in a folder of everybody's would lead the number into a file of this user's. */
export function writePidFile(env: Env, pid: number): void {
  const path = pidFilePath(env);
  rmSync(path, { force: true });
  writeFileSync(path, String(pid), { flag: 'wx', mode: 0o644 });
}

export function removePidFile(env: Env): void {
  rmSync(pidFilePath(env), { force: true });
}

/** The number in the PID file; undefined when there is none, or no number in it, or when it is a link. */
export function recordedPid(env: Env): number | undefined {
  const path = pidFilePath(env);
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
  const text = readFileSync(path, 'utf8').trim();
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** The recorded server, if that process is alive and is one. */
export function runningServer(env: Env): number | undefined {
  const pid = recordedPid(env);
  return pid !== undefined && isServer(pid) ? pid : undefined;
}

/** Whether the process is a server that still runs. One that has ended and waits for its parent to notice has no command line left. */
export function isServer(pid: number): boolean {
  return isAlive(pid) && commandLine(pid).includes(SERVER_ENTRY);
}

/** When the PID file was written, ms since 1970: the start of the recorded server. */
export function recordedAtMs(env: Env): number | undefined {
  return statSync(pidFilePath(env), { throwIfNoEntry: false })?.mtimeMs;
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
  try {
    if (existsSync('/proc/self/cmdline')) return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return ''; // It ended meanwhile.
  }
}
