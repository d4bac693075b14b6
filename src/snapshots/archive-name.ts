import { stat } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { LocationRefused } from '../errors/model.js';
import type { ServableModel } from '../inference/servable-model.js';
import { AllowedUrls } from '../models/allowed-urls.js';
import { checkLocation, locate } from '../models/location.js';

/** The name in the store by which a model can be registered again. What came from a URL has its archive there. */
export async function archiveName(
  { url, downloadedArchive }: { readonly url: string } & Pick<ServableModel, 'downloadedArchive'>,
  store: string | undefined,
): Promise<string> {
  if (downloadedArchive !== undefined) return basename(downloadedArchive);
  if (store === undefined) return url;
  if ((await kindOf(join(store, basename(url)))) === 'file') return basename(url);
  const folder = resolve(store, url);
  return (await kindOf(folder)) === 'folder' ? relative(store, folder) : basename(url);
}

/** Why a snapshot's archive name cannot be restored; undefined: it can. The checks are a registration's, and it must be in the store: nothing is fetched. */
export function archiveFault(name: string, store: string | undefined): string | undefined {
  if (AllowedUrls.looksLikeUrl(name)) return `${name} is a URL, not a name in the model store`;
  try {
    locate(name, checkLocation(name, store));
    return undefined;
  } catch (error) {
    if (LocationRefused.is(error)) return error.message;
    throw error;
  }
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  const stats = await stat(path).catch(() => undefined);
  return stats?.isFile() ? 'file' : stats?.isDirectory() ? 'folder' : undefined;
}
