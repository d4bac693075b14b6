import { existsSync } from 'node:fs';
import type { Settings, WantedModel } from '../config/settings.js';
import { storeEntries } from '../models/location.js';
import { bareLocation } from '../observability/bare-location.js';

/** The models to load at start, whether they are there or not. */
export function startupModels({ loadModels }: Pick<Settings, 'loadModels'>, store: string | undefined): readonly WantedModel[] {
  if (loadModels !== 'all') return loadModels;
  if (store === undefined || !existsSync(store)) return [];
  return storeEntries(store).map((url) => ({ name: undefined, url }));
}

/** `load_models` as it may stand in a log; undefined where it is not set. */
export function shownStartupModels({ loadModels, sources }: Pick<Settings, 'loadModels' | 'sources'>): string | undefined {
  const text = sources.get('load_models')?.text;
  return loadModels === 'all' ? text : loadModels.reduce((shown, { url }) => shown?.replaceAll(url, bareLocation(url)), text);
}
