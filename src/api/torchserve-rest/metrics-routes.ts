import type { Route } from '../route.js';

const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8';

export interface MetricsApiOptions {
  /** The page: of the samples with these names, and of the models that `permits` says. undefined: of all. */
  readonly render: (only: ReadonlySet<string> | undefined, permits: ((model: string) => boolean) | undefined) => string;
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
    const permits = !guarded || principal.hasForAll('metrics') ? undefined : (model: string) => principal.mayUse('metrics', model);
    reply.send(200, render(names.length === 0 ? undefined : new Set(names), permits), [['content-type', TEXT_FORMAT]]);
  };
  const route = { connector: 'metrics', methods: 'any', scope: guarded ? 'metrics' : 'open', handle } as const;
  return [
    { ...route, pattern: '/metrics' },
    { ...route, pattern: '/metrics/*' },
  ];
}
