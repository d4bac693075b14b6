import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as backend from './backend.js';
import * as inputs from './inputs.js';
import * as model from './model.js';
import * as scheduling from './scheduling.js';
import type { SconceError } from './sconce-error.js';
import * as tenant from './tenant.js';
import * as workflow from './workflow.js';

const page = readFileSync(new URL('../../docs/outcomes.md', import.meta.url), 'utf8');
const OF = { model: 'm', version: undefined };
/** Every error that can end an accepted request. */
const ENDINGS: readonly SconceError[] = [
  scheduling.QueueFull(OF),
  scheduling.NoWorkers(OF),
  scheduling.ModelLoading(OF),
  scheduling.SequenceEnded(OF),
  scheduling.NoDescribeWorker(OF),
  scheduling.WorkersExhausted(OF),
  scheduling.DeadlineExceeded({ model: 'm', afterMs: 1 }),
  scheduling.Draining({}),
  scheduling.RequestCancelled({}),
  model.ModelBroken({ why: 'x' }),
  backend.WorkerDied({}),
  backend.WorkerDied({ outOfMemory: true }),
  backend.ResponseTimedOut({}),
  backend.HandlerFailed({ status: 503, message: 'Prediction failed' }),
  backend.HandlerFailed({ status: 507, message: 'Out of resources' }),
  backend.PredictionMissing({}),
  backend.ResponseTooLarge({ limitBytes: 1 }),
  backend.AnswerHeadersTooLarge({ sizeBytes: 2, limitBytes: 1 }),
  backend.BadInput({ what: 'x' }),
  backend.InferAnswerInvalid({ what: 'x' }),
  inputs.InputRefused({ status: 422, place: '/x', rule: 'schema', what: 'x' }),
  inputs.InputRefused({ status: 413, place: '', rule: 'maxBytes', what: 'x' }),
  inputs.GuardRefused({ guard: 'g', on: 'input', why: 'x' }),
  inputs.OutputRefused({ what: 'x' }),
  tenant.BeyondQuota({ tenant: 't', quota: 'concurrent', limit: 1, retryAfterS: 1 }),
  tenant.BodyBeyondQuota({ tenant: 't', limit: 1 }),
  workflow.WorkflowNodeFailed({ node: 'n', why: 'x', tries: 1 }),
  workflow.WorkflowBusy({ workflow: 'w', runs: 1 }),
  workflow.WorkflowDeadlineExceeded({ workflow: 'w', afterMs: 1 }),
];

describe('every outcome of an accepted request', () => {
  it.each(ENDINGS.map((error) => [error.code, error.reason, error.rendering.http] as const))(
    '%s has a word, and docs/outcomes.md tells of %s with %i',
    (_, reason, status) => {
      const row = page.split('\n').find((line) => line.includes(`\`${reason}\``));

      expect(row).toBeDefined();
      expect(reason === 'handler_fault' || row?.includes(String(status))).toBe(true);
    },
  );

  it('has a section of its own for each word that can be acted on', () => {
    for (const [, anchor] of page.matchAll(/\]\(#([\w-]+)\)/g)) expect(page.toLowerCase()).toContain(`\n## ${anchor?.replaceAll('-', ' ')}\n`);
  });
});
