import { beforeEach, describe, expect, it } from 'vitest';
import { aPart } from '../../../test/fixtures/dispatching.js';
import { aHttpRequest, KeptReply, type RequestFacts } from '../../../test/fixtures/http-exchange.js';
import { anError } from '../../../test/fixtures/management-api.js';
import { KeptLog } from '../../../test/fixtures/silent-observer.js';
import { WorkflowGate } from '../../admission/workflow-gate.js';
import { WorkflowNodeFailed, WorkflowNotFound } from '../../errors/workflow.js';
import type { Answer } from '../../inference/part.js';
import { ANYONE } from '../../inference/principal.js';
import type { InferenceRequest } from '../../inference/request.js';
import type { WorkflowService, WorkflowWish } from '../../workflows/workflow-service.js';
import type { ApiName } from '../route.js';
import { createRouter } from '../router.js';
import { workflowRoutes } from './workflow-routes.js';

/** Serves the workflow `dogs` and keeps what it is asked. */
class KeptWorkflows implements WorkflowService {
  readonly requests: InferenceRequest[] = [];
  readonly wishes: WorkflowWish[] = [];
  readonly unregistered: string[] = [];
  names = ['dogs'];
  answers: (answer: Answer) => void = (answer) => answer.part({ ...aPart('out'), headers: [['content-type', 'application/json']] });

  run(request: InferenceRequest, answer: Answer): void {
    this.requests.push(request);
    this.answers(answer);
  }

  assertServed(workflow: string): void {
    if (!this.names.includes(workflow)) throw WorkflowNotFound({ workflow });
  }

  async register(wish: WorkflowWish): Promise<string> {
    this.wishes.push(wish);
    return wish.workflowName ?? 'dogs';
  }

  async unregister(workflow: string): Promise<void> {
    this.assertServed(workflow);
    this.unregistered.push(workflow);
  }

  list() {
    return this.names.map((name) => ({ name, url: `${name}.war` }));
  }

  describe(name: string) {
    this.assertServed(name);
    return { name, url: 'dogs.war', minWorkers: 1, maxWorkers: 2, batchSize: 3, maxBatchDelayMs: 4, dag: '{pre=[a]}' };
  }
}

let workflows: KeptWorkflows;
let audit: string[];
beforeEach(() => {
  workflows = new KeptWorkflows();
  audit = [];
});

async function ask(api: ApiName, method: string, target: string, facts: RequestFacts = {}): Promise<KeptReply> {
  const gate = new WorkflowGate(workflows, { audit: ({ verb, subject, result }) => void audit.push(`${verb} ${subject} ${result}`) });
  const log = new KeptLog();
  const handler = createRouter(workflowRoutes({ gate, log }), { serves: [api], authorize: () => ANYONE, log });
  const reply = new KeptReply();
  handler(aHttpRequest({ method, target, connector: api, ...facts }), reply);
  return reply.ended;
}

async function told(api: ApiName, method: string, target: string, facts: RequestFacts = {}): Promise<readonly [number | undefined, unknown]> {
  const { status, body } = await ask(api, method, target, facts);
  return [status, JSON.parse(body)];
}

describe('running a workflow', () => {
  it.each(['/wfpredict/dogs', '/WfPredict/dogs', '/wfpredict/dogs/1.0', '/WFPREDICT/dogs/and/more'])('by %s gives it the body', async (target) => {
    const reply = await ask('inference', 'POST', target, { body: 'picture', headers: [['content-type', 'image/png']] });

    expect([reply.status, reply.body]).toEqual([200, 'out']);
    expect(workflows.requests[0]).toMatchObject({ model: 'dogs', inputs: [{ name: 'body', contentType: 'image/png', value: Buffer.from('picture') }] });
  });

  it('gives it no query, and a deadline where the client has one', async () => {
    await ask('inference', 'GET', '/wfpredict/dogs?data=1', { headers: [['x-sconce-timeout-ms', '50']] });

    const [request] = workflows.requests;
    expect(request?.inputs.map(({ name }) => name)).toEqual(['body']);
    expect((request?.deadlineAtMs ?? 0) - (request?.receivedAtMs ?? 0)).toBeCloseTo(50, 6);
  });

  it('that is not there, or that is no workflow, is not found', async () => {
    expect(await told('inference', 'POST', '/wfpredict/cats')).toEqual(anError(404, 'WorkflowNotFoundException', 'Workflow not found: cats'));
    expect((await ask('inference', 'POST', '/wfpredict')).status).toBe(404);
    expect((await ask('inference', 'POST', '/other/dogs')).status).toBe(404);
  });

  it('of which a node failed says which and why', async () => {
    workflows.answers = (answer) => answer.fail(WorkflowNodeFailed({ node: 'a', why: 'Prediction failed', tries: 2 }));

    expect(await told('inference', 'POST', '/wfpredict/dogs')).toEqual(
      anError(500, 'InternalServerException', 'Error executing a: Prediction failed (tried 2 times)'),
    );
  });
});

describe('managing workflows', () => {
  it('registers one by query or JSON, with the same time-outs where none are given', async () => {
    const registered = [200, { status: 'Workflow dogs has been registered and scaled successfully.' }];
    const json = { headers: [['content-type', 'application/json']] as const, body: '{"url": "dogs.war"}' };

    expect(await told('management', 'POST', '/workflows?url=dogs.war')).toEqual(registered);
    expect(await told('management', 'POST', '/workflows', json)).toEqual(registered);
    await ask('management', 'POST', '/workflows?url=dogs.war&workflow_name=cats&response_timeout=7&startup_timeout=8&s3_sse_kms=true');

    const plain = { url: 'dogs.war', workflowName: undefined, responseTimeoutS: 120, startupTimeoutS: 120 };
    expect(workflows.wishes).toEqual([plain, plain, { url: 'dogs.war', workflowName: 'cats', responseTimeoutS: 7, startupTimeoutS: 8 }]);
    expect(audit[0]).toBe('register-workflow dogs.war done');
  });

  it('without a url registers nothing', async () => {
    expect(await told('management', 'POST', '/workflows')).toEqual(anError(400, 'BadRequestException', 'Parameter url is required.'));
  });

  it.each([
    ['/workflows', ['a', 'b', 'c'], undefined],
    ['/workflows?limit=2', ['a', 'b'], '2'],
    ['/workflows?limit=2&next_page_token=2', ['c'], undefined],
    ['/workflows?limit=3', ['a', 'b', 'c'], '3'],
  ])('lists them page by page: %s', async (target, names, nextPageToken) => {
    workflows.names = ['a', 'b', 'c'];

    const page = { nextPageToken, workflows: names.map((name) => ({ workflowName: name, workflowUrl: `${name}.war` })) };
    expect(await told('management', 'GET', target)).toEqual([200, JSON.parse(JSON.stringify(page))]);
  });

  it.each(['/workflows/dogs', '/workflows/dogs/1.0'])('describes one: %s', async (target) => {
    const described = { workflowName: 'dogs', workflowUrl: 'dogs.war', minWorkers: 1, maxWorkers: 2, batchSize: 3, maxBatchDelay: 4, workflowDag: '{pre=[a]}' };

    expect(await told('management', 'GET', target)).toEqual([200, [described]]);
    expect(await told('management', 'GET', target.replace('dogs', 'cats'))).toEqual(anError(404, 'WorkflowNotFoundException', 'Workflow not found: cats'));
  });

  it('unregisters one', async () => {
    expect(await told('management', 'DELETE', '/workflows/dogs')).toEqual([200, { status: 'Workflow "dogs" unregistered' }]);
    expect(await told('management', 'DELETE', '/workflows/cats')).toEqual(anError(404, 'WorkflowNotFoundException', 'Workflow not found: cats'));
    expect([workflows.unregistered, audit]).toEqual([['dogs'], ['unregister-workflow dogs done', 'unregister-workflow cats WORKFLOW_NOT_FOUND']]);
  });

  it.each([
    ['PUT', '/workflows'],
    ['DELETE', '/workflows'],
    ['PUT', '/workflows/dogs'],
    ['POST', '/workflows/dogs'],
  ])('does not know %s %s', async (method, target) => {
    expect((await ask('management', method, target)).status).toBe(405);
  });
});
