import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { KeyFileNotWritten, TokenRefused, TokenRotationRefused, TooManyGuesses } from '../errors/admission.js';
import { GRANTED_SCOPES, type GrantedScope, Principal } from '../inference/principal.js';
import { digestOf } from './bearer-token.js';
import type { KnownToken } from './known-token.js';
import { TokenGate, type TokenGateOptions, type TokenRefusal } from './token-gate.js';

const MINUTE_MS = 60_000;
const START = Date.UTC(2026, 10, 24, 12);
const expiring = z.strictObject({ key: z.string(), 'expiration time': z.string() });
const keyFileShape = z.strictObject({ management: expiring, inference: expiring, API: z.strictObject({ key: z.string() }) });

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'token-gate-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const anyModel = (...scopes: readonly GrantedScope[]) => scopes.map((scope) => ({ scope, models: ['*'] }));

/** A gate under a clock that the test moves. */
function aGate(options: Partial<TokenGateOptions> = {}) {
  const clock = { nowMs: START };
  const keyFile = join(folder, 'key_file.json');
  const refusals: TokenRefusal[] = [];
  const refused = (refusal: TokenRefusal) => void refusals.push(refusal);
  const gate = new TokenGate({ disabled: false, expirationMinutes: 60, keyFile, now: () => clock.nowMs, refused, ...options });
  gate.start();
  const keys = () => {
    const { management, inference, API } = keyFileShape.parse(JSON.parse(readFileSync(keyFile, 'utf8')));
    return { management: management.key, inference: inference.key, api: API.key, expires: [management['expiration time'], inference['expiration time']] };
  };
  const admitted = (
    scope: GrantedScope,
    authorization: readonly string[],
    more: { peer?: string; tlsPrincipal?: string; connection?: object } = {},
  ): Principal => {
    const found = gate.authorize([scope], { id: 'r', peer: '/127.0.0.1:1', authorization, ...more });
    if (found instanceof Promise) throw new Error('no token here has to be verified first');
    return found;
  };
  const passes = (scope: GrantedScope, authorization?: string) => {
    try {
      admitted(scope, authorization === undefined ? [] : [authorization]);
      return true;
    } catch (error) {
      expect(error).toSatisfy(scope === 'token-admin' ? TokenRotationRefused.is : TokenRefused.is);
      return false;
    }
  };
  return { gate, clock, keyFile, keys, admitted, passes, refusals };
}

describe('keys', () => {
  it('are three different ones of 128 bits, good for an hour', () => {
    const { management, inference, api, expires } = aGate().keys();
    expect(new Set([management, inference, api]).size).toBe(3);
    for (const key of [management, inference, api]) expect(Buffer.from(key, 'base64url').length * 8).toBe(128);
    expect(expires).toEqual(['2026-11-24T13:00:00.000Z', '2026-11-24T13:00:00.000Z']);
  });

  it("have TorchServe's 8 characters where that is asked for", () => {
    const { management, inference, api } = aGate({ shortKeys: true }).keys();
    for (const key of [management, inference, api]) expect(key).toMatch(/^[\w-]{8}$/);
  });

  it('open their own scopes and no other', () => {
    const { keys, passes } = aGate();
    const { management, inference, api } = keys();
    const opened = (key: string) => GRANTED_SCOPES.filter((scope) => passes(scope, `Bearer ${key}`));
    expect([opened(inference), opened(management), opened(api)]).toEqual([['infer'], ['manage', 'metrics'], ['token-admin']]);
  });

  it("are refused with TorchServe's words when they are missing, wrong or not given as a bearer", () => {
    const { keys, passes, admitted } = aGate();
    const { inference } = keys();
    const wrong = [
      undefined,
      '',
      inference,
      'Bearer',
      'Bearer ',
      'Bearer 12345678',
      `bearer ${inference}`,
      `Basic ${inference}`,
      `Bearer ${inference} x`,
      `Bearer ${inference}x`,
      `Bearer ${'x'.repeat(2 ** 20)}`,
    ];
    for (const header of wrong) expect(passes('infer', header), header).toBe(false);
    expect(passes('infer', `Bearer   ${inference}`)).toBe(true);
    expect(() => admitted('infer', [])).toThrow(
      expect.objectContaining({
        message: 'Token Authorization failed. Token either incorrect, expired, or not provided correctly',
        rendering: { http: 400, grpc: 7, type: 'InvalidKeyException' },
      }),
    );
  });

  it('prove nothing beside a second header', () => {
    const { keys, admitted } = aGate();
    const header = `Bearer ${keys().inference}`;
    for (const two of [
      [header, 'Bearer x'],
      ['Bearer x', header],
      [header, header],
    ])
      expect(() => admitted('infer', two)).toThrow('Token Authorization failed');
  });

  it('expire with their last minute, but for the API key', () => {
    const { clock, keys, passes, refusals } = aGate();
    const { management, inference, api } = keys();
    clock.nowMs = START + 60 * MINUTE_MS - 1;
    expect([passes('infer', `Bearer ${inference}`), passes('manage', `Bearer ${management}`)]).toEqual([true, true]);
    clock.nowMs += 1;
    expect([passes('infer', `Bearer ${inference}`), passes('manage', `Bearer ${management}`)]).toEqual([false, false]);
    expect(refusals.map(({ fault }) => fault)).toEqual(['expired', 'expired']);
    clock.nowMs += 10_000_000 * MINUTE_MS;
    expect(passes('token-admin', `Bearer ${api}`)).toBe(true);
  });
});

describe('rotation', () => {
  it.each(['inference', 'management'] as const)('gives only the %s key a new value and a new hour', (type) => {
    const { gate, clock, keys, passes } = aGate();
    const before = keys();
    clock.nowMs += 30 * MINUTE_MS;
    gate.rotate(type);
    const after = keys();
    const other = type === 'inference' ? 'management' : 'inference';
    expect(after[type]).not.toBe(before[type]);
    expect({ other: after[other], api: after.api }).toEqual({ other: before[other], api: before.api });
    const scope = type === 'inference' ? 'infer' : 'manage';
    expect(passes(scope, `Bearer ${before[type]}`)).toBe(false);
    clock.nowMs = START + 89 * MINUTE_MS;
    expect(passes(scope, `Bearer ${after[type]}`)).toBe(true);
    clock.nowMs += MINUTE_MS;
    expect(passes(scope, `Bearer ${after[type]}`)).toBe(false);
  });

  it('works after the keys have expired', () => {
    const { gate, clock, keys, passes } = aGate();
    clock.nowMs += 1000 * MINUTE_MS;
    expect(passes('token-admin', `Bearer ${keys().api}`)).toBe(true);
    gate.rotate('inference');
    expect(passes('infer', `Bearer ${keys().inference}`)).toBe(true);
  });

  it('is refused for any other type, and without the API key', () => {
    const { gate, keys, passes, admitted } = aGate();
    const before = keys();
    for (const type of [undefined, '', 'api', 'API', 'token', 'Inference', '__proto__'])
      expect(() => gate.rotate(type), type).toThrow(expect.toSatisfy(TokenRotationRefused.is));
    for (const header of [undefined, `Bearer ${before.management}`, `Bearer ${before.inference}`, before.api])
      expect(passes('token-admin', header)).toBe(false);
    expect(() => admitted('token-admin', [])).toThrow('Token Authentication failed. Token either incorrect, expired, or not provided correctly');
    expect(keys()).toEqual(before);
  });

  it('that cannot write the file leaves the old key in force', () => {
    const { gate, keys, passes } = aGate();
    const { inference } = keys();
    rmSync(folder, { recursive: true });
    expect(() => gate.rotate('inference')).toThrow(expect.toSatisfy(KeyFileNotWritten.is));
    expect(passes('infer', `Bearer ${inference}`)).toBe(true);
  });
});

it('with tokens off there is no key file and everything passes', () => {
  const { gate, keyFile, passes } = aGate({ disabled: true });
  expect(gate.disabled).toBe(true);
  expect(existsSync(keyFile)).toBe(false);
  expect([passes('infer', undefined), passes('manage', undefined)]).toEqual([true, true]);
});

it('the key that the start prints is the inference key of the file', () => {
  const { gate, keys, keyFile } = aGate();
  expect(gate.inferenceKey).toBe(keys().inference);
  expect(gate.keyFile).toBe(keyFile);
});

describe('named tokens', () => {
  const principal = new Principal('token:ci', 'a', [{ scope: 'infer', models: ['a-*'] }]);
  const known: readonly KnownToken[] = [{ digest: digestOf('secret'), principal, expiresAtMs: START + MINUTE_MS }];

  it('say who the caller is, until they expire', () => {
    const { clock, admitted, passes } = aGate({ named: () => known });
    expect(admitted('infer', ['Bearer secret'])).toBe(principal);
    expect(passes('manage', 'Bearer secret')).toBe(false);
    clock.nowMs += MINUTE_MS;
    expect(passes('infer', 'Bearer secret')).toBe(false);
  });

  it('are those that are in force at the moment of the call', () => {
    const tokens: KnownToken[] = [...known];
    const { passes } = aGate({ named: () => tokens });
    expect(passes('infer', 'Bearer secret')).toBe(true);
    tokens.pop();
    expect(passes('infer', 'Bearer secret')).toBe(false);
  });
});

describe('client certificates', () => {
  const edge = new Principal('tls:CN=edge', 'default', anyModel('infer'));
  const options = { tlsPrincipals: new Map([['CN=edge', edge]]) };

  it('open what they are mapped to, and a name that is not mapped opens nothing', () => {
    const { admitted } = aGate(options);
    expect(admitted('infer', [], { tlsPrincipal: 'CN=edge' })).toBe(edge);
    expect(() => admitted('manage', [], { tlsPrincipal: 'CN=edge' })).toThrow('Token Authorization failed');
    expect(() => admitted('infer', [], { tlsPrincipal: 'CN=edge,O=evil' })).toThrow('Token Authorization failed');
  });

  it('do not make up for a wrong token', () => {
    const { admitted } = aGate(options);
    expect(() => admitted('infer', ['Bearer wrong'], { tlsPrincipal: 'CN=edge' })).toThrow('Token Authorization failed');
  });
});

describe('wrong tokens', () => {
  const guess = ({ admitted }: ReturnType<typeof aGate>, header: string, peer = '/10.0.0.1:4000') => {
    try {
      admitted('infer', [header], { peer });
      return 'in';
    } catch (error) {
      return TooManyGuesses.is(error) ? error.retryAfterS : 'out';
    }
  };
  const limits = { guesses: { perSource: 3, inAll: 1000 } };

  it('make their address wait, longer each time, and nobody else', () => {
    const gate = aGate(limits);
    const said = Array.from({ length: 5 }, () => guess(gate, 'Bearer wrong'));
    expect(said).toEqual(['out', 'out', 'out', 1, 1]);
    gate.clock.nowMs += 1000;
    expect(guess(gate, 'Bearer wrong')).toBe(2);
    expect(guess(gate, 'Bearer wrong', '/10.0.0.2:4000')).toBe('out');
  });

  it('never keep a valid one out', () => {
    const gate = aGate(limits);
    for (let i = 0; i < 100; i++) guess(gate, 'Bearer wrong');
    expect(guess(gate, `Bearer ${gate.keys().inference}`)).toBe('in');
  });

  it('are only those that nobody ever had: a missing, an expired and one for other things are told as ever', () => {
    const gate = aGate(limits);
    const { management, inference } = gate.keys();
    for (let i = 0; i < 10; i++) expect([guess(gate, ''), guess(gate, `Bearer ${management}`)]).toEqual(['out', 'out']);
    gate.clock.nowMs += 61 * MINUTE_MS;
    for (let i = 0; i < 10; i++) expect(guess(gate, `Bearer ${inference}`)).toBe('out');
  });

  it('from all addresses together are limited too', () => {
    const gate = aGate({ guesses: { perSource: 3, inAll: 5 } });
    const said = Array.from({ length: 6 }, (_, i) => guess(gate, 'Bearer wrong', `/10.0.0.${i}:1`));
    expect(said.slice(0, 5)).toEqual(['out', 'out', 'out', 'out', 'out']);
    expect(said[5]).toBe(60);
  });
});

it("the statuses are HTTP's own where that is asked for", () => {
  const { admitted, keys } = aGate({ httpStatuses: true });
  const rendering = (http: number, grpc: number) => expect.objectContaining({ rendering: { http, grpc, type: 'InvalidKeyException' } });
  expect(() => admitted('infer', [])).toThrow(rendering(401, 16));
  expect(() => admitted('infer', [`Bearer ${keys().management}`])).toThrow(rendering(403, 7));
});

describe('tenants', () => {
  const knownAs = (token: string, tenant: string): KnownToken => ({
    digest: digestOf(token),
    principal: new Principal(`token:${token}`, tenant, anyModel('infer', 'manage', 'token-admin')),
    expiresAtMs: undefined,
  });
  const holdings = { patterns: ['acme-*'], owns: (name: string) => name.startsWith('acme-') };
  const confined = (principal: Principal) =>
    principal.tenant === 'default' ? principal : principal.tenant === 'acme' ? principal.within(holdings) : undefined;
  const named = () => [knownAs('own', 'acme'), knownAs('strange', 'gamma'), knownAs('operator', 'default')];

  it('confine their callers to what they own, and to no keys of the server', () => {
    const { admitted, passes } = aGate({ named, confined });

    const caller = admitted('infer', ['Bearer own']);
    expect([caller.mayUse('infer', 'acme-1'), caller.mayUse('infer', 'other')]).toEqual([true, false]);
    expect(passes('token-admin', 'Bearer own')).toBe(false);
    expect(passes('token-admin', 'Bearer operator')).toBe(true);
  });

  it('that the operator does not name let nobody in, and the refusal says whose token it was', () => {
    const { passes, refusals } = aGate({ named, confined });

    expect(passes('infer', 'Bearer strange')).toBe(false);
    expect(refusals).toMatchObject([{ fault: 'tenant', principal: { id: 'token:strange', tenant: 'gamma' } }]);
  });

  it('that nobody names are as they were', () => {
    expect(aGate({ named }).passes('infer', 'Bearer strange')).toBe(true);
  });

  it('are refused with 403 where HTTP’s own statuses are wanted', () => {
    const { gate } = aGate({ named, confined, httpStatuses: true });

    expect(() => gate.authorize(['infer'], { id: 'r', peer: '', authorization: ['Bearer strange'] })).toThrow(
      expect.objectContaining({ rendering: expect.objectContaining({ http: 403 }) }),
    );
  });
});

describe('a connection that shows its token again', () => {
  const connection = {};
  const bearer = (token: string): readonly string[] => [`Bearer ${token}`];

  it('is who it was, and somebody else with another token', () => {
    const { admitted, keys } = aGate();
    const { inference, management } = keys();

    const ids = [inference, inference, management, inference].map((key) => admitted(key === management ? 'manage' : 'infer', bearer(key), { connection }).id);

    expect(ids).toEqual(['key:inference', 'key:inference', 'key:management', 'key:inference']);
  });

  it('is refused for one that is like it, longer or shorter, or shown twice', () => {
    const { admitted, keys, refusals } = aGate();
    const { inference } = keys();
    admitted('infer', bearer(inference), { connection });
    const alike = `${inference.slice(0, -1)}${inference.endsWith('A') ? 'B' : 'A'}`;

    for (const shown of [bearer(alike), bearer(`${inference}A`), bearer(inference.slice(0, -1)), [...bearer(inference), ...bearer(inference)]])
      expect(() => admitted('infer', shown, { connection })).toThrow();

    expect(refusals.map(({ fault }) => fault)).toEqual(['wrong', 'wrong', 'wrong', 'wrong']);
  });

  it('is refused once the token has expired, was renewed or revoked', () => {
    let named: readonly KnownToken[] = [
      { digest: digestOf('secret'), principal: new Principal('token:ci', 'default', anyModel('infer')), expiresAtMs: undefined },
    ];
    const { gate, clock, keys, admitted, refusals } = aGate({ named: () => named });
    const { inference, management } = keys();
    for (const token of ['secret', inference]) admitted('infer', bearer(token), { connection });

    gate.rotate('inference');
    expect(() => admitted('infer', bearer(inference), { connection })).toThrow();
    admitted('infer', bearer('secret'), { connection });
    named = [];
    expect(() => admitted('infer', bearer('secret'), { connection })).toThrow();
    admitted('manage', bearer(management), { connection });
    clock.nowMs += 60 * MINUTE_MS;
    expect(() => admitted('manage', bearer(management), { connection })).toThrow();

    expect(refusals.map(({ fault }) => fault)).toEqual(['wrong', 'wrong', 'expired']);
  });

  it('does not let in another connection', () => {
    const { admitted, keys } = aGate();
    admitted('infer', bearer(keys().inference), { connection });

    expect(() => admitted('infer', [], { connection: {} })).toThrow();
    expect(() => admitted('infer', [], { connection })).toThrow();
  });
});
