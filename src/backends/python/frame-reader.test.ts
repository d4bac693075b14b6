import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader } from './frame-reader.js';

function frame(type: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32LE(payload.length + 1);
  head[4] = type;
  return Buffer.concat([head, payload]);
}

function reader(limitBytes = 1000, accept = true) {
  const taken: { type: number; payload: string }[] = [];
  const made = new FrameReader(limitBytes, (type, payload) => {
    taken.push({ type, payload: payload.toString('hex') });
    return accept;
  });
  return { made, taken };
}

describe('a stream of frames', () => {
  it('gives the same frames however it is cut into chunks', () => {
    const frames = fc.array(fc.record({ type: fc.nat(255), payload: fc.uint8Array({ maxLength: 40 }) }), { maxLength: 8 });
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (sent, cuts) => {
        const stream = Buffer.concat(sent.map(({ type, payload }) => frame(type, payload)));
        const { made, taken } = reader();

        for (let at = 0, n = 0; at < stream.length; n += 1) {
          const length = cuts[n % cuts.length] ?? 1;
          expect(made.push(stream.subarray(at, at + length))).toBeUndefined();
          at += length;
        }

        expect(taken).toEqual(sent.map(({ type, payload }) => ({ type, payload: Buffer.from(payload).toString('hex') })));
      }),
    );
  });

  it('with a frame over the limit is refused at its head, before any of its bytes are kept', () => {
    const { made, taken } = reader(10);

    expect(made.push(frame(0x83, Buffer.alloc(11)).subarray(0, 5))).toEqual({ kind: 'too-long', type: 0x83 });
    expect(made.push(frame(1, Buffer.alloc(1)))).toEqual({ kind: 'too-long', type: 0x83 });
    expect(taken).toEqual([]);
  });

  it('with a frame of length zero is refused', () => {
    expect(reader().made.push(Buffer.alloc(5))).toEqual({ kind: 'refused', type: 0 });
  });

  it('with a frame that its taker refuses takes nothing more', () => {
    const { made, taken } = reader(1000, false);

    expect(made.push(Buffer.concat([frame(9, Buffer.from('a')), frame(8, Buffer.from('b'))]))).toEqual({ kind: 'refused', type: 9 });
    expect(taken).toHaveLength(1);
  });
});
