import { HealthDefinition } from './grpc-generated/grpc/health/v1/health.js';
import { healthMethods } from './grpc-health/health-service.js';
import type { FaultLog, GrpcMethod } from './grpc-method.js';
import { reflectionMethods } from './grpc-reflection/reflection-service.js';

/** The methods of one port: those given, and health and reflection of their services. */
export function withHealthAndReflection(methods: readonly GrpcMethod[], ready: () => boolean, logFault: FaultLog): readonly GrpcMethod[] {
  const services = [...new Set(methods.map(({ service }) => service))];
  return [...methods, ...healthMethods({ services, ready, logFault }), ...reflectionMethods([...services, HealthDefinition.fullName], logFault)];
}
