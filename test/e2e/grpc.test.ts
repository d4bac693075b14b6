import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HealthDefinition as Health, HealthCheckResponse_ServingStatus as Serving } from '../../src/api/grpc-generated/grpc/health/v1/health.js';
import { ServerReflectionDefinition as Reflection, type ServerReflectionResponse } from '../../src/api/grpc-generated/grpc/reflection/v1/reflection.js';
import { InferenceAPIsServiceDefinition as Inference, type PredictionResponse, type PredictionsRequest } from '../../src/api/grpc-generated/inference.js';
import { ManagementAPIsServiceDefinition as Management } from '../../src/api/grpc-generated/management.js';
import { GRPCInferenceServiceDefinition as OpenInference } from '../../src/api/grpc-generated/open_inference_grpc.js';
import { archive } from '../fixtures/archives.js';
import { collected, GrpcClient } from '../fixtures/grpc-client.js';
import { call, RunningServer } from './running-server.js';

const ONE = 'minWorkers: 1\nmaxWorkers: 1\n';
const FIXTURES = new URL('../fixtures/', import.meta.url);
const server = new RunningServer();
let inference: GrpcClient;
let management: GrpcClient;

beforeAll(async () => {
  await archive(server.store, { name: 'spare', handler: 'spoken_to.py' });
  const models = [await archive(server.store, { name: 'talk', handler: 'spoken_to.py', config: ONE })];
  await server.start({ args: ['--models', ...models], config: { default_workers_per_model: '1', job_queue_size: '1000', ...server.sharing('talk') } });
  inference = new GrpcClient(server.grpcInference, Inference.fullName);
  management = new GrpcClient(server.grpcManagement, Management.fullName);
});

afterAll(async () => {
  for (const client of [inference, management]) client?.close();
  await server.dispose();
});

/** A request to the handler that does what it is told. */
function wish(input: Readonly<Record<string, string | Uint8Array>>, sequenceId?: string, modelName = 'talk'): PredictionsRequest {
  return { modelName, modelVersion: '', sequenceId, input: new Map(Object.entries(input).map(([name, value]) => [name, Buffer.from(value as string)])) };
}

const text = ({ prediction }: PredictionResponse): string => Buffer.from(prediction).toString();
const { ping, predictions, streamPredictions, streamPredictions2 } = Inference.methods;

describe('predictions', () => {
  it('pass bytes by name to the handler, and nothing else', async () => {
    const told = JSON.parse(text(await inference.unary(predictions, wish({ do: 'tell', a: Buffer.from([0, 255]), json: '{"a":1}' }))));

    expect(told.types).toEqual({ do: 'bytearray', a: 'bytearray', json: 'bytearray' });
    expect(told.values).toMatchObject({ a: '00ff' });
    expect(Object.keys(told.headers).sort()).toEqual(['a', 'do', 'json']);
    expect((await inference.unary(ping, {})).health).toBe('{\n  "status": "Healthy"\n}');
  });

  it('ignore the status that a handler sets, and map the code of its failure', async () => {
    expect(text(await inference.unary(predictions, wish({ do: 'status' })))).toBe('still here');
    expect(await inference.failure(predictions, wish({ do: 'raise' }))).toEqual({
      code: 14,
      details: 'Prediction failed\norg.pytorch.serve.http.InternalServerException',
    });
    expect(await inference.failure(predictions, wish({ do: 'refuse', code: '418' }))).toMatchObject({
      code: 9,
      details: expect.stringContaining('no such luck\n'),
    });
    expect(await inference.failure(predictions, wish({ do: 'refuse', code: '413' }))).toMatchObject({ code: 8 });
  });

  it('of unknown models are INTERNAL', async () => {
    expect(await inference.failure(predictions, wish({}, undefined, 'nope'))).toEqual({
      code: 13,
      details: 'Model not found: nope\norg.pytorch.serve.archive.model.ModelNotFoundException',
    });
    expect(await inference.failure(predictions, wish({}, undefined, ''))).toEqual({
      code: 13,
      details: 'Parameter model_name is required.\nBadRequestException.()',
    });
  });

  it('stream a message per piece, one where the handler does not stream, and end with its failure', async () => {
    const streamed = await collected(inference.serverStream(streamPredictions, wish({ do: 'stream', count: '3' })));
    const single = await collected(inference.serverStream(streamPredictions, wish({ do: 'give', data: 'x' })));
    const failed = await collected(inference.serverStream(streamPredictions, wish({ do: 'raise' })));

    expect([streamed.messages.map(text), streamed.end.code]).toEqual([['0,', '1,', '2,', 'end'], 0]);
    expect([single.messages.map(text), single.end.code]).toEqual([['x'], 0]);
    expect([failed.messages, failed.end.code]).toEqual([[], 14]);
    expect(text(await inference.unary(predictions, wish({ do: 'stream', count: '2' })))).toBe('0,1,end');
  });

  it('carry the outcome word in a trailer where they fail', async () => {
    const failed = inference.unary(predictions, wish({ do: 'raise' }));

    await expect(failed).rejects.toMatchObject({ metadata: expect.objectContaining({}) });
    await failed.catch((error: unknown) => expect(String(Reflect.get(Object(error), 'metadata').get('x-sconce-reason'))).toBe('handler_fault'));
  });

  it('end at the client’s deadline, and leave the worker to others', async () => {
    const flag = join(server.shared, 'go-on');

    const late = await inference.failure(predictions, wish({ do: 'wait', file: flag }), { options: { deadline: Date.now() + 300 } });
    writeFileSync(flag, '');

    expect(late.code).toBe(4);
    expect(text(await inference.unary(predictions, wish({ do: 'give', data: 'x' })))).toBe('x');
  });

  it('whose worker dies are answered, also in the middle of a stream, and the next is served', async () => {
    const whole = await inference.failure(predictions, wish({ do: 'die' }));
    const streamed = await collected(inference.serverStream(streamPredictions, wish({ do: 'stream and die', count: '2' })));

    expect(whole).toMatchObject({ code: 13, details: expect.stringContaining('Worker died.\n') });
    expect([streamed.messages.map(text), streamed.end.code]).toEqual([['0,', '1,'], 13]);
    expect(text(await inference.unary(predictions, wish({ do: 'give', data: 'x' })))).toBe('x');
  });

  it('that nobody reads any more are told to the handler that streams', async () => {
    const flag = join(server.shared, 'nobody-reads');
    const stream = inference.serverStream(streamPredictions, wish({ do: 'stream until gone', file: flag }));
    const whole = collected<PredictionResponse>(stream);
    stream.once('data', () => stream.cancel());

    expect((await whole).end.code).toBe(1);
    await server.eventually(async () => existsSync(flag), 'the handler has stopped');
    expect(text(await inference.unary(predictions, wish({ do: 'give', data: 'x' })))).toBe('x');
  });

  it('are told in the access log as TorchServe tells them', async () => {
    await inference.unary(predictions, wish({ do: 'give', data: 'x' }));

    await server.eventually(
      async () =>
        /\/127\.0\.0\.1:\d+ "gRPC org\.pytorch\.serve\.grpc\.inference\.InferenceAPIsService\/Predictions HTTP\/2\.0" 0 \d+\n/.test(
          server.log('access_log.log'),
        ),
      'the access log has the call',
    );
    expect((await call(`${server.metrics}/metrics`)).status).toBe(200);
  });
});

describe('streams of requests', () => {
  it('are answered one by one, after the client’s last word too, failures in `status`', async () => {
    const stream = inference.stream(streamPredictions2);
    const whole = collected<PredictionResponse>(stream);
    stream.write(wish({ do: 'give', data: 'a' }, 's'));
    stream.write(wish({ do: 'give', data: 'nobody' }));
    stream.write(wish({ do: 'raise' }, 's'));
    stream.write(wish({ do: 'stream', count: '2' }, 's'));
    stream.end(wish({ do: 'tell', ts_request_sequence_end: 'true' }, 's'));

    const { messages, end } = await whole;

    expect(end.code).toBe(0);
    expect(messages.flatMap(({ status }) => (status === undefined ? [] : [[status.code, status.message]]))).toEqual([
      [13, 'Parameter sequenceId is required.'],
      [14, 'Prediction failed'],
    ]);
    const given = messages.filter(({ status }) => status === undefined).map(text);
    expect(given.slice(0, 4)).toEqual(['a', '0,', '1,', 'end']);
    expect(JSON.parse(given[4] ?? '').headers).toMatchObject({ ts_request_sequence_id: 's', ts_request_sequence_end: 'true' });
  });

  it('go on when the worker dies under one request, which is told so', async () => {
    const stream = inference.stream(streamPredictions2);
    const whole = collected<PredictionResponse>(stream);
    stream.write(wish({ do: 'die' }, 's'));
    stream.write(wish({ do: 'give', data: 'after' }, 't'));
    stream.end();

    const { messages, end } = await whole;

    expect(end.code).toBe(0);
    expect(messages.filter(({ status }) => status !== undefined).map(({ status }) => [status?.code, status?.message])).toEqual([[13, 'Worker died.']]);
    expect(messages.filter(({ status }) => status === undefined).map(text)).toEqual(['after']);
  });

  /** Two hundred clients with a stream each; every second one cancels after its first message. */
  async function twoHundred() {
    const streams = Array.from({ length: 200 }, (_, n) => {
      const client = new GrpcClient(server.grpcInference, Inference.fullName);
      const stream = client.serverStream(streamPredictions, wish({ do: 'stream', count: '20' }));
      const whole = collected<PredictionResponse>(stream);
      if (n % 2 === 1) stream.once('data', () => stream.cancel());
      return whole.finally(() => client.close());
    });
    const ended = await Promise.all(streams);
    await server.eventually(async () => {
      const [described] = (await server.manage('GET', '/models/talk')).json() as { jobQueueStatus: object }[];
      return JSON.stringify(described?.jobQueueStatus) === '{"remainingCapacity":1000,"pendingRequests":0}';
    }, 'the queue is empty');
    return ended;
  }

  it('two hundred at once, half of them cancelled: the others whole, nothing left over', async () => {
    const ended = await twoHundred();

    const expected = [...Array.from({ length: 20 }, (_, n) => `${n},`), 'end'];
    for (const { messages, end } of ended.filter((_, n) => n % 2 === 0)) expect([messages.map(text), end.code]).toEqual([expected, 0]);
    expect(ended.filter(({ end }) => end.code === 1).length).toBeGreaterThan(50);
    expect(text(await inference.unary(predictions, wish({ do: 'give', data: 'x' })))).toBe('x');
  });

  it('two hundred at once, again and again: the server’s memory stays where it was', async () => {
    const residentMiB = (): number => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1024;
    for (let round = 0; round < 2; round += 1) await twoHundred();
    const before = residentMiB();

    for (let round = 0; round < 5; round += 1) await twoHundred();

    // A thousand streams: what each of them left behind would have to be less than 40 KiB.
    expect(residentMiB() - before).toBeLessThan(40);
  });
});

describe('management', () => {
  const { describeModel, listModels, registerModel, scaleWorker, setDefault, unregisterModel } = Management.methods;
  const asked = { batchSize: 0, handler: '', initialWorkers: 0, maxBatchDelay: 0, modelName: '', responseTimeout: 0, runtime: '', synchronous: false };
  const toRegister = { ...asked, url: '', s3SseKms: false, startupTimeout: 0 };
  const toScale = { modelName: 'spare', modelVersion: '', maxWorker: 0, minWorker: 0, numberGpu: 0, synchronous: true, timeout: 0 };

  it('registers, scales, describes, lists and unregisters in TorchServe’s words', async () => {
    expect((await management.unary(registerModel, { ...toRegister, url: 'spare.mar' })).msg).toContain('Processing worker updates...');
    expect(await management.failure(registerModel, { ...toRegister, url: 'spare.mar' })).toMatchObject({
      code: 10,
      details: 'Model version 1.0 is already registered for model spare\norg.pytorch.serve.http.ConflictStatusException',
    });
    expect((await management.unary(scaleWorker, toScale)).msg).toBe('Workers scaled to 1 for model: spare');
    expect(await management.failure(scaleWorker, { ...toScale, minWorker: 2, maxWorker: 1 })).toMatchObject({ code: 3 });
    expect((await management.unary(setDefault, { modelName: 'spare', modelVersion: '1.0' })).msg).toBe(
      'Default version successfully updated for model "spare" to "1.0"',
    );
    const described = (await management.unary(describeModel, { modelName: 'spare', modelVersion: '', customized: true })).msg;
    expect(described.endsWith(']')).toBe(true);
    expect(JSON.parse(described)).toMatchObject([{ modelName: 'spare', minWorkers: 1, customizedMetadata: { said: 'by the handler' } }]);
    expect(JSON.parse((await management.unary(listModels, { limit: 1, nextPageToken: 0 })).msg)).toMatchObject({
      nextPageToken: '1',
      models: [{ modelName: 'spare' }],
    });
    expect(JSON.parse((await management.unary(listModels, { limit: 0, nextPageToken: 0 })).msg).models.length).toBe(2);
    expect((await management.unary(unregisterModel, { modelName: 'spare', modelVersion: '' })).msg).toBe('Model "spare" unregistered');
  });

  it('says what is wrong', async () => {
    expect(await management.failure(registerModel, toRegister)).toMatchObject({ code: 3, details: expect.stringContaining('Parameter url is required.\n') });
    expect(await management.failure(registerModel, { ...toRegister, url: '../up.mar' })).toMatchObject({ code: 5 });
    expect(await management.failure(describeModel, { modelName: 'nope', modelVersion: '', customized: false })).toMatchObject({ code: 5 });
    expect(await management.failure(describeModel, { modelName: 'nope', modelVersion: '', customized: true })).toMatchObject({ code: 13 });
    expect(await management.failure(unregisterModel, { modelName: '', modelVersion: '' })).toMatchObject({ code: 3 });
    expect(await management.failure(setDefault, { modelName: 'talk', modelVersion: '9' })).toMatchObject({ code: 5 });
  });
});

describe('what tools ask', () => {
  it('health is served, by service', async () => {
    const health = new GrpcClient(server.grpcInference, Health.fullName);

    expect(await health.unary(Health.methods.check, { service: '' })).toEqual({ status: Serving.SERVING });
    expect(await health.unary(Health.methods.check, { service: Inference.fullName })).toEqual({ status: Serving.SERVING });
    expect((await health.failure(Health.methods.check, { service: 'nope' })).code).toBe(5);
    health.close();
  });

  it('reflection lists the services of the port, and gives their files', async () => {
    const reflection = new GrpcClient(server.grpcManagement, Reflection.fullName);
    const stream = reflection.stream(Reflection.methods.serverReflectionInfo);
    const whole = collected<ServerReflectionResponse>(stream);
    stream.write({ host: '', messageRequest: { $case: 'listServices', value: '' } });
    stream.write({ host: '', messageRequest: { $case: 'fileContainingSymbol', value: Management.fullName } });
    stream.end({ host: '', messageRequest: { $case: 'fileContainingSymbol', value: Inference.fullName } });

    const answers = (await whole).messages.map(({ messageResponse }) => messageResponse);

    expect(answers[0]?.$case === 'listServicesResponse' && answers[0].value.service.map(({ name }) => name)).toEqual([
      Management.fullName,
      Health.fullName,
      Reflection.fullName,
      'grpc.reflection.v1alpha.ServerReflection',
    ]);
    expect(answers.map((answer) => answer?.$case)).toEqual(['listServicesResponse', 'fileDescriptorResponse', 'errorResponse']);
    reflection.close();
  });
});

describe('a server with tokens, TLS and the defaults', () => {
  const guarded = new RunningServer();
  const file = (name: string): string => new URL(`certificates/${name}`, FIXTURES).pathname;
  afterAll(() => guarded.dispose());

  it('asks for the key of the port, has no Open Inference, no model API, and says when it stops', async () => {
    const models = [await archive(guarded.store, { name: 'talk', handler: 'spoken_to.py', config: ONE })];
    const config = {
      enable_model_api: 'false',
      enable_grpc_ssl: 'true',
      certificate_file: file('rsa.crt.pem'),
      private_key_file: file('rsa-pkcs8.key.pem'),
      max_request_size: '100000',
      ...guarded.sharing('talk'),
    };
    await guarded.start({ args: ['--models', ...models], tokens: true, config });
    const keys = JSON.parse(readFileSync(join(guarded.folder, 'key_file.json'), 'utf8'));
    const [inferenceKey, managementKey] = [keys.inference.key, keys.management.key];
    const root = readFileSync(file('rsa.crt.pem'));
    const clients = [guarded.grpcInference, guarded.grpcManagement].map((address) => (service: string) => new GrpcClient(address, service, {}, root));
    const [onInference, onManagement] = clients;
    if (onInference === undefined || onManagement === undefined) throw new Error('no clients');
    const one = onInference(Inference.fullName);
    const two = onManagement(Management.fullName);
    const health = onInference(Health.fullName);
    const denied = { code: 7, details: 'Token Authorization failed. Token either incorrect, expired, or not provided correctly' };
    const { registerModel, listModels } = Management.methods;

    expect(await one.failure(ping, {})).toEqual(denied);
    expect(await one.failure(ping, {}, { token: managementKey })).toEqual(denied);
    expect(await one.failure(ping, {}, { token: inferenceKey })).toMatchObject({ code: 0 });
    expect(await two.failure(listModels, { limit: 0, nextPageToken: 0 }, { token: inferenceKey })).toEqual(denied);
    expect(await two.failure(listModels, { limit: 0, nextPageToken: 0 }, { token: managementKey })).toMatchObject({ code: 0 });
    const wanted = { batchSize: 0, handler: '', initialWorkers: 0, maxBatchDelay: 0, modelName: '', responseTimeout: 0, runtime: '', synchronous: false };
    expect(await two.failure(registerModel, { ...wanted, url: 'talk.mar', s3SseKms: false, startupTimeout: 0 }, { token: managementKey })).toEqual({
      code: 7,
      details: 'Model API disabled\norg.pytorch.serve.archive.model.ModelException',
    });
    const openInference = onInference(OpenInference.fullName);
    expect((await openInference.failure(OpenInference.methods.serverLive, {}, { token: inferenceKey })).code).toBe(12);
    expect((await one.failure(predictions, wish({ data: Buffer.alloc(100_001) }), { token: inferenceKey })).code).toBe(8);

    const watching = health.serverStream(Health.methods.watch, { service: '' });
    const watch = collected(watching);
    await new Promise((resolve) => watching.once('data', resolve));
    const flag = join(guarded.shared, 'go-on');
    const begun = one.unary(predictions, wish({ do: 'wait', file: flag }), { token: inferenceKey });
    await guarded.eventually(async () => (await one.failure(ping, {}, { token: inferenceKey })).code === 0, 'the call is on its way');
    guarded.signal('SIGTERM');
    await guarded.outputHas('Stopping: accepted requests are answered');
    writeFileSync(flag, '');

    expect(text(await begun)).toBe('waited');
    const watched = await watch;
    expect(watched).toMatchObject({ messages: [{ status: Serving.SERVING }, { status: Serving.NOT_SERVING }], end: { code: 14 } });
    expect(await guarded.exited).toBe(0);
    for (const client of [one, two, health, openInference]) client.close();
  });
});

it('connections of the age that the configuration allows are asked to come again, on the port that it names', async () => {
  const ageing = new RunningServer();
  try {
    await ageing.start({ config: { grpc_inference_max_connection_age_ms: '100', grpc_inference_max_connection_age_grace_ms: '5000' } });
    const one = new GrpcClient(ageing.grpcInference, Inference.fullName);
    const two = new GrpcClient(ageing.grpcManagement, Management.fullName);
    const peers = (method: string): number => new Set(ageing.log('access_log.log').match(new RegExp(`/127\\.0\\.0\\.1:\\d+ "gRPC [^"]*/${method} `, 'g'))).size;

    await ageing.eventually(async () => {
      await one.unary(ping, {});
      await two.unary(Management.methods.listModels, { limit: 0, nextPageToken: 0 });
      return peers('Ping') > 2;
    }, 'the client has come again');

    expect(peers('ListModels')).toBe(1);
    for (const client of [one, two]) client.close();
  } finally {
    await ageing.dispose();
  }
});
