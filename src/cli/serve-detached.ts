import { resolveSettings } from '../config/resolve.js';
import { launchServer, refuseSecondServer } from './launch-server.js';
import type { FlagSettings } from './server-flags.js';

/** `sconce serve --detach`: starts the server in the background and gives 0 at once; 1 when one runs already. A wrong setting is told here, before there is a process. Throws ConfigInvalid. */
export async function serveDetached(flags: FlagSettings, configFile: string | undefined): Promise<number> {
  const refusal = refuseSecondServer(process.env);
  if (refusal !== undefined) {
    process.stderr.write(`${refusal}\n`);
    return 1;
  }
  resolveSettings({ flags, env: process.env, cwd: process.cwd(), configFile });
  const settings = [...flags].flatMap(([key, { text }]) => ['--set', `${key}=${text}`]);
  return launchServer([...(configFile === undefined ? [] : ['-f', configFile]), ...settings], { foreground: false });
}
