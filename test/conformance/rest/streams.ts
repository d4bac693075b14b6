import type { Comparison, ComparisonGroup } from '../comparison.js';
import type { Models } from '../models.js';
import { asks, formBody, manages } from '../rest-ask.js';

function streams(name: string, fields: Readonly<Record<string, string>>, path = '/predictions/chatty'): Comparison {
  return asks(name, { path, ...formBody({ do: 'stream', ...fields }) });
}

/** Answers that come in pieces. */
export function chunkedStreams({ speaker }: Models): ComparisonGroup {
  return {
    name: 'rest-streams',
    settings: {},
    store: [speaker],
    comparisons: [
      manages('a model is registered', 'POST', '/models?url=speaker.mar&model_name=chatty&initial_workers=1'),
      streams('three pieces and the last', { count: '3' }),
      streams('a hundred pieces', { count: '100' }),
      streams('pieces whose last is empty', { count: '2', last: '' }),
      streams('no piece but the last', { count: '0' }),
      streams('pieces under the model’s version', { count: '2' }, '/predictions/chatty/1.0'),
      streams('pieces of KServe’s first predict', { count: '2' }, '/v1/models/chatty:predict'),
      streams('pieces of SageMaker’s invocations', { count: '2' }, '/invocations?model_name=chatty'),
      streams('pieces, then a fault', { count: '5', fail_after: '1' }),
      streams('the next stream is whole', { count: '2' }),
      streams('pieces, then the worker’s end', { count: '5', die_after: '1' }),
      manages('the model goes', 'DELETE', '/models/chatty'),
    ],
  };
}
