import { readFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { call, RunningServer } from './running-server.js';

const certificate = (name: string): string => fileURLToPath(new URL(`../fixtures/certificates/${name}`, import.meta.url));
const hasIpv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'));
let server: RunningServer;

beforeEach(() => {
  server = new RunningServer();
});

afterEach(() => server.dispose());

/** A port that nobody listened on a moment ago: of two addresses with port 0, each would get its own. */
async function freePort(): Promise<number> {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as AddressInfo;
  await new Promise((resolve) => taken.close(resolve));
  return port;
}

/** Status of a GET, by whatever way leads there. */
function statusOf(path: string, options: { readonly socketPath?: string; readonly url?: string; readonly ca?: Buffer }): Promise<number | undefined> {
  const { url, ...rest } = options;
  const send = url?.startsWith('https') ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sending = send(`${url ?? 'http://localhost'}${path}`, { ...rest, agent: false }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
    });
    sending.on('error', reject);
    sending.end();
  });
}

describe.skipIf(!hasIpv6)('addresses of IPv6', () => {
  it('stand in brackets in the settings and in the log, and serve', async () => {
    await server.start({ config: { inference_address: 'http://[::1]:0', management_address: 'http://[::1]:0', metrics_address: 'http://[::1]:0' } });

    expect(server.inference).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect((await call(`${server.inference}/ping`)).status).toBe(200);
    expect((await server.manage('GET', '/models')).json()).toEqual({ models: [] });
    expect((await call(`${server.metrics}/metrics`)).status).toBe(200);
  });
});

describe('one address for inference and management', () => {
  it.each(['pem', 'jks', 'p12'])('is one listener, over TLS too (%s)', async (kind) => {
    const keys =
      kind === 'pem'
        ? { private_key_file: certificate('rsa-pkcs1.key.pem'), certificate_file: certificate('rsa.crt.pem') }
        : { keystore: certificate(`rsa.${kind}`), keystore_type: kind === 'jks' ? 'JKS' : 'PKCS12' };
    const address = `https://127.0.0.1:${await freePort()}`;

    await server.start({ waitForReady: false, config: { ...keys, inference_address: address, management_address: address } });

    const ca = readFileSync(certificate('rsa.crt.pem'));
    expect(await statusOf('/ping', { url: server.inference, ca })).toBe(200);
    expect(await statusOf('/models', { url: server.inference, ca })).toBe(200);
    expect(server.output).not.toContain('Management API bind to');
  });
});

describe('a Unix socket', () => {
  it('serves, one for each API or one for both', async () => {
    const [inference, management] = [join(server.folder, 'i.sock'), join(server.folder, 'm.sock')];

    await server.start({ waitForReady: false, config: { inference_address: `unix:${inference}`, management_address: `unix:${management}` } });
    expect(await statusOf('/ping', { socketPath: inference })).toBe(200);
    expect(await statusOf('/models', { socketPath: management })).toBe(200);
    expect(await statusOf('/models', { socketPath: inference })).toBe(404);
    server.signal('SIGTERM');
    expect(await server.exited).toBe(0);

    await server.start({ waitForReady: false, config: { inference_address: `unix:${inference}`, management_address: `unix:${inference}` } });
    expect(await statusOf('/ping', { socketPath: inference })).toBe(200);
    expect(await statusOf('/models', { socketPath: inference })).toBe(200);
  });
});
