import { existsSync } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import { PackRefused } from '../errors/packing.js';
import { backendOf } from '../models/backend-of.js';
import { BUILT_IN_HANDLERS } from './built-in-handlers.js';
import type { NamedParts } from './model-description.js';
import type { PackWish } from './pack-wish.js';
import { type SourceFile, sourceFile } from './source-tree.js';

/**
 * Finds the files that flags name: in the folder, else from the working directory, from where they go to the root of the archive.
 * Adds those that `files` lacks. Rejects with PackRefused for one that is nowhere.
 */
export async function namedParts(wish: PackWish, cwd: string, files: Map<string, SourceFile>): Promise<NamedParts> {
  const root = await realpath(wish.folder);
  const place = async (flag: string, given: string): Promise<string> => {
    const path = [resolve(root, given), resolve(cwd, given)].find((candidate) => existsSync(candidate));
    if (path === undefined) throw PackRefused({ message: `${flag} ${given}: there is no such file, neither in ${wish.folder} nor here.` });
    if (!(await stat(path)).isFile()) throw PackRefused({ message: `${flag} ${given} is a folder, and must be a file.` });
    const name = path.startsWith(root + sep) ? path.slice(root.length + 1).replaceAll(sep, '/') : basename(path);
    if (files.get(name)?.path !== path) files.set(name, await sourceFile(name, path));
    return name;
  };
  const optional = async (flag: string, given: string | undefined) => (given === undefined ? undefined : await place(flag, given));
  return {
    name: wish.name,
    version: wish.version,
    runtime: wish.runtime,
    handler: wish.handler === undefined ? undefined : await placeHandler(wish.handler, wish.runtime, root, cwd, place),
    serializedFile: await optional('--serialized-file', wish.serializedFile),
    modelFile: await optional('--model-file', wish.modelFile),
    requirementsFile: await optional('--requirements-file', wish.requirementsFile),
    configFile: await optional('--config-file', wish.configFile),
  };
}

/** `path/name[.py][:function]`, a built-in handler's name, or a dotted module, which is taken as it is. */
async function placeHandler(
  handler: string,
  runtime: PackWish['runtime'],
  root: string,
  cwd: string,
  place: (flag: string, given: string) => Promise<string>,
): Promise<string> {
  const [path = '', ...rest] = handler.split(':');
  const suffix = rest.length === 0 ? '' : `:${rest.join(':')}`;
  const ending = runtime === 'LSP' ? '.so' : '.py';
  const isThere = (candidate: string) => existsSync(join(root, candidate)) || existsSync(resolve(cwd, candidate));
  if (backendOf(path, undefined) === 'javascript') return (await place('--handler', path)) + suffix;
  if (path.endsWith(ending) || isThere(path + ending)) {
    const name = await place('--handler', path.endsWith(ending) ? path : path + ending);
    return (path.endsWith(ending) ? name : name.slice(0, -ending.length)) + suffix;
  }
  if (BUILT_IN_HANDLERS.has(path) || handler === 'onnx' || (path.includes('.') && isThere(path.slice(0, path.lastIndexOf('.')).replaceAll('.', '/'))))
    return handler;
  throw PackRefused({ message: `--handler ${handler}: there is no ${path}${ending}, neither in the folder nor here, and no built-in handler of that name.` });
}
