import type { ComparisonGroup } from '../comparison.js';
import type { Models } from '../models.js';
import { asks, jsonBody, manages } from '../rest-ask.js';

/** Of one pair of servers; the metrics are its other groups'. */
export const OPEN_INFERENCE = { ts_open_inference_protocol: 'true', metrics_mode: 'prometheus' };

const FLOATS = { name: 'x', shape: [1, 3], datatype: 'FP32', data: [1, 2.5, -3] };

/** KServe's protocols over REST, where they are turned on. */
export function openInferenceRest({ open, speaker }: Models): ComparisonGroup {
  return {
    name: 'open-inference-rest',
    settings: OPEN_INFERENCE,
    store: [open, speaker],
    comparisons: [
      asks('the server', { method: 'GET', path: '/v2' }),
      asks('the server with a slash', { method: 'GET', path: '/v2/' }),
      asks('liveness', { method: 'GET', path: '/v2/health/live' }),
      asks('readiness', { method: 'GET', path: '/v2/health/ready' }),
      asks('another health', { method: 'GET', path: '/v2/health/other' }),
      asks('infer of no model', { path: '/v2/models/nobody/infer', ...jsonBody({ inputs: [FLOATS] }) }),
      asks('predict of no model', { path: '/v1/models/nobody:predict', ...jsonBody({ instances: [] }) }),
      manages('a model is registered', 'POST', '/models?url=open.mar&initial_workers=1'),

      asks('infer', { path: '/v2/models/open/infer', ...jsonBody({ id: 'mine', inputs: [FLOATS] }) }),
      asks('infer with several tensors', {
        path: '/v2/models/open/infer',
        ...jsonBody({
          id: 'mine',
          inputs: [FLOATS, { name: 'words', shape: [2], datatype: 'BYTES', data: ['grüß', ''] }, { name: 'flags', shape: [1], datatype: 'BOOL', data: [true] }],
        }),
      }),
      asks('infer of broken JSON', { path: '/v2/models/open/infer', ...jsonBody('{') }),
      asks('infer without inputs', { path: '/v2/models/open/infer', ...jsonBody({ id: 'mine' }) }),
      asks('infer without a type', { path: '/v2/models/open/infer', body: JSON.stringify({ inputs: [FLOATS] }) }),
      asks('explain', { path: '/v2/models/open/explain', ...jsonBody({ id: 'mine', inputs: [FLOATS] }) }),
      asks('predict', { path: '/v1/models/open:predict', ...jsonBody({ inputs: [FLOATS] }) }),
      asks('explain of the first protocol', { path: '/v1/models/open:explain', ...jsonBody({ inputs: [FLOATS] }) }),

      asks('a model’s metadata', { method: 'GET', path: '/v2/models/open' }),
      asks('a model’s readiness', { method: 'GET', path: '/v2/models/open/ready' }),
      asks('infer of a version', { path: '/v2/models/open/versions/1.0/infer', ...jsonBody({ id: 'mine', inputs: [FLOATS] }) }),
      asks('all models of the first protocol', { method: 'GET', path: '/v1/models' }),
      asks('a model of the first protocol', { method: 'GET', path: '/v1/models/open' }),
      manages('a model of the first protocol, at the management port', 'GET', '/v1/models/open'),

      manages('the model goes', 'DELETE', '/models/open'),
    ],
  };
}
