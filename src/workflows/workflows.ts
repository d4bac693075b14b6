import { WorkersNotStarted } from '../errors/model.js';
import { Draining } from '../errors/scheduling.js';
import { SconceError } from '../errors/sconce-error.js';
import { WorkflowBusy, WorkflowExists, WorkflowNotFound, WorkflowNotRegistered } from '../errors/workflow.js';
import type { Answer } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { ServableModel } from '../inference/servable-model.js';
import { checkedModelName } from '../models/model-name.js';
import type { Log, Observer } from '../observability/observer.js';
import type { RegisterWish } from '../registry/model-service.js';
import type { AdmittedWorkflow } from './workflow-intake.js';
import { WorkflowRun } from './workflow-run.js';
import type { ListedWorkflow, WorkflowDescription, WorkflowService, WorkflowWish } from './workflow-service.js';
import type { WorkflowNode } from './workflow-spec.js';

/** Nodes that are registered at the same time, as in TorchServe. */
const REGISTERED_AT_ONCE = 4;
/** Requests that one workflow may have in hand. Each of its nodes has its own queue besides; this bounds what waits for another try. */
const MAX_RUNS = 1000;

export interface WorkflowsOptions {
  readonly intake: {
    admit(url: string, name?: string): Promise<AdmittedWorkflow>;
    functionModel(workflow: AdmittedWorkflow, functionName: string, name: string): Promise<ServableModel>;
    release(workflow: AdmittedWorkflow): Promise<void>;
  };
  /** The way of the models that a specification names. */
  readonly models: { admit(wish: { readonly url: string; readonly modelName: string; readonly isRenamed: boolean }): Promise<ServableModel> };
  readonly registry: {
    serveAlone(model: ServableModel, wish: RegisterWish): Promise<unknown>;
    withdraw(model: string): Promise<void>;
    infer(request: InferenceRequest, answer: Answer): void;
  };
  readonly observer: Observer;
  readonly log: Log;
  readonly maxResponseBytes: number;
  /** How long requests in hand may take when their workflow is unregistered. */
  readonly unregisterTimeoutMs: number;
}

/**
 * The workflows that are served. Each node is a model of its own in the registry, `{workflow}__{node}`; a request is asked from node to node.
 *
 *  state of a name  event → next
 *  registering      all nodes run → serving; one failed → free, with no node left
 *  serving          unregister() → leaving: new requests don't find it
 *  leaving          requests in hand answered, or their time is over, and nodes withdrawn → free
 */
export class Workflows implements WorkflowService {
  readonly #served = new Map<string, ServedWorkflow>();
  /** Names that are registering or leaving. */
  readonly #changing = new Set<string>();
  #draining = false;

  constructor(private readonly options: WorkflowsOptions) {}

  run(request: InferenceRequest, answer: Answer): void {
    const workflow = this.#served.get(request.model);
    if (workflow === undefined) return answer.fail(WorkflowNotFound({ workflow: request.model }));
    if (this.#draining) return answer.fail(Draining({}));
    if (workflow.runs.size >= MAX_RUNS) return answer.fail(WorkflowBusy({ workflow: workflow.name, runs: MAX_RUNS }));
    const { registry, observer, log, maxResponseBytes } = this.options;
    const host = {
      infer: (asked: InferenceRequest, to: Answer) => registry.infer(asked, to),
      observer,
      log,
      maxResponseBytes,
      ended: (ended: WorkflowRun) => workflow.ended(ended),
    };
    const run = new WorkflowRun(workflow, request, answer, host);
    workflow.runs.add(run);
    run.start();
  }

  assertServed(workflow: string): void {
    this.#find(workflow);
  }

  async register({ url, workflowName, responseTimeoutS, startupTimeoutS }: WorkflowWish): Promise<string> {
    const { intake, log } = this.options;
    const admitted = await intake.admit(url, workflowName);
    let name: string | undefined;
    try {
      name = this.#reserve(workflowName || admitted.name);
      const workflow = new ServedWorkflow(name, admitted);
      await this.#registerNodes(workflow, { responseTimeoutS, startupTimeoutS });
      this.#served.set(name, workflow);
      log.info(`Workflow ${name} registered.`);
      return name;
    } catch (error) {
      await intake.release(admitted);
      throw error;
    } finally {
      if (name !== undefined) this.#changing.delete(name);
    }
  }

  async unregister(name: string): Promise<void> {
    const workflow = this.#find(name);
    this.#served.delete(name);
    this.#changing.add(name);
    try {
      await workflow.quiet(AbortSignal.timeout(Math.max(1, this.options.unregisterTimeoutMs)));
      workflow.stop(WorkflowNotFound({ workflow: name }));
      await Promise.all(workflow.spec.dag.nodes.map((node) => this.options.registry.withdraw(workflow.modelOf(node))));
      await this.options.intake.release(workflow.admitted);
      this.options.log.info(`Workflow ${name} unregistered.`);
    } finally {
      this.#changing.delete(name);
    }
  }

  list(): readonly ListedWorkflow[] {
    return [...this.#served.values()].map(({ name, admitted: { url } }) => ({ name, url })).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  describe(name: string): WorkflowDescription {
    const { admitted, spec } = this.#find(name);
    const { minWorkers, maxWorkers, batchSize, maxBatchDelayMs } = spec.defaults;
    return { name, url: admitted.url, minWorkers, maxWorkers, batchSize, maxBatchDelayMs, dag: spec.dag.toString() };
  }

  /** Takes nothing new, and answers what it has in hand until `deadline`. Its nodes are the registry's to stop afterwards. Never rejects. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#draining = true;
    const all = [...this.#served.values()];
    await Promise.all(all.map((workflow) => workflow.quiet(deadline)));
    for (const workflow of all) workflow.stop(Draining({}));
  }

  /** Throws ArchiveInvalid for a name that cannot be one, WorkflowExists for one that is taken, Draining. */
  #reserve(wanted: string): string {
    const name = checkedModelName(wanted);
    if (this.#draining) throw Draining({});
    if (this.#served.has(name) || this.#changing.has(name)) throw WorkflowExists({ workflow: name });
    this.#changing.add(name);
    return name;
  }

  /** All or none. Rejects with WorkflowNotRegistered. */
  async #registerNodes(workflow: ServedWorkflow, timeouts: Pick<WorkflowWish, 'responseTimeoutS' | 'startupTimeoutS'>): Promise<void> {
    const left = [...workflow.spec.nodes.values()];
    const failures: string[] = [];
    const registered: string[] = [];
    const registerLeft = async (): Promise<void> => {
      for (let node = left.shift(); node !== undefined && failures.length === 0; node = left.shift()) {
        const model = workflow.modelOf(node.name);
        try {
          await this.#registerNode(workflow, node, timeouts);
          registered.push(model);
        } catch (error) {
          if (!(error instanceof SconceError)) this.options.log.error(`Unexpected error while registering ${model}`, error);
          failures.push(failureText(model, error));
        }
      }
    };
    await Promise.all(Array.from({ length: REGISTERED_AT_ONCE }, registerLeft));
    if (failures.length === 0) return;
    await Promise.all(registered.map((model) => this.options.registry.withdraw(model)));
    throw WorkflowNotRegistered({ workflow: workflow.name, failures });
  }

  async #registerNode(
    { name: workflow, admitted, modelOf }: ServedWorkflow,
    { name, url, settings }: WorkflowNode,
    timeouts: Pick<WorkflowWish, 'responseTimeoutS' | 'startupTimeoutS'>,
  ): Promise<void> {
    const { intake, models, registry } = this.options;
    const modelName = checkedModelName(modelOf(name));
    if (this.#draining) throw Draining({});
    const model = url === undefined ? await intake.functionModel(admitted, name, modelName) : await models.admit({ url, modelName, isRenamed: true });
    const { maxWorkers, batchSize, maxBatchDelayMs } = settings;
    await registry.serveAlone(
      { ...model, workflow },
      { url: url ?? '', modelName, batchSize, maxBatchDelayMs, initialWorkers: maxWorkers, synchronous: true, s3SseKms: false, ...timeouts },
    );
  }

  #find(name: string): ServedWorkflow {
    const workflow = this.#served.get(name);
    if (workflow === undefined) throw WorkflowNotFound({ workflow: name });
    return workflow;
  }
}

/** One workflow and the requests that it has in hand. */
class ServedWorkflow {
  readonly runs = new Set<WorkflowRun>();
  #whenQuiet: (() => void)[] = [];

  constructor(
    readonly name: string,
    readonly admitted: AdmittedWorkflow,
  ) {}

  get spec(): AdmittedWorkflow['spec'] {
    return this.admitted.spec;
  }

  readonly modelOf = (node: string): string => `${this.name}__${node}`;

  ended(run: WorkflowRun): void {
    this.runs.delete(run);
    if (this.runs.size === 0) for (const resolve of this.#whenQuiet.splice(0)) resolve();
  }

  /** Resolves when no request is in hand, or at the deadline. */
  quiet(deadline: AbortSignal): Promise<void> {
    if (this.runs.size === 0 || deadline.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenQuiet.push(resolve);
      deadline.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  stop(error: SconceError): void {
    for (const run of [...this.runs]) run.stop(error);
  }
}

/** In TorchServe's words, which differ for a node whose workers did not start. */
function failureText(model: string, error: unknown): string {
  if (WorkersNotStarted.is(error)) return error.message;
  const details = error instanceof SconceError ? error.message : 'Check error logs.';
  return `Workflow Node ${model} failed to register. Details: ${details}`;
}
