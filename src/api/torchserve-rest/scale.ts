import type { ManagementGate } from '../../admission/management-gate.js';
import type { HttpReply, HttpRequest } from '../http-exchange.js';
import { WishParameters } from './wish-parameters.js';

/** PUT /models/{name}[/{version}] */
export async function scale(gate: ManagementGate, request: HttpRequest, reply: HttpReply, model: string, pathVersion: string | undefined): Promise<void> {
  const given = WishParameters.ofQuery(request);
  const minWorkers = given.integer('min_worker') ?? 1;
  const maxWorkers = given.integer('max_worker') ?? minWorkers;
  const version = pathVersion ?? given.text('model_version');
  const outcome = await gate.scale({ model, version, minWorkers, maxWorkers, synchronous: given.boolean('synchronous', false) });
  if (outcome === 'accepted') return reply.json(202, { status: 'Processing worker updates...' });
  if (outcome === 'partial') return reply.json(206, { status: 'Workers scaling in progress...' });
  reply.json(200, { status: `Workers scaled to ${minWorkers} for model: ${model}${version === undefined ? '' : `, version: ${version}`}` });
}
