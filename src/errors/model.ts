import { defineError } from './sconce-error.js';

export const ModelNotFound = defineError<{ model: string }>('MODEL_NOT_FOUND', {
  kind: 'not-found',
  type: 'ModelNotFoundException',
  says: ({ model }) => `Model not found: ${model}`,
});
export const ModelVersionNotFound = defineError<{ model: string; version: string }>('MODEL_VERSION_NOT_FOUND', {
  kind: 'not-found',
  type: 'ModelVersionNotFoundException',
  says: ({ model, version }) => `Model version: ${version} does not exist for model: ${model}`,
});
/** What a model takes and gives is read from it when it loads. */
export const TensorsUnknown = defineError<{ model: string }>('TENSORS_UNKNOWN', {
  kind: 'unavailable',
  says: ({ model }) => `The tensors of model ${model} are not known before one of its workers has loaded.`,
});
/** A wish that names a location which is refused or empty: TorchServe's ModelNotFoundException with the reason as text. */
export const LocationRefused = defineError<{ message: string }>('LOCATION_REFUSED', {
  kind: 'not-found',
  type: 'ModelNotFoundException',
  says: ({ message }) => message,
});
export const ArchiveInvalid = defineError<{ message: string }>('ARCHIVE_INVALID', {
  kind: 'invalid',
  type: 'InvalidModelException',
  says: ({ message }) => message,
});
/** Keys of model-config.yaml that cannot work together. */
export const DisciplineRefused = defineError<{ model: string; why: string }>('DISCIPLINE_REFUSED', {
  kind: 'invalid',
  type: 'InvalidModelException',
  says: ({ model, why }) => `Model ${model} cannot be served as its model-config.yaml says: ${why}.`,
});
/** An archive asks for more than the API lets callers ask for. */
export const TooManyWorkers = defineError<{ most: number }>('TOO_MANY_WORKERS', {
  kind: 'invalid',
  says: ({ most }) => `More than ${most} workers of one model are not allowed.`,
});
/** The archive could not be unpacked: broken, over a limit, or a path that leaves its folder. */
export const ArchiveUnreadable = defineError<{ url: string; why: string }>('ARCHIVE_UNREADABLE', {
  kind: 'bug',
  says: ({ url, why }) => `Failed to save model: ${url}${why ? ` (${why})` : ''}`,
});
export const DownloadFailed = defineError<{ url: string }>('DOWNLOAD_FAILED', {
  kind: 'invalid',
  type: 'DownloadArchiveException',
  says: ({ url }) => `Failed to download archive from: ${url}`,
});
/** What came is another file than the one that was wanted. */
export const ChecksumMismatch = defineError<{ url: string; found: string }>('CHECKSUM_MISMATCH', {
  kind: 'invalid',
  type: 'DownloadArchiveException',
  says: ({ url, found }) => `The archive from ${url} has the SHA-256 ${found}, not the one that was asked for`,
});
/** A folder has no bytes of its own that a SHA-256 could be of. */
export const ChecksumOfFolder = defineError<{ url: string }>('CHECKSUM_OF_FOLDER', {
  kind: 'invalid',
  says: ({ url }) => `${url} is a folder, and sha256 is for files: register an archive of it, or leave sha256 out`,
});
export const ArchiveExists = defineError<{ file: string }>('ARCHIVE_EXISTS', {
  kind: 'bug',
  says: ({ file }) => `Model file already exists ${file}`,
});
/** `reason`: what pip or venv said last that tells something. */
export const DependenciesFailed = defineError<{ message: string; reason?: string | undefined }>('DEPENDENCIES_FAILED', {
  kind: 'invalid',
  type: 'ModelException',
  says: ({ message, reason }) => `${message}${reason ? ` (${reason})` : ''}`,
});
/** model-config.yaml names an interpreter that the operator has not listed. */
export const PythonNotListed = defineError<{ model: string; python: string; listed: readonly string[] }>('PYTHON_NOT_LISTED', {
  kind: 'invalid',
  type: 'ModelException',
  says: ({ model, python, listed }) =>
    `Model ${model} asks for the python ${python}, which sconce_pythons does not list (listed: ${listed.join(', ') || 'none'})`,
});
export const PythonUnusable = defineError<{ interpreter: string; why: string }>('PYTHON_UNUSABLE', {
  kind: 'invalid',
  type: 'ModelException',
  says: ({ interpreter, why }) => `The interpreter ${interpreter} cannot be used: ${why}`,
});
export const VersionExists = defineError<{ model: string; version: string }>('VERSION_EXISTS', {
  kind: 'conflict',
  says: ({ model, version }) => `Model version ${version} is already registered for model ${model}`,
});
export const DefaultVersionInUse = defineError<{ model: string }>('DEFAULT_VERSION_IN_USE', {
  kind: 'forbidden',
  type: 'InvalidModelVersionException',
  says: ({ model }) => `Cannot remove default version for model ${model}`,
});
export const UnregisterTimedOut = defineError<{ model: string }>('UNREGISTER_TIMEOUT', {
  kind: 'timed-out',
  says: ({ model }) => `Timed out while cleaning resources: ${model}`,
});
export const WorkersNotStarted = defineError<{ model: string; version: string | undefined; status: number; lastLine?: string | undefined }>(
  'WORKERS_NOT_STARTED',
  {
    kind: 'bug',
    http: ({ status }) => status,
    says: ({ model, version, lastLine }) => `Failed to start workers for model ${model} version: ${version ?? 'null'}${lastLine ? ` (${lastLine})` : ''}`,
  },
);
/** A parallel model whose one worker takes more devices than there are for it. */
export const NotEnoughDevices = defineError<{ model: string; parallelLevel: number }>('NOT_ENOUGH_DEVICES', {
  kind: 'bug',
  type: 'WorkerInitializationException',
  says: ({ model, parallelLevel }) => `No enough gpu devices for model:${model} parallelLevel:${parallelLevel}`,
});
/** Under `sconce dev`: the code as it is now doesn't load, and the code before it must not answer in its place. `why` has the traceback. */
export const ModelBroken = defineError<{ why: string }>('MODEL_BROKEN', {
  kind: 'unavailable',
  reason: 'no_workers',
  says: ({ why }) => `The model could not be loaded: ${why}`,
});
/** set-default words this without the colon that every other message has. */
export const DefaultVersionUnknown = defineError<{ model: string; version: string }>('DEFAULT_VERSION_UNKNOWN', {
  kind: 'not-found',
  type: 'ModelVersionNotFoundException',
  says: ({ model, version }) => `Model version ${version} does not exist for model ${model}`,
});
