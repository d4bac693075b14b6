import { describe, expect, it } from 'vitest';
import { BadInput } from '../../errors/backend.js';
import type { InputParameter } from '../../inference/request.js';
import { readForm } from './request-form.js';
import type { ModelSignature } from './signature.js';

const PAIR: ModelSignature = {
  inputs: [
    { name: 'a', type: 'float32', dims: ['N', 2] },
    { name: 'b', type: 'float32', dims: ['N', 2] },
  ],
  outputs: [{ name: 'y', type: 'float32', dims: ['N', 2] }],
};

const parameter = (name: string, contentType: string, value: string): InputParameter => ({ name, contentType, value: Buffer.from(value) });
const body = (json: unknown): readonly InputParameter[] => [parameter('body', 'application/json', JSON.stringify(json))];
const values = (parameters: readonly InputParameter[]): unknown => readForm(parameters, PAIR).examples.map((example) => Object.fromEntries(example));
const json = (value: unknown) => ({ kind: 'json', value });

function refusal(parameters: readonly InputParameter[]): string {
  try {
    readForm(parameters, PAIR);
  } catch (error) {
    if (BadInput.is(error)) return error.message;
    throw error;
  }
  return 'taken';
}

describe('JSON bodies', () => {
  it.each([
    ['a nested array goes to the first input', [[1, 2]], { a: json([[1, 2]]) }],
    ['an object goes by input name', { b: [1], a: [2], c: 3 }, { a: json([2]), b: json([1]) }],
    ['data is unwrapped', { data: [1] }, { a: json([1]) }],
    ['inputs is unwrapped', { inputs: [[1]] }, { a: json([[1]]) }],
    ['inputs by name are unwrapped', { inputs: { a: 1, b: 2 } }, { a: json(1), b: json(2) }],
    ['a base64 object stands for its text', { b64: 'QQ==' }, { a: json('QQ==') }],
  ])('%s', (_, sent, sources) => {
    expect(values(body(sent))).toEqual([sources]);
    expect(readForm(body(sent), PAIR).kind).toBe('plain');
  });

  it('instances are an example each, by name or for the first input', () => {
    const form = body({ instances: [[1, 2], { a: [3], b: [4] }, { b64: 'QQ==' }, { data: [5] }] });

    expect(readForm(form, PAIR).kind).toBe('v1');
    expect(values(form)).toEqual([{ a: json([1, 2]) }, { a: json([3]), b: json([4]) }, { a: json('QQ==') }, { a: json([5]) }]);
  });

  it('inputs with names are KServe v2', () => {
    const input = { name: 'a', shape: [1, 2], datatype: 'FP32', data: [1, 2] };

    const form = readForm(body({ id: 'q', inputs: [input], outputs: [{ name: 'y' }] }), PAIR);

    expect(form).toEqual({
      kind: 'v2',
      id: 'q',
      outputs: { names: ['y'], isBinary: expect.any(Function) },
      examples: [new Map([['a', { kind: 'shaped', shape: [1, 2], datatype: 'FP32', data: [1, 2] }]])],
    });
  });

  it.each([
    [{ x: 1 }, `The body names none of the model's inputs. The model takes "a": float32 of shape [N, 2], "b": float32 of shape [N, 2].`],
    [{ inputs: [{ name: 'z', shape: [1], datatype: 'FP32', data: [1] }] }, 'The model has no input "z". The model takes "a"'],
    [{ inputs: [{ name: 'a', datatype: 'FP32', data: [1] }] }, 'Input "a": "shape" has to be an array of whole numbers above 0.'],
    [{ inputs: [{ name: 'a', shape: [1], data: [1] }] }, 'Input "a": "datatype" is missing.'],
    [{ inputs: [{ name: 'a', shape: [1], datatype: 'FP32' }] }, 'Input "a": "data" has to be an array.'],
    [{ inputs: [{ name: 'a', shape: [1, 2], datatype: 'FP32', data: [1, 2] }], outputs: [{ name: 'z' }] }, 'The model has no output "z". It has "y".'],
  ])('%j is refused by name', (sent, message) => {
    expect(refusal(body(sent))).toContain(message);
  });

  it('an object nested without end is refused, not followed', () => {
    const deep = `${'{"data":'.repeat(100_000)}1${'}'.repeat(100_000)}`;

    expect(refusal([parameter('body', 'application/json', deep)])).toContain('nested too deep');
  });
});

describe('parameters', () => {
  it('form fields go by input name; others are left alone', () => {
    expect(values([parameter('b', '', '[1,2]'), parameter('note', '', 'hello'), parameter('a', 'application/json', '[3,4]')])).toEqual([
      { a: json([3, 4]), b: json([1, 2]) },
    ]);
  });

  it('data wins over body', () => {
    expect(values([parameter('body', 'application/json', '[1]'), parameter('data', 'application/json', '[2]')])).toEqual([{ a: json([2]) }]);
  });

  it('bytes without a media type are bytes, unless they read as JSON', () => {
    expect(values([parameter('body', '', ' [1] ')])).toEqual([{ a: json([1]) }]);
    expect(values([parameter('body', '', '[1')])).toEqual([{ a: { kind: 'bytes', bytes: Buffer.from('[1') } }]);
    expect(values([parameter('body', '', '[x]')])).toEqual([{ a: { kind: 'bytes', bytes: Buffer.from('[x]') } }]);
    expect(values([parameter('body', 'application/octet-stream', '[1]')])).toEqual([{ a: { kind: 'bytes', bytes: Buffer.from('[1]') } }]);
  });

  it('broken JSON is refused with what is wrong', () => {
    expect(refusal([parameter('body', 'application/json', '[1,')])).toMatch(/^The JSON of "body" cannot be read: /);
  });

  it('a request without parameters is refused', () => {
    expect(refusal([])).toContain('The request has no input');
  });
});

describe('KServe v2 for a model with an input named "inputs"', () => {
  it('is KServe v2, and values by that name are values', () => {
    const model: ModelSignature = { inputs: [{ name: 'inputs', type: 'float32', dims: [2] }], outputs: PAIR.outputs };
    const input = { name: 'inputs', shape: [2], datatype: 'FP32', data: [1, 2] };

    expect(readForm(body({ inputs: [input] }), model)).toMatchObject({ kind: 'v2' });
    expect(readForm(body({ inputs: [1, 2] }), model)).toMatchObject({ kind: 'plain' });
  });
});

describe('KServe v2 bodies with binary tensors', () => {
  const head = (size: number) => ({ name: 'a', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: size } });
  const mixed = (json: unknown, bytes: Uint8Array, length?: string): ReturnType<typeof readForm> => {
    const text = Buffer.from(JSON.stringify(json));
    const parameters = [{ name: 'body', contentType: 'application/octet-stream', value: Buffer.concat([text, bytes]) }];
    return readForm(parameters, PAIR, [['Inference-Header-Content-Length', length ?? String(text.length)]]);
  };
  const refusalOf = (...args: Parameters<typeof mixed>): string => {
    try {
      mixed(...args);
    } catch (error) {
      if (BadInput.is(error)) return error.message;
      throw error;
    }
    return 'taken';
  };

  it('give each input its bytes, in the order of the inputs', () => {
    const form = mixed({ inputs: [head(4), { ...head(4), name: 'b' }] }, Buffer.from('aaaabbbb'));

    const sources = form.examples[0];
    expect(sources?.get('a')).toMatchObject({ kind: 'packed', bytes: Buffer.from('aaaa') });
    expect(sources?.get('b')).toMatchObject({ kind: 'packed', bytes: Buffer.from('bbbb') });
  });

  it('say which outputs shall be binary', () => {
    const of = (json: object) => {
      const form = mixed({ inputs: [head(0)], ...json }, Buffer.alloc(0));
      return form.kind === 'v2' && form.outputs.isBinary('y');
    };

    expect(of({})).toBe(false);
    expect(of({ parameters: { binary_data_output: true } })).toBe(true);
    expect(of({ outputs: [{ name: 'y', parameters: { binary_data: true } }] })).toBe(true);
    expect(of({ parameters: { binary_data_output: true }, outputs: [{ name: 'y', parameters: { binary_data: false } }] })).toBe(false);
  });

  it('are refused when their lengths do not add up', () => {
    expect(refusalOf({ inputs: [head(8)] }, Buffer.alloc(4))).toBe('Input "a": 8 bytes were announced, 4 are there.');
    expect(refusalOf({ inputs: [head(4)] }, Buffer.alloc(9))).toBe('5 bytes after the last input belong to none.');
    expect(refusalOf({ inputs: [head(4)] }, Buffer.alloc(4), '100000')).toContain('inference-header-content-length');
    expect(refusalOf({}, Buffer.alloc(4))).toContain('"inputs"');
  });
});
