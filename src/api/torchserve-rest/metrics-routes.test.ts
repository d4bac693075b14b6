import { expect, it } from 'vitest';
import { aHttpRequest, KeptReply } from '../../../test/fixtures/http-exchange.js';
import { KeptLog } from '../../../test/fixtures/silent-observer.js';
import { TokenRefused } from '../../errors/admission.js';
import { createRouter } from '../router.js';
import { metricsRoutes } from './metrics-routes.js';

function aMetricsApi() {
  const asked: (readonly string[] | undefined)[] = [];
  const render = (only: ReadonlySet<string> | undefined) => {
    asked.push(only && [...only]);
    return 'up 1.0\n';
  };
  const routes = metricsRoutes({ render, guarded: false, caughtUp: async () => {} });
  const authorize = () => {
    throw TokenRefused({});
  };
  const handler = createRouter(routes, { serves: ['metrics'], authorize, log: new KeptLog() });
  const ask = (method: string, target: string) => {
    const reply = new KeptReply();
    handler(aHttpRequest({ method, target, connector: 'metrics' }), reply);
    return reply.ended;
  };
  return { asked, ask };
}

it.each([
  ['GET', '/metrics'],
  ['POST', '/metrics'],
  ['DELETE', '/metrics/'],
  ['GET', '/metrics/of/anything'],
])('%s %s shows the page, without a token', async (method, target) => {
  const { asked, ask } = aMetricsApi();
  const { status, body, headers } = await ask(method, target);
  expect([status, body, headers]).toEqual([200, 'up 1.0\n', [['content-type', 'text/plain; version=0.0.4; charset=utf-8']]]);
  expect(asked).toEqual([undefined]);
});

it('name[] chooses samples and may be repeated; other parameters choose nothing', async () => {
  const { asked, ask } = aMetricsApi();
  await ask('GET', '/metrics?name[]=a&name[]=b&name=c');
  await ask('GET', '/metrics?name%5B%5D=a');
  await ask('GET', '/metrics?name=c');
  expect(asked).toEqual([['a', 'b'], ['a'], undefined]);
});

it.each(['/', '/metric', '/ping'])('%s is unknown there, and no token is asked for', async (target) => {
  const { status, body } = await aMetricsApi().ask('GET', target);
  expect([status, JSON.parse(body)]).toEqual([404, expect.objectContaining({ type: 'ResourceNotFoundException' })]);
});
