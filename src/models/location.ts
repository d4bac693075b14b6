import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, join, resolve, sep } from 'node:path';
import { LocationRefused } from '../errors/model.js';

/** What a location in the store turned out to be. Paths are absolute. */
export type Located =
  | { readonly kind: 'archive'; readonly path: string }
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'onnx'; readonly path: string }
  | { readonly kind: 'torchscript'; readonly path: string };

/** The checks that come before anything is looked up, in TorchServe's order and words. Throws LocationRefused. */
export function checkLocation(url: string, store: string | undefined): string {
  if (store === undefined) throw LocationRefused({ message: 'Model store has not been configured.' });
  if (url === '') throw LocationRefused({ message: 'empty url' });
  if (url.includes('..') || /%2e%2e|\.%2e|%2e\./i.test(url)) throw LocationRefused({ message: `Relative path is not allowed in url: ${url}` });
  return store;
}

/** Finds a name in the store: a file by its base name, or a folder; or an absolute folder in one of the `roots`. A folder elsewhere is refused, whatever it is called. Throws LocationRefused. */
export function locate(url: string, store: string, roots: readonly string[] = []): Located {
  const notFound = LocationRefused({ message: `Model not found at: ${url}` });
  if (!existsSync(store)) throw notFound;
  const root = realpathSync(store);
  const file = join(root, basename(url));
  if (isFile(file) && inside(file, root)) return { kind: kindOf(file), path: file };
  const folder = resolve(root, url);
  if (existsSync(folder) && statSync(folder).isDirectory() && isInside(folder, [root, ...roots]))
    return { kind: 'folder', path: singleSubfolder(realpathSync(folder)) };
  throw notFound;
}

/** What `load_models=all` means: visible folders, and files that end as archives and models do, in order of their names. */
export function storeEntries(store: string): readonly string[] {
  return readdirSync(store, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith('.') && (entry.isDirectory() || /\.(mar|model|tar\.gz|onnx|pt)$/.test(entry.name)))
    .map((entry) => entry.name)
    .sort();
}

function kindOf(file: string): Located['kind'] {
  if (file.endsWith('.onnx')) return 'onnx';
  return file.endsWith('.pt') ? 'torchscript' : 'archive';
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function isInside(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => existsSync(root) && inside(path, realpathSync(root)));
}

/** Whether a path still lies below the store when its links are followed. */
function inside(path: string, root: string): boolean {
  const real = realpathSync(path);
  return real.startsWith(root.endsWith(sep) ? root : root + sep);
}

/** A folder that holds nothing but one folder stands for that one, as in TorchServe. */
function singleSubfolder(folder: string): string {
  const entries = readdirSync(folder, { withFileTypes: true });
  const [only] = entries;
  return entries.length === 1 && only?.isDirectory() ? join(folder, only.name) : folder;
}
