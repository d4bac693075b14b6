import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { KeyFileNotWritten, TokenRefused, TokenRotationRefused } from '../errors/admission.js';
import type { Scope } from './scope.js';
import { TokenGate } from './token-gate.js';

const MINUTE_MS = 60_000;
const START = Date.UTC(2026, 10, 24, 12);
const expiring = z.strictObject({ key: z.string(), 'expiration time': z.string() });
const keyFileShape = z.strictObject({ management: expiring, inference: expiring, API: z.strictObject({ key: z.string() }) });

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'token-gate-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A gate under a clock that the test moves. */
function aGate({ disabled = false } = {}) {
  const clock = { nowMs: START };
  const keyFile = join(folder, 'key_file.json');
  const gate = new TokenGate({ disabled, expirationMinutes: 60, keyFile, now: () => clock.nowMs });
  gate.start();
  const keys = () => {
    const { management, inference, API } = keyFileShape.parse(JSON.parse(readFileSync(keyFile, 'utf8')));
    return { management: management.key, inference: inference.key, api: API.key, expires: [management['expiration time'], inference['expiration time']] };
  };
  const passes = (scope: Scope, authorization: string | undefined) => {
    try {
      gate.authorize(scope, authorization);
      return true;
    } catch (error) {
      expect(error).toSatisfy(TokenRefused.is);
      return false;
    }
  };
  return { gate, clock, keyFile, keys, passes };
}

describe('keys', () => {
  it('are three different ones of 8 URL-safe characters, good for an hour', () => {
    const { management, inference, api, expires } = aGate().keys();
    expect(new Set([management, inference, api]).size).toBe(3);
    for (const key of [management, inference, api]) expect(key).toMatch(/^[\w-]{8}$/);
    expect(expires).toEqual(['2026-11-24T13:00:00.000Z', '2026-11-24T13:00:00.000Z']);
  });

  it('open their own scope and no other', () => {
    const { keys, passes } = aGate();
    const { management, inference, api } = keys();
    const scopes: Scope[] = ['infer', 'manage', 'token-admin', 'open'];
    const opened = (key: string) => scopes.filter((scope) => passes(scope, `Bearer ${key}`));
    expect(opened(inference)).toEqual(['infer', 'open']);
    expect(opened(management)).toEqual(['manage', 'open']);
    expect(opened(api)).toEqual(['token-admin', 'open']);
  });

  it("are refused with TorchServe's words when they are missing, wrong or not given as a bearer", () => {
    const { gate, keys, passes } = aGate();
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
    ];
    for (const header of wrong) expect(passes('infer', header), header).toBe(false);
    expect(passes('infer', `Bearer   ${inference}`)).toBe(true);
    expect(() => gate.authorize('infer', undefined)).toThrow(
      expect.objectContaining({
        message: 'Token Authorization failed. Token either incorrect, expired, or not provided correctly',
        rendering: { http: 400, grpc: 7, type: 'InvalidKeyException' },
      }),
    );
  });

  it('expire with their last minute, but for the API key', () => {
    const { clock, keys, passes } = aGate();
    const { management, inference, api } = keys();
    clock.nowMs = START + 60 * MINUTE_MS - 1;
    expect([passes('infer', `Bearer ${inference}`), passes('manage', `Bearer ${management}`)]).toEqual([true, true]);
    clock.nowMs += 1;
    expect([passes('infer', `Bearer ${inference}`), passes('manage', `Bearer ${management}`)]).toEqual([false, false]);
    clock.nowMs += 10_000_000 * MINUTE_MS;
    expect(passes('token-admin', `Bearer ${api}`)).toBe(true);
    expect(passes('open', undefined)).toBe(true);
  });
});

describe('rotation', () => {
  it.each(['inference', 'management'] as const)('gives only the %s key a new value and a new hour', (type) => {
    const { gate, clock, keys, passes } = aGate();
    const before = keys();
    clock.nowMs += 30 * MINUTE_MS;
    gate.rotate(type, `Bearer ${before.api}`);
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
    gate.rotate('inference', `Bearer ${keys().api}`);
    expect(passes('infer', `Bearer ${keys().inference}`)).toBe(true);
  });

  it('is refused for any other type, and without the API key', () => {
    const { gate, keys } = aGate();
    const before = keys();
    const refused = (type: string | undefined, header: string | undefined) =>
      expect(() => gate.rotate(type, header), `${type} ${header}`).toThrow(expect.toSatisfy(TokenRotationRefused.is));
    for (const type of [undefined, '', 'api', 'API', 'token', 'Inference', '__proto__']) refused(type, `Bearer ${before.api}`);
    for (const header of [undefined, `Bearer ${before.management}`, `Bearer ${before.inference}`, before.api]) refused('inference', header);
    expect(() => gate.rotate('inference', undefined)).toThrow('Token Authentication failed. Token either incorrect, expired, or not provided correctly');
    expect(keys()).toEqual(before);
  });

  it('that cannot write the file leaves the old key in force', () => {
    const { gate, keys, passes } = aGate();
    const { api, inference } = keys();
    rmSync(folder, { recursive: true });
    expect(() => gate.rotate('inference', `Bearer ${api}`)).toThrow(expect.toSatisfy(KeyFileNotWritten.is));
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
