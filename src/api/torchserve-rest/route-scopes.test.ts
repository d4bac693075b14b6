import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { aHttpRequest, KeptReply } from '../../../test/fixtures/http-exchange.js';
import { aDescription, KeptModelService } from '../../../test/fixtures/kept-model-service.js';
import { KeptLog, silentObserver } from '../../../test/fixtures/silent-observer.js';
import { InferenceGate } from '../../admission/inference-gate.js';
import { KeyRotation } from '../../admission/key-rotation.js';
import { ManagementGate } from '../../admission/management-gate.js';
import { TokenGate } from '../../admission/token-gate.js';
import { WorkflowGate } from '../../admission/workflow-gate.js';
import { ANYONE } from '../../inference/principal.js';
import type { WorkflowService } from '../../workflows/workflow-service.js';
import { credentialsOf } from '../credentials.js';
import type { ApiName, Route } from '../route.js';
import { createRouter } from '../router.js';
import { descriptionRoutes } from './description-routes.js';
import { inferenceRoutes } from './inference-routes.js';
import { managementRoutes } from './management-routes.js';
import { metricsRoutes } from './metrics-routes.js';
import { workflowRoutes } from './workflow-routes.js';

const APIS: readonly ApiName[] = ['inference', 'management', 'metrics'];
const folder = mkdtempSync(join(tmpdir(), 'route-scopes-'));
afterAll(() => rmSync(folder, { recursive: true }));

const log = new KeptLog();
const models = new KeptModelService();
models.versions.push(aDescription());
const tokens = new TokenGate({ disabled: false, expirationMinutes: 60, keyFile: join(folder, 'key_file.json') });
const gate = new InferenceGate(models);
const nothing = () => {
  throw new Error('no request gets so far');
};
const workflows: WorkflowService = { run: nothing, assertServed: nothing, register: nothing, unregister: nothing, list: nothing, describe: nothing };

/** Every route that a server can have, with all switches on. */
const ROUTES: readonly Route[] = [
  ...inferenceRoutes({ gate, observer: silentObserver(), log, describeModelApi: () => ({}), openInferenceVersion: '0.12.0', isDraining: () => false }),
  ...managementRoutes({
    gate: new ManagementGate(models, { enableModelApi: true }),
    inference: gate,
    keys: new KeyRotation((type) => tokens.rotate(type)),
    refreshMemory: async () => {},
    version: '0.12.0',
    billOfMaterials: async () => ({}),
  }),
  ...workflowRoutes({ gate: new WorkflowGate(workflows), log }),
  ...metricsRoutes({ render: () => '', guarded: false, caughtUp: async () => {} }),
  ...APIS.flatMap((api) => descriptionRoutes([api], '0.12.0')),
];

const named = ({ connector, methods, pattern }: Route) => `${connector}: ${methods === 'any' ? 'any' : methods.join(' ')} ${pattern}`;

it('every route has a scope, that of its API unless it is open or about the keys', () => {
  const scopeOfApi: Readonly<Record<ApiName, string>> = { inference: 'infer', management: 'manage', metrics: 'open' };
  expect(ROUTES.length).toBeGreaterThan(40);
  for (const route of ROUTES) expect(route.pattern === '/token' ? ['token-admin'] : ['open', scopeOfApi[route.connector]], named(route)).toContain(route.scope);
});

it('exactly these routes are open', () => {
  const open = ROUTES.filter((route) => route.scope === 'open').map(named);
  expect(open.sort()).toEqual([
    'inference: OPTIONS /',
    'inference: any /api-description',
    'inference: any /live',
    'inference: any /ready',
    'management: OPTIONS /',
    'management: any /api-description',
    'metrics: OPTIONS /',
    'metrics: any /api-description',
    'metrics: any /metrics',
    'metrics: any /metrics/*',
  ]);
});

describe.each([
  ['its own listener', (route: Route): readonly ApiName[] => [route.connector]],
  ['a shared listener', (): readonly ApiName[] => APIS],
])('without a token, on %s,', (_listener, servedWith) => {
  const guarded = ROUTES.filter((route) => route.scope !== 'open');

  it.each(guarded.map((route) => [named(route), route] as const))('%s is refused', async (_name, route) => {
    const serves = servedWith(route);
    const handler = createRouter(ROUTES, { serves, authorize: (scopes, request) => tokens.authorize(scopes, credentialsOf(request)), log });
    const reply = new KeptReply();
    handler(aHttpRequest({ method: route.methods === 'any' ? 'POST' : (route.methods[0] ?? ''), target: aPathOf(route) }), reply);
    await reply.ended;
    expect([reply.status, reply.error?.code]).toEqual([400, route.scope === 'token-admin' ? 'TOKEN_ROTATION_REFUSED' : 'TOKEN_REFUSED']);
  });
});

it('a route without a scope is none: not to the types, and not to the router', () => {
  // @ts-expect-error a route has a scope
  const unguarded: Route = { connector: 'inference', methods: 'any', pattern: '/open-to-all', handle: () => undefined };
  // @ts-expect-error and it is one of those that can be granted
  const misspelt: Route = { ...unguarded, scope: 'none' };

  for (const route of [unguarded, misspelt])
    expect(() => createRouter([route], { serves: ['inference'], authorize: () => ANYONE, log })).toThrow('the route /open-to-all has no scope');
});

it('metrics ask for a token where the operator says so', () => {
  expect(metricsRoutes({ render: () => '', guarded: true, caughtUp: async () => {} }).map(({ scope }) => scope)).toEqual(['metrics', 'metrics']);
});

/** A path that fits the route: its names filled in, and a verb added where the route looks for one. */
function aPathOf({ pattern, fits }: Route): string {
  const filled = pattern.replaceAll(/:(\w+)/g, 'm').replace('*', 'x');
  const candidates = [filled, `${filled}:predict`, `${filled}:explain`, '/v2/models/m/versions/1/infer', '/WfPredict/m', '/WfPredict/m/x'];
  const path = candidates.find((candidate) => fits === undefined || fits(candidate.split('/').slice(1)));
  if (path === undefined) throw new Error(`no path is known for ${pattern}`);
  return path;
}
