import { describe, expect, it } from 'vitest';
import { parseWorkflowManifest } from './workflow-manifest.js';

const WHOLE = { createdOn: 'now', archiverVersion: '0.2.15', workflow: { workflowName: 'dogs', specFile: 'dogs.yaml', handler: 'functions.py' } };

describe('a workflow manifest', () => {
  it('names the workflow, its specification and the file of its functions', () => {
    expect(parseWorkflowManifest(JSON.stringify(WHOLE))).toEqual(WHOLE.workflow);
  });

  it('need not name a handler', () => {
    const { workflowName, specFile } = WHOLE.workflow;

    expect(parseWorkflowManifest(JSON.stringify({ workflow: { workflowName, specFile } }))).toEqual({ workflowName, specFile, handler: undefined });
  });

  it.each([
    ['no JSON', '{', 'it is not JSON'],
    ['a list', '[]', 'Failed to parse WAR-INF/MANIFEST.json'],
    ['without a workflow', '{}', 'Missing Workflow entry in manifest file.'],
    ['without a name', '{"workflow": {"specFile": "s"}}', 'Workflow name is not defined.'],
    ['without a specification', '{"workflow": {"workflowName": "w"}}', 'Workflow specFile is not defined.'],
    ['with a name that is a number', '{"workflow": {"workflowName": 1}}', 'workflow.workflowName'],
  ])('%s is refused', (_what, content, message) => {
    expect(() => parseWorkflowManifest(content)).toThrow(expect.objectContaining({ code: 'WORKFLOW_INVALID', message: expect.stringContaining(message) }));
  });
});
