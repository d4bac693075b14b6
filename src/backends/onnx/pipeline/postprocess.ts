import { HandlerFailed } from '../../../errors/backend.js';
import { toHalfBits } from '../../../inference/half-float.js';
import { ELEMENT_FORMATS, type ElementType } from '../element-type.js';
import { sizeOf, type Tensor, toNumbers } from '../tensors.js';
import { type Labels, readLabels } from './labels.js';
import type { PostprocessStep } from './pipeline-config.js';
import { above, type Ranking, rankingJson, topK } from './ranking.js';
import { argmax, sigmoid, softmax } from './softmax.js';

/** What post-processing makes of an output: a tensor still, or one JSON text per example. */
export type Processed = { readonly kind: 'tensor'; readonly tensor: Tensor } | { readonly kind: 'rows'; readonly json: readonly string[] };

type Working =
  | { readonly kind: 'values'; readonly values: Float64Array; readonly dims: readonly number[]; readonly type: ElementType }
  | { readonly kind: 'rankings'; readonly rankings: readonly Ranking[] }
  | { readonly kind: 'names'; readonly names: readonly string[] };

type Step = (working: Working) => Working;

/** The post-processing steps of a model, their labels read. */
export class Postprocess {
  private constructor(
    private readonly steps: readonly Step[],
    /** Whether the last step gives labels, so that the answer is a JSON object or text per example. */
    readonly givesLabels: boolean,
  ) {}

  /** Reads the label files that the steps name. Rejects with LoadFailed. */
  static async open(steps: readonly PostprocessStep[], directory: string): Promise<Postprocess> {
    const opened = await Promise.all(steps.map((step) => openStep(step, directory)));
    return new Postprocess(
      opened,
      steps.some((step) => step.step === 'topk' || step.step === 'threshold' || (step.step === 'argmax' && step.labels !== undefined)),
    );
  }

  get isEmpty(): boolean {
    return this.steps.length === 0;
  }

  /** Applies the steps to one example's or stack's output. Throws HandlerFailed (503) when a step cannot take what the model gave. */
  apply(tensor: Tensor): Processed {
    if (this.isEmpty) return { kind: 'tensor', tensor };
    const values = toNumbers(tensor);
    if (values === undefined) throw HandlerFailed({ status: 503, message: 'Post-processing needs numbers, the model gave strings.' });
    const end = this.steps.reduce<Working>((working, step) => step(working), { kind: 'values', values, dims: tensor.dims, type: tensor.type });
    switch (end.kind) {
      case 'values':
        return { kind: 'tensor', tensor: toTensor(end) };
      case 'rankings':
        return { kind: 'rows', json: end.rankings.map(rankingJson) };
      case 'names':
        return { kind: 'rows', json: end.names.map((name) => JSON.stringify(name)) };
    }
  }
}

async function openStep(step: PostprocessStep, directory: string): Promise<Step> {
  switch (step.step) {
    case 'softmax':
      return onValues('softmax', ({ values, dims, type }) => {
        softmax(values, dims, checkedAxis(step.axis, dims));
        return { kind: 'values', values, dims, type: floating(type) };
      });
    case 'sigmoid':
      return onValues('sigmoid', ({ values, dims, type }) => {
        sigmoid(values);
        return { kind: 'values', values, dims, type: floating(type) };
      });
    case 'argmax':
      return openArgmax(step.axis, step.labels === undefined ? undefined : await readLabels(step.labels, directory));
    case 'topk': {
      const labels = await readLabels(step.labels, directory);
      return onValues('topk', (working) => ({ kind: 'rankings', rankings: rowsOf('topk', working).map((row) => topK(row, step.k, labels)) }));
    }
    case 'threshold':
      return openThreshold(step.min, await readLabels(step.labels, directory));
    case 'round':
      return rounding(step.digits);
  }
}

function openArgmax(axis: number, labels: Labels | undefined): Step {
  return onValues('argmax', ({ values, dims }) => {
    const best = argmax(values, dims, checkedAxis(axis, dims));
    if (labels === undefined) return { kind: 'values', values: Float64Array.from(best.indices), dims: best.dims, type: 'int32' };
    if (best.dims.length > 1) throw HandlerFailed({ status: 503, message: 'argmax with labels needs one vector of scores per example.' });
    return { kind: 'names', names: best.indices.map(labels) };
  });
}

function openThreshold(min: number, labels: Labels): Step {
  return (working) => {
    if (working.kind === 'rankings') return { kind: 'rankings', rankings: working.rankings.map((ranking) => ranking.filter(({ score }) => score >= min)) };
    return onValues('threshold', (scores) => ({ kind: 'rankings', rankings: rowsOf('threshold', scores).map((row) => above(row, min, labels)) }))(working);
  };
}

function rounding(digits: number): Step {
  const round = (value: number): number => (Number.isFinite(value) ? Number(value.toFixed(digits)) : value);
  return (working) => {
    if (working.kind === 'values')
      return { ...working, values: working.values.map(round), type: working.type === 'float32' || working.type === 'float16' ? 'float64' : working.type };
    if (working.kind === 'names') return working;
    return { kind: 'rankings', rankings: working.rankings.map((ranking) => ranking.map(({ label, score }) => ({ label, score: round(score) }))) };
  };
}

type Values = Extract<Working, { kind: 'values' }>;

function onValues(name: string, step: (values: Values) => Working): Step {
  return (working) => {
    if (working.kind !== 'values') throw HandlerFailed({ status: 503, message: `The step ${name} needs scores, the one before it gave labels.` });
    return step(working);
  };
}

/** One vector per example. A tensor of one axis is one example; axes of length 1 beside the scores do not count. */
function rowsOf(name: string, { values, dims }: Values): readonly Float64Array[] {
  const rows = dims.length > 1 ? (dims[0] ?? 1) : 1;
  if (dims.length === 0 || dims.slice(1).filter((dim) => dim !== 1).length > 1) {
    throw HandlerFailed({ status: 503, message: `The step ${name} needs one vector of scores per example, the model gave ${dims.length} axes.` });
  }
  const length = values.length / Math.max(1, rows);
  return Array.from({ length: rows }, (_, row) => values.subarray(row * length, (row + 1) * length));
}

function checkedAxis(axis: number, dims: readonly number[]): number {
  if (axis < -dims.length || axis >= dims.length)
    throw HandlerFailed({ status: 503, message: `Post-processing along axis ${axis}: the output has ${dims.length} axes.` });
  return axis;
}

function floating(type: ElementType): ElementType {
  return type === 'float16' || type === 'float64' ? type : 'float32';
}

function toTensor({ values, dims, type }: Values): Tensor {
  const data = ELEMENT_FORMATS[type].create(sizeOf(dims));
  if (Array.isArray(data)) return { type, dims, data };
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (const [index, value] of values.entries()) data[index] = BigInt(Math.trunc(value));
    return { type, dims, data };
  }
  for (const [index, value] of values.entries()) data[index] = type === 'float16' ? toHalfBits(value) : value;
  return { type, dims, data };
}
