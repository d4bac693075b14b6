import type { ComparisonGroup } from '../comparison.js';
import type { Models } from '../models.js';
import { asks, formBody, jsonBody, manages, sends } from '../rest-ask.js';

const TELL = formBody({ do: 'tell' });
const LARGEST = 6_553_500;

/** The paths, methods and wire forms of the inference API, on a model with two versions. */
export function routes({ speaker, secondSpeaker }: Models): ComparisonGroup {
  return {
    name: 'rest-routes',
    settings: {},
    store: [speaker, secondSpeaker],
    comparisons: [
      manages('a model is registered', 'POST', '/models?url=speaker.mar&initial_workers=1'),
      manages('a second version is registered', 'POST', '/models?url=speaker-2.0.mar&initial_workers=1'),

      asks('ping', { method: 'GET', path: '/ping' }),
      asks('ping with a slash behind it', { method: 'GET', path: '/ping/' }),
      asks('ping by POST', { path: '/ping', body: 'x' }),
      asks('ping with more behind it', { method: 'GET', path: '/ping/pong' }),

      asks('a prediction', { path: '/predictions/speaker', ...TELL }),
      asks('a prediction by GET', { method: 'GET', path: '/predictions/speaker' }),
      asks('a prediction by PUT', { method: 'PUT', path: '/predictions/speaker', ...TELL }),
      asks('a prediction by DELETE', { method: 'DELETE', path: '/predictions/speaker' }),
      asks('a prediction by PATCH', { method: 'PATCH', path: '/predictions/speaker', ...TELL }),
      asks('a prediction of the first version', { path: '/predictions/speaker/1.0', ...TELL }),
      asks('a prediction of the second version', { path: '/predictions/speaker/2.0', ...TELL }),
      asks('a prediction of no version', { path: '/predictions/speaker/9.9', ...TELL }),
      asks('a prediction of no model', { path: '/predictions/nobody', ...TELL }),
      asks('a prediction of no model in a version', { path: '/predictions/nobody/1.0', ...TELL }),
      asks('a prediction without a name', { path: '/predictions', ...TELL }),
      asks('a prediction without a name, but a slash', { path: '/predictions/', ...TELL }),
      asks('a prediction with a slash behind it', { path: '/predictions/speaker/', ...TELL }),
      asks('a prediction with two slashes', { path: '/predictions//speaker', ...TELL }),
      asks('a prediction with a slash in percent', { path: '/predictions/speaker%2F2.0', ...TELL }),
      asks('a prediction with a letter in percent', { path: '/predictions/spea%6ber', ...TELL }),
      asks('a prediction with broken percent', { path: '/predictions/%zz', ...TELL }),
      asks('a prediction with more of a path', { path: '/predictions/speaker/2.0/v1/chat%20now/', ...TELL }),
      asks('a prediction with a query, which is dropped', { path: '/predictions/speaker?do=raise&a=1', ...TELL }),
      asks('a prediction in a path of another case', { path: '/Predictions/speaker', ...TELL }),

      asks('an explanation', { path: '/explanations/speaker', ...TELL }),
      asks('an explanation of a version', { path: '/explanations/speaker/2.0', ...TELL }),
      asks('an explanation of no model', { path: '/explanations/nobody', ...TELL }),
      asks('an explanation of no version', { path: '/explanations/speaker/9.9', ...TELL }),

      asks('an invocation by the query', { path: '/invocations?model_name=speaker&a=1&a=2&b=x%20y', body: 'x' }),
      asks('an invocation by a form', { path: '/invocations', ...formBody({ model_name: 'speaker', a: '1' }) }),
      asks('an invocation by a part', { path: '/invocations', body: { parts: { model_name: { content: 'speaker' }, a: { content: '1' } } } }),
      asks('an invocation of nothing', { path: '/invocations', body: 'x' }),
      asks('an invocation of no model', { path: '/invocations?model_name=nobody', body: 'x' }),
      asks('an invocation with more behind it', { path: '/invocations/speaker', body: 'x' }),
      asks('an invocation of JSON', { path: '/invocations?model_name=speaker', ...jsonBody({ do: 'tell' }) }),

      asks('SageMaker’s invoke', { path: '/models/speaker/invoke', ...TELL }),
      asks('SageMaker’s invoke with a query', { path: '/models/speaker/invoke?a=1', ...TELL }),
      asks('SageMaker’s invoke of no model', { path: '/models/nobody/invoke', ...TELL }),
      asks('something else of a model', { path: '/models/speaker/other', ...TELL }),
      asks('the management API at the wrong door', { method: 'GET', path: '/models/speaker' }),

      asks('the old predict', { path: '/speaker/predict?do=tell&a=1', body: 'x' }),
      asks('the old predict of a version', { path: '/speaker/2.0/predict?do=tell', ...formBody({ do: 'tell', a: '2' }) }),
      asks('the old predict of no model', { path: '/nobody/predict', body: 'x' }),
      asks('the old predict of no version', { path: '/speaker/9.9/predict', body: 'x' }),

      asks('KServe’s first predict', { path: '/v1/models/speaker:predict', ...TELL }),
      asks('KServe’s first explain', { path: '/v1/models/speaker:explain', ...TELL }),
      asks('KServe’s first predict of no model', { path: '/v1/models/nobody:predict', ...TELL }),
      asks('KServe’s first nothing', { path: '/v1/models/speaker:nothing', ...TELL }),
      asks('KServe’s second infer', { path: '/v2/models/speaker/infer', ...TELL }),
      asks('KServe’s second explain', { path: '/v2/models/speaker/explain', ...TELL }),
      asks('KServe’s second infer of no model', { path: '/v2/models/nobody/infer', ...TELL }),
      asks('KServe’s second server, which is off', { method: 'GET', path: '/v2' }),
      asks('KServe’s second health, which is off', { method: 'GET', path: '/v2/health/live' }),
      asks('KServe’s second versions, which are off', { path: '/v2/models/speaker/versions/2.0/infer', ...TELL }),

      asks('a path that is none', { method: 'GET', path: '/nothing/here' }),
      asks('the root by GET', { method: 'GET', path: '/' }),
      asks('the root by POST', { path: '/', body: '' }),
      asks('an unknown method on an unknown path', { method: 'BREW', path: '/pot' }),

      sends('what is no HTTP', 'what is this\r\n\r\n'),
      sends('a header that is none', 'GET /ping HTTP/1.1\r\nHost: localhost\r\nno colon here\r\n\r\n'),
      sends('a line of 5000 letters', `GET /${'a'.repeat(5000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
      sends('headers of 9000 letters', `GET /ping HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'a'.repeat(9000)}\r\n\r\n`),
      sends('what waits for 100 Continue', 'POST /predictions/speaker HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n'),
      sends('what expects too much', `POST /predictions/speaker HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: ${LARGEST + 1}\r\n\r\n`),
      sends(
        'a body in chunks',
        'POST /predictions/speaker HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
      ),
      sends('HTTP/1.0', 'GET /ping HTTP/1.0\r\n\r\n'),
      asks('a body of the largest size', { path: '/predictions/speaker', ...formBody({ do: 'give', data: 'x', much: 'y'.repeat(LARGEST - 20) }) }),

      manages('the second version goes', 'DELETE', '/models/speaker/2.0'),
      manages('the model goes', 'DELETE', '/models/speaker'),
    ],
  };
}
