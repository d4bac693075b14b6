import type { GrantedScope } from '../inference/principal.js';

/** What a caller must be allowed to do. A route cannot be registered without one. `open` needs no token: API descriptions and metrics, as in TorchServe. */
export type Scope = 'open' | GrantedScope;
