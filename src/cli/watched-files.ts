import type { ModelTarget } from './model-target.js';

/** Which files make another model when they change, by their path from the watched folder: the model's own, or the one that holds its file. */
export function watchedOf({ isFolder, url }: Pick<ModelTarget, 'isFolder' | 'url'>): (path: string) => boolean {
  return isFolder ? isSource : besides(url);
}

const NOT_SOURCE = new Set(['__pycache__', 'venv', 'node_modules', 'logs']);

/** What a change of means another model: not what tools keep beside it, nor an editor's copies. */
function isSource(path: string): boolean {
  return path.split('/').every((name) => !NOT_SOURCE.has(name) && !name.startsWith('.') && !/(~|\.swp|\.tmp|\.pyc|\.log)$/.test(name));
}

/** A lone file, and what the intake takes from beside it. */
function besides(file: string): (path: string) => boolean {
  const stem = file.replace(/\.(onnx|pt|mar|model|tar\.gz|tgz)$/, '');
  return (path) => path === file || (path.startsWith(`${stem}.`) && /\.(ya?ml|json|data)$/.test(path));
}
