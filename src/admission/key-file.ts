import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { KeyFileNotWritten } from '../errors/admission.js';

/** One key as the file shows it. `expiresAtMs` is epoch milliseconds; undefined: never. */
export interface WrittenKey {
  readonly key: string;
  readonly expiresAtMs: number | undefined;
}

export interface KeyFileContent {
  readonly management: WrittenKey;
  readonly inference: WrittenKey;
  readonly api: WrittenKey;
}

/** Writes key_file.json in TorchServe's shape, readable by the server's user alone. It is replaced by a rename: nobody reads half of it. Throws KeyFileNotWritten. */
export function writeKeyFile(path: string, { management, inference, api }: KeyFileContent): void {
  const shown = ({ key, expiresAtMs }: WrittenKey) => (expiresAtMs === undefined ? { key } : { key, 'expiration time': new Date(expiresAtMs).toISOString() });
  const content = { management: shown(management), inference: shown(inference), API: shown(api) };
  // Nobody can have laid a link or a folder there before.
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    const fd = openSync(draft, 'wx', 0o600);
    try {
      writeFileSync(fd, `${JSON.stringify(content, undefined, 2)}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw KeyFileNotWritten({ path, why: error instanceof Error ? error.message : String(error) }, error);
  }
}
