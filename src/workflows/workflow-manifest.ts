import { z } from 'zod';
import { WorkflowInvalid } from '../errors/workflow.js';

/** WAR-INF/MANIFEST.json. */
export interface WorkflowManifest {
  readonly workflowName: string;
  /** Path inside the archive. */
  readonly specFile: string;
  /** Path inside the archive of the file with the functions. */
  readonly handler: string | undefined;
}

const text = z.string().nullish();
const document = z.object({
  createdOn: text,
  archiverVersion: text,
  workflow: z.object({ workflowName: text, specFile: text, handler: text }).nullish(),
});

/** Reads a manifest. Unknown keys are no matter. Throws WorkflowInvalid. */
export function parseWorkflowManifest(content: string): WorkflowManifest {
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (error) {
    throw WorkflowInvalid({ message: 'Failed to parse WAR-INF/MANIFEST.json: it is not JSON.' }, error);
  }
  const parsed = document.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw WorkflowInvalid({ message: `Failed to parse WAR-INF/MANIFEST.json: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}` }, parsed.error);
  }
  const { workflow } = parsed.data;
  if (!workflow) throw WorkflowInvalid({ message: 'Missing Workflow entry in manifest file.' });
  const { workflowName, specFile, handler } = workflow;
  if (!workflowName) throw WorkflowInvalid({ message: 'Workflow name is not defined.' });
  if (!specFile) throw WorkflowInvalid({ message: 'Workflow specFile is not defined.' });
  return { workflowName, specFile, handler: handler || undefined };
}
