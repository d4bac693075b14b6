import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, isServer, removePidFile, runningServer } from './pid-file.js';

const WAIT_MS = 60_000;
const LOOK_EVERY_MS = 50;
/** What a process that has ended gets to be reaped; in a container without an init it may never be. */
const REAP_MS = 10_000;

/** Stops the server of the PID file, with TorchServe's words. Without `foreground` it doesn't wait. The key file of this folder goes too. Exit code 0; 1 where the server is another user's. */
export async function stopServer({ foreground, quiet = false }: { readonly foreground: boolean; readonly quiet?: boolean }): Promise<number> {
  const say = (line: string) => void (quiet || process.stdout.write(`${line}\n`));
  const pid = runningServer(process.env);
  if (pid === undefined) {
    say('TorchServe is not currently running.');
    return 0;
  }
  try {
    process.kill(pid, 'SIGTERM');
    if (!foreground) say('TorchServe has stopped.');
    else if (!(await hasEnded(pid))) process.stdout.write('Stopping TorchServe took too long.\n');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) {
      process.stderr.write(`Process ${pid} cannot be stopped: ${error instanceof Error ? error.message : String(error)}\n`);
      return 1;
    }
    say('TorchServe already stopped.');
  }
  rmSync(join(process.cwd(), 'key_file.json'), { force: true });
  removePidFile(process.env);
  return 0;
}

/** Whether the process ends within a minute. Its pid is waited for too, since a process loses its command line a moment before. */
async function hasEnded(pid: number): Promise<boolean> {
  let endAtMs = Date.now() + WAIT_MS;
  for (let wasServer = true; Date.now() < endAtMs; ) {
    if (!isAlive(pid)) return true;
    if (wasServer && !isServer(pid)) {
      wasServer = false;
      endAtMs = Math.min(endAtMs, Date.now() + REAP_MS);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return !isServer(pid);
}
