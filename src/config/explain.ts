import { ALL_KEYS } from './keys.js';
import type { Settings } from './settings.js';
import type { Source } from './sources.js';

/** One setting as `sconce config` shows it. */
export interface ExplainedSetting {
  readonly key: string;
  readonly value: string | null;
  readonly source: Source | 'unset';
  readonly where: string;
  readonly says: string;
  readonly ignored?: string;
}

/** Every setting with its value and where it came from. Secrets are masked. */
export function explainSettings(settings: Settings): readonly ExplainedSetting[] {
  return ALL_KEYS.map(([, spec]) => {
    const sourced = settings.sources.get(spec.key);
    return {
      key: spec.key,
      value: sourced === undefined ? null : spec.secret ? '********' : sourced.text,
      source: sourced?.source ?? 'unset',
      where: sourced?.where ?? '',
      says: spec.says,
      ...(spec.ignored === undefined ? {} : { ignored: spec.ignored }),
    };
  });
}
