import { existsSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { command } from '../composition/backends.js';
import { defineError } from '../errors/sconce-error.js';

/** What a command was given as its model is none. */
export const ModelPathRefused = defineError<{ message: string }>('MODEL_PATH_REFUSED', { kind: 'invalid', says: ({ message }) => message });

/** A model somewhere on this machine, as the intake takes it: by the folder that holds it, and its name there. */
export interface ModelTarget {
  /** Absolute, links followed. */
  readonly path: string;
  readonly isFolder: boolean;
  readonly store: string;
  readonly url: string;
}

const FILES = /\.(mar|model|tar\.gz|tgz|onnx|pt)$/;

/** Throws ModelPathRefused for what isn't there and for what is no model. */
export function findTarget(path: string): ModelTarget {
  if (!existsSync(path)) throw ModelPathRefused({ message: `There is no model at ${path}.` });
  const real = realpathSync(path);
  const isFolder = statSync(real).isDirectory();
  if (!isFolder && !FILES.test(real)) throw ModelPathRefused({ message: `${path} is no model: a model is a folder, or a .mar, .tar.gz, .onnx or .pt file.` });
  if (dirname(real) === real) throw ModelPathRefused({ message: `${path} is the root of the file system, not the folder of a model.` });
  return { path: real, isFolder, store: dirname(real), url: basename(real) };
}

/**
 * The interpreter for a model's Python: `--python`, the setting `python`, the variable PYTHON, the virtual environment in the model's folder (`.venv` or
 * `venv`), and `python3` of the path, in this order. A path is meant from the working directory: interpreters are started elsewhere.
 */
export function findInterpreter(
  { path, isFolder }: Pick<ModelTarget, 'path' | 'isFolder'>,
  told: string | undefined,
  set: string | undefined,
  env: NodeJS.ProcessEnv,
): string {
  const own = isFolder ? ['.venv', 'venv'].map((name) => join(path, name, 'bin', 'python')).find((python) => existsSync(python)) : undefined;
  return command(told ?? set ?? (env.PYTHON || undefined) ?? own ?? 'python3', process.cwd());
}
