import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';

/** Packs a handler of bench/handlers with further files and keys of the manifest's model entry into `{store}/{name}.mar`, as torch-model-archiver would. */
export async function pack(
  root: string,
  store: string,
  name: string,
  handler: string,
  config: string,
  files: Readonly<Record<string, string>> = {},
  model: Readonly<Record<string, string>> = {},
): Promise<void> {
  const zip = new ZipFile();
  const manifest = {
    createdOn: '24/11/2026 12:00:00',
    runtime: 'python',
    model: { modelName: name, handler, modelVersion: '1.0', configFile: 'model-config.yaml', ...model },
    archiverVersion: '0.12.0',
  };
  zip.addBuffer(readFileSync(join(root, 'bench', 'handlers', handler)), handler);
  zip.addBuffer(Buffer.from(config), 'model-config.yaml');
  for (const [path, source] of Object.entries(files)) zip.addBuffer(readFileSync(source), path);
  zip.addBuffer(Buffer.from(JSON.stringify(manifest)), 'MAR-INF/MANIFEST.json');
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(join(store, `${name}.mar`)));
}
