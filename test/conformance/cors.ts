import type { ComparisonGroup } from './comparison.js';
import type { Models } from './models.js';
import { asks, formBody, manages } from './rest-ask.js';
import { LEGACY } from './small-settings.js';

/** Where CORS headers stand. */
export function cors({ speaker }: Models): ComparisonGroup {
  return {
    name: 'cors',
    ...LEGACY,
    store: [speaker],
    comparisons: [
      manages('a model is registered', 'POST', '/models?url=speaker.mar&initial_workers=1'),
      asks('health', { method: 'GET', path: '/ping' }),
      asks('health with the origin', { method: 'GET', path: '/ping', headers: { Origin: 'https://example.com' } }),
      asks('health with another origin', { method: 'GET', path: '/ping', headers: { Origin: 'https://elsewhere.example' } }),
      asks('a prediction', { path: '/predictions/speaker', ...formBody({ do: 'give', data: 'x' }) }),
      asks('a stream', { path: '/predictions/speaker', ...formBody({ do: 'stream', count: '1' }) }),
      asks('an error', { path: '/predictions/nobody', body: 'x' }),
      asks('metrics', { port: 'metrics', method: 'GET', path: '/metrics?name[]=nothing' }),
      manages('the model goes', 'DELETE', '/models/speaker'),
    ],
  };
}
