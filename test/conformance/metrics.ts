import type { Comparison, ComparisonGroup } from './comparison.js';
import type { Models } from './models.js';
import { OPEN_INFERENCE } from './open-inference/rest.js';
import { observedAnswer } from './rest-answer.js';
import { answerTo, asks, formBody, manages } from './rest-ask.js';
import { LEGACY } from './small-settings.js';

/** Additions of Sconce, by their prefix. */
const ADDED = /^(# (HELP|TYPE) )?sconce_/;

/** Names, kinds and labels; how they are sorted and what they count is each server's. */
function counts(name: string, query = '', method = 'GET'): Comparison {
  return {
    name,
    async ask(server) {
      const answer = await answerTo(server, { port: 'metrics', method, path: `/metrics${query}` });
      const lines = answer.body.toString().split('\n');
      const named = lines.filter((line) => !ADDED.test(line)).map((line) => (line.startsWith('#') ? line : line.replace(/ \S+$/, ' <value>')));
      return {
        head: observedAnswer({ ...answer, body: Buffer.alloc(0), chunks: undefined }),
        lines: Object.fromEntries(named.sort().map((line) => [line, true])),
      };
    },
  };
}

const traffic = (path: string): readonly Comparison[] => [
  asks('a prediction', { path, ...formBody({ do: 'give', data: 'x' }) }),
  asks('a prediction of a version', { path: `${path}/1.0`, ...formBody({ do: 'give', data: 'x' }) }),
  asks('a prediction that fails', { path, ...formBody({ do: 'raise' }) }),
  asks('a prediction of no model', { path: '/predictions/nobody', body: 'x' }),
];

/** What is exposed to Prometheus. */
export function metrics({ speaker }: Models): ComparisonGroup {
  return {
    name: 'metrics',
    settings: OPEN_INFERENCE,
    store: [speaker],
    comparisons: [
      counts('before any request'),
      manages('a model is registered', 'POST', '/models?url=speaker.mar&initial_workers=1'),
      ...traffic('/predictions/speaker'),
      counts('after some requests'),
      counts('by name', '?name[]=Requests2XX&name[]=ts_inference_requests_total'),
      counts('by a name that is none', '?name[]=nothing'),
      counts('by POST', '', 'POST'),
      asks('a path that is none', { port: 'metrics', method: 'GET', path: '/nothing' }),
      asks('the root', { port: 'metrics', method: 'GET', path: '/' }),
      manages('metrics at the management port', 'GET', '/metrics'),
      manages('the model goes', 'DELETE', '/models/speaker'),
    ],
  };
}

/** The three counters of the legacy mode. */
export function legacyMetrics({ speaker }: Models): ComparisonGroup {
  return {
    name: 'metrics-legacy',
    ...LEGACY,
    store: [speaker],
    comparisons: [
      manages('a model is registered', 'POST', '/models?url=speaker.mar&initial_workers=1'),
      ...traffic('/predictions/speaker'),
      counts('after some requests'),
      manages('the model goes', 'DELETE', '/models/speaker'),
    ],
  };
}

/** The default mode, in which nothing is exposed. */
export function loggedMetrics(): ComparisonGroup {
  return { name: 'metrics-log', settings: {}, store: [], comparisons: [counts('nothing')] };
}
