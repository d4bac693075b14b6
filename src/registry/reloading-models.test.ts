import { expect, it } from 'vitest';
import { anInferenceRequest } from '../../test/fixtures/inference-request.js';
import { aDescription, aServableModel, KeptModelService } from '../../test/fixtures/kept-model-service.js';
import { LoadFailed } from '../errors/backend.js';
import { ModelNotFound, WorkersNotStarted } from '../errors/model.js';
import type { Registered, RegisterWish } from './model-service.js';
import { ReloadingModels } from './reloading-models.js';

const WISH: RegisterWish = { url: 'm', synchronous: true, s3SseKms: false };

/** A registry whose loads end when the test says so, and whose answers tell which load they are of. */
class SlowModels extends KeptModelService {
  readonly loads: { succeed(): void; fail(error: Error): void }[] = [];
  generation = 0;

  constructor() {
    super();
    this.answers = (_, answer) => answer.part({ status: 200, reason: '', headers: [], body: Buffer.from(`load ${this.generation}`), last: true });
  }

  override register(wish: RegisterWish): Promise<Registered> {
    this.registerWishes.push(wish);
    return new Promise((resolve, reject) => {
      this.loads.push({
        succeed: () => {
          this.generation += 1;
          this.versions.push(aDescription({ model: aServableModel({ name: 'm' }) }));
          resolve({ model: 'm', version: '1.0', minWorkers: 1, workers: 'started' });
        },
        fail: reject,
      });
    });
  }

  override async unregister(model: string, version: string | undefined): Promise<void> {
    await super.unregister(model, version);
    this.versions.length = 0;
  }
}

function set(maxWaiting = 10) {
  const registry = new SlowModels();
  const told: string[] = [];
  const listener = { loading: () => told.push('loading'), loaded: (model: string) => told.push(`loaded ${model}`), failed: (why: string) => told.push(why) };
  const models = new ReloadingModels(registry, { wish: WISH, maxWaiting, listener });
  const answers: string[] = [];
  const ask = (): void => {
    models.infer(anInferenceRequest(), { part: ({ body }) => answers.push(Buffer.from(body).toString()), fail: (error) => answers.push(error.message) });
  };
  /** Once the load of that number has begun. */
  const load = async (n: number) => {
    while (registry.loads[n] === undefined) await new Promise((resolve) => setImmediate(resolve));
    return registry.loads[n];
  };
  return { registry, models, told, answers, ask, load };
}

it('requests wait for the load, and are answered by the code that was loaded', async () => {
  const { models, answers, ask, load, told } = set();
  const loaded = models.reload();
  ask();

  (await load(0))?.succeed();
  await loaded;

  expect([answers, told, models.ready()]).toEqual([['load 1'], ['loading', 'loaded m'], true]);
});

it('after a change no request is answered by the code before it', async () => {
  const { models, answers, ask, load } = set();
  const loaded = models.reload();
  (await load(0))?.succeed();
  await loaded;
  ask();

  models.hold();
  ask();
  const again = models.reload();
  ask();
  const meanwhile = [...answers];
  (await load(1))?.succeed();
  await again;

  expect([meanwhile, answers]).toEqual([['load 1'], ['load 1', 'load 2', 'load 2']]);
});

it('while the model loads it is said to be of the kind that it was, and not loaded', async () => {
  const { models, load } = set();
  const loaded = models.reload();
  const before = models.metadata('m', undefined);
  (await load(0))?.succeed();
  await loaded;

  const serving = models.metadata('m', undefined);
  models.hold();

  expect([before.loaded, before.takesTensors]).toEqual([false, true]);
  expect([serving.versions, serving.takesTensors]).toEqual([['1.0'], false]);
  expect(models.metadata('m', undefined)).toMatchObject({ loaded: false, takesTensors: false });
  expect(models.modelReady('m', undefined)).toBe(false);
});

it('a touch that changes nothing lets requests through to the code that is loaded', async () => {
  const { models, answers, ask, load, registry } = set();
  const loaded = models.reload();
  (await load(0))?.succeed();
  await loaded;

  models.hold();
  ask();
  const held = [...answers];
  models.release();

  expect([held, answers, registry.loads.length]).toEqual([[], ['load 1'], 1]);
});

it('code that does not load answers with its error until the next change mends it', async () => {
  const { models, answers, ask, load, told } = set();
  const failure = LoadFailed({ status: 500, message: 'ValueError: x', traceback: 'Traceback …' });
  const broken = models.reload();
  ask();
  (await load(0))?.fail(WorkersNotStarted({ model: 'm', version: undefined, status: 500, lastLine: failure.message }, failure));
  await broken;
  ask();
  const before = [...answers];
  models.assertServed('anything', '7');

  const mended = models.reload();
  (await load(1))?.succeed();
  await mended;
  ask();

  const text = 'The model could not be loaded: ValueError: x\nTraceback …';
  expect(before).toEqual([text, text]);
  expect(answers.at(-1)).toBe('load 1');
  expect(told).toEqual(['loading', text, 'loading', 'loaded m']);
  expect(() => models.assertServed('other', undefined)).toThrow(ModelNotFound({ model: 'other' }).message);
});

it('a change while the model loads begins the load again, and only the last one counts', async () => {
  const { models, answers, ask, load, told } = set();
  const loaded = models.reload();
  ask();
  const first = await load(0);

  void models.reload();
  first?.fail(new Error('given up'));
  (await load(1))?.succeed();
  await loaded;

  expect([answers, told]).toEqual([['load 1'], ['loading', 'loading', 'loaded m']]);
});

it.each([
  ['and they changed', true, 'load 2'],
  ['and they did not after all', false, 'load 1'],
])('a load that ends while files are being written again lets nobody through until that is over, %s', async (_, isChanged, answered) => {
  const { models, answers, ask, load } = set();
  const loaded = models.reload();
  ask();
  const first = await load(0);

  models.hold();
  first?.succeed();
  await loaded;
  ask();
  const meanwhile = [...answers];
  if (isChanged) {
    const again = models.reload();
    (await load(1))?.succeed();
    await again;
  } else models.release();

  expect([meanwhile, answers]).toEqual([[], [answered, answered]]);
});

it('more requests than may wait are refused', async () => {
  const { models, answers, ask } = set(1);
  void models.reload();

  ask();
  ask();

  expect(answers).toEqual([expect.stringContaining('has no worker to serve inference request')]);
});

it('the end answers those who wait, takes the model away and loads nothing more', async () => {
  const { models, answers, ask, load, registry } = set();
  const loaded = models.reload();
  (await load(0))?.succeed();
  await loaded;
  models.hold();
  ask();

  await models.stop();
  await models.reload();
  ask();

  expect(answers).toEqual(Array(2).fill('The server is shutting down and takes no new requests.'));
  expect([registry.unregistered, registry.loads.length]).toEqual([[['m', undefined]], 1]);
});
