import { explainSettings } from '../config/explain.js';
import { resolveSettings } from '../config/resolve.js';
import { snapshotFolder } from '../config/snapshot-files.js';
import type { FlagSettings } from './server-flags.js';
import { printTable } from './table.js';

/** `sconce config`: each setting, its value and where it comes from; warnings on standard error. Throws ConfigInvalid. */
export function printConfig(
  flags: FlagSettings,
  configFile: string | undefined,
  { json, changed, quiet, snapshots }: { json: boolean; changed: boolean; quiet: boolean; snapshots: boolean },
): void {
  const { env } = process;
  const cwd = process.cwd();
  const folder = snapshots ? snapshotFolder(env, cwd) : undefined;
  const { settings, warnings } = resolveSettings({ flags, env, cwd, configFile, snapshotFolder: folder });
  const shown = explainSettings(settings).filter((setting) => !changed || (setting.source !== 'default' && setting.source !== 'unset'));
  if (!quiet) for (const warning of warnings) process.stderr.write(`${warning}\n`);
  if (json) process.stdout.write(`${JSON.stringify(shown, undefined, 2)}\n`);
  else
    printTable(
      ['key', 'value', 'from'],
      shown.map(({ key, value, source, where, ignored }) => [
        key,
        inOneCell(value ?? ''),
        `${source === 'default' || source === 'unset' ? source : where}${ignored === undefined ? '' : ` (ignored: ${ignored})`}`,
      ]),
    );
}

const CELL_CHARS = 100;

/** JSON over many lines, as `models` and `model_snapshot` are, would leave no table. `--json` has it whole. */
function inOneCell(value: string): string {
  if (!value.trimStart().startsWith('{')) return value;
  const line = value.replace(/\s+/g, ' ');
  return line.length > CELL_CHARS ? `${line.slice(0, CELL_CHARS - 1)}…` : line;
}
