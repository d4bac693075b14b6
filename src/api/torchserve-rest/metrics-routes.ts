import type { Principal } from '../../inference/principal.js';
import type { ShownSamples } from '../../observability/shown-samples.js';
import type { Route } from '../route.js';

const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8';

export interface MetricsApiOptions {
  /** The page: of the samples with these names, and of what is shown to whoever asks. undefined: of all. */
  readonly render: (only: ReadonlySet<string> | undefined, shown: ShownSamples | undefined) => string;
  /** Whether the page asks for a token. TorchServe's does not. */
  readonly guarded: boolean;
  /** Resolves when the page may be written. */
  readonly caughtUp: () => Promise<void>;
}

/** The metrics page, under any method and with any segments after it, as TorchServe serves it. Whoever has the scope for some models only sees theirs. */
export function metricsRoutes({ render, guarded, caughtUp }: MetricsApiOptions): readonly Route[] {
  const handle: Route['handle'] = async ({ query, principal }, reply) => {
    await caughtUp();
    const names = query.getAll('name[]');
    const shown = !guarded || principal.hasForAll('metrics') ? undefined : shownTo(principal);
    reply.send(200, render(names.length === 0 ? undefined : new Set(names), shown), [['content-type', TEXT_FORMAT]]);
  };
  const route = { connector: 'metrics', methods: 'any', scope: guarded ? 'metrics' : 'open', handle } as const;
  return [
    { ...route, pattern: '/metrics' },
    { ...route, pattern: '/metrics/*' },
  ];
}

/** What the machine does tells of all tenants: it is shown to the operator's only. */
function shownTo(principal: Principal): ShownSamples {
  return {
    model: (name) => principal.mayUse('metrics', name),
    tenant: (name) => !principal.isConfined || name === principal.tenant,
    machine: !principal.isConfined,
  };
}
