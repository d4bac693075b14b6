import { existsSync, realpathSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bareLocation } from '../observability/bare-location.js';
import type { ModelSources, SourceWish } from './model-sources.js';

// What callers of an API have brought into the store lies among the operator's own files. The mark beside it tells them apart, also after a restart that loads the store's names.

/** As `sources.bring`; `wish.appears` may still refuse the name that it takes in the store. What a caller of an API named bears a mark in the store; a file:// location names what the operator has already, marked or not. */
export async function bringMarked(sources: ModelSources, wish: SourceWish): Promise<string> {
  if (wish.namedBy === 'operator' || isOperatorsFile(wish.url)) return sources.bring(wish);
  let marked: string | undefined;
  const mark = async (name: string): Promise<void> => {
    await wish.appears?.(name);
    marked = join(wish.store, name);
    await setMark(marked, wish.url);
  };
  try {
    return await sources.bring({ ...wish, appears: mark });
  } catch (error) {
    if (marked !== undefined) await removeMark(marked);
    throw error;
  }
}

/** Takes what was brought out of the store again, and its mark. Rejects with the file system's error. */
export async function removeFetched(path: string): Promise<void> {
  await rm(path, { force: true, recursive: true });
  await removeMark(path);
}

/** Whether a file or folder, or a folder that it lies in, was brought by a caller of an API. */
export function isFetched(path: string): boolean {
  return [path, real(path)].some((start) => {
    for (let at = start; dirname(at) !== at; at = dirname(at)) if (existsSync(markOf(at))) return true;
    return false;
  });
}

function isOperatorsFile(url: string): boolean {
  try {
    return /^file:/i.test(url) && !isFetched(fileURLToPath(url));
  } catch {
    // Of another host: whoever brings it refuses it.
    return false;
  }
}

/** Comes before the file itself: what is there without a mark is the operator's. */
async function setMark(path: string, url: string): Promise<void> {
  await writeFile(markOf(path), `${JSON.stringify({ from: bareLocation(url) })}\n`, { mode: 0o644 });
}

/** For what has gone: what is still there was marked by somebody else. */
async function removeMark(path: string): Promise<void> {
  if (!existsSync(path)) await rm(markOf(path), { force: true }).catch(() => undefined);
}

function markOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.fetched`);
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
