import { z } from 'zod';
import { LoadFailed } from '../../../errors/backend.js';

const side = z.int().min(1).max(16_384);
const perChannel = z.array(z.number()).min(1).max(4);
const labels = z.union([z.string().min(1), z.array(z.string())]);

const image = z
  .strictObject({
    /** The model input that takes the picture; the first, if absent. */
    input: z.string().optional(),
    /** Height and width that the model sees; the input's own, if those are fixed. */
    size: z.tuple([side, side]).optional(),
    resize: z.enum(['stretch', 'shorter-side']).default('stretch'),
    /** Length of the shorter side before cropping. */
    resizeTo: side.optional(),
    crop: z.literal('center').optional(),
    kernel: z.enum(['nearest', 'linear', 'cubic', 'lanczos3']).default('linear'),
    /** Turn the picture as its EXIF orientation says. */
    orient: z.boolean().default(false),
    channels: z.union([z.literal(1), z.literal(3)]).optional(),
    order: z.enum(['RGB', 'BGR']).default('RGB'),
    /** Pixel values are divided by this, before mean and std. */
    scale: z.number().positive().default(255),
    mean: perChannel.default([0]),
    std: perChannel.refine((values) => values.every((value) => value !== 0), 'must not hold 0').default([1]),
    /** Where the colour axis stands; told by the input's axes, if absent. */
    layout: z.enum(['NCHW', 'NHWC']).optional(),
    dtype: z.enum(['float32', 'float64', 'float16', 'uint8', 'int8', 'int32']).optional(),
  })
  .refine(({ resize, crop }) => (resize === 'shorter-side') === (crop === 'center'), {
    message: 'resize: shorter-side and crop: center belong together',
    path: ['crop'],
  });

const digits = z.int().min(0).max(15);
const steps = z.union([
  z.strictObject({ softmax: z.strictObject({ axis: z.int().optional() }).nullable() }),
  z.strictObject({ sigmoid: z.strictObject({}).nullable() }),
  z.strictObject({ argmax: z.strictObject({ axis: z.int().optional(), labels: labels.optional() }).nullable() }),
  z.strictObject({ topk: z.strictObject({ k: z.int().min(1).max(100_000).optional(), labels: labels.optional() }).nullable() }),
  z.strictObject({ threshold: z.union([z.number(), z.strictObject({ min: z.number(), labels: labels.optional() })]) }),
  z.strictObject({ round: z.union([digits, z.strictObject({ digits })]) }),
]);
/** A step without options may be its bare name. */
const step = z.preprocess((given) => (typeof given === 'string' ? { [given]: null } : given), steps);

const pipeline = z.strictObject({
  preprocess: z.strictObject({ image }).optional(),
  postprocess: z.array(step).optional(),
  /** The model output that is post-processed and answered; the first, if absent. */
  output: z.string().optional(),
  /** Whether requests may share a run; decided by the model's axes, if absent. */
  joinRequests: z.boolean().optional(),
});

export type ImageConfig = z.output<typeof image>;
/** Labels: a file of the model directory, or the list itself. */
export type LabelsConfig = z.output<typeof labels>;

export type PostprocessStep =
  | { readonly step: 'softmax'; readonly axis: number }
  | { readonly step: 'sigmoid' }
  | { readonly step: 'argmax'; readonly axis: number; readonly labels: LabelsConfig | undefined }
  | { readonly step: 'topk'; readonly k: number; readonly labels: LabelsConfig | undefined }
  | { readonly step: 'threshold'; readonly min: number; readonly labels: LabelsConfig | undefined }
  | { readonly step: 'round'; readonly digits: number };

/** The `pipeline:` block of model-config.yaml, checked. */
export interface PipelineConfig {
  readonly image: ImageConfig | undefined;
  readonly postprocess: readonly PostprocessStep[];
  readonly output: string | undefined;
  readonly joinRequests: boolean | undefined;
}

/** Reads the block; an absent one is an empty pipeline. Throws LoadFailed that names the key and what it takes. */
export function readPipelineConfig(raw: unknown): PipelineConfig {
  const parsed = pipeline.safeParse(raw ?? {});
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${['pipeline', ...issue.path].join('.')}: ${sentence(issue)}`);
    throw LoadFailed({ status: 500, message: `model-config.yaml: ${issues.join('; ')}` });
  }
  const { preprocess, postprocess = [], output, joinRequests } = parsed.data;
  return { image: preprocess?.image, postprocess: postprocess.map(readStep), output, joinRequests };
}

const STEPS = 'softmax, sigmoid, argmax, topk: {k, labels}, threshold: {min, labels}, round: digits';

function sentence(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_union' && issue.path.includes('postprocess') && issue.path.length === 2 ? `takes one of ${STEPS}` : issue.message;
}

function readStep(given: z.output<typeof steps>): PostprocessStep {
  if ('softmax' in given) return { step: 'softmax', axis: given.softmax?.axis ?? -1 };
  if ('argmax' in given) return { step: 'argmax', axis: given.argmax?.axis ?? -1, labels: given.argmax?.labels };
  if ('topk' in given) return { step: 'topk', k: given.topk?.k ?? 5, labels: given.topk?.labels };
  if ('threshold' in given) {
    const { min, labels: named } = typeof given.threshold === 'number' ? { min: given.threshold, labels: undefined } : given.threshold;
    return { step: 'threshold', min, labels: named };
  }
  if ('round' in given) return { step: 'round', digits: typeof given.round === 'number' ? given.round : given.round.digits };
  return { step: 'sigmoid' };
}
