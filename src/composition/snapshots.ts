import type { Settings } from '../config/settings.js';
import { SnapshotInvalid } from '../errors/snapshot.js';
import type { Part } from '../lifecycle.js';
import { archiveFault } from '../snapshots/archive-name.js';
import { parseModelSnapshot, type SnapshotVersion } from '../snapshots/model-snapshot.js';
import type { SnapshotKeeper } from '../snapshots/snapshot-keeper.js';

const LEAVE = 'the file is left as it is: mend it, or start with --ncs, or with --ts-config';

/** What the settings say is to be restored; undefined: they name no snapshot. Stores are absolute. Throws SnapshotInvalid, before anything is loaded. */
export function modelsToRestore(settings: Settings, storeOf: (model: string) => string | undefined): readonly SnapshotVersion[] | undefined {
  const { modelSnapshot, configFile, fromNewestSnapshot, sources } = settings;
  const stands = sources.get('model_snapshot');
  const file = (stands === undefined || stands.source === 'file' ? configFile : stands.where) ?? '';
  const invalid = (why: string, cause?: unknown) => SnapshotInvalid({ file, why, cure: fromNewestSnapshot ? LEAVE : 'mend model_snapshot there' }, cause);
  if (modelSnapshot === undefined) {
    if (fromNewestSnapshot) throw invalid('model_snapshot is missing');
    return undefined;
  }
  const versions = read(modelSnapshot, invalid);
  for (const { model, version, archive } of versions) {
    const store = storeOf(model);
    const fault = archiveFault(archive, store);
    if (fault === `Model not found at: ${archive}`)
      throw invalid(`Model archive file for model :${model}, version :${version} not found in model store: no ${archive} in ${store}`);
    if (fault !== undefined) throw invalid(`model ${model}, version ${version}: ${fault}`);
  }
  return versions;
}

function read(json: string, invalid: (why: string, cause?: unknown) => Error): readonly SnapshotVersion[] {
  try {
    return parseModelSnapshot(json);
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(`model_snapshot cannot be read: ${error.message}`, error);
    throw error;
  }
}

/** Writes the snapshot of the start, and waits for the last one: the part that comes after the listeners. */
export function snapshotsPart(keeper: SnapshotKeeper): Part {
  return { name: 'snapshots', start: () => keeper.save('startup'), stop: () => keeper.settled() };
}
