import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ClientFlags } from './server-addresses.js';
import { findDoor } from './server-addresses.js';
import { manage, send } from './server-client.js';

let folder: string;
let keyFile: string;
const servers: Server[] = [];
const anything = z.unknown();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-client-'));
  keyFile = join(folder, 'key_file.json');
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  rmSync(folder, { recursive: true });
});

/** A server that answers each request with the same and keeps what it was sent. */
async function answering(status: number, body: string, where: string | number = 0): Promise<{ url: string; heads: IncomingMessage[] }> {
  const heads: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    heads.push(request);
    response.writeHead(status, { connection: 'close' }).end(body);
  });
  servers.push(server);
  await new Promise<void>((resolve) => (typeof where === 'string' ? server.listen(where, resolve) : server.listen(where, '127.0.0.1', resolve)));
  const address = server.address();
  return { url: typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : `unix:${where}`, heads };
}

function to(url: string): ClientFlags {
  return { management: url, inference: url, keyFile };
}

describe('a command that asks a server', () => {
  it('sends the key of the door that it knocks at', async () => {
    writeFileSync(keyFile, JSON.stringify({ management: { key: 'm' }, inference: { key: 'i' } }));
    const { url, heads } = await answering(200, '{}');

    await manage(to(url), 'GET', '/models', anything);
    await send(to(url), 'inference', 'GET', '/ping');

    expect(heads.map(({ headers }) => headers.authorization)).toEqual(['Bearer m', 'Bearer i']);
  });

  it('reaches a server at a Unix socket', async () => {
    const { url, heads } = await answering(200, '{"status":"fine"}', join(folder, 's'));

    expect(await manage(to(url), 'PUT', '/models/a?min_worker=1', z.object({ status: z.string() }))).toEqual({ status: 'fine' });
    expect(heads[0]).toMatchObject({ method: 'PUT', url: '/models/a?min_worker=1' });
  });

  it("fails with the server's own words, and with a line where it has none", async () => {
    const told = await answering(404, '{"code":404,"type":"ModelNotFoundException","message":"Model not found: a"}');
    const mute = await answering(413, '');
    const odd = await answering(200, '<html>');

    await expect(manage(to(told.url), 'GET', '/models/a', anything)).rejects.toThrow(/^Model not found: a$/);
    await expect(manage(to(mute.url), 'GET', '/models/a', anything)).rejects.toThrow(/^the server answered 413$/);
    await expect(manage(to(odd.url), 'GET', '/models', z.object({}))).rejects.toThrow(/^the server's answer to GET \/models is not understood$/);
  });

  it('fails with a line where nobody answers, and where the key file is none', async () => {
    await expect(send(to('http://127.0.0.1:1'), 'inference', 'GET', '/ping')).rejects.toThrow(/^no server answers at http:\/\/127\.0\.0\.1:1$/);
    writeFileSync(keyFile, '{broken');
    await expect(send(to('http://127.0.0.1:1'), 'inference', 'GET', '/ping')).rejects.toThrow(`${keyFile} is not a key file`);
  });
});

describe('the address of a server', () => {
  const at = (content: string | undefined, flags: Partial<ClientFlags> = {}) => {
    const config = join(folder, 'c.properties');
    if (content !== undefined) writeFileSync(config, content);
    return findDoor('management', { keyFile, ...(content === undefined ? {} : { config }), ...flags }, { env: {}, cwd: folder });
  };

  it('is the flag, else what the config file says, else the default', () => {
    expect(at('management_address=http://127.0.0.1:9\n', { management: 'http://other:1/' }).url).toBe('http://other:1');
    expect(at('management_address=https://host:9\n').url).toBe('https://host:9');
    expect(at(undefined).url).toBe('http://127.0.0.1:8081');
  });

  it('of a listener on all interfaces is the loopback one', () => {
    expect(at('management_address=http://0.0.0.0:9\n').url).toBe('http://127.0.0.1:9');
    expect(at('management_address=http://[::]:9\n').url).toBe('http://[::1]:9');
    expect(at(undefined, { management: 'unix:/run/m.sock' })).toEqual({ url: 'http://localhost', socketPath: '/run/m.sock', text: 'unix:/run/m.sock' });
  });
});

it('a token of the environment goes before the key file', async () => {
  const { url, heads } = await answering(200, '{}');
  writeFileSync(keyFile, JSON.stringify({ management: { key: 'of-the-file' }, inference: { key: 'x' } }));
  process.env.SCONCE_TOKEN = 'of-the-environment';
  try {
    await manage(to(url), 'GET', '/models', anything);
  } finally {
    delete process.env.SCONCE_TOKEN;
  }

  expect(heads[0]?.headers.authorization).toBe('Bearer of-the-environment');
});
