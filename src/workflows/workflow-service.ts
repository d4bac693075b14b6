import type { Answer } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';

/** Parameters of a registration; times in the unit of the name. */
export interface WorkflowWish {
  readonly url: string;
  /** In place of the manifest's name. */
  readonly workflowName?: string | undefined;
  /** How long a worker of a node may take for a batch. */
  readonly responseTimeoutS: number;
  /** How long a worker of a node may take to load. */
  readonly startupTimeoutS: number;
}

export interface ListedWorkflow {
  readonly name: string;
  readonly url: string;
}

/** A workflow as describe shows it: what its specification says of all models. */
export interface WorkflowDescription extends ListedWorkflow {
  readonly minWorkers: number;
  readonly maxWorkers: number;
  readonly batchSize: number;
  readonly maxBatchDelayMs: number;
  /** `{pre=[a], a=[post]}` */
  readonly dag: string;
}

/** What admission may ask of the workflows. Every method that names one rejects with, or throws, WorkflowNotFound when there is none. */
export interface WorkflowService {
  /** Runs a workflow; `request.model` is its name. Never throws and never loses the request: the outcome goes to `answer`. */
  run(request: InferenceRequest, answer: Answer): void;
  assertServed(workflow: string): void;
  /** Resolves with its name when the workers of all nodes run. */
  register(wish: WorkflowWish): Promise<string>;
  /** Resolves when what it had in hand is answered and its nodes are gone. */
  unregister(workflow: string): Promise<void>;
  /** Names in code-unit order. */
  list(): readonly ListedWorkflow[];
  describe(workflow: string): WorkflowDescription;
}
