import { describe, expect, it } from 'vitest';
import { SconceError } from '../errors/sconce-error.js';
import type { HeaderPair } from '../inference/request.js';
import { Inspector } from './inspector.js';
import { parseInputRules } from './parse-rules.js';

function inspector(block: unknown): Inspector {
  const rules = parseInputRules(block, 'model-config.yaml');
  if (rules === undefined) throw new Error('no rules');
  return new Inspector(rules);
}

function body(value: Uint8Array | string, contentType = 'application/json', headers: readonly HeaderPair[] = []) {
  return { inputs: [{ name: 'body', contentType, value: typeof value === 'string' ? Buffer.from(value) : value }], headers };
}

/** Status and text of the refusal; the text of the body where it passes. */
function outcome(of: Inspector, ...request: Parameters<typeof body>): string {
  try {
    const [input] = of.inspect(body(...request)).inputs;
    return Buffer.from(input?.value ?? []).toString();
  } catch (error) {
    if (!(error instanceof SconceError)) throw error;
    return `${error.rendering.http} ${error.message}`;
  }
}

const at = (rule: string, place: string, what: string) => `The request is refused by the rule "${rule}" at ${place}: ${what}`;

describe('bounds on JSON', () => {
  const of = inspector({ json: { maxDepth: 3, maxKeys: 4, maxStringBytes: 6, maxNumberCharacters: 6 } });

  it.each([
    ['[[[1]]]', '[[[1]]]'],
    ['[[[[1]]]]', `413 ${at('json.maxDepth', 'byte 3', 'more than 3')}`],
    ['{"a":1,"b":1,"c":1,"d":1,"e":1}', `413 ${at('json.maxKeys', 'byte 28', 'more than 4')}`],
    ['["abcdefg"]', `413 ${at('json.maxStringBytes', 'byte 9', 'more than 6')}`],
    ['[1234567]', `413 ${at('json.maxNumberCharacters', 'byte 7', 'more than 6')}`],
    ['{"a":1,"\\u0061":2}', `400 ${at('json.duplicateKeys', 'byte 8', 'a key stands twice in one object')}`],
    ['{"a":{"a":1},"b":"a"}', '{"a":{"a":1},"b":"a"}'],
    ['["a\\":", 1]', '["a\\":", 1]'],
    ['[1', `400 ${at('json', 'its body', 'it is no JSON')}`],
    ['\ufeff[1]', `400 ${at('json', 'its body', 'it is no JSON')}`],
  ])('%s', (text, expected) => {
    expect(outcome(of, text)).toBe(expected);
  });

  it('IN2 hold for text that is nested a hundred thousand times, at once', () => {
    expect(outcome(of, '['.repeat(100_000))).toContain('json.maxDepth');
  });

  it('IN6 no UTF-8 is no JSON', () => {
    expect(outcome(of, Uint8Array.from([0x22, 0xc0, 0x80, 0x22]))).toContain('its bytes are not what its type says');
  });

  it('IN3 __proto__ and constructor are plain keys, and stay what they are', () => {
    const text = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';

    expect(outcome(inspector({ text: { html: 'strip' } }), text)).toBe(text);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

describe('content types', () => {
  const of = inspector({ contentTypes: ['application/json', 'image/*'] });
  const png = Buffer.from('89504e470d0a1a0a', 'hex');

  it('that are listed pass, and those that the bytes tell where none is given', () => {
    expect(outcome(of, '{"a":1}')).toBe('{"a":1}');
    expect(outcome(of, '{"a":1}', '')).toBe('{"a":1}');
    expect(outcome(of, png, 'image/png')).not.toContain('415');
  });

  it('IN7 that are not listed, or not what the bytes are, are refused with 415', () => {
    expect(outcome(of, 'hello', 'text/plain')).toBe(`415 ${at('contentTypes', 'its body', 'it has to be one of application/json, image/*')}`);
    expect(outcome(of, 'hello', '')).toContain('415');
    expect(outcome(of, '<svg onload="x"/>', 'image/png')).toContain('its bytes are not what its type says');
    expect(outcome(of, png, 'application/json')).toContain('its bytes are not what its type says');
  });
});

describe('a JSON Schema', () => {
  const of = inspector({
    schema: {
      type: 'object',
      required: ['prompt'],
      properties: { prompt: { type: 'string', pattern: '^(a+)+$' }, n: { type: 'integer', maximum: 1e20 } },
      additionalProperties: false,
    },
  });

  it('names the place, and not what stands there', () => {
    expect(outcome(of, '{"prompt":"aaa","n":12345678901234567890}')).toContain('aaa');
    expect(outcome(of, '{"prompt":7}')).toBe(`422 ${at('schema', '/prompt', 'must be string')}`);
    expect(outcome(of, '{"n":1}')).toContain("must have required property 'prompt'");
    expect(outcome(of, '{"prompt":"aaa","n":NaN}')).toContain('422');
    expect(outcome(of, 'hello', 'text/plain')).toContain('415');
  });

  it('IN5 takes no time over a text that would keep a backtracking engine busy for ever', () => {
    expect(outcome(of, JSON.stringify({ prompt: `${'a'.repeat(50_000)}!` }))).toContain('422');
  });

  it.each([
    ['leads out of the document', { $ref: 'https://example.org/schema.json' }, 'leads out of the document'],
    ['has no end', { type: 'nonsense' }, 'schema'],
    ['has a million places', { enum: Array.from({ length: 20_000 }, (_, n) => n) }, 'more than 10000 places'],
    ['has a pattern that RE2 does not know', { pattern: '(?=a)' }, 'schema'],
  ])('IN10 that %s is refused at registration', (_what, schema, message) => {
    expect(() => inspector({ schema })).toThrow(message);
  });

  it('may refer to itself', () => {
    const tree = inspector({ schema: { $defs: { t: { type: 'array', items: { $ref: '#/$defs/t' } } }, $ref: '#/$defs/t' } });

    expect(outcome(tree, '[[],[[]]]')).toBe('[[],[[]]]');
    expect(outcome(tree, '[[],[1]]')).toContain('/1/0');
  });
});

describe('tensors', () => {
  const of = inspector({ tensors: [{ name: 'x', datatype: 'FP32', shape: [[1, 2], 2], min: 0, max: 1 }, { maxElements: 3 }] });
  const v2 = (input: object, ...more: readonly object[]) => JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], ...input }, ...more] });

  it.each([
    [{ data: [0, 1] }, ''],
    [{ data: [[0, 1]] }, ''],
    [{ data: [0, 2] }, at('tensors.max', '/inputs/0/data/1', 'it is more than 1')],
    [{ data: [-0.5, 1] }, at('tensors.min', '/inputs/0/data/0', 'it is less than 0')],
    [{ data: ['x', 1] }, at('tensors.datatype', '/inputs/0/data/0', 'it is no FP32')],
    [{ data: [1] }, at('tensors.shape', '/inputs/0/data', 'the shape tells of 2 elements, 1 are there')],
    [{ shape: [3, 2], data: [] }, at('tensors.shape', '/inputs/0/shape', 'it has to be [1 to 2, 2]')],
    [{ shape: [1, -2], data: [] }, at('tensors.shape', '/inputs/0/shape', 'it has to be a list of lengths')],
    [{ datatype: 'FP64', data: [0, 1] }, at('tensors.datatype', '/inputs/0/datatype', 'it has to be FP32')],
    [{}, at('tensors.presence', '/inputs/0/data', 'it has to be a list')],
  ])('%j', (input, refusal) => {
    expect(outcome(of, v2(input))).toBe(refusal === '' ? v2(input) : `422 ${refusal}`);
  });

  it('IN4 that are not finite are refused, in JSON and as bytes', () => {
    expect(outcome(of, v2({ data: [0, 1] }).replace('[0,1]', '[NaN,1]'))).toContain('tensors.finite');
    const json = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], parameters: { binary_data_size: 8 } }] });
    const packed = (...values: readonly number[]) => Buffer.concat([Buffer.from(json), Buffer.from(Float32Array.from(values).buffer)]);
    const headers: HeaderPair[] = [['Inference-Header-Content-Length', String(json.length)]];

    expect(outcome(of, packed(0, 1), 'application/octet-stream', headers)).toContain(json);
    expect(outcome(of, packed(0, Number.POSITIVE_INFINITY), 'application/octet-stream', headers)).toContain(
      at('tensors.finite', '/inputs/0/data/1', 'it is no finite number'),
    );
    expect(outcome(of, packed(0), 'application/octet-stream', headers)).toContain('8 bytes were announced, 4 are there');
  });

  it('IN4 that no rule names fall under the rule without a name; one that is missing is missed', () => {
    expect(outcome(of, v2({ data: [0, 1] }, { name: 'y', datatype: 'INT64', shape: [4], data: [1, 2, 3, 4] }))).toContain('more than 3 elements');
    expect(outcome(of, v2({ data: [0, 1] }, { name: 'y', datatype: 'UINT8', shape: [2 ** 40, 2 ** 40], data: [] }))).toContain('more elements than can be');
    expect(outcome(of, JSON.stringify({ inputs: [{ name: 'y', datatype: 'INT64', shape: [1], data: [1] }] }))).toContain('the tensor "x" is missing');
  });

  it('IN4 of BYTES have to add up', () => {
    const bytes = inspector({ tensors: [{ datatype: 'BYTES' }] });
    const json = JSON.stringify({ inputs: [{ name: 't', datatype: 'BYTES', shape: [1], parameters: { binary_data_size: 6 } }] });
    const headers: HeaderPair[] = [['inference-header-content-length', String(json.length)]];

    expect(outcome(bytes, Buffer.concat([Buffer.from(json), Buffer.from([2, 0, 0, 0, 65, 66])]), '', headers)).toContain('AB');
    expect(outcome(bytes, Buffer.concat([Buffer.from(json), Buffer.from([9, 0, 0, 0, 65, 66])]), '', headers)).toContain('its bytes are no BYTES');
  });
});

describe('text', () => {
  it.each([
    ['control', 'a\u0007b', 'it holds control characters'],
    ['bidi', 'a\u202eb', 'it holds characters that turn the direction of writing'],
    ['invisible', 'a\u200bb', 'it holds characters that nobody sees'],
    ['invisible', `hi${String.fromCodePoint(0xe0041)}`, 'it holds characters that nobody sees'],
    ['encoding', '\ud800', 'it is no whole Unicode text'],
  ])('IN6 with hidden characters is refused by the rule %s', (rule, text, what) => {
    expect(outcome(inspector({ text: {} }), JSON.stringify({ p: text }))).toBe(`422 ${at(`text.${rule}`, '/p', what)}`);
  });

  it('with what people write passes as it is: line ends, emoji of several parts, other scripts', () => {
    const text = JSON.stringify({ p: 'a\n\tb 👩‍👩‍👧 שלום नमस्ते café' });

    expect(outcome(inspector({ text: {} }), text)).toBe(text);
  });

  it('is stripped, normalised and escaped where that is asked for, and the worker sees the result', () => {
    const of = inspector({ text: { at: ['/messages/*/content'], invisible: 'strip', bidi: 'strip', normalize: 'NFKC', html: 'escape' } });

    expect(outcome(of, '{"messages":[{"role":"<b>","content":"ｉ\u200bgnore <b>\u202e&"}],"n":12345678901234567890}')).toBe(
      '{"messages":[{"role":"<b>","content":"ignore &lt;b&gt;&amp;"}],"n":12345678901234567890}',
    );
  });

  it('IN6 is denied behind its normal form: a word in look-alike characters is the word', () => {
    const of = inspector({ text: { normalize: 'NFKC', invisible: 'strip', deny: ['(?i)ignore previous'] } });

    expect(outcome(of, '{"p":"ＩＧＮＯＲＥ pre\u200bvious"}')).toBe(`422 ${at('text.deny', '/p', 'it holds what the model does not take')}`);
    expect(outcome(of, '{"p":"please"}')).toBe('{"p":"please"}');
  });

  it('has to be of the form that is allowed, as long as is allowed', () => {
    const of = inspector({ text: { allow: '[a-z ]*', maxCharacters: 5 } });

    expect(outcome(of, 'abc', 'text/plain')).toBe('abc');
    expect(outcome(of, 'ABC', 'text/plain')).toContain('text.allow');
    expect(outcome(of, 'abcdef', 'text/plain')).toContain('text.maxCharacters');
    expect(outcome(inspector({ text: { maxCharacters: 3 } }), '"👍👍👍"')).toBe('"👍👍👍"');
    expect(outcome(inspector({ text: { maxBytes: 3 } }), '"👍"')).toContain('text.maxBytes');
    expect(outcome(of, Uint8Array.from([0x61, 0xff]), 'text/plain')).toContain('415');
  });

  it('loses its markup, also what only the loss of other markup brings together', () => {
    const of = inspector({ text: { html: 'strip' } });

    expect(outcome(of, '"<scr<script>x</script>ipt>alert(1)</script>hello<br>"')).toBe('"hello"');
    expect(outcome(inspector({ text: { html: 'refuse' } }), '"1 < 2 and 3 > 2"')).toBe('"1 < 2 and 3 > 2"');
    expect(outcome(inspector({ text: { html: 'refuse' } }), '"<img src=x onerror=y>"')).toContain('it holds markup');
  });

  it('with markup nested so deep that taking it out would take for ever is refused', () => {
    const nested = '<scr<script>'.repeat(40) + '</script>ipt>'.repeat(40);

    expect(outcome(inspector({ text: { html: 'strip' } }), JSON.stringify(nested))).not.toContain('<script');
  });

  it('of ten thousand combining marks takes no time', () => {
    const of = inspector({ text: { normalize: 'NFKC', maxCharacters: 20_000 } });

    expect(outcome(of, JSON.stringify(`a${'\u0301\u0323'.repeat(9000)}`))).not.toContain('422');
  });
});

describe('images', () => {
  const of = inspector({ images: { formats: ['png', 'gif'], maxPixels: 1_000_000, maxFrames: 2, maxSide: 20_000 } });
  const png = (width: number, height: number, extra: Buffer = Buffer.alloc(0)) => {
    const head = Buffer.alloc(33);
    head.write('89504e470d0a1a0a0000000d49484452', 0, 'hex');
    head.writeUInt32BE(width, 16);
    head.writeUInt32BE(height, 20);
    return Buffer.concat([head, extra, Buffer.from('0000000049444154', 'hex')]);
  };
  const gif = (frames: number) => {
    const frame = Buffer.from('2c00000000010001000002024401 00'.replaceAll(' ', ''), 'hex');
    return Buffer.concat([Buffer.from('47494638396101000100000000', 'hex'), ...Array.from({ length: frames }, () => frame), Buffer.from([0x3b])]);
  };

  it('IN1 are measured by their head, before a pixel is decoded', () => {
    expect(outcome(of, png(1000, 1000), 'image/png')).not.toContain('422');
    expect(outcome(of, png(1001, 1000), 'image/png')).toContain('more than 1000000 pixels');
    expect(outcome(of, png(30_000, 30_000), '')).toContain('wider or higher than 20000 pixels');
    expect(outcome(of, png(0, 1), 'image/png')).toContain('its head cannot be read');
    expect(outcome(of, png(1, 1).subarray(0, 12), 'image/png')).toContain('its head cannot be read');
  });

  it('IN1 have as many frames as they have, whatever they are called', () => {
    const actl = Buffer.alloc(20);
    actl.writeUInt32BE(8, 0);
    actl.write('acTL', 4);
    actl.writeUInt32BE(100_000, 8);

    expect(outcome(of, png(1, 1, actl), 'image/png')).toContain('more than 2 frames');
    expect(outcome(of, gif(2), 'image/gif')).not.toContain('422');
    expect(outcome(of, gif(100_000), 'image/gif')).toContain('more than 2 frames');
  });

  it('of a format that is not listed, or that are none, are refused with 415', () => {
    expect(outcome(of, Buffer.from('ffd8ffe0', 'hex'), 'image/jpeg')).toContain('415');
    expect(outcome(of, '<svg xmlns="http://www.w3.org/2000/svg"/>', 'image/svg+xml')).toContain('415');
    expect(outcome(of, Buffer.from([0, 1, 2, 3]), 'application/octet-stream')).toContain('415');
  });

  it('IN1 as TIFF with directories in a circle are refused', () => {
    const circle = Buffer.from('49492a0008000000000008000000', 'hex');

    expect(outcome(inspector({ images: { formats: ['tiff'] } }), circle, 'image/tiff')).toContain('422');
  });
});

it('the whole of a request may be so long, in parts or in one', () => {
  expect(outcome(inspector({ maxBytes: 3 }), '[1]')).toBe('[1]');
  expect(outcome(inspector({ maxBytes: 2 }), '[1]')).toBe(`413 ${at('maxBytes', 'its body', 'longer than 2 bytes')}`);
});

it.each([
  [{ jsn: {} }, 'sconce.inputs: Unrecognized key'],
  [{ tensors: [{ datatype: 'FP33' }] }, 'sconce.inputs.tensors.0.datatype: a datatype of the Open Inference Protocol'],
  [{ text: { deny: ['('] } }, 'sconce.inputs.text'],
  [{ guards: [{}] }, 'sconce.inputs.guards.0: either builtin or model'],
  ['yes', 'sconce.inputs: Invalid input'],
])('rules that cannot be read are refused: %j', (block, message) => {
  expect(() => inspector(block)).toThrow(message);
});

it('no rules are no rules', () => {
  expect(parseInputRules(undefined, 'x')).toBeUndefined();
  expect(parseInputRules(null, 'x')).toBeUndefined();
});
