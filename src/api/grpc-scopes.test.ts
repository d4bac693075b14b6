import { expect, it } from 'vitest';
import { KeptModelService } from '../../test/fixtures/kept-model-service.js';
import { silentObserver } from '../../test/fixtures/silent-observer.js';
import { InferenceGate } from '../admission/inference-gate.js';
import { ManagementGate } from '../admission/management-gate.js';
import { DESCRIPTORS } from './grpc-generated/descriptors.js';
import type { GrpcMethod } from './grpc-method.js';
import { withHealthAndReflection } from './grpc-services.js';
import { openInferenceMethods } from './open-inference-grpc/open-inference-service.js';
import { inferenceMethods } from './torchserve-grpc/inference-service.js';
import { managementMethods } from './torchserve-grpc/management-service.js';

const models = new KeptModelService();
const gate = new InferenceGate(models);
const logFault = (): void => undefined;
const OPEN = ['grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'];

/** Every method that a server can have, by port. */
const INFERENCE = withHealthAndReflection(
  [
    ...inferenceMethods({ gate, observer: silentObserver(), sequenceKeys: { id: 'id', start: 'start', end: 'end' }, logFault }),
    ...openInferenceMethods({ gate, version: '0', logFault }),
  ],
  () => true,
  logFault,
);
const MANAGEMENT = withHealthAndReflection(
  managementMethods({ gate: new ManagementGate(models, { enableModelApi: true }), inference: gate, refreshMemory: async () => {}, logFault }),
  () => true,
  logFault,
);
const named = ({ service, name }: GrpcMethod): string => `${service}.${name}`;

it('every method of every service in proto/ is served, and nothing else', () => {
  const declared = DESCRIPTORS.flatMap(({ symbols }) => symbols).filter((symbol) => /\.[A-Za-z]*(?:Service|Health|ServerReflection)\.[A-Z]\w*$/.test(symbol));

  expect([...new Set([...INFERENCE, ...MANAGEMENT].map(named))].sort()).toEqual([...declared].sort());
});

it.each([
  ['inference', 'infer', INFERENCE],
  ['management', 'manage', MANAGEMENT],
] as const)('every method of the %s port needs the scope %s, but for health and reflection', (_, scope, methods) => {
  expect(methods.length).toBeGreaterThan(9);
  for (const method of methods) expect([named(method), method.scope]).toEqual([named(method), OPEN.includes(method.service) ? 'open' : scope]);
});
