// Says in which quadrant a point lies: {"point": [x, y]} in, {"label": "north-east", "score": 0.9987} out.
import type { Handler, HandlerContext, OnnxSession } from 'sconce/handler';

let session: OnnxSession;
let labels: readonly string[];

export default {
  /** Once, before the first request. What it throws keeps the model from being served. */
  async initialize(context) {
    session = await context.loadOnnx('model.onnx');
    labels = readLabels(context.config.handler);
  },

  /** For each batch: a list of requests in, a list with a result for each of them out, in the same order. */
  async handle(requests, context) {
    // One request that is wrong gets its own answer; the others go on.
    const points = requests.map((request) => readPoint(request.json()));
    const good = points.filter((point) => point !== undefined);
    const scores = good.length === 0 ? [] : await infer(good);
    return points.map((point) => {
      const row = point === undefined ? undefined : scores.shift();
      return row === undefined ? refusal(context) : best(row);
    });
  },
} satisfies Handler;

type Point = readonly [number, number];

function readPoint(body: unknown): Point | undefined {
  const point: unknown = typeof body === 'object' && body !== null && 'point' in body ? body.point : undefined;
  if (!Array.isArray(point) || point.length !== 2) return undefined;
  const [x, y]: unknown[] = point;
  return isNumber(x) && isNumber(y) ? [x, y] : undefined;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** The status and the text reach the client. Anything that is thrown otherwise is a plain "Prediction failed", and its stack stands in the model log. */
function refusal(context: HandlerContext): Error {
  return context.error(400, 'Send {"point": [x, y]} with two numbers.');
}

/** Runs the model on all points at once; gives the logits of each. */
async function infer(points: readonly Point[]): Promise<number[][]> {
  const data = Float32Array.from(points.flat());
  const { logits } = await session.run({ point: { type: 'float32', dims: [points.length, 2], data } });
  if (!(logits?.data instanceof Float32Array)) throw new Error('model.onnx has no output "logits" of float32');
  const { data: values } = logits;
  return points.map((_, row) => Array.from(values.subarray(row * labels.length, (row + 1) * labels.length)));
}

function best(logits: readonly number[]): { readonly label: string; readonly score: number } {
  const highest = Math.max(...logits);
  const weights = logits.map((logit) => Math.exp(logit - highest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { label: labels[logits.indexOf(highest)] ?? '?', score: Number((1 / total).toFixed(4)) };
}

/** What stands under `handler` in model-config.yaml is ours: the server leaves it alone. */
function readLabels(handler: unknown): readonly string[] {
  const value = typeof handler === 'object' && handler !== null && 'labels' in handler ? handler.labels : undefined;
  if (!Array.isArray(value) || value.length !== 4) throw new Error('model-config.yaml needs four labels');
  return value.map(String);
}
