import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArchiveExists, DownloadFailed, LocationRefused } from '../../errors/model.js';
import { AllowedUrls } from '../allowed-urls.js';
import { download } from './download.js';
import { fileFetcher } from './file.js';
import { httpFetcher } from './http.js';

let folder: string;
let store: string;
const servers: Server[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-download-'));
  store = join(folder, 'store');
  mkdirSync(store);
});

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a server and gives its address. */
function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  return new Promise((listening) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      listening(`http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`);
    });
  });
}

interface Wish {
  readonly allowed?: readonly string[];
  readonly maxBytes?: number;
  readonly timeoutMs?: number;
}

function bring(address: string, { allowed = ['.*'], maxBytes = 1000, timeoutMs = 5000 }: Wish = {}): Promise<string> {
  const url = new URL(address);
  const fetcher = url.protocol === 'file:' ? fileFetcher : httpFetcher(new AllowedUrls(allowed));
  return download(url, address, fetcher, { store, maxBytes, timeoutMs });
}

async function refusal(bringing: Promise<string>): Promise<unknown> {
  return bringing.then(
    (name) => `brought ${name}`,
    (error: unknown) => error,
  );
}

describe('a download', () => {
  it('lies in the store under the last part of its path, whatever the query says', async () => {
    const address = await serve((_, response) => response.end('archive'));

    expect(await bring(`${address}/a/my%20dogs.mar?name=other.mar`)).toBe('my dogs.mar');
    expect(readFileSync(join(store, 'my dogs.mar'), 'utf8')).toBe('archive');
    expect(readdirSync(store)).toEqual(['my dogs.mar']);
  });

  it('may come from a file of this machine', async () => {
    writeFileSync(join(folder, 'local.mar'), 'archive');

    expect(await bring(pathToFileURL(join(folder, 'local.mar')).href)).toBe('local.mar');
    expect(readFileSync(join(store, 'local.mar'), 'utf8')).toBe('archive');
  });

  it('follows redirects that are allowed, and keeps the first name', async () => {
    const address = await serve((request, response) => {
      if (request.url === '/dogs.mar') response.writeHead(302, { location: '/there' }).end('moved');
      else response.end('archive');
    });

    expect(await bring(`${address}/dogs.mar`)).toBe('dogs.mar');
    expect(readFileSync(join(store, 'dogs.mar'), 'utf8')).toBe('archive');
  });
});

describe('a download is refused and leaves nothing behind', () => {
  afterEach(() => {
    expect(readdirSync(store)).toEqual([]);
  });

  it('when a redirect leads where nothing may come from, which is never asked', async () => {
    let asked = 0;
    const inner = await serve((_, response) => {
      asked += 1;
      response.end('secret');
    });
    const outer = await serve((_, response) => response.writeHead(307, { location: `${inner}/secret.mar` }).end('x'.repeat(100_000)));

    const error = await refusal(bring(`${outer}/dogs.mar`, { allowed: [`${outer}/.*`.replaceAll('.', '\\.').replace('\\.*', '.*')] }));

    expect(LocationRefused.is(error)).toBe(true);
    expect(asked).toBe(0);
  });

  it.each(['file:///etc/hostname', 'ftp://127.0.0.1/a', 'http://', '//[broken'])('when a redirect leads to %s', async (location) => {
    const address = await serve((_, response) => response.writeHead(302, { location }).end());

    const error = await refusal(bring(`${address}/dogs.mar`));

    expect(DownloadFailed.is(error) || LocationRefused.is(error)).toBe(true);
  });

  it('when redirects never end, after a few of them', async () => {
    let asked = 0;
    const address = await serve((_, response) => {
      asked += 1;
      response.writeHead(302, { location: `/hop${asked}` }).end();
    });

    expect(DownloadFailed.is(await refusal(bring(`${address}/dogs.mar`)))).toBe(true);
    expect(asked).toBe(6);
  });

  it.each([204, 304, 401, 404, 500])('when the server answers %i', async (status) => {
    const address = await serve((_, response) => response.writeHead(status).end(status === 404 ? 'x'.repeat(100_000) : undefined));

    const error = await refusal(bring(`${address}/dogs.mar`));

    expect(DownloadFailed.is(error)).toBe(true);
    expect(error).toMatchObject({ message: `Failed to download archive from: ${address}/dogs.mar` });
  });

  it('when it is longer than it may be, told or not told beforehand', async () => {
    const address = await serve((request, response) => {
      if (request.url === '/told.mar') response.writeHead(200, { 'content-length': 2000 });
      response.end('x'.repeat(2000));
    });

    expect(DownloadFailed.is(await refusal(bring(`${address}/told.mar`)))).toBe(true);
    expect(DownloadFailed.is(await refusal(bring(`${address}/untold.mar`)))).toBe(true);
  });

  it('when the server hangs up in the middle, or says nothing more', async () => {
    const address = await serve((request, response) => {
      response.writeHead(200, { 'content-length': 500 }).write('half', () => {
        if (request.url === '/cut.mar') response.destroy();
      });
    });

    expect(DownloadFailed.is(await refusal(bring(`${address}/cut.mar`)))).toBe(true);
    expect(DownloadFailed.is(await refusal(bring(`${address}/silent.mar`, { timeoutMs: 200 })))).toBe(true);
  });

  it('when nobody listens', async () => {
    const address = await serve(() => undefined);
    const server = servers.pop();
    await new Promise((closed) => server?.close(closed));

    expect(DownloadFailed.is(await refusal(bring(`${address}/dogs.mar`)))).toBe(true);
  });

  it('when a file of this machine is a folder, a device, missing, or on another host', async () => {
    const locations = [pathToFileURL(folder).href, 'file:///dev/zero', pathToFileURL(join(folder, 'missing.mar')).href, 'file://host/a.mar'];

    for (const location of locations) expect(DownloadFailed.is(await refusal(bring(location)))).toBe(true);
  });

  it.each(['/', '/.hidden.mar', '/a%2fb.mar', '/a%5cb.mar', '/a%00.mar', '/a%0a.mar', '/%zz.mar', `/${'n'.repeat(300)}.mar`])(
    'when its path ends in %s, which is no name for a file',
    async (path) => {
      const address = await serve((_, response) => response.end('archive'));

      expect(DownloadFailed.is(await refusal(bring(`${address}${path}`)))).toBe(true);
    },
  );
});

describe('a name that is taken', () => {
  it('is refused before anything is fetched, and the file stays as it is', async () => {
    let asked = 0;
    const address = await serve((_, response) => {
      asked += 1;
      response.end('new');
    });
    writeFileSync(join(store, 'dogs.mar'), 'old');

    const error = await refusal(bring(`${address}/dogs.mar`));

    expect(ArchiveExists.is(error)).toBe(true);
    expect(error).toMatchObject({ message: 'Model file already exists dogs.mar' });
    expect(readFileSync(join(store, 'dogs.mar'), 'utf8')).toBe('old');
    expect(asked).toBe(0);
  });

  it('by another download of this moment is refused: one of them wins', async () => {
    const waiting: (() => void)[] = [];
    const address = await serve((_, response) => {
      waiting.push(() => response.end('archive'));
      if (waiting.length === 2) for (const answer of waiting) answer();
    });

    const outcomes = await Promise.all([refusal(bring(`${address}/dogs.mar`)), refusal(bring(`${address}/dogs.mar`))]);

    expect(outcomes.filter((outcome) => outcome === 'brought dogs.mar')).toHaveLength(1);
    expect(outcomes.filter((outcome) => ArchiveExists.is(outcome))).toHaveLength(1);
    expect(readdirSync(store)).toEqual(['dogs.mar']);
  });
});
