import { entrances, whoMay } from '../composition/exposure.js';
import { apisOfNothing } from '../composition/nothing-served.js';
import { resolveSettings } from '../config/resolve.js';
import { snapshotFolder } from '../config/snapshot-files.js';
import type { FlagSettings } from './server-flags.js';
import { printTable } from './table.js';

/** `sconce exposure`: who could call what from where, if a server were started with these settings. Throws ConfigInvalid, TokensFileUnusable. */
export function printExposure(flags: FlagSettings, configFile: string | undefined, { json, snapshots }: { json: boolean; snapshots: boolean }): void {
  const { env } = process;
  const cwd = process.cwd();
  const folder = snapshots ? snapshotFolder(env, cwd) : undefined;
  const { settings, warnings } = resolveSettings({ flags, env, cwd, configFile, snapshotFolder: folder });
  for (const warning of warnings) process.stderr.write(`${warning}\n`);
  const who = whoMay(settings, cwd);
  const all = entrances(settings, apisOfNothing(settings)).map((entrance) => ({ ...entrance, who: who(entrance.scope) }));
  if (json) return void process.stdout.write(`${JSON.stringify(all, undefined, 2)}\n`);
  printTable(
    ['listener', 'from', 'tls', 'call', 'scope', 'who'],
    all.map(({ listener, reach, tls, method, route, scope, who }) => [listener, reach, tls ? 'yes' : 'no', `${method} ${route}`, scope, who]),
  );
}
