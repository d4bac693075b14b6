import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ConfigInvalid } from '../errors/config.js';

/** When a snapshot was written: after the start, after a change of the models, at the end. In the order in which those of one millisecond count. */
const REASONS = ['startup', 'snapshot', 'shutdown'] as const;
export type SnapshotReason = (typeof REASONS)[number];

/** `20261126224029305-startup.cfg`: year to millisecond in local time. */
const NAME = /^(\d{4})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])([0-5]\d)([0-5]\d)(\d{3})-(startup|snapshot|shutdown)\.cfg$/;

/** The folder of the snapshots: `config` in that of the logs. Absolute. */
export function snapshotFolder(env: Readonly<Record<string, string | undefined>>, cwd: string): string {
  return join(resolve(cwd, env.LOG_LOCATION ?? 'logs'), 'config');
}

/** Name of the newest snapshot in a folder; undefined where there is none. Other files are no snapshots. Throws ConfigInvalid for a folder that can't be read. */
export function newestSnapshot(folder: string): string | undefined {
  const names = readNames(folder).filter((name) => NAME.test(name));
  return names.reduce<string | undefined>((newest, name) => (newest === undefined || isNewer(name, newest) ? name : newest), undefined);
}

/** Name for a snapshot that is written at `now`. Newer than `newest` by its name, whatever clocks do: they are set back, and local time is each autumn. */
export function snapshotName(reason: SnapshotReason, now: Date, newest: string | undefined): string {
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000);
  const stamp = stampOf(local);
  const [, ...fields] = NAME.exec(newest ?? '') ?? [];
  if (newest === undefined || fields.length === 0 || stamp > newest.slice(0, stamp.length)) return `${stamp}-${reason}.cfg`;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0, ms = 0] = fields.map(Number);
  return `${stampOf(new Date(Date.UTC(year, month - 1, day, hour, minute, second, ms + 1)))}-${reason}.cfg`;
}

/** The 17 digits of a time whose UTC fields are the local ones. */
function stampOf(time: Date): string {
  return time.toISOString().replace(/\D/g, '');
}

function isNewer(name: string, than: string): boolean {
  const [stamp, other] = [name.slice(0, 17), than.slice(0, 17)];
  return stamp === other ? rank(name) > rank(than) : stamp > other;
}

function rank(name: string): number {
  return REASONS.findIndex((reason) => name.endsWith(`${reason}.cfg`));
}

function readNames(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [] : [entry.name]));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw ConfigInvalid({ message: `the folder of snapshots cannot be read: ${folder} (${String(code)}); --ncs starts without snapshots` }, error);
  }
}
