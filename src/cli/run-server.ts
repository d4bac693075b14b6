import { QUIET_LIBRARIES } from '../composition/backends.js';
import { closeOwnProcess } from '../composition/own-process.js';
import { resolveSettings } from '../config/resolve.js';
import { snapshotFolder } from '../config/snapshot-files.js';
import { SconceError } from '../errors/sconce-error.js';
import { startServer } from '../main.js';
import { nextSignal } from './next-signal.js';
import type { FlagSettings } from './server-flags.js';

/** Runs a server in this process until a signal ends it, and gives the exit code: 0 after a clean stop, 1 when it could not start. With `snapshots` it starts from the newest one, unless a file is named, and writes them. */
export async function runServer(flags: FlagSettings, configFile: string | undefined, { snapshots }: { readonly snapshots: boolean }): Promise<number> {
  closeOwnProcess();
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  // Native libraries read the process's own environment, before any of our settings reach them.
  for (const [name, value] of Object.entries(QUIET_LIBRARIES)) process.env[name] ??= value;
  try {
    const { TEMP, ...rest } = process.env;
    // An empty TEMP is none: it must not make the working directory the place of temporary files.
    const env = TEMP ? process.env : rest;
    const folder = snapshots ? snapshotFolder(env, process.cwd()) : undefined;
    const { settings, warnings } = resolveSettings({ flags, env, cwd: process.cwd(), configFile, snapshotFolder: folder });
    const asked = nextSignal();
    const stopping = new AbortController();
    void asked.then(() => stopping.abort());
    const server = await startServer(settings, { warnings, cwd: process.cwd(), env, print, stopping: stopping.signal, snapshotFolder: folder });
    await asked;
    await server.stop();
    return 0;
  } catch (error) {
    if (!(error instanceof SconceError)) throw error;
    print(error.message);
    return 1;
  }
}
