import type { Answer } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { ListedWorkflow, WorkflowDescription, WorkflowService, WorkflowWish } from '../workflows/workflow-service.js';
import { type Audit, audited, type ManagementAction, withoutSecrets } from './audit.js';

export type { ListedWorkflow, WorkflowDescription, WorkflowWish } from '../workflows/workflow-service.js';

export interface WorkflowGateOptions {
  readonly audit?: Audit | undefined;
}

/** The door inwards for workflows. Registering them does not depend on the model API, as in TorchServe. */
export class WorkflowGate {
  constructor(
    private readonly workflows: WorkflowService,
    private readonly options: WorkflowGateOptions = {},
  ) {}

  /** Never throws and never loses a request: its outcome goes to `answer`. */
  submit(request: InferenceRequest, answer: Answer): void {
    this.workflows.run(request, answer);
  }

  /** Throws WorkflowNotFound. */
  assertServed(workflow: string): void {
    this.workflows.assertServed(workflow);
  }

  register(wish: WorkflowWish): Promise<string> {
    return this.#audited({ verb: 'register-workflow', subject: withoutSecrets(wish.url), version: undefined }, () => this.workflows.register(wish));
  }

  unregister(workflow: string): Promise<void> {
    return this.#audited({ verb: 'unregister-workflow', subject: workflow, version: undefined }, () => this.workflows.unregister(workflow));
  }

  list(): readonly ListedWorkflow[] {
    return this.workflows.list();
  }

  describe(workflow: string): WorkflowDescription {
    return this.workflows.describe(workflow);
  }

  #audited<T>(action: ManagementAction, act: () => Promise<T>): Promise<T> {
    return audited(this.options.audit, action, act);
  }
}
