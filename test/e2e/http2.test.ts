import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect, constants, type OutgoingHttpHeaders } from 'node:http2';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archive } from '../fixtures/archives.js';
import { answerOf } from '../fixtures/http2-listening.js';
import { RunningServer } from './running-server.js';

const server = new RunningServer();
let session: ClientHttp2Session;
let key: string;

beforeAll(async () => {
  await archive(server.store, { name: 'scripted', handler: 'scripted.py', config: 'minWorkers: 1\nmaxWorkers: 1\n' });
  await server.start({
    args: ['--models', 'scripted=scripted.mar'],
    config: { inference_address: 'https://127.0.0.1:0', sconce_http2: 'true', ...server.sharing('scripted') },
    tokens: true,
    waitForReady: false,
  });
  ({ key } = JSON.parse(readFileSync(join(server.folder, 'key_file.json'), 'utf8')).inference);
  session = connect(server.inference, { rejectUnauthorized: false });
  await server.eventually(async () => (await ask({ ':path': '/ready' }).answer).status === 200, 'the server is ready');
});

afterAll(async () => {
  session?.destroy();
  await server.dispose();
});

function ask(headers: OutgoingHttpHeaders, wish?: Readonly<Record<string, unknown>>) {
  const stream = session.request(
    { authorization: `Bearer ${key}`, 'content-type': 'application/json', ':method': wish === undefined ? 'GET' : 'POST', ...headers },
    { endStream: wish === undefined },
  );
  if (wish !== undefined) stream.end(JSON.stringify(wish));
  return { stream, answer: answerOf(stream) };
}

const predict = (wish: Readonly<Record<string, unknown>>) => ask({ ':path': '/predictions/scripted' }, wish);

describe('a server with sconce_http2', () => {
  it('predicts, asks for the token, and answers errors in TorchServe’s words', async () => {
    const [good, refused, unknown] = await Promise.all([
      predict({ do: 'nothing' }).answer,
      ask({ ':path': '/predictions/scripted', authorization: 'Bearer wrong' }, {}).answer,
      ask({ ':path': '/predictions/none' }, {}).answer,
    ]);

    expect([good.status, good.text]).toEqual([200, expect.stringContaining('done nothing')]);
    expect([refused.status, JSON.parse(refused.text).type]).toEqual([400, 'InvalidKeyException']);
    expect([unknown.status, JSON.parse(unknown.text).type]).toEqual([404, 'ModelNotFoundException']);
    await server.eventually(async () => /"POST \/predictions\/scripted HTTP\/2\.0" 200 /.test(server.log('access_log.log')), 'the access log has the request');
  });

  it('streams, and tells the handler when its client resets the stream', async () => {
    expect((await predict({ do: 'stream', parts: 3 }).answer).text).toBe('part 0 part 1 part 2 end');
    const gone = join(server.shared, 'gone');
    const { stream } = predict({ do: 'stream-until-gone', gone });
    stream.once('data', () => stream.close(constants.NGHTTP2_CANCEL));

    await server.eventually(async () => existsSync(gone), 'the handler has stopped');

    expect((await predict({ do: 'nothing' }).answer).status).toBe(200);
  });

  it('speaks it with curl, and HTTP/1.1 with a curl that asks for that', async () => {
    for (const [wanted, version] of [
      ['--http2', '2'],
      ['--http1.1', '1.1'],
    ] as const) {
      const wish = [wanted, '--silent', '--insecure', '--write-out', ' over %{http_version}', '--header', `authorization: Bearer ${key}`];
      const { stdout } = await promisify(execFile)('curl', [
        ...wish,
        '--data',
        '{"do":"nothing"}',
        '--header',
        'content-type: application/json',
        `${server.inference}/predictions/scripted`,
      ]);
      expect(stdout).toMatch(new RegExp(`^done nothing pid \\d+ over ${version}$`));
    }
  });

  it('that stops answers what had begun and ends the connection', async () => {
    const { stream, answer } = predict({ do: 'stream', parts: 2000 });
    await new Promise((resolve) => stream.once('data', resolve));
    const ended = new Promise((resolve) => session.on('close', resolve));

    server.signal('SIGTERM');

    const { text, reset } = await answer;
    expect([text.endsWith('part 1999 end'), reset]).toEqual([true, constants.NGHTTP2_NO_ERROR]);
    await ended;
    expect(await server.exited).toBe(0);
  });
});
