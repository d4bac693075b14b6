import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aRequest } from '../../test/fixtures/driven-runner.js';
import { batchMessage, packBodies, readFromThread } from './thread-messages.js';

describe('packBodies', () => {
  it('bodies come out as they went in, in one block', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.uint8Array(), fc.string({ unit: 'binary' }))), (values) => {
        const { bodies, transfer } = packBodies(values, false);

        expect(bodies.map((body) => Buffer.from(body))).toEqual(values.map((value) => Buffer.from(value as string)));
        expect(transfer).toHaveLength(1);
      }),
    );
  });

  it('a large body that owns its memory is handed over, one out of a shared pool is copied', () => {
    const own = new Uint8Array(100_000).fill(1);
    const pooled = new Uint8Array(new ArrayBuffer(300_000), 100, 100_000).fill(2);

    const { bodies, transfer } = packBodies([own, pooled], true);

    expect(transfer).toHaveLength(2);
    expect(transfer[1]).toBe(own.buffer);
    expect(bodies[1]?.buffer).toBe(transfer[0]);
    expect(bodies[1]?.[0]).toBe(2);
  });
});

describe('batchMessage', () => {
  it('a request that may be tried again keeps its body when the message has been sent', () => {
    const request = aRequest({ body: new Uint8Array(100_000).fill(7) });

    const { message, transfer } = batchMessage(1, [request], false);
    structuredClone(message, { transfer: [...transfer] });

    expect(request.inputs[0]?.value.byteLength).toBe(100_000);
  });
});

describe('readFromThread', () => {
  it.each([undefined, null, 'done', {}, { kind: 'done' }, { kind: 'done', id: 1, handlerMs: 1, answers: [{ kind: 'answer' }] }, { kind: 'load-failed' }])(
    'what model code posts by itself is not taken for an answer: %j',
    (value) => {
      expect(readFromThread(value)).toBeUndefined();
    },
  );
});
