import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'dot-properties';
import type { Comparison, ComparisonGroup, Observed } from './comparison.js';
import type { Models } from './models.js';
import { manages } from './rest-ask.js';
import { LEGACY } from './small-settings.js';

const WRITTEN_WITHIN_MS = 5000;

/** What the newest snapshot says of the models, once it is one of `kind` that holds what `settled` says. */
function saves(name: string, kind: 'startup' | 'snapshot', settled: (models: string) => boolean = () => true): Comparison {
  return {
    name,
    async ask(server) {
      const folder = join(server.folder, 'logs', 'config');
      for (const endAtMs = Date.now() + WRITTEN_WITHIN_MS; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
        const newest = readdirSync(folder)
          .filter((file) => file.endsWith(`-${kind}.cfg`))
          .sort()
          .at(-1);
        const models = newest === undefined ? '' : modelsOf(join(folder, newest));
        if (newest !== undefined && (settled(models) || Date.now() > endAtMs)) return told(newest, models);
        if (Date.now() > endAtMs) throw new Error(`no snapshot of ${kind} in ${readdirSync(folder).join(', ')}`);
      }
    },
  };
}

function modelsOf(file: string): string {
  return String(parse(readFileSync(file, 'latin1')).model_snapshot ?? '');
}

function told(file: string, models: string): Observed {
  const snapshot: Readonly<Record<string, Observed>> = JSON.parse(models);
  return { file: file.replace(/\d/g, '0'), snapshot: { ...snapshot, name: String(snapshot.name).replace(/\d/g, '0'), created: typeof snapshot.created } };
}

/** What is saved after each change of the models. */
export function snapshots({ speaker, secondSpeaker, configured }: Models): ComparisonGroup {
  return {
    name: 'snapshots',
    ...LEGACY,
    store: [speaker, secondSpeaker, configured],
    comparisons: [
      saves('the start', 'startup'),
      manages('a model is registered', 'POST', '/models?url=speaker.mar'),
      saves('a model without workers', 'snapshot', (models) => models.includes('speaker')),
      manages('a worker', 'PUT', '/models/speaker?min_worker=1&max_worker=2&synchronous=true'),
      saves('a model with workers', 'snapshot', (models) => /"maxWorkers": 2/.test(models)),
      manages('a second version is registered', 'POST', '/models?url=speaker-2.0.mar&batch_size=3&max_batch_delay=4&response_timeout=5'),
      saves('two versions', 'snapshot', (models) => models.includes('2.0')),
      manages('another default', 'PUT', '/models/speaker/2.0/set-default'),
      saves('two versions, the second the default', 'snapshot', (models) => /"2\.0": \{\s*"defaultVersion": true/.test(models)),
      manages('a model with a configuration', 'POST', '/models?url=configured.mar'),
      saves('a model with a configuration', 'snapshot', (models) => models.includes('configured')),
      ...['speaker/1.0', 'speaker', 'configured'].map((model) => manages(`${model} goes`, 'DELETE', `/models/${model}`)),
      saves('no models', 'snapshot', (models) => !models.includes('marName')),
    ],
  };
}
