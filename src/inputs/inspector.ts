import { InputRefused } from '../errors/inputs.js';
import { mixedBodyOf } from '../inference/binary-tensors.js';
import { isPlainJson, parseExactJson, writeExactJson } from '../inference/exact-json.js';
import type { InputRules } from '../inference/input-rules.js';
import type { HeaderPair, InputParameter } from '../inference/request.js';
import { checkImage } from './image-rule.js';
import { checkJsonLimits } from './json-limits.js';
import { agrees, isJsonType, sniffedType, textOf } from './media-type.js';
import { patternCost } from './pattern.js';
import { type Box, textPlaces } from './places.js';
import { schemaCost } from './schema-cost.js';
import { compileSchema, type SchemaCheck } from './schema-rule.js';
import { checkTensors } from './tensor-rule.js';
import { type TextCheck, textCheck } from './text-rule.js';

/** What of a request is inspected, and what a worker sees after it. */
export interface Inspected {
  readonly inputs: readonly InputParameter[];
  readonly headers: readonly HeaderPair[];
}

/** Parts that bear a file's name or a single body have no name of their own in messages. */
const BODY_NAMES = new Set(['body', 'data']);
const EMPTY = new Uint8Array();
/** Longer bodies are inspected on a thread: the event loop has other clients. */
const INLINE_BYTES = 65_536;
/** Of schema and expressions over a body: some ten milliseconds. */
const QUICK_STEPS = 5_000_000;

/**
 * Holds requests to the rules of one model, in the order of their cost: size, type, JSON bounds, schema, tensors, image, text. What a rule changes
 * (normalised, stripped, escaped text) stands in the inputs that are given back. Guards are no part of it: they take time.
 */
export class Inspector {
  readonly #schema: SchemaCheck | undefined;
  readonly #stepsPerByte: number;
  readonly #texts: readonly { readonly at: readonly string[]; readonly check: TextCheck }[];

  constructor(readonly rules: InputRules) {
    const schema = rules.schema === undefined ? undefined : compileSchema(rules.schema);
    if (typeof schema === 'string') throw new TypeError(schema);
    this.#schema = schema;
    const expressions = rules.text.flatMap(({ deny, allow }) => (allow === undefined ? deny : [...deny, allow]));
    this.#stepsPerByte = expressions.reduce((sum, expression) => sum + patternCost(expression), schemaCost(rules.schema));
    this.#texts = rules.text.map((rule) => ({ at: rule.at, check: textCheck(rule) }));
  }

  /** Whether a body of that length is inspected in a few milliseconds, whatever is in it. */
  isQuickFor(sizeBytes: number): boolean {
    return sizeBytes <= INLINE_BYTES && this.#stepsPerByte * sizeBytes <= QUICK_STEPS;
  }

  /** Throws InputRefused, and BadInput for binary tensors whose sizes don't add up. */
  inspect({ inputs, headers }: Inspected): Inspected {
    const { maxBytes } = this.rules;
    const sizeBytes = inputs.reduce((sum, { value }) => sum + value.byteLength, 0);
    if (maxBytes !== undefined && sizeBytes > maxBytes) throw InputRefused({ status: 413, place: '', rule: 'maxBytes', what: `longer than ${maxBytes} bytes` });
    if (inputs.length === 0 && this.#schema !== undefined) throw InputRefused({ status: 422, place: '', rule: 'schema', what: 'it is empty' });
    let headersNow = headers;
    const checked = inputs.map((input) => {
      const mixed = mixedBodyOf(headers, input.value);
      if (mixed === 'broken') throw InputRefused({ status: 400, place: '', rule: 'json', what: 'its header does not say where the JSON ends' });
      if (mixed === undefined) return this.#input(input);
      const json = this.#json(mixed.json, placeOf(input), mixed.bytes);
      headersNow = headersNow.map(
        ([name, value]): HeaderPair => (name.toLowerCase() === 'inference-header-content-length' ? [name, String(json.byteLength)] : [name, value]),
      );
      return json === mixed.json ? input : { ...input, value: Buffer.concat([json, mixed.bytes]) };
    });
    return { inputs: checked, headers: headersNow };
  }

  #input(input: InputParameter): InputParameter {
    const { contentTypes, images } = this.rules;
    const place = placeOf(input);
    const sniffed = sniffedType(input.value);
    const type = input.contentType === '' ? sniffed : input.contentType;
    if (contentTypes.length > 0 && !contentTypes.some((allowed) => covers(allowed, type)))
      throw InputRefused({ status: 415, place, rule: 'contentTypes', what: `it has to be one of ${contentTypes.join(', ')}` });
    if (!agrees(input.contentType, sniffed)) throw InputRefused({ status: 415, place, rule: 'contentTypes', what: `its bytes are not what its type says` });
    if (isJsonType(type)) {
      const value = this.#json(input.value, place, EMPTY);
      return value === input.value ? input : { ...input, value };
    }
    if (images !== undefined && (type.startsWith('image/') || sniffed.startsWith('image/') || !isText(type, sniffed))) checkImage(input.value, place, images);
    if (isText(type, sniffed) && this.#texts.length > 0) return this.#text(input, place);
    if (this.#schema !== undefined && images === undefined) throw InputRefused({ status: 415, place, rule: 'schema', what: 'it has to be JSON' });
    return input;
  }

  #json(bytes: Uint8Array, place: string, packed: Uint8Array): Uint8Array {
    checkJsonLimits(bytes, this.rules.json);
    const text = textOf(bytes);
    const unreadable = (): Error => InputRefused({ status: 400, place, rule: 'json', what: 'it is no JSON' });
    if (text === undefined || text.startsWith('\ufeff')) throw unreadable();
    const box: Box = { value: undefined };
    try {
      box.value = parseExactJson(text);
    } catch {
      throw unreadable();
    }
    this.#checkSchema(text, box.value, place);
    if (this.rules.tensors.length > 0) checkTensors(box.value, packed, this.rules.tensors);
    let isChanged = false;
    for (const { at, check } of this.#texts) {
      for (const found of textPlaces(box, at)) {
        const clean = check(found.text, `${place}${found.place}`);
        if (clean === found.text) continue;
        found.put(clean);
        isChanged = true;
      }
    }
    return isChanged ? Buffer.from(writeExactJson(box.value)) : bytes;
  }

  /** On JSON as it is defined: long numbers are numbers there, and NaN is none. */
  #checkSchema(text: string, exact: unknown, place: string): void {
    if (this.#schema === undefined) return;
    let value = exact;
    try {
      if (!isPlainJson(text)) value = JSON.parse(text);
    } catch {
      throw InputRefused({ status: 422, place, rule: 'schema', what: 'it holds NaN or an infinity' });
    }
    const broken = this.#schema(value);
    if (broken !== undefined) throw InputRefused({ status: 422, place: `${place}${broken.place}`, rule: 'schema', what: broken.what });
  }

  #text(input: InputParameter, place: string): InputParameter {
    const text = textOf(input.value);
    if (text === undefined) throw InputRefused({ status: 400, place, rule: 'text.encoding', what: 'it is no UTF-8' });
    const clean = this.#texts.filter(({ at }) => at.length === 0).reduce((now, { check }) => check(now, place), text);
    return clean === text ? input : { ...input, value: Buffer.from(clean) };
  }
}

function placeOf({ name }: InputParameter): string {
  return BODY_NAMES.has(name) ? '' : `part "${name.slice(0, 64)}"`;
}

/** `image/*` covers every image. */
function covers(allowed: string, type: string): boolean {
  return allowed === type || (allowed.endsWith('/*') && type.startsWith(allowed.slice(0, -1)));
}

function isText(type: string, sniffed: string): boolean {
  return type.startsWith('text/') || (type === 'application/x-www-form-urlencoded' || type === '' ? sniffed.startsWith('text/') : false);
}
