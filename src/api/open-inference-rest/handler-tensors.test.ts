import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BinaryOutputs, mixedBodyOf } from '../../inference/binary-tensors.js';
import { writeBytesElements } from '../../inference/bytes-elements.js';
import { DATATYPES, packValues, unpackValues } from '../../inference/datatype.js';
import { parseExactJson } from '../../inference/exact-json.js';
import { answerAsAsked } from './handler-answer.js';
import { handlerJson } from './handler-input.js';

const all: BinaryOutputs = () => true;

function input(datatype: string, count: number, bytes: Uint8Array): Promise<string> {
  const inputs = [{ name: 'x', datatype, shape: [count], parameters: { binary_data_size: bytes.byteLength } }];
  return handlerJson({ inputs }, inputs, bytes);
}

/** The bytes of the only output of an answer, when they are asked for. */
function outputBytes(answer: string): Buffer | undefined {
  const given = answerAsAsked(Buffer.from(answer), { names: undefined, isBinary: all });
  const mixed = given === undefined ? undefined : mixedBodyOf(given.headers, given.body);
  return mixed === undefined || mixed === 'broken' ? undefined : Buffer.from(mixed.bytes);
}

/** A handler that gives back what it got. */
const echoed = (json: string): string => json.replace('"inputs"', '"outputs"');

describe('tensors on their way to a handler and back', () => {
  it.each([...DATATYPES].map(([name, format]) => ({ name, format })))('$name keep every value', async ({ name, format }) => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (noise) => {
        const whole = noise.subarray(0, noise.length - (noise.length % format.sizeBytes));
        const values = unpackValues(format, whole) ?? [];
        const bytes = packValues(format, values);

        const given = outputBytes(echoed(await input(name, bytes.byteLength / format.sizeBytes, bytes)));

        // Compared as values, which tell 0 from -0: a truth has many bytes and a NaN many bits, and none of them means more than another.
        expect(unpackValues(format, given ?? new Uint8Array(0))).toEqual(values);
      }),
    );
  });

  it('texts keep every character', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { maxLength: 8 }), async (texts) => {
        const bytes = writeBytesElements(texts.map((text) => Buffer.from(text)));
        expect(outputBytes(echoed(await input('BYTES', texts.length, bytes)))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('numbers too many for one turn of the server all arrive, and others have theirs meanwhile', async () => {
    const bytes = Buffer.from(Float32Array.from({ length: 20_001 }, (_, index) => index / 3).buffer);
    let hadTheirTurn = false;
    setImmediate(() => {
      hadTheirTurn = true;
    });

    const json = await input('FP32', 20_001, bytes);

    expect(hadTheirTurn).toBe(true);
    expect(outputBytes(echoed(json))).toEqual(bytes);
  });

  it('bytes that are no text go in base64, and say so', async () => {
    const bytes = writeBytesElements([Uint8Array.of(0xff, 0xfe), Buffer.from('a')]);

    expect(parseExactJson(await input('BYTES', 2, bytes))).toEqual({
      inputs: [{ name: 'x', datatype: 'BYTES', shape: [2], parameters: { content_type: 'base64' }, data: ['//4=', 'YQ=='] }],
    });
  });
});

describe('a handler’s answer', () => {
  it.each(['[1, 2]', '"text"', 'no JSON', '{"outputs": 3}', '{"outputs": [1]}', '{"predictions": []}', '{"outputs": []}'])(
    'that is no KServe v2 is left alone: %s',
    (answer) => {
      expect(answerAsAsked(Buffer.from(answer), { names: ['y'], isBinary: all })).toBeUndefined();
    },
  );

  it.each([
    ['values of another type', '{"outputs":[{"name":"y","datatype":"INT8","shape":[1],"data":[300]}]}'],
    ['an unknown datatype', '{"outputs":[{"name":"y","datatype":"FP8","shape":[1],"data":[1]}]}'],
    ['no data', '{"outputs":[{"name":"y","datatype":"FP32","shape":[1]}]}'],
  ])('stays JSON where bytes cannot hold it: %s', (_what, answer) => {
    expect(answerAsAsked(Buffer.from(answer), { names: undefined, isBinary: all })).toBeUndefined();
  });

  it('has all of its outputs where none of them was asked for, as TorchServe answers', () => {
    const answer = '{"outputs":[{"name":"x","datatype":"UINT8","shape":[2],"data":[[1],[2]]}]}';

    expect(answerAsAsked(Buffer.from(answer), { names: ['logits'], isBinary: () => false })).toBeUndefined();
    expect(outputBytes(answer)).toEqual(Buffer.from([1, 2]));
  });

  it('keeps long numbers in outputs that stay JSON', () => {
    const answer = '{"outputs":[{"name":"a","data":[1]},{"name":"b","data":[9007199254740993, NaN]}]}';

    const given = answerAsAsked(Buffer.from(answer), { names: ['b'], isBinary: () => false });

    expect(Buffer.from(given?.body ?? []).toString()).toBe('{"outputs":[{"name":"b","data":[9007199254740993,NaN]}]}');
  });
});
