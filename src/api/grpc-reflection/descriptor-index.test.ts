import { expect, it } from 'vitest';
import { DescriptorIndex } from './descriptor-index.js';

const INFERENCE = 'org.pytorch.serve.grpc.inference.InferenceAPIsService';

it('gives the file of a service, a method or a message, with all that it imports', () => {
  const index = new DescriptorIndex([INFERENCE]);

  const files = index.bySymbol(INFERENCE);
  expect(files?.map((bytes) => Buffer.from(bytes.subarray(2, 30)).toString().split('\u0012')[0])).toEqual([
    'inference.proto',
    'google/protobuf/empty.proto',
    'google/rpc/status.proto',
    'google/protobuf/any.proto',
  ]);
  expect(index.bySymbol(`${INFERENCE}.Ping`)).toEqual(files);
  expect(index.bySymbol('google.rpc.Status')).toHaveLength(2);
  expect(index.byFile('inference.proto')).toEqual(files);
});

it('knows nothing of services that the port does not have', () => {
  const index = new DescriptorIndex([INFERENCE]);

  expect(index.bySymbol('org.pytorch.serve.grpc.management.ManagementAPIsService')).toBeUndefined();
  expect(index.byFile('management.proto')).toBeUndefined();
  expect(index.bySymbol('__proto__')).toBeUndefined();
});
