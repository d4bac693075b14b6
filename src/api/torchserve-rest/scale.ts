import type { ManagementGate } from '../../admission/management-gate.js';
import type { HttpReply, HttpRequest } from '../http-exchange.js';
import { WishParameters } from './wish-parameters.js';

/** PUT /models/{name}[/{version}] */
export async function scale(gate: ManagementGate, request: HttpRequest, reply: HttpReply, model: string, pathVersion: string | undefined): Promise<void> {
  const given = WishParameters.ofQuery(request);
  const minWorkers = given.integer('min_worker') ?? 1;
  const maxWorkers = given.integer('max_worker') ?? minWorkers;
  const version = pathVersion ?? given.text('model_version');
  const outcome = await gate.scale(request, { model, version, minWorkers, maxWorkers, synchronous: given.boolean('synchronous', false) });
  const { status, text } = scaleAnswer(outcome, minWorkers, model, version);
  reply.json(status, { status: text });
}

/** TorchServe's words for each outcome. */
export function scaleAnswer(
  outcome: 'complete' | 'partial' | 'accepted',
  minWorkers: number,
  model: string,
  version: string | undefined,
): { readonly status: number; readonly text: string } {
  switch (outcome) {
    case 'accepted':
      return { status: 202, text: 'Processing worker updates...' };
    case 'partial':
      return { status: 206, text: 'Workers scaling in progress...' };
    case 'complete':
      return { status: 200, text: `Workers scaled to ${minWorkers} for model: ${model}${version === undefined ? '' : `, version: ${version}`}` };
  }
}
