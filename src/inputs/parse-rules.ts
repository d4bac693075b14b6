import { z } from 'zod';
import { InputRulesInvalid } from '../errors/inputs.js';
import { DATATYPES } from '../inference/datatype.js';
import type { GuardRule, InputRules, TextRules } from '../inference/input-rules.js';
import { compilePattern, MAX_SIZE_TOGETHER, patternSize } from './pattern.js';
import { compileSchema } from './schema-rule.js';

const whole = z.int().min(1);
const treatment = z.enum(['allow', 'refuse', 'strip']);
const pointer = z.string().regex(/^(\/[^/]*)*$/, 'a JSON pointer such as /prompt or /messages/*/content');
const datatype = z.string().refine((name) => name === 'BYTES' || DATATYPES.has(name), 'a datatype of the Open Inference Protocol');

const jsonRules = z.strictObject({
  maxDepth: whole.max(1000).default(64),
  maxKeys: whole.default(10_000),
  maxStringBytes: whole.default(1_048_576),
  maxNumberCharacters: whole.default(400),
  duplicateKeys: z.enum(['refuse', 'last']).default('refuse'),
});

const tensorRule = z
  .strictObject({
    name: z.string().optional(),
    datatype: datatype.optional(),
    shape: z.array(z.union([z.int().min(-1), z.tuple([z.int().min(0), z.int().min(0)])])).optional(),
    maxElements: whole.optional(),
    finite: z.boolean().default(true),
    min: z.number().optional(),
    max: z.number().optional(),
  })
  .transform(({ name, datatype: type, shape, maxElements, finite, min, max }) => ({ name, datatype: type, shape, maxElements, finite, min, max }));

const imageRules = z.strictObject({
  formats: z.array(z.enum(['png', 'jpeg', 'gif', 'webp', 'bmp', 'tiff'])).default(['png', 'jpeg']),
  maxPixels: whole.default(25_000_000),
  maxFrames: whole.default(1),
  maxSide: whole.default(16_384),
});

const textRules = z
  .strictObject({
    at: z.array(pointer).default([]),
    normalize: z.enum(['NFC', 'NFKC', 'none']).default('none'),
    control: treatment.default('refuse'),
    bidi: treatment.default('refuse'),
    invisible: treatment.default('refuse'),
    maxCharacters: whole.optional(),
    maxBytes: whole.optional(),
    deny: z.array(z.string()).default([]),
    allow: z.string().optional(),
    html: z.enum(['allow', 'refuse', 'strip', 'escape']).default('allow'),
  })
  .transform(({ maxCharacters, maxBytes, allow, ...rest }) => ({ maxCharacters, maxBytes, allow, ...rest }));

const guardRule = z
  .strictObject({
    builtin: z.literal('prompt-injection').optional(),
    model: z.string().min(1).optional(),
    judges: z.enum(['input', 'output']).default('input'),
    at: z.array(pointer).default([]),
    threshold: z.number().min(0).max(1).default(0.5),
    timeoutMs: whole.default(2000),
    fail: z.enum(['closed', 'open']).default('closed'),
    action: z.enum(['refuse', 'report']).default('refuse'),
  })
  .refine(({ builtin, model }) => (builtin === undefined) !== (model === undefined), 'either builtin or model')
  .transform(
    ({ builtin, model, judges, ...rest }): GuardRule => ({
      on: judges,
      by: model === undefined ? { kind: 'built-in', detector: builtin ?? 'prompt-injection' } : { kind: 'model', name: model },
      ...rest,
    }),
  );

const rules = z
  .strictObject({
    maxBytes: whole.optional(),
    contentTypes: z.array(z.string().toLowerCase()).default([]),
    json: jsonRules.prefault({}),
    schema: z.union([z.boolean(), z.record(z.string(), z.unknown())]).optional(),
    tensors: z.array(tensorRule).default([]),
    images: imageRules.optional(),
    text: z.union([z.array(textRules), textRules.transform((one) => [one])]).default([]),
    guards: z.array(guardRule).default([]),
    outputs: z.strictObject({ html: z.enum(['allow', 'escape']).default('escape'), finite: z.boolean().default(false) }).optional(),
  })
  .superRefine(checkPatterns)
  .transform(({ maxBytes, schema, images, outputs, ...rest }): InputRules => ({ maxBytes, schema, images, outputs, ...rest }));

/** Reads `sconce: inputs:` of a model-config.yaml; undefined where there is none. Throws InputRulesInvalid for what it doesn't know: a rule that is spelt wrong would protect nobody. */
export function parseInputRules(block: unknown, file: string): InputRules | undefined {
  if (block === undefined || block === null) return undefined;
  const read = rules.safeParse(block);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw InputRulesInvalid({
      file,
      what: `sconce.inputs${(issue?.path ?? []).map((part) => `.${String(part)}`).join('')}: ${issue?.message ?? 'cannot be read'}`,
    });
  }
  if (read.data.schema !== undefined) {
    const wrong = compileSchema(read.data.schema);
    if (typeof wrong === 'string') throw InputRulesInvalid({ file, what: `sconce.inputs.schema: ${wrong}` });
  }
  return read.data;
}

function checkPatterns({ text }: { readonly text: readonly TextRules[] }, context: z.RefinementCtx): void {
  let size = 0;
  for (const [index, { deny, allow }] of text.entries()) {
    for (const expression of allow === undefined ? deny : [...deny, allow]) {
      size += patternSize(expression);
      const wrong =
        size > MAX_SIZE_TOGETHER ? `with those before it, more than ${MAX_SIZE_TOGETHER} places, repetitions written out` : compilePattern(expression);
      if (typeof wrong !== 'string') continue;
      context.addIssue({ code: 'custom', path: ['text', index], message: `no RE2 expression: ${wrong}` });
      return;
    }
  }
}
