import { resolveSettings } from '../config/resolve.js';
import { snapshotFolder } from '../config/snapshot-files.js';
import { launchServer, refuseSecondServer } from './launch-server.js';
import type { FlagSettings } from './server-flags.js';

/** `sconce serve --detach`: starts the server in the background and gives 0 at once; 1 when one runs already. A wrong setting is told here, before there is a process. Throws ConfigInvalid. */
export async function serveDetached(flags: FlagSettings, configFile: string | undefined, { snapshots }: { readonly snapshots: boolean }): Promise<number> {
  const refusal = refuseSecondServer(process.env);
  if (refusal !== undefined) {
    process.stderr.write(`${refusal}\n`);
    return 1;
  }
  const { env } = process;
  const cwd = process.cwd();
  resolveSettings({ flags, env, cwd, configFile, snapshotFolder: snapshots ? snapshotFolder(env, cwd) : undefined });
  const settings = [...flags].flatMap(([key, { text }]) => ['--set', `${key}=${text}`]);
  const file = configFile === undefined ? [] : ['-f', configFile];
  return launchServer([...file, ...(snapshots ? [] : ['-ncs']), ...settings], { foreground: false });
}
