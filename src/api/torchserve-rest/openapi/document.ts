// The pieces of an OpenAPI 3.0.1 document in TorchServe's order of fields. Defaults are strings, as TorchServe writes them and client generators expect.

export type Json = string | number | boolean | { readonly [name: string]: Json } | readonly Json[];

export interface Operation {
  readonly description: string;
  readonly operationId: string;
  readonly parameters?: readonly Json[];
  readonly requestBody?: Json;
  readonly responses: Readonly<Record<string, Json>>;
  readonly deprecated?: boolean;
}

export type Paths = Readonly<Record<string, Readonly<Record<string, Json>>>>;

export function operation({ description, operationId, parameters = [], requestBody, responses, deprecated }: Operation): Json {
  return {
    description,
    operationId,
    parameters,
    ...(requestBody === undefined ? {} : { requestBody }),
    responses,
    ...(deprecated === undefined ? {} : { deprecated }),
  };
}

export function property(type: string, description?: string): Json {
  return { type, ...(description === undefined ? {} : { description }) };
}

export function object(required: readonly string[], properties: Readonly<Record<string, Json>>): Json {
  return { type: 'object', required, properties };
}

export function inPath(name: string, description: string): Json {
  return { in: 'path', name, description, required: true, schema: { type: 'string' } };
}

export function inQuery(name: string, type: string, description: string, fallback?: string, required = false): Json {
  return { in: 'query', name, description, required, schema: { type, ...(fallback === undefined ? {} : { default: fallback }) } };
}

export function answer(description: string, schema: Json, type = 'application/json'): Json {
  return { description, content: { [type]: { schema } } };
}

const ERROR = object(['code', 'type', 'message'], {
  code: property('integer', 'HTTP status code.'),
  type: property('string', 'Kind of error.'),
  message: property('string', 'What went wrong.'),
});

export function failure(description: string): Json {
  return answer(description, ERROR);
}

const STATUS = object(['status'], { status: property('string', 'Outcome in words.') });

export function status(description: string): Json {
  return answer(description, STATUS);
}

export const INTERNAL = failure('Internal Server Error');
