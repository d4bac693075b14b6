import { defineError } from './sconce-error.js';

export const WorkflowNotFound = defineError<{ workflow: string }>('WORKFLOW_NOT_FOUND', {
  kind: 'not-found',
  type: 'WorkflowNotFoundException',
  says: ({ workflow }) => `Workflow not found: ${workflow}`,
});
/** A wish that names a location which is refused or empty: TorchServe's WorkflowNotFoundException with the reason as text. */
export const WorkflowLocationRefused = defineError<{ message: string }>('WORKFLOW_LOCATION_REFUSED', {
  kind: 'not-found',
  type: 'WorkflowNotFoundException',
  says: ({ message }) => message,
});
export const WorkflowExists = defineError<{ workflow: string }>('WORKFLOW_EXISTS', {
  kind: 'conflict',
  says: ({ workflow }) => `Workflow ${workflow} is already registered.`,
});
/** The archive, its manifest or its specification says what cannot be. TorchServe answers 500 with the text of a Java exception. */
export const WorkflowInvalid = defineError<{ message: string }>('WORKFLOW_INVALID', {
  kind: 'invalid',
  type: 'InvalidWorkflowException',
  says: ({ message }) => message,
});
/** `what` is TorchServe's text, `where` the nodes that it is about. */
export const DagInvalid = defineError<{ what: string; where: string }>('DAG_INVALID', {
  kind: 'invalid',
  type: 'InvalidDAGException',
  says: ({ what, where }) => `${what} (${where})`,
});
export const WorkflowArchiveExists = defineError<{ file: string }>('WORKFLOW_ARCHIVE_EXISTS', {
  kind: 'bug',
  type: 'FileAlreadyExistsException',
  says: ({ file }) => file,
});
/** Some of its nodes could not be registered; those that could are gone again. */
export const WorkflowNotRegistered = defineError<{ workflow: string; failures: readonly string[] }>('WORKFLOW_NOT_REGISTERED', {
  kind: 'bug',
  type: 'WorkflowException',
  says: ({ workflow, failures }) => `Workflow ${workflow} has failed to register. Failures: [${failures.join(', ')}]`,
});
/** TorchServe's text ends after the node's name. `tries`: how often the node was asked. */
export const WorkflowNodeFailed = defineError<{ node: string; why: string; tries: number }>('WORKFLOW_NODE_FAILED', {
  kind: 'bug',
  reason: 'node_failed',
  says: ({ node, why, tries }) => `Error executing ${node}: ${why}${tries > 1 ? ` (tried ${tries} times)` : ''}`,
});
export const WorkflowBusy = defineError<{ workflow: string; runs: number }>('WORKFLOW_BUSY', {
  kind: 'overloaded',
  reason: 'queue_full',
  says: ({ workflow, runs }) => `Workflow ${workflow} has ${runs} requests in hand and takes no more before some are answered.`,
});
/** Its own, as the deadline of a node's request is its time-out. */
export const WorkflowDeadlineExceeded = defineError<{ workflow: string; afterMs: number }>('WORKFLOW_DEADLINE_EXCEEDED', {
  kind: 'expired',
  reason: 'deadline',
  says: ({ workflow, afterMs }) => `The request to workflow "${workflow}" was not answered within its deadline (${Math.round(afterMs)} ms).`,
});
