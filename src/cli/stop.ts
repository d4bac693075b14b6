import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, removePidFile, runningServer } from './pid-file.js';

const WAIT_MS = 60_000;
const LOOK_EVERY_MS = 50;

/** Stops the server of the PID file, with TorchServe's words. Without `foreground` it doesn't wait. The key file of this folder goes too. Exit code 0. */
export async function stopServer({ foreground }: { readonly foreground: boolean }): Promise<number> {
  const pid = runningServer(process.env);
  if (pid === undefined) {
    process.stdout.write('TorchServe is not currently running.\n');
    return 0;
  }
  try {
    process.kill(pid, 'SIGTERM');
    if (foreground) await gone(pid);
    else process.stdout.write('TorchServe has stopped.\n');
  } catch {
    process.stdout.write('TorchServe already stopped.\n');
  }
  rmSync(join(process.cwd(), 'key_file.json'), { force: true });
  removePidFile(process.env);
  return 0;
}

async function gone(pid: number): Promise<void> {
  for (const endAtMs = Date.now() + WAIT_MS; Date.now() < endAtMs; ) {
    if (!isAlive(pid)) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  process.stdout.write('Stopping TorchServe took too long.\n');
}
