import { beforeEach, describe, expect, it } from 'vitest';
import { aPart, RecordedAnswer } from '../../test/fixtures/dispatching.js';
import { anInferenceRequest } from '../../test/fixtures/inference-request.js';
import { aServableModel } from '../../test/fixtures/kept-model-service.js';
import { KeptLog, silentObserver } from '../../test/fixtures/silent-observer.js';
import { LocationRefused, VersionExists, WorkersNotStarted } from '../errors/model.js';
import type { Answer } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { ServableModel } from '../inference/servable-model.js';
import type { RegisterWish } from '../registry/model-service.js';
import type { AdmittedWorkflow } from './workflow-intake.js';
import { parseWorkflowSpec } from './workflow-spec.js';
import { Workflows } from './workflows.js';

const SPEC = `
models:
  a: {url: a.mar, max-workers: 2, batch-size: 4, max-batch-delay: 30}
dag: {pre: [a], a: [post]}
`;
const WISH = { url: 'dogs.war', responseTimeoutS: 12, startupTimeoutS: 34 };

/** A registry that serves whatever it is given, unless `refuses` says otherwise, and an intake that has one archive. */
class World {
  readonly serving = new Map<string, { readonly model: ServableModel; readonly wish: RegisterWish }>();
  readonly asked: { readonly request: InferenceRequest; readonly answer: Answer }[] = [];
  readonly released: string[] = [];
  readonly refuses = new Map<string, unknown>();
  spec = SPEC;
  mostAtOnce = 0;
  #atOnce = 0;

  readonly workflows = new Workflows({
    intake: {
      admit: async (url): Promise<AdmittedWorkflow> => ({
        name: 'dogs',
        url,
        spec: parseWorkflowSpec(this.spec),
        handler: 'functions.py',
        folder: '/cache',
        contentHash: '',
        downloadedArchive: undefined,
      }),
      functionModel: async (_workflow, functionName, name) => aServableModel({ name, url: undefined, handler: `functions.py:${functionName}` }),
      release: async ({ name }) => void this.released.push(name),
    },
    models: { admit: async ({ url, modelName }) => aServableModel({ name: modelName, url }) },
    registry: {
      serveAlone: async (model, wish) => {
        this.#atOnce += 1;
        this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce);
        await new Promise(setImmediate);
        this.#atOnce -= 1;
        const refusal = this.refuses.get(model.name);
        if (refusal !== undefined) throw refusal;
        this.serving.set(model.name, { model, wish });
      },
      withdraw: async (name) => void this.serving.delete(name),
      infer: (request, answer) => void this.asked.push({ request, answer }),
    },
    observer: silentObserver(),
    log: new KeptLog(),
    maxResponseBytes: 1000,
    unregisterTimeoutMs: 60_000,
  });

  /** Runs the workflow; the answer, and the way to end the connection. */
  run(workflow = 'dogs'): RecordedAnswer {
    const answer = new RecordedAnswer();
    this.workflows.run(anInferenceRequest({ model: workflow }), answer);
    return answer;
  }

  /** Answers what was asked last. */
  says(text: string): void {
    this.asked.at(-1)?.answer.part(aPart(text));
  }
}

let world: World;
beforeEach(() => {
  world = new World();
});

describe('registering a workflow', () => {
  it('serves each node as a model of its own, as the specification says', async () => {
    expect(await world.workflows.register(WISH)).toBe('dogs');

    expect([...world.serving.keys()].sort()).toEqual(['dogs__a', 'dogs__post', 'dogs__pre']);
    const timeouts = { responseTimeoutS: 12, startupTimeoutS: 34, synchronous: true };
    expect(world.serving.get('dogs__a')?.wish).toMatchObject({ ...timeouts, initialWorkers: 2, batchSize: 4, maxBatchDelayMs: 30 });
    expect(world.serving.get('dogs__pre')?.wish).toMatchObject({ ...timeouts, initialWorkers: 1, batchSize: 1, maxBatchDelayMs: 0 });
    expect([...world.serving.values()].map(({ model }) => model.workflow)).toEqual(['dogs', 'dogs', 'dogs']);
  });

  it('takes the name of the wish before that of the manifest, and shows it in lists', async () => {
    await world.workflows.register({ ...WISH, workflowName: 'cats' });
    await world.workflows.register(WISH);

    expect(world.workflows.list()).toEqual([
      { name: 'cats', url: 'dogs.war' },
      { name: 'dogs', url: 'dogs.war' },
    ]);
    expect(world.workflows.describe('cats')).toEqual({
      name: 'cats',
      url: 'dogs.war',
      minWorkers: 1,
      maxWorkers: 1,
      batchSize: 1,
      maxBatchDelayMs: 50,
      dag: '{pre=[a], a=[post]}',
    });
  });

  it('is refused while the name is served, or is being registered', async () => {
    const first = world.workflows.register(WISH);

    await expect(world.workflows.register(WISH)).rejects.toMatchObject({ message: 'Workflow dogs is already registered.', rendering: { http: 409 } });
    await first;
    await expect(world.workflows.register(WISH)).rejects.toMatchObject({ code: 'WORKFLOW_EXISTS' });
    expect(world.serving.size).toBe(3);
  });

  it.each(['a/b', '..', 'x\ny', 'x'.repeat(300)])('is refused under the name %j', async (workflowName) => {
    await expect(world.workflows.register({ ...WISH, workflowName })).rejects.toMatchObject({ rendering: { http: 400 } });

    expect([world.serving.size, world.released]).toEqual([0, ['dogs']]);
  });

  it.each([
    [WorkersNotStarted({ model: 'dogs__post', version: '1.0', status: 500 }), 'Failed to start workers for model dogs__post version: 1.0'],
    [LocationRefused({ message: 'Model not found at: a.mar' }), 'Workflow Node dogs__post failed to register. Details: Model not found at: a.mar'],
    [
      VersionExists({ model: 'dogs__post', version: '1.0' }),
      'Workflow Node dogs__post failed to register. Details: Model version 1.0 is already registered for model dogs__post',
    ],
    [new Error('/secret/path'), 'Workflow Node dogs__post failed to register. Details: Check error logs.'],
  ])('leaves no node behind when one cannot be served: %s', async (refusal, details) => {
    world.refuses.set('dogs__post', refusal);

    await expect(world.workflows.register(WISH)).rejects.toMatchObject({
      message: `Workflow dogs has failed to register. Failures: [${details}]`,
      rendering: { http: 500, type: 'WorkflowException' },
    });

    expect([world.serving.size, world.workflows.list(), world.released]).toEqual([0, [], ['dogs']]);
    world.refuses.clear();
    expect(await world.workflows.register(WISH)).toBe('dogs');
  });

  it('starts at most four nodes at a time', async () => {
    world.spec = `dag: {pre: [${Array.from({ length: 20 }, (_, i) => `f${i}`).join(', ')}]}`;

    await world.workflows.register(WISH);

    expect([world.mostAtOnce, world.serving.size]).toEqual([4, 21]);
  });
});

describe('unregistering a workflow', () => {
  it('answers what it has in hand first, takes nothing new, and leaves no node behind', async () => {
    await world.workflows.register(WISH);
    const before = world.run();

    const gone = world.workflows.unregister('dogs');
    expect(world.run().outcome).toBe('WORKFLOW_NOT_FOUND');
    await expect(world.workflows.register(WISH)).rejects.toMatchObject({ code: 'WORKFLOW_EXISTS' });
    expect(world.serving.size).toBe(3);
    for (const text of ['pre', 'a', 'out']) world.says(text);
    await gone;

    expect(before.outcome).toBe('out');
    expect([world.serving.size, world.workflows.list()]).toEqual([0, []]);
    // What the refused registration brought, and what this one did.
    expect(world.released).toEqual(['dogs', 'dogs']);
  });

  it('that is not there is an error', async () => {
    await expect(world.workflows.unregister('cats')).rejects.toMatchObject({ message: 'Workflow not found: cats', rendering: { http: 404 } });
    expect(() => world.workflows.describe('__proto__')).toThrow('Workflow not found: __proto__');
  });
});

describe('a workflow', () => {
  it('refuses requests above what it may have in hand, and takes them again when some are answered', async () => {
    await world.workflows.register(WISH);
    const answers = Array.from({ length: 1000 }, () => world.run());

    expect(world.run().failures[0]).toMatchObject({ code: 'WORKFLOW_BUSY', reason: 'queue_full', rendering: { http: 503 } });

    world.asked[0]?.answer.fail(LocationRefused({ message: 'x' }));
    expect(answers[0]?.outcome).toBe('WORKFLOW_NODE_FAILED');
    expect(world.run().outcome).toBeUndefined();
  });

  it('ends what it has in hand when the server stops: answered where there is time, else refused', async () => {
    await world.workflows.register(WISH);
    const [quick, slow] = [world.run(), world.run()];
    const deadline = new AbortController();

    const stopped = world.workflows.stop(deadline.signal);
    expect(world.run().outcome).toBe('DRAINING');
    await expect(world.workflows.register({ ...WISH, workflowName: 'cats' })).rejects.toMatchObject({ code: 'DRAINING' });
    world.asked[0]?.answer.part(aPart('pre'));
    world.says('a');
    world.says('out');
    deadline.abort();
    await stopped;

    expect([quick.outcome, slow.outcome]).toEqual(['out', 'DRAINING']);
  });
});
