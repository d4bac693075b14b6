import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArchiveExists, ChecksumMismatch, DownloadFailed, LocationRefused } from '../../errors/model.js';
import { AllowedUrls } from '../allowed-urls.js';
import { download } from './download.js';
import { fileFetcher } from './file.js';
import { httpFetcher } from './http.js';
import { FetchHosts, isPrivateAddress } from './private-address.js';
import type { Progress } from './transfer.js';

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
  readonly hosts?: FetchHosts;
  readonly sha256?: string;
  readonly progress?: Progress;
}

function bring(
  address: string,
  { allowed = ['.*'], maxBytes = 1000, timeoutMs = 5000, hosts = new FetchHosts(['127.0.0.1']), sha256, progress }: Wish = {},
): Promise<string> {
  const url = new URL(address);
  const rules = { hosts, trusts: () => false, check: (location: string) => new AllowedUrls(allowed).check(location) };
  const fetch = url.protocol === 'file:' ? fileFetcher([folder, '/dev']) : httpFetcher(rules);
  return download(url, address, { fetch }, { store, maxBytes, timeoutMs, sha256, progress });
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

describe('a transfer that breaks off', () => {
  const WHOLE = 'x'.repeat(400) + 'y'.repeat(400);

  /** Sends half and hangs up, `times` times; `tags` are the entity tags of the answers. */
  function flaky(times: number, tags: readonly string[], asked: (string | undefined)[]): RequestListener {
    return (request, response) => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const etag = tags[Math.min(asked.length, tags.length - 1)] ?? '';
      asked.push(request.headers.range);
      const isSame = from > 0 && request.headers['if-range'] === etag;
      const rest = WHOLE.slice(isSame ? from : 0);
      const range = isSame ? { 'content-range': `bytes ${from}-${WHOLE.length - 1}/${WHOLE.length}` } : {};
      response.writeHead(isSame ? 206 : 200, { etag, 'content-length': rest.length, ...range });
      if (asked.length > times) response.end(rest);
      else {
        hangUp = () => response.socket?.end();
        response.write(rest.slice(0, 100));
      }
    };
  }

  /** Not before what was sent is in the file: what is still under way when a connection ends may be lost. */
  let hangUp = (): unknown => undefined;
  const progress: Progress = () => void hangUp();

  beforeEach(() => {
    hangUp = () => undefined;
  });

  it('goes on where it was, while the file is the same', async () => {
    const asked: (string | undefined)[] = [];
    const address = await serve(flaky(2, ['"one"'], asked));

    expect(await bring(`${address}/dogs.mar`, { progress })).toBe('dogs.mar');
    expect(readFileSync(join(store, 'dogs.mar'), 'utf8')).toBe(WHOLE);
    expect(asked).toEqual([undefined, 'bytes=100-', 'bytes=200-']);
  });

  it('begins anew when the file is another one', async () => {
    const asked: (string | undefined)[] = [];
    const address = await serve(flaky(1, ['"one"', '"two"'], asked));

    expect(await bring(`${address}/dogs.mar`, { progress })).toBe('dogs.mar');
    expect(readFileSync(join(store, 'dogs.mar'), 'utf8')).toBe(WHOLE);
  });

  it('is given up where the server has no strong tag, or hangs up again and again', async () => {
    const weak: (string | undefined)[] = [];
    const never: (string | undefined)[] = [];

    expect(DownloadFailed.is(await refusal(bring(`${await serve(flaky(1, ['W/"one"'], weak))}/dogs.mar`, { progress })))).toBe(true);
    expect(DownloadFailed.is(await refusal(bring(`${await serve(flaky(100, ['"one"'], never))}/dogs.mar`, { timeoutMs: 60_000, progress })))).toBe(true);
    expect([weak.length, never.length]).toEqual([1, 6]);
    expect(readdirSync(store)).toEqual([]);
  }, 30_000);
});

describe('a checksum', () => {
  const SUM = createHash('sha256').update('archive').digest('hex');

  it('lets the file in that has it, and no other', async () => {
    const address = await serve((request, response) => response.end(request.url === '/right.mar' ? 'archive' : 'other'));

    expect(await bring(`${address}/right.mar`, { sha256: SUM })).toBe('right.mar');
    expect(ChecksumMismatch.is(await refusal(bring(`${address}/wrong.mar`, { sha256: SUM })))).toBe(true);
    expect(readdirSync(store)).toEqual(['right.mar']);
  });
});

describe('a host', () => {
  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fe80::1',
    'fec0::1',
    '64:ff9b:1::101:101',
    'fc00::1',
    'fd00:ec2::254',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:0:0:0:0:0:80ff:fffe',
    'no address',
  ])('%s is private', (address) => {
    expect(isPrivateAddress(address)).toBe(true);
  });

  it.each(['1.1.1.1', '172.32.0.1', '93.184.216.34', '2606:4700::1111', '::ffff:1.1.1.1', '64:ff9b::101:101'])('%s is public', (address) => {
    expect(isPrivateAddress(address)).toBe(false);
  });

  it('UR4 of which one address is private is refused, and asked for once', async () => {
    let lookups = 0;
    const hosts = new FetchHosts([], async () => {
      lookups += 1;
      return [
        { address: '93.184.216.34', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ];
    });

    expect(DownloadFailed.is(await refusal(bring('http://rebinding.example/a.mar', { hosts })))).toBe(true);
    expect(lookups).toBe(1);
  });

  it('UR4 that answers with a public address first and a private one later is asked at the first', async () => {
    let asked = 0;
    const address = await serve((_, response) => {
      asked += 1;
      response.end('archive');
    });
    let lookups = 0;
    // The trap listens on 127.0.0.1 alone; 127.0.0.2 stands for a public address here.
    const hosts = new FetchHosts(['127.0.0.2'], async () => {
      lookups += 1;
      return [{ address: lookups === 1 ? '127.0.0.2' : '127.0.0.1', family: 4 }];
    });

    expect(DownloadFailed.is(await refusal(bring(`${address.replace('127.0.0.1', 'rebinding.example')}/a.mar`, { hosts })))).toBe(true);
    expect([lookups, asked]).toEqual([1, 0]);
  });

  it('that is listed by name, address or network may be private', async () => {
    const resolve = async () => [{ address: '10.1.2.3', family: 4 }];

    await expect(new FetchHosts(['Store.Intern'], resolve).addressesOf('store.intern.')).resolves.toHaveLength(1);
    await expect(new FetchHosts(['10.1.0.0/16'], resolve).addressesOf('store.intern')).resolves.toHaveLength(1);
    await expect(new FetchHosts(['10.2.0.0/16'], resolve).addressesOf('store.intern')).rejects.toThrow('private address');
    await expect(new FetchHosts(['::1']).addressesOf('[::1]')).resolves.toHaveLength(1);
    expect(() => new FetchHosts(['http://a'])).toThrow('is no host name, address or network');
  });
});

describe('a download is refused and leaves nothing behind', () => {
  afterEach(() => {
    expect(readdirSync(store)).toEqual([]);
  });

  it('UR3 when a redirect leads where nothing may come from, which is never asked', async () => {
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

  it.each(['file:///etc/hostname', 'ftp://127.0.0.1/a', 'http://', '//[broken'])('UR3 when a redirect leads to %s', async (location) => {
    const address = await serve((_, response) => response.writeHead(302, { location }).end());

    const error = await refusal(bring(`${address}/dogs.mar`));

    expect(DownloadFailed.is(error) || LocationRefused.is(error)).toBe(true);
  });

  it('UR3 when redirects never end, after a few of them', async () => {
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

  it('UR10 when it is longer than it may be, told or not told beforehand', async () => {
    const address = await serve((request, response) => {
      if (request.url === '/told.mar') response.writeHead(200, { 'content-length': 2000 });
      response.end('x'.repeat(2000));
    });

    expect(DownloadFailed.is(await refusal(bring(`${address}/told.mar`)))).toBe(true);
    expect(DownloadFailed.is(await refusal(bring(`${address}/untold.mar`)))).toBe(true);
  });

  it('UR10 when the server hangs up in the middle, or says nothing more', async () => {
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
