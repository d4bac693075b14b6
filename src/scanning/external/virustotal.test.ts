import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { filesOf } from '../scan-tree.js';
import { VirusTotal } from './virustotal.js';

const WEIGHTS = 'the weights themselves';
const ARCHIVE = 'a'.repeat(64);
let folder: string;
let server: Server;
let url: string;
let asked: { readonly path: string; readonly key: string | undefined; readonly body: string }[];
/** Status and stats by hash; anything else is not known. */
let known: Map<string, readonly [number, { malicious: number; suspicious: number }]>;

function bodyOf(request: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    let body = '';
    request.on('data', (piece: Buffer) => {
      body += piece.toString();
    });
    request.on('end', () => resolve(body));
  });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-virustotal-'));
  writeFileSync(join(folder, 'weights.pt'), WEIGHTS);
  writeFileSync(join(folder, 'readme.md'), 'text');
  asked = [];
  known = new Map();
  server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      asked.push({ path: request.url ?? '', key: request.headers['x-apikey']?.toString(), body });
      const found = known.get(request.url?.split('/').at(-1) ?? '');
      response.statusCode = found?.[0] ?? 404;
      response.end(JSON.stringify(found === undefined ? { error: { code: 'NotFoundError' } } : { data: { attributes: { last_analysis_stats: found[1] } } }));
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
});

afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

function scan(to = url) {
  return new VirusTotal({ key: 'secret', url: to }).scan({ path: folder, files: filesOf(folder), archiveHash: ARCHIVE });
}

it('is asked by the hashes of archive and weights, with its key, and gets nothing else', async () => {
  const hash = createHash('sha256').update(WEIGHTS).digest('hex');

  expect(await scan()).toEqual([]);
  expect(asked).toEqual([ARCHIVE, hash].map((one) => ({ path: `/api/v3/files/${one}`, key: 'secret', body: '' })));
});

it('makes a model dangerous that one of its scanners knows, and unknown one that is suspicious', async () => {
  known.set(ARCHIVE, [200, { malicious: 0, suspicious: 2 }]);
  known.set(createHash('sha256').update(WEIGHTS).digest('hex'), [200, { malicious: 3, suspicious: 0 }]);

  expect(await scan()).toMatchObject([
    { level: 'unknown', file: 'the archive' },
    { level: 'dangerous', file: 'weights.pt', says: "is malicious by 3 of VirusTotal's scanners", scanner: 'virustotal' },
  ]);
});

it('leaves a model unknown where it answers with an error, nonsense or not at all', async () => {
  known.set(ARCHIVE, [429, { malicious: 0, suspicious: 0 }]);

  expect(await scan()).toMatchObject([{ level: 'unknown', says: 'VirusTotal answered 429' }]);
  expect((await scan('http://127.0.0.1:1')).map(({ level }) => level)).toEqual(['unknown', 'unknown']);
});
