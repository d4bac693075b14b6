import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, RunningServer } from '../e2e/running-server.js';
import { aftermath } from '../fixtures/aftermath.js';
import { archive } from '../fixtures/archives.js';
import { HostileModel } from '../fixtures/hostile-model.js';
import { RawClient } from '../fixtures/raw-http.js';

const server = new RunningServer();
const hostile = new HostileModel(server, 'hostile');

beforeAll(async () => {
  const good = await archive(server.store, { name: 'good', handler: 'echo.py' });
  await server.start({
    args: ['--models', `good=${good}`],
    config: { default_workers_per_model: '1', metrics_mode: 'prometheus', model_metrics_auto_detect: 'true' },
  });
  await hostile.register('sconce:\n  retryOnWorkerDeath: false\n');
});

afterAll(() => server.dispose());

aftermath(() => server, { model: 'good' });

/** A PARTS frame: the last part, with status 200 and no more, of request 0 of a batch. */
function answerTo(batch: number): string {
  const payload = Buffer.alloc(11 + 5 + 4 + 2 + 4);
  payload.writeUInt32LE(batch, 0);
  payload[4] = 1;
  payload.writeUInt16LE(1, 9);
  payload[13] = 1;
  payload.writeUInt16LE(200, 14);
  const head = Buffer.alloc(5);
  head.writeUInt32LE(payload.length + 1, 0);
  head[4] = 0x83;
  return Buffer.concat([head, payload]).toString('hex');
}

async function served(): Promise<void> {
  await server.eventually(async () => (await hostile.ask({ do: 'report' })).status === 200, 'a worker serves');
}

describe('a hostile handler', () => {
  it.each([
    ['that was never asked', answerTo(4000)],
    ['that belongs to somebody else, after its own', `${answerTo(1)}${answerTo(2)}`],
    ['twice', `${answerTo(1)}${answerTo(1)}`],
  ])('HH17 HH18 that answers a request %s is ended, and the answers of others are their own', async (_, frames) => {
    // Its next worker counts its batches anew: the first one is the next.
    const pid = await hostile.pid();
    await hostile.ask({ do: 'forge_answers', frames: answerTo(4000) });
    await server.eventually(async () => (await hostile.pid()) !== pid, 'another worker comes');
    const asJson = { 'content-type': 'application/json' };
    const others = Array.from({ length: 8 }, (__, n) => server.predict('good', { body: `"body ${n}"`, headers: asJson }));

    await hostile.ask({ do: 'forge_answers', frames });

    for (const [n, { status, text }] of (await Promise.all(others)).entries()) expect([status, text.includes(`body ${n}`)]).toEqual([200, true]);
    const crashes = JSON.parse((await server.manage('GET', '/sconce/crashes?model=hostile')).text);
    expect(crashes.at(-1)?.cause).toContain('broke the protocol between worker and server');
    await served();
  });

  it('HH19 frames no answer of its own: not by header, nor by status', async () => {
    await served();
    const body = JSON.stringify({
      do: 'forge_headers',
      status: 299,
      headers: [
        ['x-fine', 'yes'],
        ['x-split', 'a\r\nset-cookie: stolen=1\r\n\r\nHTTP/1.1 200 OK'],
        ['x-nul', 'a\u0000b'],
        ['bad name', 'x'],
        ['x:y', 'x'],
        ['Transfer-Encoding', 'chunked'],
        ['Content-Length', '1'],
        ['Connection', 'close'],
      ],
    });
    const client = await RawClient.open({ port: Number(new URL(server.inference).port) });
    client.send(`POST /predictions/hostile HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    await server.eventually(async () => client.received.includes('the body'), 'the answer is there');

    const head = client.received.split('\r\n\r\n')[0] ?? '';
    expect(client.received.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(head).toMatch(/x-fine: yes/i);
    expect(head).not.toMatch(/^(set-cookie|transfer-encoding|x:y|bad name):/im);
    expect(head.match(/^content-length: (\d+)$/gim)).toEqual(['content-length: 8']);
    client.send('GET /ping HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    await server.eventually(async () => client.received.includes('Healthy'), 'the connection goes on');
  });

  it.each([[99], [101], [1000], ['abc'], [-1]])('HH19 fails its own request alone with a status of %s', async (status) => {
    await served();
    const { status: told } = await hostile.ask({ do: 'forge_headers', headers: [], status });

    expect(told).toBeGreaterThanOrEqual(500);
    expect((await server.predict('good', { body: 'x' })).status).toBe(200);
  });

  it('HH19 serves on when it gives a megabyte of headers, or ten thousand of them', async () => {
    await served();
    await hostile.ask({ do: 'forge_headers', headers: [['x-long', 'z'.repeat(2 ** 20)]] }).catch(() => undefined);
    await hostile.ask({ do: 'forge_headers', headers: [], many: 10_000 }).catch(() => undefined);

    expect((await server.predict('good', { body: 'x' })).status).toBe(200);
    await served();
  });

  it('HH20 forges no metric of the server, and leaves a page that can be read', async () => {
    await served();
    const lines = [
      '[METRICS]ts_inference_requests_total.Count:999999|#model_name:good,model_version:1.0|#type:COUNTER|#hostname:h,1',
      '[METRICS]CPUUtilization.Percent:-77|#Level:Host|#type:GAUGE|#hostname:h,1',
      '[METRICS]__name__.Count:1|#Level:Model|#type:COUNTER|#hostname:h,1',
      '[METRICS]two words.Count:1|#Level:Model|#type:COUNTER|#hostname:h,1',
      '[METRICS]Nan.Count:nan|#Level:Model|#type:COUNTER|#hostname:h,1',
      '[METRICS]BadLabel.Count:1|#__name__:x,a b:c|#type:COUNTER|#hostname:h,1',
      '[METRICS]Quote.Count:1|#Level:Mo"del\\|#type:COUNTER|#hostname:h,1',
      ...Array.from({ length: 3000 }, (_, n) => `[METRICS]Name${n}.Count:1|#Level:Model|#type:COUNTER|#hostname:h,1`),
    ];
    await hostile.ask({ do: 'forge_metrics', lines });
    const page = () => call(`${server.metrics}/metrics`);
    await server.eventually(async () => (await page()).text.includes('Quote{'), 'the lines were read');

    const { status, text } = await page();

    expect(status).toBe(200);
    const broken = text
      .split('\n')
      .filter((line) => line !== '' && !/^(# (HELP|TYPE) \S+ .+|[a-zA-Z_:][\w:]*(\{([a-zA-Z_]\w*="(\\.|[^"\\\n])*",?)*\})? \S+( \d+)?)$/.test(line));
    expect(broken).toEqual([]);
    expect(text).not.toMatch(/ 999999(\.0)?$|^__name__|-77/m);
    expect(text.match(/^# TYPE ts_inference_requests_total /gm)).toHaveLength(1);
    expect(text.match(/^# TYPE Name\d+ /gm)?.length).toBeLessThanOrEqual(1000);
  });
});
