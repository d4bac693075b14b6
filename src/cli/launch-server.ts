import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { runningServer, SERVER_ENTRY, writePidFile } from './pid-file.js';

/** The line that refuses a second server; undefined when none runs. */
export function refuseSecondServer(env: Readonly<Record<string, string | undefined>>): string | undefined {
  return runningServer(env) === undefined ? undefined : 'TorchServe is already running, please use torchserve --stop to stop TorchServe.';
}

/** Starts the server process with this one's standard streams and writes its pid. Gives 0 at once, or with `foreground` when it has ended; 1 when there is no process. */
export async function launchServer(args: readonly string[], { foreground }: { readonly foreground: boolean }): Promise<number> {
  const entry = fileURLToPath(new URL(`./${SERVER_ENTRY}`, import.meta.url));
  const child = spawn(process.execPath, [entry, ...args], { stdio: 'inherit', detached: !foreground });
  if (!(await spawned(child)) || child.pid === undefined) return 1;
  writePidFile(process.env, child.pid);
  if (!foreground) {
    child.unref();
    return 0;
  }
  // A terminal's Ctrl-C reaches the server by itself; a second one from here would cut its draining short.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return 0;
}

async function spawned(child: ChildProcess): Promise<boolean> {
  try {
    await once(child, 'spawn');
    return true;
  } catch (error) {
    process.stderr.write(`The server could not be started: ${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  }
}
