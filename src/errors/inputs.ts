import { defineError } from './sconce-error.js';

/** The rules of model-config.yaml for inputs cannot be read: the model isn't served, for it would be served without them. */
export const InputRulesInvalid = defineError<{ file: string; what: string }>('INPUT_RULES_INVALID', {
  kind: 'invalid',
  type: 'InvalidModelException',
  says: ({ file, what }) => `${file}: ${what}`,
});

/** A request breaks a rule of its model. `place` is a JSON pointer, or the name of a part; what stands there is not told. */
export const InputRefused = defineError<{ status: 400 | 413 | 415 | 422; place: string; rule: string; what: string }>('INPUT_REFUSED', {
  kind: 'invalid',
  http: ({ status }) => status,
  grpc: ({ status }) => (status === 413 ? 8 : 3),
  reason: 'input_refused',
  says: ({ place, rule, what }) => `The request is refused by the rule "${rule}" at ${place === '' ? 'its body' : place}: ${what}`,
});

/** A guard judged the text, or failed and is to fail closed. */
export const GuardRefused = defineError<{ guard: string; on: 'input' | 'output'; why: string }>('GUARD_REFUSED', {
  kind: 'invalid',
  http: 422,
  reason: 'guard_refused',
  says: ({ guard, on, why }) => `The ${on === 'input' ? 'request' : 'answer'} is refused by the guard "${guard}": ${why}`,
});

/** An answer breaks the model's rule for its outputs. */
export const OutputRefused = defineError<{ what: string }>('OUTPUT_REFUSED', {
  kind: 'model-failed',
  reason: 'output_refused',
  says: ({ what }) => `The model's answer breaks its own rule for outputs: ${what}`,
});
