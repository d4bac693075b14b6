import { ALL_KEYS } from '../config/keys.js';
import type { Settings } from '../config/settings.js';

const SECRETS: ReadonlySet<string> = new Set(ALL_KEYS.filter(([, spec]) => spec.secret).map(([, spec]) => spec.key));
/** Written anew with each snapshot. */
const OWN_KEYS: ReadonlySet<string> = new Set(['model_snapshot', 'tsConfigFile']);

/**
 * The settings in force but for the defaults, as a snapshot repeats them. A secret stays where it is kept: one of the environment is left out, one that names a
 * variable of it goes on naming it. The protocol switch of the environment says nothing of the next start either.
 */
export function settingsEntries({ sources, configFile }: Pick<Settings, 'sources' | 'configFile'>): readonly (readonly [string, string])[] {
  const entries = [...sources].flatMap(([key, { text, source, where, template }]): [string, string][] => {
    const isSecret = SECRETS.has(key);
    if (source === 'default' || OWN_KEYS.has(key) || where === 'TS_OPEN_INFERENCE_PROTOCOL' || (isSecret && source === 'environment')) return [];
    return [[key, isSecret ? (template ?? text) : text]];
  });
  return configFile === undefined ? entries : [...entries, ['tsConfigFile', configFile]];
}
