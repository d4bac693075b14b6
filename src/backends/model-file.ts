import { access } from 'node:fs/promises';
import { resolve, sep } from 'node:path';

/**
 * The path of a file that a model names in its own directory; undefined when there is none, or when the name leads out of the directory.
 * Links are followed: an archive cannot hold any, and the intake makes some (to large weights, to a lone .onnx file).
 */
export async function modelFile(directory: string, file: string): Promise<string | undefined> {
  const path = resolve(directory, file);
  if (!path.startsWith(resolve(directory) + sep)) return undefined;
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  return exists ? path : undefined;
}
