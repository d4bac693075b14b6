import { BadRequest, JsonMalformed } from '../../errors/admission.js';
import { parseLenientJson } from '../../inference/lenient-json.js';
import type { HttpRequest } from '../http-exchange.js';

const MIN_INT32 = -(2 ** 31);
const MAX_INT32 = 2 ** 31 - 1;
/** The lenient reader runs on the event loop: a second for what a listener takes, a few milliseconds for this. */
const MAX_JSON_BYTES = 65_536;

/**
 * The parameters of a management call: the query, or the body where it is JSON. TorchServe is lenient: what isn't a whole number of 32 bits counts as unset,
 * what isn't `true` as false.
 */
export class WishParameters {
  constructor(private readonly values: ReadonlyMap<string, string>) {}

  static ofQuery({ query }: HttpRequest): WishParameters {
    const values = new Map<string, string>();
    for (const [name, value] of query) if (!values.has(name)) values.set(name, value);
    return new WishParameters(values);
  }

  /** Reads a JSON body instead of the query where there is one. Throws JsonMalformed, and BadRequest for one that is longer than any wish. */
  static of(request: HttpRequest): WishParameters {
    if (request.mediaType !== 'application/json') return WishParameters.ofQuery(request);
    if (request.body.length > MAX_JSON_BYTES) throw BadRequest({ message: `The JSON body is longer than ${MAX_JSON_BYTES} bytes.` });
    const text = Buffer.from(request.body).toString();
    let json: unknown;
    try {
      json = parseLenientJson(text);
    } catch (error) {
      throw JsonMalformed({ message: error instanceof Error ? error.message : 'Malformed JSON' }, error);
    }
    if (typeof json !== 'object' || json === null || Array.isArray(json)) throw JsonMalformed({ message: 'Expected a JSON object.' });
    const scalars = Object.entries(json).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value));
    return new WishParameters(new Map(scalars.map(([name, value]) => [name, String(value)])));
  }

  text(name: string): string | undefined {
    return this.values.get(name);
  }

  /** Throws BadRequest. */
  required(name: string): string {
    const value = this.values.get(name);
    if (value === undefined) throw BadRequest({ message: `Parameter ${name} is required.` });
    return value;
  }

  /** undefined for anything but a whole number of 32 bits, and for `unset`, the number that stands for it in this parameter. */
  integer(name: string, unset?: number): number | undefined {
    const value = this.values.get(name) ?? '';
    if (!/^[+-]?\d+$/.test(value)) return undefined;
    const number = Number(value);
    return number === unset || number < MIN_INT32 || number > MAX_INT32 ? undefined : number;
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.values.get(name);
    return value === undefined ? fallback : value.toLowerCase() === 'true';
  }
}
