import type { InferenceGate } from '../admission/inference-gate.js';
import type { KeyRotation } from '../admission/key-rotation.js';
import type { ManagementGate } from '../admission/management-gate.js';
import type { WorkflowGate } from '../admission/workflow-gate.js';
import type { GrpcMethod } from '../api/grpc-method.js';
import { withHealthAndReflection } from '../api/grpc-services.js';
import { openInferenceMethods } from '../api/open-inference-grpc/open-inference-service.js';
import type { ApiName, Route } from '../api/route.js';
import { inferenceMethods } from '../api/torchserve-grpc/inference-service.js';
import { managementMethods } from '../api/torchserve-grpc/management-service.js';
import { descriptionRoutes } from '../api/torchserve-rest/description-routes.js';
import { inferenceRoutes } from '../api/torchserve-rest/inference-routes.js';
import { type ManagementApiOptions, managementRoutes } from '../api/torchserve-rest/management-routes.js';
import { type MetricsApiOptions, metricsRoutes } from '../api/torchserve-rest/metrics-routes.js';
import { modelInferenceDocument } from '../api/torchserve-rest/openapi/model-documents.js';
import { workflowRoutes } from '../api/torchserve-rest/workflow-routes.js';
import type { Settings } from '../config/settings.js';
import type { Log, Observer } from '../observability/observer.js';
import { TORCHSERVE_VERSION } from '../version.js';
import { sequenceHeaders } from './backends.js';
import { guardsMetrics } from './tenants.js';

/** What all APIs stand on. */
export interface ApiParts {
  readonly inference: InferenceGate;
  readonly management: ManagementGate;
  readonly workflows: WorkflowGate;
  /** undefined: tokens are off. */
  readonly keys: KeyRotation | undefined;
  readonly observer: Observer;
  readonly log: Log;
  readonly isDraining: () => boolean;
  readonly refreshMemory: () => Promise<void>;
  readonly renderMetrics: MetricsApiOptions['render'];
  readonly metricsCaughtUp: MetricsApiOptions['caughtUp'];
  readonly billOfMaterials: ManagementApiOptions['billOfMaterials'];
}

/** The routes of a listener that serves these APIs. */
export function routesOf(serves: readonly ApiName[], settings: Settings, parts: ApiParts): readonly Route[] {
  const { inference, management, workflows, keys, observer, log, isDraining, refreshMemory, renderMetrics, metricsCaughtUp: caughtUp, billOfMaterials } = parts;
  const version = settings.version ?? TORCHSERVE_VERSION;
  const all: readonly Route[] = [
    ...inferenceRoutes({
      gate: inference,
      observer,
      log,
      describeModelApi: modelInferenceDocument,
      openInferenceVersion: settings.openInferenceProtocol ? version : undefined,
      isDraining,
    }),
    ...managementRoutes({ gate: management, inference, keys, refreshMemory, version, billOfMaterials }),
    ...workflowRoutes({ gate: workflows, log }),
    ...metricsRoutes({ render: renderMetrics, guarded: guardsMetrics(settings), caughtUp }),
    ...descriptionRoutes(serves, version),
  ];
  return all.filter(({ connector }) => serves.includes(connector));
}

/** The methods of a gRPC port. */
export function methodsOf(api: 'Inference' | 'Management', settings: Settings, parts: ApiParts): readonly GrpcMethod[] {
  const { inference, management, observer, refreshMemory, log } = parts;
  const version = settings.version ?? TORCHSERVE_VERSION;
  const logFault = (what: string, error: unknown): void => log.error(what, error);
  const own =
    api === 'Management'
      ? managementMethods({ gate: management, inference, refreshMemory, logFault })
      : [
          ...inferenceMethods({ gate: inference, observer, sequenceKeys: sequenceHeaders(settings), logFault }),
          ...(settings.openInferenceProtocol ? openInferenceMethods({ gate: inference, version, logFault }) : []),
        ];
  return withHealthAndReflection(own, () => inference.ready(), logFault);
}
