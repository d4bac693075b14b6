import type { Comparison, ComparisonGroup, Observed } from '../comparison.js';
import type { Models } from '../models.js';
import { observedAnswer } from '../rest-answer.js';
import type { Asked } from '../rest-ask.js';
import { answerTo, manages } from '../rest-ask.js';

/** Words for people: each server has its own. */
const WORDS = new Set(['description', 'summary']);

function documents(name: string, method: string, path: string, port: NonNullable<Asked['port']>): Comparison {
  return {
    name,
    async ask(server) {
      const answer = await answerTo(server, { port, method, path });
      const shown = observedAnswer({ ...answer, body: Buffer.alloc(0) });
      const text = answer.body.toString();
      if (answer.status !== 200) return { shown, body: text };
      return { shown, document: inOrder(JSON.parse(text)), endsWithNewline: text.endsWith('}\n') };
    },
  };
}

/** Each object with the order of its keys, which counts, and without words. */
function inOrder(value: Observed): Observed {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, WORDS.has(key) && typeof inner === 'string' ? '<words>' : inOrder(inner)]);
  return { keys: Object.keys(value).join(' '), ...Object.fromEntries(entries) };
}

/** The OpenAPI documents of each port and of a model. */
export function apiDocuments({ speaker }: Models): ComparisonGroup {
  return {
    name: 'rest-documents',
    settings: {},
    store: [speaker],
    comparisons: [
      manages('a model is registered', 'POST', '/models?url=speaker.mar'),
      documents('inference', 'OPTIONS', '/', 'inference'),
      documents('management', 'OPTIONS', '/', 'management'),
      documents('metrics', 'OPTIONS', '/', 'metrics'),
      documents('inference, by the old path', 'GET', '/api-description', 'inference'),
      documents('management, by the old path', 'GET', '/api-description', 'management'),
      documents('metrics, by the old path', 'GET', '/api-description', 'metrics'),
      documents('predictions of a model', 'OPTIONS', '/predictions/speaker', 'inference'),
      documents('predictions of a version', 'OPTIONS', '/predictions/speaker/1.0', 'inference'),
      documents('predictions of no model', 'OPTIONS', '/predictions/nobody', 'inference'),
      documents('explanations of a model', 'OPTIONS', '/explanations/speaker', 'inference'),
      documents('KServe’s first predict of a model', 'OPTIONS', '/v1/models/speaker:predict', 'inference'),
      documents('KServe’s second infer of a model', 'OPTIONS', '/v2/models/speaker/infer', 'inference'),
      documents('management of a model', 'OPTIONS', '/models/speaker', 'management'),
      documents('management of a version', 'OPTIONS', '/models/speaker/1.0', 'management'),
      documents('management of no model', 'OPTIONS', '/models/nobody', 'management'),
      manages('the model goes', 'DELETE', '/models/speaker'),
    ],
  };
}
