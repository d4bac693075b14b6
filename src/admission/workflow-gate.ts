import { WorkflowNotFound } from '../errors/workflow.js';
import type { Answer } from '../inference/part.js';
import type { Principal } from '../inference/principal.js';
import type { InferenceRequest } from '../inference/request.js';
import { bareLocation } from '../observability/bare-location.js';
import type { ListedWorkflow, WorkflowDescription, WorkflowService, WorkflowWish } from '../workflows/workflow-service.js';
import { type Audit, audited, type ManagementAction } from './audit.js';
import type { Caller } from './caller.js';
import { assertMayName } from './management-gate.js';
import type { RequestQuotas } from './request-quotas.js';

export type { ListedWorkflow, WorkflowDescription, WorkflowWish } from '../workflows/workflow-service.js';

export interface WorkflowGateOptions {
  readonly audit?: Audit | undefined;
  /** undefined: nobody has any. */
  readonly quotas?: RequestQuotas | undefined;
}

/**
 * The door inwards for workflows. Registering them does not depend on the model API, as in TorchServe. A grant for a workflow's name is one for its nodes;
 * what the caller may not use is not found.
 */
export class WorkflowGate {
  constructor(
    private readonly workflows: WorkflowService,
    private readonly options: WorkflowGateOptions = {},
  ) {}

  /** Never throws and never loses a request: its outcome goes to `answer`. */
  submit(request: InferenceRequest, answer: Answer): void {
    const { quotas } = this.options;
    if (!request.principal.mayUse('infer', request.model)) answer.fail(WorkflowNotFound({ workflow: request.model }));
    else if (quotas === undefined) this.workflows.run(request, answer);
    else quotas.submit(request, answer, (counted, to) => this.workflows.run(counted, to));
  }

  /** Throws WorkflowNotFound. */
  assertServed(principal: Principal, workflow: string): void {
    if (!principal.mayUse('infer', workflow)) throw WorkflowNotFound({ workflow });
    this.workflows.assertServed(workflow);
  }

  /** Whoever may manage some names only has to give the workflow one of them. */
  register(caller: Caller, wish: WorkflowWish): Promise<string> {
    return this.#audited(caller, { verb: 'register-workflow', subject: bareLocation(wish.url), version: undefined }, async () => {
      assertMayName(caller.principal, 'workflow_name', wish.workflowName);
      return this.workflows.register(wish);
    });
  }

  unregister(caller: Caller, workflow: string): Promise<void> {
    return this.#audited(caller, { verb: 'unregister-workflow', subject: workflow, version: undefined }, async () => {
      assertVisible(caller, workflow);
      return this.workflows.unregister(workflow);
    });
  }

  list({ principal }: Caller): readonly ListedWorkflow[] {
    return this.workflows.list().filter(({ name }) => principal.mayUse('manage', name));
  }

  describe(caller: Caller, workflow: string): WorkflowDescription {
    assertVisible(caller, workflow);
    return this.workflows.describe(workflow);
  }

  #audited<T>(caller: Caller, action: ManagementAction, act: () => Promise<T>): Promise<T> {
    return audited(this.options.audit, caller, action, act);
  }
}

function assertVisible({ principal }: Caller, workflow: string): void {
  if (!principal.mayUse('manage', workflow)) throw WorkflowNotFound({ workflow });
}
