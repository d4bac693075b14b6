import { defineError } from './sconce-error.js';

/** One line: the file, what is wrong in it, and the way out. The server does not start, and the file stays as it is. */
export const SnapshotInvalid = defineError<{ file: string; why: string; cure: string }>('SNAPSHOT_INVALID', {
  kind: 'invalid',
  says: ({ file, why, cure }) => `Invalid snapshot: ${file}: ${why} (${cure})`,
});
