import { realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';

/** The real path of a file of a model's directory, links followed; undefined when there is none, or when it lies outside. */
export async function modelFile(directory: string, file: string): Promise<string | undefined> {
  try {
    const [root, path] = await Promise.all([realpath(directory), realpath(join(directory, file))]);
    return path.startsWith(root + sep) ? path : undefined;
  } catch {
    // Absent or unreadable: both mean that the model has no such file; the caller says so.
    return undefined;
  }
}
