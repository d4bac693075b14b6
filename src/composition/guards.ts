import { ModelNotFound } from '../errors/model.js';
import type { Answer } from '../inference/part.js';
import { ANYONE, type Principal } from '../inference/principal.js';
import type { InferenceRequest } from '../inference/request.js';
import type { Guard } from '../inputs/guards/guard.js';
import type { FindGuard } from '../inputs/guards/judges.js';
import { ModelGuard } from '../inputs/guards/model-guard.js';
import { PromptInjectionGuard } from '../inputs/guards/prompt-injection.js';

type Ask = (request: InferenceRequest, answer: Answer) => void;

/** A guard that the model has no business with: as one that isn't there. */
const NOT_FOUND: Ask = ({ model }, answer) => answer.fail(ModelNotFound({ model }));

/**
 * The guards that models name. `ask` hands a request to a served model, past that model's own guards; `mayAsk` tells whether one model may have the other judge for it,
 * `askerOf` in whose name it asks: tenants that share a guard have their turns there.
 */
export function createGuards(ask: Ask, mayAsk: (model: string, guard: string) => boolean, askerOf: (model: string) => Principal = () => ANYONE): FindGuard {
  let builtIn: Guard | undefined;
  return (by, model) => {
    if (by.kind === 'model') {
      const inItsName: Ask = (request, answer) => ask({ ...request, principal: askerOf(model) }, answer);
      return new ModelGuard(by.name, mayAsk(model, by.name) ? inItsName : NOT_FOUND);
    }
    builtIn ??= new PromptInjectionGuard();
    return builtIn;
  };
}
