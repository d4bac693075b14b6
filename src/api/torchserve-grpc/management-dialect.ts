import { MethodNotAllowed } from '../../errors/admission.js';
import { GRPC, type GrpcDialect, javaClassOf } from '../grpc-status.js';

/** The management API: the errors' own status numbers. Where the model API is off, it has words of its own. */
export const MANAGEMENT_DIALECT: GrpcDialect = {
  code: (error) => (MethodNotAllowed.is(error) ? GRPC.permissionDenied : undefined),
  text: (error) => (MethodNotAllowed.is(error) ? 'Model API disabled' : undefined),
  tag: (error) => (MethodNotAllowed.is(error) ? javaClassOf('ModelException') : undefined),
};
