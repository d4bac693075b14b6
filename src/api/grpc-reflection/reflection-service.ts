import type { GrpcReceiver, GrpcReply } from '../grpc-exchange.js';
import { ServerReflectionDefinition, type ServerReflectionRequest, type ServerReflectionResponse } from '../grpc-generated/grpc/reflection/v1/reflection.js';
import { type FaultLog, type GrpcMethod, GrpcService } from '../grpc-method.js';
import { GRPC } from '../grpc-status.js';
import { DescriptorIndex } from './descriptor-index.js';

type Answer = NonNullable<ServerReflectionResponse['messageResponse']>;

/** Both versions of the service; their messages are the same. */
const VERSIONS: readonly string[] = [ServerReflectionDefinition.fullName, 'grpc.reflection.v1alpha.ServerReflection'];

/** Server reflection, by which grpcurl and its like learn what a port offers. Open, as the API description of the REST ports is. `services` are full names. */
export function reflectionMethods(services: readonly string[], logFault: FaultLog): readonly GrpcMethod[] {
  const all = [...services, ...VERSIONS];
  const index = new DescriptorIndex(all);
  const begin = (_call: unknown, reply: GrpcReply<ServerReflectionResponse>): GrpcReceiver<ServerReflectionRequest> => ({
    message: (request) => {
      reply.send({ validHost: request.host, originalRequest: request, messageResponse: answerTo(request, all, index) });
      return reply.readable();
    },
    halfClosed: () => reply.end(),
  });
  const { serverReflectionInfo } = ServerReflectionDefinition.methods;
  return VERSIONS.map((fullName) => new GrpcService(fullName, logFault).bidi(serverReflectionInfo, 'open', begin));
}

function answerTo({ messageRequest: asked }: ServerReflectionRequest, services: readonly string[], index: DescriptorIndex): Answer {
  switch (asked?.$case) {
    case 'listServices':
      return { $case: 'listServicesResponse', value: { service: services.map((name) => ({ name })) } };
    case 'fileByFilename':
      return files(index.byFile(asked.value), asked.value);
    case 'fileContainingSymbol':
      return files(index.bySymbol(asked.value), asked.value);
    case 'allExtensionNumbersOfType':
      if (!index.knows(asked.value)) return files(undefined, asked.value);
      return { $case: 'allExtensionNumbersResponse', value: { baseTypeName: asked.value, extensionNumber: [] } };
    case 'fileContainingExtension':
      return files(undefined, `extension ${asked.value.extensionNumber} of ${asked.value.containingType}`);
    default:
      return { $case: 'errorResponse', value: { errorCode: GRPC.invalidArgument, errorMessage: 'The request asks for nothing.' } };
  }
}

function files(found: Uint8Array[] | undefined, what: string): Answer {
  if (found === undefined) return { $case: 'errorResponse', value: { errorCode: GRPC.notFound, errorMessage: `Not found: ${what}` } };
  return { $case: 'fileDescriptorResponse', value: { fileDescriptorProto: found } };
}
