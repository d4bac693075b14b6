import type { ArchiveRequest, Body } from './archive.js';

const JSON_TYPE = { 'Content-Type': 'application/json' };

/** A prediction of `model` from a body without a content type. */
export function predict(model: string, body: Body, headers: Readonly<Record<string, string>> = {}): ArchiveRequest {
  return { path: `/predictions/${model}`, body, headers };
}

/** A prediction of `model` from a JSON value. */
export function predictJson(model: string, value: unknown, headers: Readonly<Record<string, string>> = {}): ArchiveRequest {
  return predict(model, JSON.stringify(value), { ...JSON_TYPE, ...headers });
}

export function explain(model: string, body: Body, headers: Readonly<Record<string, string>> = {}): ArchiveRequest {
  return { path: `/explanations/${model}`, body, headers };
}

/** The model's own description of itself, through the management API. */
export function describeCustomized(model: string): ArchiveRequest {
  return { method: 'GET', path: `/models/${model}?customized=true`, port: 'management' };
}
