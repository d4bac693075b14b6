import { z } from 'zod';

const servedTensorShape = z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.int()) });
const servedSignatureShape = z.object({ inputs: z.array(servedTensorShape), outputs: z.array(servedTensorShape) });

/** One tensor in KServe's words; a free axis is -1. */
export type ServedTensor = z.output<typeof servedTensorShape>;

/** What clients of a model see: its signature, changed where a pipeline takes images or gives labels. */
export type ServedSignature = z.output<typeof servedSignatureShape>;

/** What a thread told of its model, or undefined when that is no signature. */
export function readServedSignature(facts: unknown): ServedSignature | undefined {
  return servedSignatureShape.safeParse(facts).data;
}
