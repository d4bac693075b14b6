import { describe, expect, it } from 'vitest';
import { aHttpRequest, KeptReply } from '../../test/fixtures/http-exchange.js';
import { KeptLog } from '../../test/fixtures/silent-observer.js';
import type { Scope } from '../admission/scope.js';
import { Invariant, TokenRefused } from '../errors/admission.js';
import { ModelNotFound } from '../errors/model.js';
import { ANYONE } from '../inference/principal.js';
import type { ApiName, Route } from './route.js';
import { createRouter } from './router.js';

interface RouteFacts extends Partial<Omit<Route, 'handle'>> {
  readonly pattern: string;
}

/** A route that answers with its own pattern and what the path's variables were. */
function aRoute(facts: RouteFacts): Route {
  const names = [...facts.pattern.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
  return {
    connector: 'inference',
    methods: 'any',
    scope: 'open',
    ...facts,
    handle: (_request, reply, params) => reply.send(200, [facts.pattern, ...names.map((name) => params.get(name)), params.rest].join(' ').trim()),
  };
}

interface Ask {
  readonly method?: string;
  readonly granted?: readonly Scope[];
  readonly serves?: readonly ApiName[];
  readonly log?: KeptLog;
}

async function ask(
  routes: readonly Route[],
  target: string,
  { method = 'GET', granted = ['infer', 'manage'], serves = ['inference'], log = new KeptLog() }: Ask = {},
) {
  const handler = createRouter(routes, {
    serves,
    authorize: (scopes) => {
      if (!scopes.some((scope) => granted.includes(scope))) throw TokenRefused({});
      return ANYONE;
    },
    log,
  });
  const reply = new KeptReply();
  handler(aHttpRequest({ method, target }), reply);
  return reply.ended;
}

describe('finding a route', () => {
  const routes = [
    '/',
    '/ping',
    '/ping/*',
    '/predictions/:model',
    '/predictions/:model/:version',
    '/predictions/:model/:version/*',
    '/:model/predict',
    '/models/:model/invoke',
    '/*',
  ].map((pattern) => aRoute({ pattern }));
  const found: Readonly<Record<string, string>> = {
    '/': '/',
    '/ping': '/ping',
    '/ping/a/b': '/ping/* a/b',
    '/predictions/m': '/predictions/:model m',
    '/predictions/m/': '/predictions/:model m',
    '/predictions/m/1.0': '/predictions/:model/:version m 1.0',
    '/predictions/m/1.0/a/b': '/predictions/:model/:version/* m 1.0 a/b',
    '/predictions//1.0': '/predictions/:model/:version  1.0',
    '/predictions/predict': '/predictions/:model predict',
    '/m/predict': '/:model/predict m',
    '/models/m/invoke': '/models/:model/invoke m',
    '/models/m/other': '/* models/m/other',
    '/predictions': '/* predictions',
    '/__proto__/constructor': '/* __proto__/constructor',
  };
  for (const [target, expected] of Object.entries(found)) {
    it(`${target} is ${expected}`, async () => {
      expect((await ask(routes, target)).body).toBe(expected);
    });
  }

  it('goes by the method, and answers 405 where only another method fits', async () => {
    const byMethod = [
      aRoute({ pattern: '/models', methods: ['GET'] }),
      aRoute({ pattern: '/models/:model', methods: ['GET', 'PUT'] }),
      aRoute({ pattern: '/:any', methods: ['POST'] }),
    ];

    expect((await ask(byMethod, '/models')).body).toBe('/models');
    expect((await ask(byMethod, '/models', { method: 'POST' })).body).toBe('/:any models');
    const refused = await ask(byMethod, '/models/m', { method: 'DELETE' });
    expect(refused.status).toBe(405);
    expect(JSON.parse(refused.body)).toEqual({
      code: 405,
      type: 'MethodNotAllowedException',
      message: 'Requested method is not allowed, please refer to API document.',
    });
  });

  it('asks a route’s own test where it has one', async () => {
    const picky = [aRoute({ pattern: '/v1/models/:model', fits: ([, , model]) => model?.includes(':predict') === true })];

    expect((await ask(picky, '/v1/models/m:predict')).status).toBe(200);
    expect((await ask(picky, '/v1/models/m')).status).toBe(404);
  });

  it('answers an unknown path 404', async () => {
    const reply = await ask([], '/nowhere');

    expect(reply.body).toBe(
      '{\n  "code": 404,\n  "type": "ResourceNotFoundException",\n  "message": "Requested resource is not found, please refer to API document."\n}\n',
    );
  });

  it('knows no route of an API that its listener does not serve', async () => {
    const both = [aRoute({ pattern: '/ping' }), aRoute({ pattern: '/models', connector: 'management' })];

    expect((await ask(both, '/models')).status).toBe(404);
    expect((await ask(both, '/models', { serves: ['inference', 'management'] })).status).toBe(200);
  });
});

describe('the scope of a request', () => {
  const routes = [
    aRoute({ pattern: '/ping', scope: 'infer' }),
    aRoute({ pattern: '/models', connector: 'management', methods: ['GET'], scope: 'manage' }),
    aRoute({ pattern: '/models/:model/:version', connector: 'management', scope: 'manage' }),
    aRoute({ pattern: '/token', connector: 'management', scope: 'token-admin' }),
    aRoute({ pattern: '/token-model', connector: 'management', scope: 'manage' }),
    aRoute({ pattern: '/api-description', scope: 'open' }),
    aRoute({ pattern: '/metrics', connector: 'metrics', scope: 'open' }),
  ];
  const all = ['inference', 'management', 'metrics'] as const;

  it('is checked after the path has matched: each path of a shared address needs its own API’s token only', async () => {
    expect((await ask(routes, '/ping', { granted: ['infer'], serves: all })).status).toBe(200);
    expect((await ask(routes, '/models', { granted: ['manage'], serves: all })).status).toBe(200);
    expect((await ask(routes, '/models/a/b', { granted: ['manage'], serves: all })).status).toBe(200);
    expect((await ask(routes, '/models', { granted: ['infer'], serves: all })).status).toBe(400);
    expect((await ask(routes, '/token', { granted: ['token-admin'], serves: all })).status).toBe(200);
    expect((await ask(routes, '/token-model', { granted: ['manage'], serves: all })).status).toBe(200);
  });

  it('open needs no token', async () => {
    expect((await ask(routes, '/api-description', { granted: [] })).status).toBe(200);
  });

  it('that is not granted is told 400 InvalidKeyException', async () => {
    const reply = await ask(routes, '/ping', { granted: [] });

    expect(JSON.parse(reply.body)).toEqual({
      code: 400,
      type: 'InvalidKeyException',
      message: 'Token Authorization failed. Token either incorrect, expired, or not provided correctly',
    });
  });

  it('is needed before an unknown path or a wrong method is told apart', async () => {
    expect((await ask(routes, '/nowhere', { granted: [] })).status).toBe(400);
    expect((await ask(routes, '/nowhere', { granted: ['infer'] })).status).toBe(404);
    expect((await ask(routes, '/models', { method: 'PATCH', granted: ['infer'], serves: all })).status).toBe(400);
    expect((await ask(routes, '/models', { method: 'PATCH', granted: ['manage'], serves: all })).status).toBe(405);
    expect((await ask(routes, '/nowhere', { granted: ['manage'], serves: all })).status).toBe(404);
    expect((await ask(routes, '/nowhere', { granted: [], serves: all })).status).toBe(400);
    expect((await ask(routes, '/nowhere', { granted: [], serves: ['metrics'] })).status).toBe(404);
  });
});

describe('a handler that fails', () => {
  const failing = (fail: () => void | Promise<void>): readonly Route[] => [
    { connector: 'inference', methods: 'any', pattern: '/', scope: 'open', handle: fail },
  ];

  it('with an error of ours is rendered, thrown or rejected', async () => {
    const error = ModelNotFound({ model: 'm' });
    for (const fail of [
      () => Promise.reject(error),
      () => {
        throw error;
      },
    ]) {
      const log = new KeptLog();
      const reply = await ask(failing(fail), '/', { log });
      expect(JSON.parse(reply.body)).toEqual({ code: 404, type: 'ModelNotFoundException', message: 'Model not found: m' });
      expect(log.lines).toEqual([]);
    }
  });

  it('with anything else is 500 without a word of it, and logged with its stack', async () => {
    for (const error of [new TypeError('secret detail'), Invariant({ what: 'secret detail' })]) {
      const log = new KeptLog();
      const reply = await ask(
        failing(() => {
          throw error;
        }),
        '/',
        { log },
      );
      expect(JSON.parse(reply.body)).toEqual({ code: 500, type: 'InternalServerException', message: 'Internal server error.' });
      expect(log.lines.join('\n')).toMatch(/^ERROR GET request request-\d+ met an internal error .*secret detail[\s\S]*router\.test/);
    }
  });

  it('after its answer has begun cuts it', async () => {
    const routes: readonly Route[] = [
      {
        connector: 'inference',
        methods: 'any',
        pattern: '/',
        scope: 'open',
        handle: (_request, reply) => {
          reply.open(200, []);
          throw ModelNotFound({ model: 'm' });
        },
      },
    ];

    expect((await ask(routes, '/')).ending).toBe('cut');
  });
});

describe('a route’s parameters', () => {
  it('that the pattern does not name are an internal error', async () => {
    const log = new KeptLog();
    const routes: readonly Route[] = [
      { connector: 'inference', methods: 'any', pattern: '/:a', scope: 'open', handle: (_request, reply, params) => reply.send(200, params.get('b')) },
    ];

    expect((await ask(routes, '/x', { log })).status).toBe(500);
    expect(log.lines.join('\n')).toContain('the route has no parameter b');
  });
});
