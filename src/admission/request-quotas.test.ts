import { describe, expect, it } from 'vitest';
import { anInferenceRequest } from '../../test/fixtures/inference-request.js';
import { RequestCancelled } from '../errors/scheduling.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { Answer, ResponsePart } from '../inference/part.js';
import { DEFAULT_TENANT, Principal } from '../inference/principal.js';
import { NamedTenants } from '../tenants/named-tenants.js';
import { parseTenants } from '../tenants/parse-tenants.js';
import { RequestQuotas } from './request-quotas.js';

const part = (over: Partial<ResponsePart> = {}): ResponsePart => ({ status: 200, reason: '', headers: [], body: Buffer.from('x'), last: true, ...over });

function someQuotas(quotas: Readonly<Record<string, number>>, of = 'acme') {
  const acme = { models: ['acme-*'] };
  const file = of === DEFAULT_TENANT ? { acme, default: { quotas } } : { acme: { ...acme, quotas } };
  const tenants = new NamedTenants(parseTenants({ tenants: file }));
  const clock = { nowMs: 0 };
  const refusals: string[] = [];
  const counter = new RequestQuotas(
    tenants,
    (tenant, quota) => void refusals.push(`${tenant} ${quota}`),
    () => clock.nowMs,
  );
  const running: Answer[] = [];
  /** What the client hears, as it hears it. */
  const ask = ({ by = 'acme', bytes = 0 } = {}): (string | SconceError)[] => {
    const heard: (string | SconceError)[] = [];
    const inputs = [{ name: 'body', contentType: '', value: Buffer.alloc(bytes) }];
    counter.submit(
      anInferenceRequest({ principal: new Principal('token:t', by, []), inputs }),
      { part: ({ last }) => void heard.push(last ? 'end' : 'part'), fail: (error) => void heard.push(error) },
      (_, answer) => void running.push(answer),
    );
    return heard;
  };
  const acmes = () => {
    const tenant = tenants.named(of);
    return tenant === undefined ? undefined : counter.inHand(tenant);
  };
  return { clock, refusals, running, ask, inHand: acmes, counter };
}

describe('requests a second', () => {
  it('a second’s worth may come at once, then they come as the bucket fills; who comes too early hears when', () => {
    const { clock, ask, running, refusals } = someQuotas({ requests_per_s: 2 });
    ask();
    ask();
    const [refused] = ask();

    expect(running.length).toBe(2);
    expect(refused).toMatchObject({
      code: 'BEYOND_QUOTA',
      retryAfterS: 1,
      reason: 'tenant_quota',
      message: 'The tenant acme may have 2 requests a second (quotas.requests_per_s).',
      rendering: { http: 429, grpc: 8, type: 'TooManyRequestsException' },
    });
    clock.nowMs = 499;
    expect(ask()).toHaveLength(1);
    clock.nowMs = 501;
    expect(ask()).toHaveLength(0);
    clock.nowMs = 3_600_000;
    ask();
    ask();
    expect(ask()).toHaveLength(1);
    expect(refusals).toEqual(Array(3).fill('acme requests_per_s'));
  });

  it('less than one is possible, and the wait is said', () => {
    const { clock, ask } = someQuotas({ requests_per_s: 0.1 });
    ask();
    clock.nowMs = 2500;

    expect(ask()[0]).toMatchObject({ retryAfterS: 8 });
  });

  it('a refused request takes nothing out of the bucket', () => {
    const { ask, running, clock } = someQuotas({ requests_per_s: 2, concurrent: 1 });
    ask();
    for (let tries = 0; tries < 10; tries++) expect(ask()[0]).toMatchObject({ message: expect.stringContaining('concurrent') });
    running[0]?.part(part());

    expect(ask()).toHaveLength(0);
    clock.nowMs = 1;
    expect(ask()[0]).toMatchObject({ message: expect.stringContaining('requests_per_s') });
  });
});

describe('requests at a time', () => {
  it('count from their acceptance until their answer ends, of a stream until its last part', () => {
    const { ask, running, inHand } = someQuotas({ concurrent: 1 });
    const heard = ask({ bytes: 3 });

    running[0]?.part(part({ last: false }));
    expect([inHand(), ask()[0]]).toEqual([{ requests: 1, bodyBytes: 3 }, expect.objectContaining({ code: 'BEYOND_QUOTA', retryAfterS: 1 })]);
    running[0]?.part(part());
    expect([inHand(), heard]).toEqual([{ requests: 0, bodyBytes: 0 }, ['part', 'end']]);
  });

  it('are given back once, however the answer ends', () => {
    const { ask, running, inHand } = someQuotas({ concurrent: 9 });
    for (let count = 0; count < 3; count++) ask({ bytes: 5 });

    running[0]?.fail(RequestCancelled({}));
    running[0]?.fail(RequestCancelled({}));
    running[1]?.part(part());
    running[1]?.fail(RequestCancelled({}));

    expect(inHand()).toEqual({ requests: 1, bodyBytes: 5 });
  });

  it('are free before the client hears of the end', () => {
    const { ask, running, counter, inHand } = someQuotas({ concurrent: 1 });
    const seen: unknown[] = [];
    counter.submit(
      anInferenceRequest({ principal: new Principal('token:t', 'acme', []) }),
      { part: () => void seen.push(inHand()), fail: () => undefined },
      (_, answer) => void running.push(answer),
    );
    running[0]?.part(part());

    expect(seen).toEqual([{ requests: 0, bodyBytes: 0 }]);
    expect(ask()).toHaveLength(0);
  });

  it('are given back when nobody takes the request', () => {
    const { counter, inHand } = someQuotas({ concurrent: 1 });
    const broken = () => {
      throw new TypeError('broken');
    };

    expect(() => counter.submit(anInferenceRequest({ principal: new Principal('token:t', 'acme', []) }), { part() {}, fail() {} }, broken)).toThrow('broken');
    expect(inHand()).toEqual({ requests: 0, bodyBytes: 0 });
  });
});

describe('bytes of bodies at a time', () => {
  it('are those of all requests in hand', () => {
    const { ask, running } = someQuotas({ body_mb_in_flight: 1 });
    ask({ bytes: 600_000 });

    expect(ask({ bytes: 400_001 })[0]).toMatchObject({
      code: 'BEYOND_QUOTA',
      retryAfterS: 1,
      message: expect.stringContaining('1 MB of request bodies at a time'),
    });
    expect(ask({ bytes: 400_000 })).toHaveLength(0);
    running[0]?.part(part());
    expect(ask({ bytes: 600_000 })).toHaveLength(0);
  });

  it('a body that never fits is no matter of waiting', () => {
    const { ask, refusals } = someQuotas({ body_mb_in_flight: 1 });

    expect(ask({ bytes: 1_000_001 })[0]).toMatchObject({ code: 'BODY_BEYOND_QUOTA', retryAfterS: undefined, rendering: { http: 413, grpc: 8 } });
    expect(refusals).toEqual(['acme body_mb_in_flight']);
  });
});

it('one tenant’s quota is nobody else’s, and the operator’s callers have the operator’s', () => {
  const one = someQuotas({ concurrent: 1 });
  one.ask();
  expect([one.ask().length, one.ask({ by: DEFAULT_TENANT }).length]).toEqual([1, 0]);

  const own = someQuotas({ concurrent: 1 }, DEFAULT_TENANT);
  own.ask({ by: DEFAULT_TENANT });
  expect([own.ask({ by: DEFAULT_TENANT }).length, own.ask().length]).toEqual([1, 0]);
});
