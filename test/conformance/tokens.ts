import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceAPIsServiceDefinition as Inference } from '../../src/api/grpc-generated/inference.js';
import { ManagementAPIsServiceDefinition as Management } from '../../src/api/grpc-generated/management.js';
import type { ComparedServer, Comparison, ComparisonGroup, Observed } from './comparison.js';
import { registration } from './grpc/management.js';
import { GrpcAsk } from './grpc-ask.js';
import type { Models } from './models.js';
import { type Asked, answerTo, formBody, observed } from './rest-ask.js';

type Key = 'inference' | 'management' | 'API';

const TOKENS = {
  disable_token_authorization: 'false',
  enable_model_api: 'false',
  load_models: 'speaker.mar',
  default_workers_per_model: '1',
  // More wrong keys are sent from here than any address may guess.
  sconce_token_guesses: '0',
};
const SHORT_TOKENS = { disable_token_authorization: 'false', token_expiration_min: '0.05' };
const EXPIRES_WITHIN_MS = 20_000;

/** A route of each class, and what it wants. */
const ROUTES: readonly (readonly [string, Asked])[] = [
  ['health', { method: 'GET', path: '/ping' }],
  ['a prediction', { path: '/predictions/speaker', ...formBody({ do: 'give', data: 'x' }) }],
  ['a prediction of no model', { path: '/predictions/nobody', body: 'x' }],
  ['the inference document', { method: 'OPTIONS', path: '/' }],
  ['a path that is none', { method: 'GET', path: '/nothing' }],
  ['models', { port: 'management', method: 'GET', path: '/models' }],
  ['scaling', { port: 'management', method: 'PUT', path: '/models/speaker?min_worker=1' }],
  ['registering, which is off', { port: 'management', method: 'POST', path: '/models?url=speaker.mar' }],
  ['unregistering, which is off', { port: 'management', method: 'DELETE', path: '/models/speaker' }],
  ['the management document', { port: 'management', method: 'OPTIONS', path: '/' }],
  ['a management path that is none', { port: 'management', method: 'GET', path: '/nothing' }],
  ['metrics', { port: 'metrics', method: 'GET', path: '/metrics' }],
];

function keyOf(server: ComparedServer, key: Key): string {
  const keys: unknown = JSON.parse(readFileSync(join(server.folder, 'key_file.json'), 'utf8'));
  const of = typeof keys === 'object' && keys !== null ? (Reflect.get(keys, key) as unknown) : undefined;
  return typeof of === 'object' && of !== null ? String(Reflect.get(of, 'key')) : '';
}

function bearing(name: string, request: Asked, authorization: (server: ComparedServer) => string | undefined): Comparison {
  return {
    name,
    async ask(server) {
      const given = authorization(server);
      return onlyHead(
        observed(await answerTo(server, { ...request, headers: { ...request.headers, ...(given === undefined ? {} : { Authorization: given }) } })),
      );
    },
  };
}

/** Bodies of documents are compared where documents are. */
function onlyHead(answer: Observed): Observed {
  const text = JSON.stringify(answer);
  return text.length > 2000 ? { ...(answer as Readonly<Record<string, Observed>>), body: '<long>' } : answer;
}

function withKey(name: string, request: Asked, key: Key): Comparison {
  return bearing(name, request, (server) => `Bearer ${keyOf(server, key)}`);
}

function keyFile(name: string, previous?: Map<ComparedServer, string>): Comparison {
  return {
    name,
    async ask(server) {
      const text = readFileSync(join(server.folder, 'key_file.json'), 'utf8');
      const keys = (['management', 'inference', 'API'] as const).map((key) => keyOf(server, key));
      const before = previous?.get(server)?.split(' ');
      previous?.set(server, keys.join(' '));
      const renewed = before === undefined ? null : keys.map((key, index) => key !== before[index]);
      return {
        shape: text.replace(/"key": *"([^"]*)"/g, (_, key: string) => `"key": <${key.length} characters>`).replace(/"\d{4}-[^"]*Z"/g, '<time>'),
        renewed,
      };
    },
  };
}

/** Who may do what: every class of route with every key, by REST and gRPC. */
export function tokens({ speaker }: Models): ComparisonGroup {
  const keys = new Map<ComparedServer, string>();
  const rotate = (name: string, query: string, key: Key, method = 'GET') => withKey(name, { port: 'management', method, path: `/token${query}` }, key);
  const inference = new GrpcAsk(Inference, 'grpcInference');
  const management = new GrpcAsk(Management, 'grpcManagement');
  const everyKey = ['inference', 'management', 'API'] as const;
  const byKey = (key: Key) => (server: ComparedServer) => ({ token: keyOf(server, key) });
  const list = { limit: 10, nextPageToken: 0 };
  return {
    name: 'tokens',
    settings: TOKENS,
    store: [speaker],
    comparisons: [
      keyFile('the key file', keys),
      ...ROUTES.flatMap(([name, request]) => [
        bearing(`${name} without a key`, request, () => undefined),
        bearing(`${name} with a wrong key`, request, () => 'Bearer 12345678'),
        ...everyKey.map((key) => withKey(`${name} with the ${key} key`, request, key)),
      ]),
      bearing('a key without Bearer', { method: 'GET', path: '/ping' }, (server) => keyOf(server, 'inference')),
      bearing('a key behind bearer in small letters', { method: 'GET', path: '/ping' }, (server) => `bearer ${keyOf(server, 'inference')}`),
      bearing('a key behind many blanks', { method: 'GET', path: '/ping' }, (server) => `Bearer   ${keyOf(server, 'inference')}`),
      bearing('Bearer without a key', { method: 'GET', path: '/ping' }, () => 'Bearer '),
      bearing('Basic', { method: 'GET', path: '/ping' }, (server) => `Basic ${keyOf(server, 'inference')}`),
      bearing('a key with more behind it', { method: 'GET', path: '/ping' }, (server) => `Bearer ${keyOf(server, 'inference')} x`),

      inference.unary('gRPC’s ping without a key', Inference.methods.ping, {}),
      ...everyKey.map((key) => inference.unary(`gRPC’s ping with the ${key} key`, Inference.methods.ping, {}, byKey(key))),
      management.unary('gRPC’s list without a key', Management.methods.listModels, list),
      ...everyKey.map((key) => management.unary(`gRPC’s list with the ${key} key`, Management.methods.listModels, list, byKey(key))),
      management.unary('gRPC’s registering, which is off', Management.methods.registerModel, registration({ url: 'speaker.mar' }), byKey('management')),
      management.unary(
        'gRPC’s unregistering, which is off',
        Management.methods.unregisterModel,
        { modelName: 'speaker', modelVersion: '' },
        byKey('management'),
      ),

      rotate('a new inference key by the inference key', '?type=inference', 'inference'),
      rotate('a new inference key by the management key', '?type=inference', 'management'),
      rotate('a new key of no kind', '', 'API'),
      rotate('a new key of an unknown kind', '?type=nothing', 'API'),
      rotate('a new API key', '?type=API', 'API'),
      bearing('a new key without a key', { port: 'management', method: 'GET', path: '/token?type=inference' }, () => undefined),
      rotate('a new inference key', '?type=inference', 'API'),
      keyFile('only the inference key is new', keys),
      rotate('a new management key by POST', '?type=management', 'API', 'POST'),
      keyFile('only the management key is new', keys),
      withKey('health with the new key', { method: 'GET', path: '/ping' }, 'inference'),
      withKey('models with the new key', { port: 'management', method: 'GET', path: '/models' }, 'management'),
    ],
  };
}

function whenExpired(name: string, request: Asked, key: Key): Comparison {
  return {
    name,
    async ask(server) {
      for (const endAtMs = Date.now() + EXPIRES_WITHIN_MS; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
        const answer = await answerTo(server, { ...request, headers: { Authorization: `Bearer ${keyOf(server, key)}` } });
        if (answer.status !== 200 || Date.now() > endAtMs) return observed(answer);
      }
    },
  };
}

/** Keys whose time is over. */
export function expiredTokens(): ComparisonGroup {
  const health: Asked = { method: 'GET', path: '/ping' };
  const models: Asked = { port: 'management', method: 'GET', path: '/models' };
  const renew: Asked = { port: 'management', method: 'GET', path: '/token?type=inference' };
  const inference = new GrpcAsk(Inference, 'grpcInference');
  return {
    name: 'tokens-expired',
    settings: SHORT_TOKENS,
    store: [],
    comparisons: [
      whenExpired('an inference key', health, 'inference'),
      whenExpired('a management key', models, 'management'),
      inference.unary('an inference key by gRPC', Inference.methods.ping, {}, (server) => ({ token: keyOf(server, 'inference') })),
      withKey('the API key, which never does', renew, 'API'),
      withKey('the renewed inference key', health, 'inference'),
      whenExpired('the renewed inference key, later', health, 'inference'),
    ],
  };
}
