import type { Answer } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { Guard } from '../inputs/guards/guard.js';
import type { FindGuard } from '../inputs/guards/judges.js';
import { ModelGuard } from '../inputs/guards/model-guard.js';
import { PromptInjectionGuard } from '../inputs/guards/prompt-injection.js';

/** The guards that models name. `ask` hands a request to a served model, past that model's own guards. */
export function createGuards(ask: (request: InferenceRequest, answer: Answer) => void): FindGuard {
  let builtIn: Guard | undefined;
  return (by) => {
    if (by.kind === 'model') return new ModelGuard(by.name, ask);
    builtIn ??= new PromptInjectionGuard();
    return builtIn;
  };
}
