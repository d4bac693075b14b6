// Module hooks by which a Node without type stripping of its own imports TypeScript. Registered by handler-module.ts; Node runs them on a thread of their own.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { strippedTypes } from './stripped-types.js';

interface Loaded {
  readonly format: string;
  readonly shortCircuit?: boolean;
  readonly source?: string;
}

/** Node's `load` hook. */
export async function load(url: string, context: unknown, next: (url: string, context: unknown) => Promise<Loaded>): Promise<Loaded> {
  if (!/^file:.*\.m?ts$/.test(url)) return next(url, context);
  const path = fileURLToPath(url);
  return { format: 'module', shortCircuit: true, source: strippedTypes(await readFile(path, 'utf8'), path) };
}
