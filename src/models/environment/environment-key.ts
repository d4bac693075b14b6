import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import type { InterpreterFacts } from './interpreters.js';
import { description, type Requirements, withoutSecrets } from './requirements.js';

/** Another number makes every cached environment anew. */
const FORMAT = 2;
/** Of SHA-256: half of it tells environments apart, and paths in a virtual environment must not get long. */
const KEY_CHARACTERS = 32;
/** Besides PIP_*: what changes which packages an interpreter sees. */
const PYTHON_NEEDS = new Set(['PYTHONPATH', 'PYTHONHOME', 'PYTHONNOUSERSITE', 'PYTHONUSERBASE']);

export interface KeyParts {
  /** Folder of the cache: an environment cannot be moved. */
  readonly root: string;
  readonly inVenv: boolean;
  readonly interpreter: InterpreterFacts;
  readonly requirements: Requirements | undefined;
  /** No package was built for it. */
  readonly confined: boolean;
  readonly wheelFolder: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/** Hash of everything that an environment is made from. Environments of the same key are the same. */
export async function environmentKey({ root, inVenv, interpreter, requirements, confined, wheelFolder, environment }: KeyParts): Promise<string> {
  const settings = Object.entries(environment)
    .filter(([name]) => name.startsWith('PIP_') || PYTHON_NEEDS.has(name))
    .map(([name, value]) => [name, withoutSecrets(value)])
    .sort(([one = ''], [other = '']) => (one < other ? -1 : 1));
  const parts = [
    FORMAT,
    root,
    inVenv ? 'venv' : 'plain',
    interpreter.identity,
    // A virtual environment holds only what its base has not.
    inVenv ? await distributions(interpreter.packageFolders) : [],
    ...(requirements === undefined
      ? []
      : [requirements.digest, confined ? 'wheels' : 'any', settings, wheelFolder === undefined ? '' : await description(wheelFolder)]),
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, KEY_CHARACTERS);
}

/** Names and versions of the packages in some folders, as installers write them there. */
async function distributions(folders: readonly string[]): Promise<readonly string[]> {
  const each = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])));
  return each
    .flat()
    .filter((name) => /\.(?:dist-info|egg-info|egg-link|pth)$/.test(name))
    .sort();
}
