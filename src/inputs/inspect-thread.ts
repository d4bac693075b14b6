import { SconceError } from '../errors/sconce-error.js';
import type { InputRules } from '../inference/input-rules.js';
import { type Inspected, Inspector } from './inspector.js';

/** What a thread inspects. */
export interface InspectTask {
  readonly rules: InputRules;
  /** Names the rules: a thread keeps the inspectors that it has built. */
  readonly key: string;
  readonly request: Inspected;
}

/** The request as a worker is to see it, or the refusal's parts: an error's class gets lost between threads. */
export type InspectOutcome =
  | { readonly kind: 'passed'; readonly request: Inspected }
  | { readonly kind: 'refused'; readonly error: Pick<SconceError, 'code' | 'kind' | 'message' | 'rendering' | 'reason'> };

const KEPT = 32;
const inspectors = new Map<string, Inspector>();

/** Inspects one request. Rejects for faults of ours alone. */
export default function inspect({ rules, key, request }: InspectTask): InspectOutcome {
  try {
    return { kind: 'passed', request: inspectorFor(key, rules).inspect(request) };
  } catch (error) {
    if (!(error instanceof SconceError)) throw error;
    const { code, kind, message, rendering, reason } = error;
    return { kind: 'refused', error: { code, kind, message, rendering, reason } };
  }
}

function inspectorFor(key: string, rules: InputRules): Inspector {
  const kept = inspectors.get(key) ?? new Inspector(rules);
  inspectors.delete(key);
  inspectors.set(key, kept);
  const [oldest] = inspectors.keys();
  if (inspectors.size > KEPT && oldest !== undefined) inspectors.delete(oldest);
  return kept;
}
